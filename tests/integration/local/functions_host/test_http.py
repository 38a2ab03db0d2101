"""HTTP triggers, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest


def test_request_reaches_the_function_whole(host: Any) -> None:
    answer = host.http.post(
        "/api/ECHO/Bob%20%C3%A4/7?a=1&a=2&b=", content=b"abc", headers={"X-Sample": "hi"}
    )
    assert answer.status_code == 200
    assert answer.headers["x-sample"] == "answer"
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "method": "POST",
        "route": {"name": "Bob ä", "count": "7"},
        "query": {"a": "1,2", "b": ""},
        "header": "hi",
        "size": 3,
        "function": "echo",
    }


def test_optional_parameter_may_be_left_out_and_constraint_holds(host: Any) -> None:
    assert host.http.get("/api/echo/x").json()["route"] == {"name": "x"}
    assert host.http.get("/api/echo/x/seven").status_code == 404


def test_catch_all_takes_the_rest_of_the_path(host: Any) -> None:
    answer = host.http.get("/api/files/a/b%20c/d.tif")
    assert answer.text == "a/b c/d.tif"
    assert host.http.get("/api/files").text == ""


def test_a_path_may_hold_a_line_feed(host: Any) -> None:
    assert host.http.get("/api/files/a%0Ab").text == "a\nb"
    unknown = host.http.get("/api/no%0Asuch")
    assert unknown.status_code == 404
    assert unknown.headers["content-type"].startswith("application/problem+json")


def test_nothing_returned_is_204(host: Any) -> None:
    answer = host.http.delete("/api/nothing")
    assert (answer.status_code, answer.content) == (204, b"")


def test_head_is_answered_where_get_is(host: Any) -> None:
    answer = host.http.head("/api/livez")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == "2"


def test_wrong_method_names_the_right_ones(host: Any) -> None:
    answer = host.http.put("/api/livez")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET"
    assert answer.headers["content-type"].startswith("application/problem+json")


def test_unknown_path_is_404_and_the_root_answers(host: Any) -> None:
    assert host.http.get("/api/no-such").status_code == 404
    assert host.http.get("/").status_code == 200


def test_function_that_raises_is_500_and_its_traceback_is_only_in_the_log(host: Any) -> None:
    answer = host.http.get("/api/broken")
    assert answer.status_code == 500
    assert "this function is broken" not in answer.text
    assert "RuntimeError: this function is broken" in host.log()


def test_body_up_to_100_mb_is_taken_and_more_is_413(host: Any) -> None:
    most = 100 * 1024 * 1024
    assert host.http.post("/api/echo/big", content=bytes(most)).json()["size"] == most
    answer = host.http.post("/api/echo/big", content=bytes(most + 1))
    assert answer.status_code == 413
    assert str(most) in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/api/slow", "/api/stuck"])
def test_function_over_its_time_limit_is_given_up(host: Any, path: str) -> None:
    def abandoned() -> int:
        return int(host.http.get("/admin/host/status").json()["abandonedThreads"])

    before = abandoned()
    assert host.http.get(path).status_code == 500
    assert "exceeded 3 s" in host.log()
    # A coroutine can be stopped; a thread ends when it ends.
    assert abandoned() - before == (1 if path == "/api/stuck" else 0)


def test_status_lists_functions_and_listeners(host: Any) -> None:
    host.wait_for(
        lambda: all(
            queue["connected"]
            for queue in host.http.get("/admin/host/status").json()["listeners"]["serviceBus"]
        ),
        "queues are not connected",
    )
    status = host.http.get("/admin/host/status").json()
    assert status["state"] == "Running"
    assert {"name": "livez", "trigger": "httpTrigger", "route": "livez"} in status["functions"]
    assert status["listeners"]["timers"] == [{"function": "tick", "schedule": "0 0 0 29 2 *"}]
