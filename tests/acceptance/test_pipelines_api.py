"""Pipelines over HTTP on a whole stack: kept, run, approved, watched to the end."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest

from tests.acceptance.conftest import ENDED, Api
from tests.support.engine import eventually
from tests.support.pipelines_api import PIPELINES, RUNS, greetings


@pytest.fixture
def name(api: Api) -> str:
    """The name of a pipeline that is kept and that no other test has."""
    name = f"greetings_{uuid.uuid4().hex[:12]}"
    answer = api.http.post(PIPELINES, json=greetings(name=name))
    assert answer.status_code == 201, answer.text
    return name


def begin(api: Api, name: str, **body: Any) -> str:
    """A new run; its id."""
    answer = api.http.post(f"{PIPELINES}/{name}/run", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["run_id"])


def view(api: Api, run_id: str) -> dict[str, Any]:
    answer = api.http.get(f"{RUNS}/{run_id}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def waiting(api: Api, run_id: str) -> dict[str, Any]:
    """The run, once somebody must decide."""
    eventually("the gate opens", lambda: view(api, run_id)["awaiting_approval"], 120)
    return view(api, run_id)


def ended(api: Api, run_id: str) -> dict[str, Any]:
    """The run, once it has ended."""
    eventually("the run ends", lambda: view(api, run_id)["status"] in ENDED, 120)
    return view(api, run_id)


def test_a_pipeline_runs_from_its_document_to_its_last_step(api: Api, name: str) -> None:
    run_id = begin(api, name, inputs={"counts": [3, 4]})
    run = waiting(api, run_id)
    greet, look, again = run["steps"]
    assert (greet["status"], greet["jobs_completed"], greet["progress_pct"]) == (
        "completed",
        2,
        100.0,
    )
    assert [each["completed"] for each in greet["outputs"]] == [3, 4]
    assert again["status"] == "pending"
    assert api.http.post(look["links"]["approve"], json={"note": "Good"}).status_code == 200
    run = ended(api, run_id)
    assert (run["status"], run["progress_pct"]) == ("completed", 100.0)
    [job] = run["steps"][2]["jobs"]
    # The number of greetings that there were before.
    assert api.job(job["job_id"])["parameters"]["n"] == 2
    page = api.http.get(greet["links"]["jobs"]).json()
    assert [each["item"] for each in page["jobs"]] == [3, 4]


def test_a_rejected_run_fails_and_can_be_resumed(api: Api, name: str) -> None:
    run_id = begin(api, name, inputs={"counts": [1]})
    at = f"{RUNS}/{run_id}"
    waiting(api, run_id)
    assert api.http.post(f"{at}/steps/look/reject", json={}).status_code == 200
    run = ended(api, run_id)
    assert (run["status"], run["steps"][1]["error"]["code"]) == ("failed", "rejected")
    assert run["steps"][2]["status"] != "completed"
    assert api.http.post(f"{at}/resume").status_code == 202
    waiting(api, run_id)
    assert api.http.post(f"{at}/cancel").status_code == 202
    assert ended(api, run_id)["status"] == "cancelled"
    assert api.http.post(f"{at}/cancel").json()["code"] == "run_ended"


def test_words_in_addresses_come_before_names(api: Api, name: str) -> None:
    examples = api.http.get(f"{PIPELINES}/examples")
    assert len(examples.json()["examples"]) == 3
    assert "runs" in api.http.get(RUNS).json()
    checked = api.http.post(f"{PIPELINES}/validate", json=greetings())
    assert checked.json()["valid"]
    taken = api.http.post(f"{PIPELINES}/import", json=greetings(name=name))
    assert (taken.status_code, taken.json()["code"]) == (409, "pipeline_exists")
    # Of another method, they are names that no pipeline can have.
    for word in ("validate", "import", "new"):
        assert api.http.get(f"{PIPELINES}/{word}").json()["code"] == "unknown_pipeline"
    # As in ASP.NET Core, words are of any case, and names are not.
    assert "runs" in api.http.get(f"{PIPELINES}/Runs").json()
    assert api.http.get(f"{PIPELINES}/{name}/runs").json() == {"runs": [], "next": None}


def test_a_version_that_is_not_current_is_not_changed(api: Api, name: str) -> None:
    at = f"{PIPELINES}/{name}"
    read = api.http.get(at)
    changed = greetings(name=name, title="Changed")
    headers = {"If-Match": read.headers["ETag"]}
    assert api.http.put(at, json=changed, headers=headers).headers["ETag"] == '"2"'
    assert api.http.put(at, json=changed, headers=headers).status_code == 412
    exported = api.http.get(f"{at}/export")
    assert exported.headers["content-disposition"] == f'attachment; filename="{name}.json"'
    assert exported.json() == changed
    assert api.http.delete(at, params={"confirm": "yes"}).json()["deleted"] is True
    assert api.http.get(at).status_code == 404


@pytest.mark.parametrize("body", ["[]", "{", "null", '"x"', "[" * 100_000, '{"a": ' * 5_000])
def test_what_is_no_object_is_refused_everywhere(api: Api, name: str, body: str) -> None:
    def sent(method: str, path: str) -> httpx.Response:
        return api.http.request(method, f"{PIPELINES}{path}", content=body)

    for method, path in (
        ("POST", ""),
        ("POST", "/import"),
        ("POST", "/validate"),
        ("PUT", f"/{name}"),
        ("POST", f"/{name}/clone"),
        ("POST", f"/{name}/run"),
    ):
        answer = sent(method, path)
        assert answer.status_code == 400, (path, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
