"""An app that uses what the local Functions host serves; nothing in it knows of that host."""

from __future__ import annotations

import asyncio
import json
import os
import time
from datetime import timedelta
from pathlib import Path
from typing import List  # noqa: UP035

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
queues = df.Blueprint()


def trace(line: str) -> None:
    """Append a line to the file that the test reads; one write, so lines stay whole."""
    if path := os.environ.get("SAMPLE_TRACE"):
        with Path(path).open("a") as file:
            file.write(f"{line}\n")


# ------------------------------------------------------------------ HTTP


@app.route(route="livez", methods=["GET"])
def livez(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("ok")


@app.route(route="echo/{name}/{count:int?}", methods=["GET", "POST"])
async def echo(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    body = {
        "method": req.method,
        "route": dict(req.route_params),
        "query": dict(req.params),
        "header": req.headers.get("x-sample"),
        "size": len(req.get_body()),
        "function": context.function_name,
    }
    return func.HttpResponse(
        json.dumps(body), mimetype="application/json", headers={"X-Sample": "answer"}
    )


@app.route(route="files/{*path}", methods=["GET"])
def files(req: func.HttpRequest) -> str:
    return req.route_params.get("path", "")


@app.route(route="nothing", methods=["DELETE"])
def nothing(req: func.HttpRequest) -> None:
    return None


@app.route(route="broken", methods=["GET"])
def broken(req: func.HttpRequest) -> func.HttpResponse:
    raise RuntimeError("this function is broken")


@app.route(route="slow", methods=["GET"])
async def slow(req: func.HttpRequest) -> func.HttpResponse:
    await asyncio.sleep(60)
    return func.HttpResponse("never")


@app.route(route="stuck", methods=["GET"])
def stuck(req: func.HttpRequest) -> func.HttpResponse:
    time.sleep(60)
    return func.HttpResponse("too late")


@app.route(route="secret", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
def secret(req: func.HttpRequest) -> str:
    return "secret"


# ------------------------------------------------------------------ durable client


@app.route(route="start/{orchestrator}/{instance_id?}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    body = req.get_body()
    try:
        instance_id = await client.start_new(
            req.route_params["orchestrator"],
            req.route_params.get("instance_id"),
            json.loads(body) if body else None,
        )
    except Exception as error:
        return func.HttpResponse(str(error), status_code=409)
    return client.create_check_status_response(req, instance_id)


@app.route(route="raise/{instance_id}/{event}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def raise_event(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    try:
        await client.raise_event(
            req.route_params["instance_id"], req.route_params["event"], req.get_json()
        )
    except Exception as error:
        return func.HttpResponse(str(error), status_code=409)
    return func.HttpResponse(status_code=202)


@app.route(route="status/{instance_id}", methods=["GET"])
@app.durable_client_input(client_name="client")
async def status(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    found = await client.get_status(req.route_params["instance_id"], show_input=True)
    return func.HttpResponse(json.dumps(found.to_json() if found else None))


# ------------------------------------------------------------------ orchestrations


@app.orchestration_trigger(context_name="context")
def fan_out(context: df.DurableOrchestrationContext):
    """{n, sleep_ms?}: n activities at once, the sum of their results."""
    work = context.get_input()
    calls = [context.call_activity("square", {**work, "i": i}) for i in range(work["n"])]
    results = yield context.task_all(calls)
    return {"n": work["n"], "sum": sum(results)}


@app.orchestration_trigger(context_name="context")
def approval(context: df.DurableOrchestrationContext):
    """{seconds}: an event raced with a timer, then a call with retries and a child."""
    context.set_custom_status("waiting")
    deadline = context.current_utc_datetime + timedelta(seconds=context.get_input()["seconds"])
    timeout = context.create_timer(deadline)
    event = context.wait_for_external_event("approved")
    winner = yield context.task_any([event, timeout])
    if winner == event:
        timeout.cancel()
    context.set_custom_status({"phase": "calling"})
    attempts = yield context.call_activity_with_retry(
        "fails_twice", df.RetryOptions(50, 3), context.instance_id
    )
    child = yield context.call_sub_orchestrator("fan_out", {"n": 4})
    return {"approved": event.result if winner == event else None, "attempts": attempts, **child}


@app.orchestration_trigger(context_name="context")
def watchdog(context: df.DurableOrchestrationContext):
    """One event task raced with a new timer again and again, as a stage waits for its end."""
    done = context.wait_for_external_event("done")
    rounds = 0
    while True:
        timer = context.create_timer(context.current_utc_datetime + timedelta(milliseconds=300))
        winner = yield context.task_any([done, timer])
        if winner == done:
            timer.cancel()
            return {"rounds": rounds, "result": done.result}
        rounds += 1
        context.set_custom_status(rounds)
        yield context.call_activity("square", {"i": rounds})


@app.orchestration_trigger(context_name="context")
def reused(context: df.DurableOrchestrationContext):
    """Waits again for a task that lost a race."""
    slow_call = context.call_activity("square", {"i": 3, "sleep_ms": 400})
    timer = context.create_timer(context.current_utc_datetime + timedelta(milliseconds=100))
    yield context.task_any([slow_call, timer])
    return (yield slow_call)


@app.orchestration_trigger(context_name="context")
def countdown(context: df.DurableOrchestrationContext):
    """{n}: continues as new until n is 0."""
    left = context.get_input()["n"]
    yield context.call_activity("square", {"i": left})
    if left == 0:
        return "done"
    context.continue_as_new({"n": left - 1})


@app.orchestration_trigger(context_name="context")
def approves_another(context: df.DurableOrchestrationContext):
    """{instance_id}: an activity of it raises the event that another waits for."""
    return (yield context.call_activity("approve", context.get_input()["instance_id"]))


@app.activity_trigger(input_name="other")
@app.durable_client_input(client_name="client")
async def approve(other: str, client: df.DurableOrchestrationClient) -> str:
    await client.raise_event(other, "approved", {"by": "an activity"})
    return "raised"


@app.orchestration_trigger(context_name="context")
def fragile(context: df.DurableOrchestrationContext):
    """Fails while the file in its input exists; a rewind lets it go on."""
    path = context.get_input()["while_exists"]
    first = yield context.call_activity("square", {"i": 5})
    calls = [context.call_activity("fails_while", path), context.call_activity("square", {"i": 2})]
    second = yield context.task_all(calls)
    return [first, *second]


@app.orchestration_trigger(context_name="context")
def uses_entity(context: df.DurableOrchestrationContext):
    yield context.call_entity(df.EntityId("counter", "one"), "add", 1)


@app.orchestration_trigger(context_name="context")
def calls_http(context: df.DurableOrchestrationContext):
    response = yield context.call_http("GET", context.get_input()["url"])
    return response


@app.orchestration_trigger(context_name="context")
def not_a_generator(context: df.DurableOrchestrationContext):
    return "at once"


@app.orchestration_trigger(context_name="context")
def unlucky(context: df.DurableOrchestrationContext):
    try:
        yield context.call_activity("no_such_activity", None)
    except Exception as error:
        return str(error)


@app.orchestration_trigger(context_name="context")
def poisonous(context: df.DurableOrchestrationContext):
    """Asks for what no database stores."""
    yield context.call_activity("nul\x00", None)


@app.activity_trigger(input_name="payload")
def square(payload: dict) -> int:
    if payload.get("sleep_ms"):
        time.sleep(payload["sleep_ms"] / 1000)
    trace(f"square {payload['i']}")
    return payload["i"] ** 2


_failures: dict[str, int] = {}


@app.activity_trigger(input_name="key")
async def fails_twice(key: str) -> int:
    _failures[key] = _failures.get(key, 0) + 1
    if _failures[key] < 3:
        raise RuntimeError(f"failure {_failures[key]}")
    return _failures[key]


@app.activity_trigger(input_name="path")
def fails_while(path: str) -> str:
    if Path(path).exists():
        raise RuntimeError(f"{path} exists")
    return "gone"


# ------------------------------------------------------------------ timer and queues


@app.timer_trigger(schedule="%SAMPLE_SCHEDULE%", arg_name="timer")
async def tick(timer: func.TimerRequest) -> None:
    trace(f"tick past_due={timer.past_due}")


@queues.service_bus_queue_trigger(
    arg_name="msg", queue_name="%SAMPLE_QUEUE%", connection="SAMPLE_BUS"
)
@queues.durable_client_input(client_name="client")
async def on_message(msg: func.ServiceBusMessage, client: df.DurableOrchestrationClient) -> None:
    body = json.loads(msg.get_body())
    trace(f"message {body['id']} delivery={msg.delivery_count}")
    if body.get("fail"):
        raise RuntimeError("asked to fail")
    if body.get("start"):
        await client.start_new("fan_out", body["id"], {"n": 2})


@queues.service_bus_queue_trigger(
    arg_name="msgs", queue_name="%SAMPLE_BATCH_QUEUE%", connection="SAMPLE_BUS", cardinality="many"
)
async def on_batch(msgs: List[func.ServiceBusMessage]) -> None:  # noqa: UP006 - the worker knows only List
    trace(f"batch {len(msgs)} " + ",".join(msg.get_body().decode() for msg in msgs))


@queues.service_bus_queue_trigger(
    arg_name="msg", queue_name="%SAMPLE_QUEUE%/$DeadLetterQueue", connection="SAMPLE_BUS"
)
async def on_dead_letter(msg: func.ServiceBusMessage) -> None:
    trace(f"dead {json.loads(msg.get_body())['id']} {msg.dead_letter_reason}")


app.register_functions(queues)
