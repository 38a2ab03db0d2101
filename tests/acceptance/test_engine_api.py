"""Jobs over HTTP on a whole stack: submit, look, cancel, resume, and every refusal."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from tests.acceptance.conftest import Api
from tests.servers import StackUnderTest
from tests.support.engine import eventually

HELLO = "/api/jobs/submit/hello_fan_out"

# Submissions must differ from each other, or they are one job.
_sizes = itertools.count(20)


def fresh() -> dict[str, Any]:
    return {"n": next(_sizes)}


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["detail"]
    return body


def jobs(api: Api) -> int:
    return int(api.rows("SELECT count(*) AS n FROM app.jobs")[0]["n"])


class TestSubmit:
    def test_leads_to_a_completed_job(self, api: Api) -> None:
        parameters = fresh()
        answer = api.http.post(HELLO, json=parameters)
        assert answer.status_code == 202
        body = answer.json()
        assert (body["job_type"], body["created"]) == ("hello_fan_out", True)
        assert answer.headers["location"] == body["links"]["self"]
        job = api.ended(body["job_id"])
        assert job["status"] == "completed"
        n = parameters["n"]
        assert job["result"] == {"tasks": n, "completed": n, "failed": 0}
        assert job["stages"][0]["tasks_completed"] == parameters["n"]
        assert job["progress_pct"] == 100

    def test_of_the_same_twenty_times_at_once_is_one_job(self, api: Api) -> None:
        parameters = fresh()
        with ThreadPoolExecutor(20) as threads:
            answers = list(threads.map(lambda _: api.http.post(HELLO, json=parameters), range(20)))
        assert sorted(answer.status_code for answer in answers) == [200] * 19 + [202]
        [job_id] = {answer.json()["job_id"] for answer in answers}
        assert api.ended(job_id)["status"] == "completed"
        [starts] = api.rows(
            "SELECT count(*) AS n FROM app.job_metrics"
            " WHERE job_id = %(job_id)s AND payload->>'kind' = 'stage_started'",
            job_id=job_id,
        )
        assert starts["n"] == 1
        again = api.http.post(HELLO, json=parameters)
        assert again.status_code == 200
        assert again.json()["created"] is False
        assert again.json()["status"] == "completed"

    def test_with_rerun_makes_a_new_run_beside_the_old(self, api: Api) -> None:
        parameters = fresh()
        first = api.submit("hello_fan_out", **parameters)
        answer = api.http.post(HELLO, json=parameters, params={"rerun": "true"})
        assert answer.status_code == 202
        second = answer.json()["job_id"]
        assert first != second
        assert api.ended(second)["status"] == api.ended(first)["status"] == "completed"

    def test_with_dry_run_writes_nothing(self, api: Api) -> None:
        before = jobs(api)
        parameters = fresh()
        answer = api.http.post(HELLO, json=parameters, params={"dry_run": "true"})
        assert answer.status_code == 200
        [stage] = answer.json()["plan"]["stages"]
        assert (stage["name"], stage["tasks_total"]) == ("hello", parameters["n"])
        assert jobs(api) == before

    def test_of_no_tasks_completes(self, api: Api) -> None:
        job_id = api.submit("hello_fan_out", n=0)
        assert api.ended(job_id)["status"] == "completed"

    def test_with_failures_completes_with_errors(self, api: Api) -> None:
        job_id = api.submit("hello_fan_out", n=50, failure_rate=0.2)
        job = api.ended(job_id)
        assert job["status"] == "completed_with_errors"
        assert (job["stages"][0]["tasks_completed"], job["stages"][0]["tasks_failed"]) == (40, 10)
        failed = api.http.get(f"/api/jobs/{job_id}/tasks", params={"status": "failed"}).json()
        assert {task["error"]["code"] for task in failed["tasks"]} == {"asked_to_fail"}

    @pytest.mark.parametrize(
        ("parameters", "field"),
        [
            ({"n": "10"}, "n"),
            ({"n": 1.5}, "n"),
            ({"n": True}, "n"),
            ({"n": -1}, "n"),
            ({"n": 10**12}, "n"),
            ({}, "n"),
            ({"n": 1, "m": 2}, "m"),
            ({"n": 1, "failure_rate": 1.5}, "failure_rate"),
            ({"n": 1, "sleep_ms": None}, "sleep_ms"),
            ({"n": 1, "a\0b": 1}, "a\0b"),
        ],
    )
    def test_names_the_field_at_fault(
        self, api: Api, parameters: dict[str, Any], field: str
    ) -> None:
        body = problem(api.http.post(HELLO, json=parameters), 422)
        assert [error["loc"] for error in body["errors"]] == [[field]]
        assert body["errors"][0]["msg"]

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (b"{", 400),
            (b'{"n": NaN}', 400),
            (b'{"n": Infinity}', 400),
            (b"[1]", 400),
            (b'"n"', 400),
            (b"null", 400),
            (b"\xff", 400),
            (b"[" * 100_000, 400),
            (b'{"n": ' + b"9" * 5000 + b"}", 400),
            (b'{"n": 1e999}', 422),
            (b'{"\\ud800": 1}', 422),
            (b'{"n": ' + b"[" * 900 + b"]" * 900 + b"}", 422),
            (b'{"n": 1, "x": "' + b"x" * 2_000_000 + b'"}', 413),
        ],
        ids=lambda value: value[:16].decode("latin-1") if isinstance(value, bytes) else "",
    )
    def test_refuses_what_is_no_small_json_object(self, api: Api, body: bytes, status: int) -> None:
        before = jobs(api)
        problem(api.http.post(HELLO, content=body), status)
        assert jobs(api) == before

    def test_of_an_unknown_type_names_the_known_ones(self, api: Api) -> None:
        body = problem(api.http.post("/api/jobs/submit/count_trees", json={}), 404)
        assert body["code"] == "unknown_job_type"
        assert "hello_fan_out" in body["known_job_types"]

    def test_refuses_a_flag_that_is_none(self, api: Api) -> None:
        answer = api.http.post(HELLO, json=fresh(), params={"dry_run": "maybe"})
        assert problem(answer, 422)["errors"][0]["loc"] == ["query", "dry_run"]

    def test_refuses_a_misspelt_flag(self, api: Api) -> None:
        before = jobs(api)
        answer = api.http.post(HELLO, json=fresh(), params={"dryrun": "true"})
        assert problem(answer, 422)["errors"][0]["loc"] == ["query", "dryrun"]
        assert jobs(api) == before

    def test_by_the_page_of_another_site_is_refused(self, api: Api) -> None:
        before = jobs(api)
        headers = {"Origin": "https://evil.example", "Content-Type": "text/plain"}
        answer = api.http.post(HELLO, content=b'{"n": 1}', headers=headers)
        assert problem(answer, 403)["code"] == "cross_origin"
        assert jobs(api) == before

    def test_of_a_job_that_was_cancelled_says_how_to_go_on(self, api: Api) -> None:
        parameters = {"n": 64, "sleep_ms": 60_000 + next(_sizes)}
        job_id = api.submit("hello_fan_out", **parameters)
        api.http.post(f"/api/jobs/{job_id}/cancel").raise_for_status()
        assert api.ended(job_id)["status"] == "cancelled"
        answer = api.http.post(HELLO, json=parameters)
        assert answer.status_code == 200
        body = answer.json()
        assert body["links"]["resume"].endswith(f"/api/jobs/{job_id}/resume")
        assert "/resume" in body["hint"]
        assert "?rerun=true" in body["hint"]


@pytest.mark.parametrize("job_id", ["0" * 64, "nonsense", "A" * 64])
@pytest.mark.parametrize("action", ["", "/tasks", "/cancel", "/resume"])
def test_an_unknown_job_is_not_found(api: Api, job_id: str, action: str) -> None:
    method = "POST" if action in ("/cancel", "/resume") else "GET"
    answer = api.http.request(method, f"/api/jobs/{job_id}{action}")
    assert problem(answer, 404)["code"] == "unknown_job"


def test_a_heavy_job_is_cancelled_and_resumed(api: Api) -> None:
    """Tasks of a minute each, asked to stop while they run; then the job goes on."""
    parameters = {"n": 40, "sleep_ms": 60_000}
    job_id = api.submit("hello_fan_out", **parameters)

    def running() -> int:
        rows = api.rows(
            "SELECT count(*) AS n FROM app.tasks WHERE job_id = %(id)s AND status = 'running'",
            id=job_id,
        )
        return int(rows[0]["n"])

    eventually("tasks run", running, 180)
    problem(api.http.post(f"/api/jobs/{job_id}/resume"), 409)
    assert api.http.post(f"/api/jobs/{job_id}/cancel").status_code == 202
    job = api.ended(job_id, 20)
    assert job["status"] == "cancelled"
    assert job["stages"][0]["tasks_cancelled"] == 40
    assert running() == 0
    assert problem(api.http.post(f"/api/jobs/{job_id}/cancel"), 409)["job_status"] == "cancelled"

    # Its tasks would take minutes: from here on they are short.
    api.rows(
        "UPDATE app.jobs SET parameters = parameters || '{\"sleep_ms\": 1}'"
        " WHERE job_id = %(id)s RETURNING 1",
        id=job_id,
    )
    resumed = api.http.post(f"/api/jobs/{job_id}/resume")
    assert resumed.status_code == 202, resumed.text
    assert resumed.json()["tasks_put_back"] == 40
    job = api.ended(job_id, 90)
    assert job["status"] == "completed"
    assert job["stages"][0]["tasks_completed"] == 40
    assert problem(api.http.post(f"/api/jobs/{job_id}/resume"), 409)["job_status"] == "completed"


async def test_a_message_that_nobody_can_read_ends_in_the_ledger(
    api: Api, stack: StackUnderTest
) -> None:
    """Ten deliveries fail, the dead-letter queue takes it, and from there it is kept."""
    address = stack.environment["SERVICE_BUS_CONNECTION_STRING"]
    async with (
        ServiceBusClient.from_connection_string(address) as client,
        client.get_queue_sender("geoforge-light") as sender,
    ):
        await sender.send_messages(ServiceBusMessage("this is no task", message_id="poison-1"))

    def kept() -> list[dict[str, Any]]:
        return api.rows("SELECT * FROM app.dead_letters WHERE message_id = 'poison-1'")

    eventually("the letter is kept", kept, 180)
    [letter] = kept()
    assert letter["body"] == "this is no task"
    assert letter["queue"] == "light"
    # The queue works on.
    assert api.ended(api.submit("hello_fan_out", **fresh()))["status"] == "completed"
