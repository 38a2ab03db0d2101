"""Jobs over HTTP: checking parameters, causes of failures, tasks that are looked for."""

from __future__ import annotations

import pytest

import jobs as job_types
from infrastructure import database
from tests.support.in_process import InProcessClient
from tests.support.ledger import Stage, Task, add_job


@pytest.fixture
def client(ledger: database.Connection) -> InProcessClient:
    job_types.discover()
    from web_interfaces.api import jobs

    return InProcessClient(jobs.bp)


@pytest.fixture
def failed(ledger: database.Connection) -> str:
    """A job with three failed tasks, of two causes, and one that is complete."""
    bad = [Task(n, status="failed", error={"code": "bad", "message": f"No {n}."}) for n in (0, 1)]
    gone = Task(2, status="failed", error={"code": "gone", "message": "Gone."})
    stage = Stage("copy", "completed_with_errors", total=4, completed=1, failed=3)
    tasks = (*bad, gone, Task(3, parameters={"blob": "a.tif"}))
    return add_job(ledger, stage, status="completed_with_errors", tasks=tasks)


class TestChecking:
    def test_parameters_that_are_valid(self, client: InProcessClient) -> None:
        answer = client.post("/api/jobs/validate/hello_fan_out", {"n": 3})
        assert (answer.status, answer.json()) == (200, {"valid": True, "errors": []})

    def test_each_error_is_told_with_its_place(self, client: InProcessClient) -> None:
        answer = client.post("/api/jobs/validate/hello_fan_out", {"n": "3", "failure_rate": 2})
        assert answer.status == 200
        told = answer.json()
        assert told["valid"] is False
        assert [error["loc"] for error in told["errors"]] == [["n"], ["failure_rate"]]
        assert all(error["msg"] for error in told["errors"])

    def test_an_unknown_job_type_and_a_body_that_is_no_object(
        self, client: InProcessClient
    ) -> None:
        assert client.post("/api/jobs/validate/nope", {}).status == 404
        assert client.post("/api/jobs/validate/hello_fan_out", [1]).status == 400


class TestCauses:
    def test_each_cause_once(self, client: InProcessClient, failed: str) -> None:
        page = client.get(f"/api/jobs/{failed}/errors").json()
        assert [(each["code"], each["count"]) for each in page["errors"]] == [
            ("bad", 2),
            ("gone", 1),
        ]
        assert set(page["errors"][0]) == {
            "fingerprint", "code", "message", "stage", "stage_name", "count", "example",
            "first_at", "last_at",
        }  # fmt: skip
        first = client.get(f"/api/jobs/{failed}/errors?limit=1").json()
        rest = client.get(f"/api/jobs/{failed}/errors?limit=1&cursor={first['next']}").json()
        assert [*first["errors"], *rest["errors"]] == page["errors"]

    def test_its_tasks(self, client: InProcessClient, failed: str) -> None:
        [bad, _] = client.get(f"/api/jobs/{failed}/errors").json()["errors"]
        page = client.get(f"/api/jobs/{failed}/tasks?error={bad['fingerprint']}").json()
        assert [task["task_index"] for task in page["tasks"]] == [0, 1]


class TestTasks:
    def test_are_looked_for(self, client: InProcessClient, failed: str) -> None:
        page = client.get(f"/api/jobs/{failed}/tasks?search=A.TIF").json()
        assert [task["task_index"] for task in page["tasks"]] == [3]
        assert page["searched"] == {
            "tasks": 4,
            "first": {"stage": 0, "task_index": 0},
            "last": {"stage": 0, "task_index": 3},
            "complete": True,
        }

    def test_one_of_them(self, client: InProcessClient, failed: str) -> None:
        task = client.get(f"/api/jobs/{failed}/tasks/0/2").json()
        assert (task["stage_name"], task["error"]["code"]) == ("copy", "gone")

    @pytest.mark.parametrize("place", ["0/4", "1/0", "0/x", "0/-1", "0/99999999999999"])
    def test_one_that_there_is_not(self, client: InProcessClient, failed: str, place: str) -> None:
        answer = client.get(f"/api/jobs/{failed}/tasks/{place}")
        assert (answer.status, answer.json()["code"]) == (404, "unknown_task")

    @pytest.mark.parametrize("query", ["error=x", f"search={'x' * 201}", "status=odd", "stage=9"])
    def test_a_bad_query_names_its_parameter(
        self, client: InProcessClient, failed: str, query: str
    ) -> None:
        answer = client.get(f"/api/jobs/{failed}/tasks?{query}")
        assert answer.status == 422
        assert answer.json()["errors"][0]["loc"] == ["query", query.partition("=")[0]]
