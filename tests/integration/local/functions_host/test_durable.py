"""Orchestrations through the app, the SDK's client and the Durable HTTP API."""

from __future__ import annotations

import asyncio
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest


def test_fan_out_runs_its_code_twice_and_its_history_tells_all(host: Any) -> None:
    before = host.http.get("/admin/host/status").json()["durable"]
    host.begin("fan_out", "fan-60", {"n": 60})
    assert host.finished("fan-60")["output"] == {"n": 60, "sum": sum(i * i for i in range(60))}
    after = host.http.get("/admin/host/status").json()["durable"]
    assert after["activities"] - before["activities"] == 60
    assert after["orchestratorRuns"] - before["orchestratorRuns"] == 2
    history = host.instance("fan-60", showHistory="true").json()["historyEvents"]
    kinds = [event["EventType"] for event in history]
    assert kinds[0] == "ExecutionStarted"
    assert kinds[-1] == "ExecutionCompleted"
    assert kinds.count("TaskScheduled") == kinds.count("TaskCompleted") == 60


def test_approval_by_an_event(host: Any) -> None:
    host.begin("approval", "approved", {"seconds": 60})
    host.wait_for(
        lambda: host.instance("approved").json()["customStatus"] == "waiting", "not waiting"
    )
    raised = host.http.post("/api/raise/approved/approved", json={"by": "ann"})
    assert raised.status_code == 202
    status = host.finished("approved")
    assert status["runtimeStatus"] == "Completed"
    # The SDK encodes an event's data twice: the orchestrator sees a string of JSON.
    assert status["output"] == {"approved": '{"by": "ann"}', "attempts": 3, "n": 4, "sum": 14}


def test_an_activity_may_have_a_durable_client(host: Any) -> None:
    host.begin("approval", "by-an-activity", {"seconds": 60})
    host.wait_for(
        lambda: host.instance("by-an-activity").json()["customStatus"] == "waiting", "not waiting"
    )
    host.begin("approves_another", "approver", {"instance_id": "by-an-activity"})
    assert host.finished("approver")["output"] == "raised"
    assert host.finished("by-an-activity")["output"]["approved"] == '{"by": "an activity"}'


def test_approval_by_the_deadline(host: Any) -> None:
    host.begin("approval", "too-late", {"seconds": 0.2})
    assert host.finished("too-late")["output"]["approved"] is None


def test_event_waited_for_in_many_races_is_heard_at_once(host: Any) -> None:
    host.begin("watchdog", "watched")
    host.wait_for(
        lambda: host.instance("watched").json()["customStatus"] == 2, "two rounds have not passed"
    )
    assert host.steer("watched", "raiseEvent/done", json=1).status_code == 202
    status = host.finished("watched")
    assert status["output"]["result"] == 1
    assert status["output"]["rounds"] >= 2


def test_task_that_lost_a_race_can_be_waited_for_again(host: Any) -> None:
    host.begin("reused", "reused")
    assert host.finished("reused")["output"] == 9


def test_continue_as_new_starts_over_with_an_empty_history(host: Any) -> None:
    host.begin("countdown", "countdown", {"n": 5})
    assert host.finished("countdown")["output"] == "done"
    history = host.instance("countdown", showHistory="true").json()["historyEvents"]
    assert len(history) == 4


def test_orchestrator_that_does_not_wait_completes(host: Any) -> None:
    host.begin("not_a_generator", "at-once")
    assert host.finished("at-once")["output"] == "at once"


def test_unknown_activity_fails_its_call_with_its_name(host: Any) -> None:
    host.begin("unlucky", "unlucky")
    status = host.finished("unlucky")
    assert status["runtimeStatus"] == "Completed"
    assert "no_such_activity" in status["output"]


def test_entity_fails_the_instance_and_says_why(host: Any) -> None:
    host.begin("uses_entity", "entity")
    status = host.finished("entity")
    assert status["runtimeStatus"] == "Failed"
    assert "entities are not supported" in status["output"]


def test_instance_of_which_no_turn_can_be_taken_fails_in_the_end(host: Any) -> None:
    host.begin("poisonous", "poisonous")
    status = host.finished("poisonous")
    assert status["runtimeStatus"] == "Failed"
    assert "NUL" in status["output"]


def test_event_for_an_instance_that_has_not_run_is_kept(new_host: Any) -> None:
    slow = new_host().start()
    # Suspended before it could run: whatever comes waits.
    slow.begin("watchdog", "early")
    slow.steer("early", "suspend", params={"reason": "wait"})
    assert slow.steer("early", "raiseEvent/done", json="kept").status_code == 202
    slow.kill()
    slow.start()
    assert slow.reaches("early", "Suspended")
    slow.steer("early", "resume", params={"reason": "go"})
    assert slow.finished("early")["output"]["result"] == "kept"


def test_events_for_no_instance_and_for_a_finished_one_are_refused(host: Any) -> None:
    assert host.steer("no-such-instance", "raiseEvent/done", json=1).status_code == 404
    host.begin("not_a_generator", "gone")
    host.finished("gone")
    assert host.steer("gone", "raiseEvent/done", json=1).status_code == 410
    refused = host.http.post("/api/raise/gone/done", json=1)
    assert "is gone" in refused.text
    assert host.steer("gone", "raiseEvent/done", content=b"{not json").status_code == 400


