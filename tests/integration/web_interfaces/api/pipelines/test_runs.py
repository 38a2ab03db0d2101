"""Runs of pipelines over HTTP: begun, looked at, steered. Their jobs end as the tests say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from core.models.job import JobStatus
from infrastructure.database import Connection
from tests.support.in_process import InProcessClient
from tests.support.pipeline_runs import Run
from tests.support.pipelines_api import (
    AT,
    GREETINGS,
    PIPELINES,
    RUNS,
    broken,
    faults,
    greetings,
    problem,
)

GREETED = {"tasks": 1, "completed": 1, "failed": 0}


def begin(client: InProcessClient, counts: list[int]) -> Run:
    """A run of the greetings, which has taken its first turn."""
    client.post(PIPELINES, GREETINGS)
    answer = client.post(f"{AT}/run", {"inputs": {"counts": counts}})
    assert answer.status == 202, answer.text
    run = Run(answer.json()["run_id"])
    run.turn()
    return run


def steps_of(client: InProcessClient, run: Run) -> dict[str, Any]:
    """The steps of a run as its view has them, by id."""
    view = client.get(f"{RUNS}/{run.run_id}").json()
    return {step["id"]: step for step in view["steps"]}


def test_a_run_is_begun_once_for_a_request(client: InProcessClient) -> None:
    client.post(PIPELINES, GREETINGS)
    asked = {"inputs": {"counts": [1]}, "request_id": "monday"}
    first = client.post(f"{AT}/run", asked)
    assert (first.status, first.json()["created"]) == (202, True)
    run_id = first.json()["run_id"]
    assert client.orchestrations.started == [run_id]
    assert first.headers["Location"].endswith(f"{RUNS}/{run_id}")
    again = client.post(f"{AT}/run", asked)
    assert (again.status, again.json()["created"], again.json()["run_id"]) == (200, False, run_id)
    assert client.orchestrations.started == [run_id]


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({}, "inputs.counts"),
        ({"inputs": {"counts": ["one"]}}, "inputs.counts"),
        ({"inputs": {"counts": [1], "colour": "red"}}, "inputs.colour"),
        ({"inputs": {"counts": [1]}, "version": "1"}, "version"),
        ({"inputs": {"counts": [1]}, "request_id": "a\0b"}, "request_id"),
        ({"inputs": {"counts": [1]}, "request_id": "\ud800"}, "request_id"),
        ({"inputs": {"counts": json.loads("[" * 300 + "]" * 300)}}, "inputs"),
        ({"input": {}}, "input"),
    ],
)
def test_what_a_run_cannot_be_given_is_named(
    client: InProcessClient, body: dict[str, Any], at: str
) -> None:
    client.post(PIPELINES, GREETINGS)
    found = faults(client.post(f"{AT}/run", body))
    assert any(name.startswith(at) for name in found), found
    assert client.get(RUNS).json()["runs"] == []


def test_a_draft_is_not_run(client: InProcessClient) -> None:
    client.post(f"{PIPELINES}?draft=true", broken())
    refused = client.post(f"{AT}/run", {"inputs": {"counts": [1]}})
    assert problem(refused, 422, "pipeline_has_problems")["errors"]


def test_a_dry_run_answers_with_the_plan_and_writes_nothing(client: InProcessClient) -> None:
    client.post(PIPELINES, GREETINGS)
    plan = client.post(f"{AT}/run?dry_run=true", {"inputs": {"counts": [5, 7]}})
    assert plan.status == 200, plan.text
    steps = {step["id"]: step for step in plan.json()["steps"]}
    assert (steps["greet"]["jobs_total"], steps["greet"]["parameters"]) == (2, {"n": 5})
    assert steps["again"]["parameters"] == {"n": {"$expr": "length(steps.greet.outputs)"}}
    assert [step["begins"] for step in plan.json()["steps"]] == [True, True, True]
    assert client.get(RUNS).json()["runs"] == []
    refused = client.post(f"{AT}/run?dry_run=true", {"inputs": {"counts": [5, -1]}})
    assert problem(refused, 422, "run_would_fail")["errors"][0]["loc"] == [
        "steps",
        "greet",
        "parameters",
        "n",
    ]


def test_a_plan_says_what_depends_on_a_condition(client: InProcessClient) -> None:
    document = greetings()
    document["steps"][0]["when"] = "length(inputs.counts) > 1"
    document["steps"][2]["when"] = "steps.greet.status == 'completed'"
    client.post(PIPELINES, document)

    def begins(counts: list[int]) -> list[bool | None]:
        body = {"inputs": {"counts": counts}}
        plan = client.post(f"{AT}/run?dry_run=true", body).json()
        return [step["begins"] for step in plan["steps"]]

    assert begins([5]) == [False, False, False]
    assert begins([5, 7]) == [True, True, None]


def test_a_run_is_seen_step_by_step_to_its_end(client: InProcessClient) -> None:
    run = begin(client, [1, 2])
    steps = steps_of(client, run)
    assert [steps[each]["status"] for each in ("greet", "look", "again")] == [
        "running",
        "pending",
        "pending",
    ]
    assert (steps["greet"]["items_total"], len(steps["greet"]["jobs"])) == (2, 2)
    run.end("greet", index=0, result=GREETED)
    assert steps_of(client, run)["greet"]["progress_pct"] == 50.0
    run.end("greet", index=1, result=GREETED)
    view = client.get(f"{RUNS}/{run.run_id}").json()
    greet, look, _ = view["steps"]
    assert (view["awaiting_approval"], view["progress_pct"]) == (True, 33.3)
    assert (greet["progress_pct"], greet["outputs"]) == (100.0, [GREETED, GREETED])
    assert (look["status"], look["message"]) == ("awaiting_approval", "Was that enough?")
    [listed] = client.get(f"{RUNS}?awaiting_approval=true").json()["runs"]
    assert (listed["run_id"], listed["steps_ended"], listed["steps_total"]) == (run.run_id, 1, 3)

    approved = client.post(look["links"]["approve"], {"note": "Enough"})
    assert approved.status == 200, approved.text
    decision = approved.json()["steps"][1]["decision"]
    assert (decision["decision"], decision["note"]) == ("approved", "Enough")
    run.turn()
    run.end("again", result=GREETED)
    view = client.get(f"{RUNS}/{run.run_id}").json()
    assert (view["status"], view["progress_pct"], view["layers"]) == (
        "completed",
        100.0,
        [["greet"], ["look"], ["again"]],
    )
    assert client.get(f"{RUNS}?awaiting_approval=true").json()["runs"] == []


def test_progress_follows_the_counters_of_running_jobs(
    client: InProcessClient, db: Connection
) -> None:
    run = begin(client, [10, 10])
    [job, _] = run.jobs("greet")
    db.execute("UPDATE app.jobs SET status = 'running' WHERE job_id = %s", (job.job_id,))
    db.execute(
        "UPDATE app.job_stages SET status = 'running', tasks_total = 10, tasks_completed = 5,"
        " planned_at = now()"
        " WHERE job_id = %s",
        (job.job_id,),
    )
    greet = steps_of(client, run)["greet"]
    assert [each["progress_pct"] for each in greet["jobs"]] == [50.0, 0.0]
    assert greet["progress_pct"] == 25.0
    # A cancel moves nothing.
    db.execute(
        "UPDATE app.jobs SET status = 'cancelled', finished_at = now() WHERE job_id = %s",
        (job.job_id,),
    )
    assert steps_of(client, run)["greet"]["progress_pct"] == 25.0


def test_a_rejected_gate_ends_the_run(client: InProcessClient) -> None:
    run = begin(client, [1])
    at = f"{RUNS}/{run.run_id}/steps/look"
    problem(client.post(f"{at}/approve", {}), 409, "not_awaiting")
    run.end("greet", result=GREETED)
    assert set(faults(client.post(f"{at}/reject", {"notes": "x"}))) == {"notes"}
    assert client.post(f"{at}/reject", {"by": "Ada", "note": "No"}).status == 200
    run.turn()
    view = client.get(f"{RUNS}/{run.run_id}").json()
    assert view["status"] == "failed"
    assert view["steps"][1]["error"]["code"] == "rejected"
    decision = view["steps"][1]["decision"]
    assert (decision["decision"], decision["by"], decision["note"]) == ("rejected", "Ada", "No")
    problem(client.post(f"{at}/approve", {}), 409, "not_awaiting")
    problem(client.post(f"{RUNS}/{run.run_id}/steps/greet/approve", {}), 409, "not_a_gate")
    problem(client.post(f"{RUNS}/{run.run_id}/steps/nope/approve", {}), 404, "unknown_step")


def test_a_run_is_cancelled_and_resumed(client: InProcessClient) -> None:
    run = begin(client, [1])
    at = f"{RUNS}/{run.run_id}"
    problem(client.post(f"{at}/resume", {}), 409, "not_resumable")
    cancelled = client.post(f"{at}/cancel", {})
    assert (cancelled.status, cancelled.json()["cancel_requested"]) == (202, True)
    run.end("greet", JobStatus.CANCELLED)
    view = client.get(at).json()
    assert (view["status"], view["steps"][0]["jobs_cancelled"]) == ("cancelled", 1)
    problem(client.post(f"{at}/cancel", {}), 409, "run_ended")
    resumed = client.post(f"{at}/resume", {})
    assert (resumed.status, resumed.json()["status"]) == (202, "queued")
    assert client.orchestrations.started == [run.run_id, run.run_id]


def test_of_many_jobs_the_first_are_listed_and_the_others_by_page(
    client: InProcessClient,
) -> None:
    document = greetings()
    document["steps"][0]["max_parallel"] = 64
    client.post(PIPELINES, document)
    run = begin(client, list(range(1, 31)))
    greet = steps_of(client, run)["greet"]
    assert (len(greet["jobs"]), greet["items_total"], greet["published_more"]) == (20, 30, True)
    seen, cursor = [], ""
    while cursor is not None:
        page = client.get(f"{greet['links']['jobs']}?limit=12{cursor and f'&cursor={cursor}'}")
        seen += [(each["item_index"], each["item"]) for each in page.json()["jobs"]]
        cursor = page.json()["next"]
    assert seen == [(index, index + 1) for index in range(30)]


@pytest.mark.parametrize("power", [0, 9], ids=["compresses well", "compresses badly"])
def test_long_outputs_are_had_of_the_step_alone(client: InProcessClient, power: int) -> None:
    run = begin(client, [1])
    run.end("greet", result=GREETED)
    run.query(
        "UPDATE app.pipeline_steps SET outputs = %(outputs)s"
        " WHERE run_id = %(run_id)s AND step_id = 'greet'",
        outputs=json.dumps([{**GREETED, "tasks": [each**power for each in range(20_000)]}]),
    )
    greet = steps_of(client, run)["greet"]
    assert (greet["outputs"], greet["outputs_left_out"]) == (None, True)
    whole = client.get(greet["links"]["self"]).json()
    assert (len(whole["outputs"][0]["tasks"]), whole["outputs_left_out"]) == (20_000, False)


def test_runs_are_listed_by_pipeline_and_state(client: InProcessClient) -> None:
    first = begin(client, [1])
    client.post(PIPELINES, greetings(name="others"))
    other = client.post(f"{PIPELINES}/others/run", {"inputs": {"counts": [1]}}).json()["run_id"]

    def listed(query: str = "", at: str = RUNS) -> list[str]:
        return [each["run_id"] for each in client.get(at + query).json()["runs"]]

    assert listed() == [other, first.run_id]
    assert listed("?status=running") == [first.run_id]
    assert listed("?name=others") == listed(at=f"{PIPELINES}/others/runs") == [other]
    assert listed("?status=running", f"{PIPELINES}/others/runs") == []
    page = client.get(f"{RUNS}?limit=1").json()
    assert listed(f"?limit=1&cursor={page['next']}") == [first.run_id]
    assert set(faults(client.get(f"{RUNS}?status=lost"))) == {"query.status"}
    assert set(faults(client.get(f"{RUNS}?cursor=x"))) == {"query.cursor"}


def test_a_run_keeps_its_version_and_outlives_its_pipeline(client: InProcessClient) -> None:
    run = begin(client, [1])
    client.put(AT, greetings(title="Changed"))
    view = client.get(f"{RUNS}/{run.run_id}").json()
    assert (view["version"], view["title"], view["document"]) == (1, "Greetings", GREETINGS)
    run.cancel()
    run.end("greet", JobStatus.CANCELLED)
    assert client.delete(f"{AT}?confirm=yes").status == 200
    assert client.get(f"{RUNS}/{run.run_id}").json()["status"] == "cancelled"
    assert len(client.get(f"{AT}/runs").json()["runs"]) == 1


@pytest.mark.parametrize("run_id", ["x", "0" * 64, "a%00b", "%F0%9F%8C%8D", "A" * 64])
def test_an_unknown_run_is_not_found(client: InProcessClient, run_id: str) -> None:
    at = f"{RUNS}/{run_id}"
    for answer in (
        client.get(at),
        client.post(f"{at}/cancel", {}),
        client.post(f"{at}/resume", {}),
        client.get(f"{at}/steps/greet"),
        client.get(f"{at}/steps/greet/jobs"),
        client.post(f"{at}/steps/greet/approve", {}),
        client.post(f"{at}/steps/greet/reject", {}),
    ):
        problem(answer, 404, "unknown_run")


@pytest.mark.parametrize("step_id", ["nope", "a%00b", "%ED%A0%80"])
def test_an_unknown_step_is_not_found(client: InProcessClient, step_id: str) -> None:
    run = begin(client, [1])
    at = f"{RUNS}/{run.run_id}/steps/{step_id}"
    for answer in (client.get(at), client.get(f"{at}/jobs"), client.post(f"{at}/approve", {})):
        problem(answer, 404, "unknown_step")


def test_addresses_in_inputs_are_shown_without_their_signatures(client: InProcessClient) -> None:
    document = greetings(
        inputs={"source": {"type": "string", "description": "Address"}},
        steps=[{"id": "greet", "kind": "job", "job": "hello_fan_out", "parameters": {"n": 1}}],
    )
    client.post(PIPELINES, document)
    body = {"inputs": {"source": "https://usr:secret@data.example.org/a.tif?sig=secret"}}
    run_id = client.post(f"{AT}/run", body).json()["run_id"]
    for text in (
        client.get(f"{RUNS}/{run_id}").text,
        client.post(f"{AT}/run?dry_run=true", body).text,
    ):
        assert "secret" not in text
        assert "https://***@data.example.org/a.tif?***" in text
