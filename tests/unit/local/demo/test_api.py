"""The demo's client: it pages, follows a job through outages, and says what was refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from local.demo import api as module
from local.demo.api import Api, ApiError

Handler = Callable[[httpx.Request], httpx.Response]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_POLL_SECONDS", 0.0)


def client(handler: Handler) -> Api:
    return Api("http://app", transport=httpx.MockTransport(handler))


def job(status: str, done: int = 0) -> dict[str, Any]:
    stage = {"status": "running", "tasks_completed": done, "tasks_failed": 0}
    return {"status": status, "stage": 0, "stages": [stage]}


def answers(*responses: httpx.Response | Exception) -> Handler:
    remaining: Iterator[httpx.Response | Exception] = iter(responses)

    def handle(request: httpx.Request) -> httpx.Response:
        answer = next(remaining)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return handle


def test_a_job_is_followed_to_its_end_through_an_outage() -> None:
    handler = answers(
        httpx.Response(200, json=job("running")),
        httpx.ConnectError("refused"),
        httpx.Response(503, json={"title": "starting"}),
        httpx.Response(200, json=job("completed", 1)),
    )
    with client(handler) as api:
        assert [seen["status"] for seen in api.follow("x")] == ["running", "completed"]


def test_an_outage_that_lasts_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_OUTAGE_SECONDS", -1.0)
    with (
        client(answers(httpx.ConnectError("refused"))) as api,
        pytest.raises(ApiError, match=r"has not answered for a while.*refused"),
    ):
        list(api.follow("x"))


def test_a_job_that_stands_still_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_STANDSTILL_SECONDS", -1.0)
    with (
        client(lambda _: httpx.Response(200, json=job("running"))) as api,
        pytest.raises(ApiError, match="Nothing has moved"),
    ):
        list(api.follow("x"))


def test_a_refusal_is_told_in_full() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        return httpx.Response(422, json={"detail": "source_container is required"})

    with (
        client(refuse) as api,
        pytest.raises(ApiError, match=r"POST /api/jobs/submit/x: 422 .*source_container"),
    ):
        api.submit("x", {})


def test_a_rerun_is_asked_for() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(202, json={"query": request.url.query.decode()})

    with client(handle) as api:
        assert api.submit("x", {}, rerun=True) == {"query": "rerun=true"}
        assert api.submit("x", {}) == {"query": ""}


def test_every_page_of_a_search_is_read() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        page = int(request.url.params.get("page", "1"))
        links = [{"rel": "self", "href": "http://app/x"}]
        if page < 3:
            links.append({"rel": "next", "href": f"http://app/api/stac/search?page={page + 1}"})
        return httpx.Response(200, json={"features": [{"id": page}], "links": links})

    with client(handle) as api:
        assert [item["id"] for item in api.items("c")] == [1, 2, 3]


@pytest.mark.parametrize("key", ["the-key", None])
def test_the_key_goes_with_every_request(key: str | None) -> None:
    seen: list[str | None] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("x-functions-key"))
        return httpx.Response(200, json={"job_id": "x"})

    with Api("http://app", key=key, transport=httpx.MockTransport(handle)) as api:
        api.submit("hello_fan_out", {"n": 1})
        api.job("x")
    assert seen == [key, key]