def test_start_of_a_running_instance_is_409_and_of_a_finished_one_replaces_it(host: Any) -> None:
    host.begin("watchdog", "again")
    refused = host.http.post("/api/start/watchdog/again")
    assert refused.status_code == 409
    assert "already running" in refused.text
    host.steer("again", "raiseEvent/done", json="first")
    assert host.finished("again")["output"]["result"] == "first"
    host.begin("watchdog", "again")
    assert host.reaches("again", "Running")["output"] is None
    host.steer("again", "raiseEvent/done", json="second")
    assert host.finished("again")["output"]["result"] == "second"


async def test_of_many_starts_at_once_one_wins(host: Any) -> None:
    async with httpx.AsyncClient(base_url=host.url, timeout=30) as client:
        path = "/runtime/webhooks/durabletask/orchestrators/watchdog/contested"
        answers = await asyncio.gather(*(client.post(path, json={}) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 19
    host.steer("contested", "terminate", params={"reason": "enough"})


def test_unknown_orchestrator_is_400_and_names_the_known_ones(host: Any) -> None:
    answer = host.http.post("/runtime/webhooks/durabletask/orchestrators/nope")
    assert answer.status_code == 400
    assert "watchdog" in answer.json()["ExceptionMessage"]


def test_terminate_suspend_resume_purge(host: Any) -> None:
    host.begin("watchdog", "steered")
    host.reaches("steered", "Running")
    host.steer("steered", "suspend", params={"reason": "pause"})
    host.reaches("steered", "Suspended")
    host.steer("steered", "raiseEvent/done", json=1)
    assert host.instance("steered").json()["runtimeStatus"] == "Suspended"
    purge = host.http.delete("/runtime/webhooks/durabletask/instances/steered")
    assert purge.json() == {"instancesDeleted": 0}
    host.steer("steered", "terminate", params={"reason": "enough"})
    assert host.reaches("steered", "Terminated")["output"] == "enough"
    purge = host.http.delete("/runtime/webhooks/durabletask/instances/steered")
    assert purge.json() == {"instancesDeleted": 1}
    assert host.instance("steered").status_code == 404
    assert host.http.get("/api/status/steered").json() is None


def test_rewind_repeats_only_what_failed(host: Any, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    flag.touch()
    host.begin("fragile", "rewound", {"while_exists": str(flag)})
    failed = host.finished("rewound")
    assert failed["runtimeStatus"] == "Failed"
    assert f"{flag} exists" in failed["output"]
    squares = [line for line in host.trace() if line in ("square 5", "square 2")]
    flag.unlink()
    assert host.steer("rewound", "rewind", params={"reason": "repaired"}).status_code == 202
    host.reaches("rewound", "Completed")
    assert host.instance("rewound").json()["output"] == [25, "gone", 4]
    assert [line for line in host.trace() if line in ("square 5", "square 2")] == squares
    assert host.steer("rewound", "rewind", params={"reason": "again"}).status_code == 410


def test_restart_runs_the_same_input_again(host: Any) -> None:
    host.begin("fan_out", "original", {"n": 3})
    host.finished("original")
    copy = host.steer("original", "restart").json()
    assert copy != "original"
    assert host.finished(copy)["output"] == {"n": 3, "sum": 5}


def test_list_filters_and_pages(host: Any) -> None:
    for number in range(5):
        host.begin("not_a_generator", f"page-{number}")
    for number in range(5):
        host.finished(f"page-{number}")
    path = "/runtime/webhooks/durabletask/instances"
    query = {"instanceIdPrefix": "page-", "runtimeStatus": "Completed", "top": "3"}
    first = host.http.get(path, params=query)
    assert [i["instanceId"] for i in first.json()] == ["page-0", "page-1", "page-2"]
    token = first.headers["x-ms-continuation-token"]
    rest = host.http.get(path, params=query, headers={"x-ms-continuation-token": token})
    assert [i["instanceId"] for i in rest.json()] == ["page-3", "page-4"]
    assert rest.headers["x-ms-continuation-token"] == ""
    running = {**query, "runtimeStatus": "Running"}
    assert host.http.get(path, params=running).json() == []
    assert host.http.get(path, params={**query, "top": "many"}).status_code == 400


@pytest.mark.parametrize("instance_id", ["%00", "x" * 300])
def test_instance_ids_are_checked(host: Any, instance_id: str) -> None:
    path = f"/runtime/webhooks/durabletask/orchestrators/watchdog/{instance_id}"
    assert host.http.post(path).status_code == 400


class _Polled(BaseHTTPRequestHandler):
    """Answers 202 with a Location once, then 200."""

    def do_GET(self) -> None:
        if self.path == "/work":
            self.send_response(202)
            self.send_header("Location", "/result")
            self.send_header("Retry-After", "0")
            self.end_headers()
        else:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"finished")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_call_http_follows_an_asynchronous_answer(host: Any) -> None:
    with HTTPServer(("127.0.0.1", 0), _Polled) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}/work"
            host.begin("calls_http", "polled", {"url": url})
            output = host.finished("polled")["output"]
        finally:
            server.shutdown()
            thread.join()
    assert (output["statusCode"], output["content"]) == (200, "finished")
