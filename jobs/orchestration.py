"""The one orchestrator, its activities, and the triggers that drive the engine.

Everything here is a thin door: it unpacks what the host hands over, and calls
`services.orchestration`, which knows nothing of the host.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, List  # noqa: UP035 - the worker wants List[...] on batch triggers

import azure.durable_functions as df
import azure.functions as func

from config import get_settings
from core.errors import Unavailable
from core.job_definition import Queue
from services.curated import cataloguing, holding
from services.orchestration import closing, dead_letters, planning, reconcile, worker
from services.orchestration.dead_letters import DeadLetter
from services.orchestration.rounds import do_all
from services.orchestration.starting import ensure_started, tell_orchestrators
from services.pipelines import starting as pipelines
from services.publishing.housekeeping import drop_abandoned
from services.tiles import overviews

log = logging.getLogger(__name__)
bp = df.Blueprint()
_settings = get_settings()
_connection = "SERVICE_BUS_CONNECTION_STRING"

_TASK_THREADS = 32

_RETRY = df.RetryOptions(first_retry_interval_in_milliseconds=5_000, max_number_of_attempts=5)
# Tasks may run for hours: they have threads of their own, so that HTTP never waits for one.
_task_threads = ThreadPoolExecutor(_TASK_THREADS, thread_name_prefix="task")
_FIRST_WATCHDOG = timedelta(minutes=1)
_LAST_WATCHDOG = timedelta(hours=1)


@bp.orchestration_trigger(context_name="context")
def run_job(context: df.DurableOrchestrationContext) -> Generator[Any, Any, str]:
    """One job: for each stage plan, dispatch, wait, close; then finalize.

    The history grows with the stages, never with the tasks. Started again at any point, it
    finds in the ledger what was done already and goes on from there.
    """
    job_id: str = context.instance_id
    run = yield context.call_activity_with_retry("find_run", _RETRY, job_id)
    error = None
    for stage in range(run["stages"]):
        where = {"job_id": job_id, "stage": stage}
        verdict = yield context.call_activity_with_retry("plan_stage", _RETRY, where)
        if verdict["next"] == "dispatch":
            done = yield context.call_activity_with_retry("dispatch_stage", _RETRY, where)
            verdict = yield from _wait_and_close(context, where, done)
        error = verdict["error"]
        if verdict["next"] == "finalize":
            break
    ending = {"job_id": job_id, "error": error, "resumes": run["resumes"]}
    status: str = yield context.call_activity_with_retry("finalize_job", _RETRY, ending)
    return status


def _wait_and_close(
    context: df.DurableOrchestrationContext, where: dict[str, Any], done: bool
) -> Generator[Any, Any, dict[str, Any]]:
    """Wait for the stage's event or, should it be lost, for a watchdog that looks; then close.

    The watchdog waits twice as long each time, so that a stage of a week costs a few dozen
    events and not thousands; meanwhile the reconciler's timer looks every half minute.
    """
    watchdog, heard = _FIRST_WATCHDOG, False
    while True:
        if not done:
            # A timer alone once the event was heard too early (from before a resume, say): the
            # SDK would hand the same event to every later wait for it.
            timer = context.create_timer(context.current_utc_datetime + watchdog)
            waiting = [timer]
            if not heard:
                waiting.append(context.wait_for_external_event(f"stage_{where['stage']}_done"))
            winner = yield context.task_any(waiting)
            heard = heard or winner != timer
            if winner == timer:
                watchdog = min(watchdog * 2, _LAST_WATCHDOG)
                yield context.call_activity_with_retry("reconcile_stage", _RETRY, where)
            else:
                timer.cancel()  # type: ignore[attr-defined]
        verdict: dict[str, Any] = yield context.call_activity_with_retry(
            "close_stage", _RETRY, where
        )
        if verdict["next"] != "wait":
            return verdict
        done = False


@bp.activity_trigger(input_name="job_id")
def find_run(job_id: str) -> dict:  # type: ignore[type-arg]
    return dict(planning.find_run(job_id))


@bp.activity_trigger(input_name="where")
def plan_stage(where: dict) -> dict:  # type: ignore[type-arg]
    return dict(planning.plan_stage(where["job_id"], where["stage"]))


@bp.activity_trigger(input_name="where")
def dispatch_stage(where: dict) -> bool:  # type: ignore[type-arg]
    return planning.dispatch_stage(where["job_id"], where["stage"])


@bp.activity_trigger(input_name="where")
def reconcile_stage(where: dict) -> bool:  # type: ignore[type-arg]
    return reconcile.reconcile_stage(where["job_id"], where["stage"])


@bp.activity_trigger(input_name="where")
def close_stage(where: dict) -> dict:  # type: ignore[type-arg]
    return dict(closing.close_stage(where["job_id"], where["stage"]))


@bp.activity_trigger(input_name="ending")
@bp.durable_client_input(client_name="client")
async def finalize_job(ending: dict, client: df.DurableOrchestrationClient) -> str:  # type: ignore[type-arg]
    job_id: str = ending["job_id"]
    status = await asyncio.to_thread(
        closing.finalize_job, job_id, ending["error"], ending["resumes"]
    )
    await pipelines.tell_run_of(client, job_id)
    return status


@bp.service_bus_queue_trigger(
    arg_name="messages",
    queue_name=_settings.light_queue,
    connection=_connection,
    cardinality=func.Cardinality.MANY,
)
@bp.durable_client_input(client_name="client")
async def run_light_tasks(
    messages: List[func.ServiceBusMessage],  # noqa: UP006
    client: df.DurableOrchestrationClient,
) -> None:
    """A batch of messages, each naming a run of short tasks."""
    await _work_off(messages, client)


@bp.service_bus_queue_trigger(
    arg_name="message", queue_name=_settings.heavy_queue, connection=_connection
)
@bp.durable_client_input(client_name="client")
async def run_heavy_task(
    message: func.ServiceBusMessage, client: df.DurableOrchestrationClient
) -> None:
    """One long task; its lease in the ledger is renewed while it runs."""
    await _work_off([message], client)


@bp.service_bus_queue_trigger(
    arg_name="message",
    queue_name=f"{_settings.light_queue}/$deadletterqueue",
    connection=_connection,
)
@bp.durable_client_input(client_name="client")
async def bury_light_letter(
    message: func.ServiceBusMessage, client: df.DurableOrchestrationClient
) -> None:
    await _bury(Queue.LIGHT, message, client)


@bp.service_bus_queue_trigger(
    arg_name="message",
    queue_name=f"{_settings.heavy_queue}/$deadletterqueue",
    connection=_connection,
)
@bp.durable_client_input(client_name="client")
async def bury_heavy_letter(
    message: func.ServiceBusMessage, client: df.DurableOrchestrationClient
) -> None:
    await _bury(Queue.HEAVY, message, client)


@bp.timer_trigger(arg_name="timer", schedule=_settings.reconcile_schedule, run_on_startup=True)
@bp.durable_client_input(client_name="client")
async def reconcile_jobs(timer: func.TimerRequest, client: df.DurableOrchestrationClient) -> None:
    """Repair what a crash left behind."""
    findings = await asyncio.to_thread(reconcile.reconcile_all)
    if findings is not None:
        await tell_orchestrators(client, findings.ended)
        for job_id in findings.to_check:
            await ensure_started(client, job_id)


@bp.timer_trigger(arg_name="timer", schedule=_settings.housekeeping_schedule)
def keep_house(timer: func.TimerRequest) -> None:
    """Remove old metrics, orphaned work files and staged tables; bring up to date what is made of
    published tables."""
    do_all(
        [
            reconcile.housekeeping,
            drop_abandoned,
            holding.sweep,
            cataloguing.refresh,
            overviews.refresh,
        ]
    )


async def _work_off(
    messages: Iterable[func.ServiceBusMessage], client: df.DurableOrchestrationClient
) -> None:
    messages = list(messages)
    bodies = [message.get_body() for message in messages]
    loop = asyncio.get_running_loop()
    worked = await loop.run_in_executor(_task_threads, worker.work_off, bodies)
    await tell_orchestrators(client, worked.done)
    if worked.error is not None:
        await _pause_if_unavailable(worked.error, messages)
        raise worked.error


async def _bury(
    queue: Queue, message: func.ServiceBusMessage, client: df.DurableOrchestrationClient
) -> None:
    letter = DeadLetter(
        queue,
        message.get_body(),
        message.message_id,
        message.dead_letter_reason,
        message.dead_letter_error_description,
    )
    try:
        done = await asyncio.to_thread(dead_letters.bury, letter)
    except Unavailable as error:
        await _pause_if_unavailable(error, [message])
        raise
    await tell_orchestrators(client, [done] if done else [])


async def _pause_if_unavailable(
    error: Exception, messages: Iterable[func.ServiceBusMessage]
) -> None:
    """Abandoned messages come back at once: without a pause, a database that restarts would
    spend all their deliveries within a second.
    """
    if isinstance(error, Unavailable):
        deliveries = max(message.delivery_count or 1 for message in messages)
        await asyncio.sleep(min(2.0**deliveries, 20))
