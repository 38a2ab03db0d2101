"""Pipelines on a whole stack, whose host is killed under them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from infrastructure import blob_storage
from tests.acceptance.conftest import ENDED, Api, api_of
from tests.servers import StackUnderTest
from tests.support.engine import eventually
from tests.support.settings import app_settings

CONTAINER = "bronze-wells"
SIZES = [30, 20, 10, 40, 20, 10]


@pytest.fixture
def mortal_api(mortal: StackUnderTest) -> Iterator[Api]:
    yield from api_of(mortal)


def expression(text: str) -> dict[str, str]:
    return {"$expr": text}


def hello(step_id: str, parameters: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "id": step_id,
        "kind": "job",
        "job": "hello_fan_out",
        "parameters": parameters,
        **fields,
    }


def create(api: Api, name: str, *steps: dict[str, Any], **fields: Any) -> None:
    document = {"format": "geoforge.pipeline/1", "name": name, "steps": list(steps), **fields}
    answer = api.http.post("/api/pipelines", json=document)
    assert answer.status_code == 201, answer.text


def begin(api: Api, name: str, **inputs: Any) -> str:
    answer = api.http.post(f"/api/pipelines/{name}/run", json={"inputs": inputs})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["run_id"])


class Run:
    """A run, as the API shows it."""

    def __init__(self, api: Api, run_id: str) -> None:
        self.api, self.run_id = api, run_id

    @property
    def view(self) -> dict[str, Any]:
        answer = self.api.http.get(f"/api/pipelines/runs/{self.run_id}")
        assert answer.status_code == 200, answer.text
        view: dict[str, Any] = answer.json()
        return view

    @property
    def statuses(self) -> dict[str, str]:
        return {step["id"]: step["status"] for step in self.view["steps"]}

    def step(self, step_id: str) -> dict[str, Any]:
        [step] = [each for each in self.view["steps"] if each["id"] == step_id]
        return dict(step)

    def post(self, what: str, **body: Any) -> None:
        answer = self.api.http.post(f"/api/pipelines/runs/{self.run_id}/{what}", json=body)
        assert answer.status_code in (200, 202), answer.text

    def reaches(self, step_id: str, *statuses: str, seconds: float = 180) -> None:
        eventually(
            f"step {step_id} is {' or '.join(statuses)}",
            lambda: self.statuses[step_id] in statuses,
            seconds,
        )

    def ends(self, seconds: float = 180) -> str:
        eventually("the run ends", lambda: self.view["status"] in ENDED, seconds)
        return str(self.view["status"])

    def jobs(self) -> list[dict[str, Any]]:
        """The jobs of all steps, as the ledger has them."""
        return self.api.rows(
            "SELECT s.step_id, s.item_index, s.attempt, j.status, j.parameters, j.result"
            " FROM app.pipeline_step_jobs s JOIN app.jobs j USING (job_id)"
            " WHERE s.run_id = %(run_id)s ORDER BY s.step_id, s.item_index, s.attempt",
            run_id=self.run_id,
        )


def test_killing_the_host_again_and_again_loses_nothing_and_repeats_nothing(
    mortal: StackUnderTest, mortal_api: Api
) -> None:
    api = mortal_api
    create(
        api,
        "spread",
        hello(
            "spread",
            {"n": expression("item"), "sleep_ms": 200},
            for_each="inputs.sizes",
            max_parallel=2,
        ),
        hello("gather", {"n": expression("length(steps.spread.outputs)")}),
        {"id": "look", "kind": "gate", "message": "Are they good?", "after": ["gather"]},
        hello("last", {"n": expression("steps.gather.outputs.tasks + 1")}, after=["look"]),
        inputs={"sizes": {"type": "list", "items": "integer"}},
    )
    run = Run(api, begin(api, "spread", sizes=SIZES))
    mortal.restart("host")  # before it has begun, or just then
    for completed in (1, 3):
        eventually(
            f"{completed} jobs of the first step are completed",
            lambda n=completed: run.step("spread")["jobs_completed"] >= n,
            180,
        )
        mortal.restart("host")
    run.reaches("look", "awaiting_approval")
    run.post("steps/look/approve", note="Yes")
    mortal.restart("host")

    assert run.ends() == "completed"
    jobs = run.jobs()
    assert [(each["step_id"], each["item_index"], each["attempt"]) for each in jobs] == [
        ("gather", 0, 1),
        ("last", 0, 1),
        *(("spread", index, 1) for index in range(len(SIZES))),
    ]
    assert {each["status"] for each in jobs} == {"completed"}
    assert [each["result"]["tasks"] for each in jobs] == [6, 7, *SIZES]
    [counted] = api.rows("SELECT count(*) AS n FROM app.jobs WHERE job_type = 'hello_fan_out'")
    assert counted["n"] == len(SIZES) + 2

    # The orchestration has ended with it, and its history is that of its turns alone.
    def status() -> dict[str, Any]:
        answer = api.http.get(
            f"/runtime/webhooks/durabletask/instances/{run.run_id}", params={"showHistory": "true"}
        )
        body: dict[str, Any] = answer.raise_for_status().json()
        return body

    eventually("the orchestration ends", lambda: status()["runtimeStatus"] == "Completed")
    assert status()["output"] == "completed"


def test_a_failed_run_goes_on_once_what_was_missing_is_there(
    mortal: StackUnderTest, mortal_api: Api
) -> None:
    api = mortal_api
    parameters = {"container_name": CONTAINER, "blob_name": "wells.geojson", "table_name": "wells"}
    create(
        api,
        "wells",
        hello("first", {"n": 2}),
        {
            "id": "load",
            "kind": "job",
            "job": "process_vector",
            "parameters": parameters,
            "after": ["first"],
        },
        hello("count", {"n": expression("steps.load.outputs.loaded")}),
    )
    run = Run(api, begin(api, "wells"))
    assert run.ends() == "failed"
    assert run.statuses == {"first": "completed", "load": "failed", "count": "skipped"}
    assert run.view["error"]["step"] == "load"

    write_wells(mortal)
    run.post("resume")
    run.reaches("count", "completed")
    assert run.ends() == "completed"
    # The job that had failed went on; no other was made.
    assert [(each["step_id"], each["attempt"]) for each in run.jobs()] == [
        ("count", 1),
        ("first", 1),
        ("load", 1),
    ]
    assert run.jobs()[0]["result"]["tasks"] == 3


def write_wells(stack: StackUnderTest) -> None:
    """A file of three points."""
    points = [
        {
            "type": "Feature",
            "properties": {"depth": number},
            "geometry": {"type": "Point", "coordinates": [5.0 + number, 52.0]},
        }
        for number in range(3)
    ]
    data = json.dumps({"type": "FeatureCollection", "features": points}).encode()
    storage = stack.environment["AZURE_STORAGE_CONNECTION_STRING"]
    with app_settings(AZURE_STORAGE_CONNECTION_STRING=storage):
        blob_storage.ensure_container(CONTAINER)
        blob_storage.write_bytes(CONTAINER, "wells.geojson", data)


def test_a_cancel_ends_a_run_and_its_jobs(mortal_api: Api) -> None:
    api = mortal_api
    create(api, "slow", hello("long", {"n": 200, "sleep_ms": 600_000}), hello("short", {"n": 1}))
    run = Run(api, begin(api, "slow"))
    run.reaches("short", "completed")
    run.post("cancel")
    assert run.ends() == "cancelled"
    assert run.statuses == {"long": "cancelled", "short": "completed"}
    assert [each["status"] for each in run.jobs()] == ["cancelled", "completed"]
    answer = api.http.post(f"/api/pipelines/runs/{run.run_id}/cancel")
    assert answer.status_code == 409


def test_a_run_begins_by_schedule(mortal_api: Api) -> None:
    api = mortal_api
    create(
        api,
        "often",
        hello("only", {"n": expression("inputs.n")}),
        inputs={"n": {"type": "integer"}},
        schedule={"cron": "* * * * *", "inputs": {"n": 3}},
    )
    # As if it had been made a day ago: the last minute of it is due now.
    api.rows(
        "UPDATE app.pipelines SET schedule_from = schedule_from - interval '1 day'"
        " WHERE name = 'often' RETURNING name"
    )

    def runs() -> list[dict[str, Any]]:
        return api.rows("SELECT run_id FROM app.pipeline_runs WHERE began_by = 'schedule'")

    eventually("a run has begun", runs, 120)
    run = Run(api, runs()[0]["run_id"])
    assert run.ends() == "completed"
    assert run.view["began_by"] == "schedule"
    assert run.jobs()[0]["result"]["tasks"] == 3
