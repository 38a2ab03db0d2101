"""What survives the death of the host, of PostgreSQL, and a second host on the same hub."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.servers import LocalPostgres, ScratchDirectory

SUM_OF_120 = sum(i * i for i in range(120))


def _squares(host: Any) -> Counter[str]:
    return Counter(line for line in host.trace() if line.startswith("square"))


def test_kill_of_the_host_in_a_fan_out_loses_nothing(new_host: Any) -> None:
    host = new_host().start()
    host.begin("fan_out", "crashed", {"n": 120, "sleep_ms": 100})
    for target in (20, 60, 90):
        host.wait_for(lambda at=target: len(host.trace()) >= at, f"{target} were not reached")
        host.kill()
        host.start()
    assert host.finished("crashed")["output"] == {
        "n": 120,
        "sum": sum(i * i for i in range(120)),
    }
    counts = _squares(host)
    assert len(counts) == 120
    # At most the sixteen that were running at each kill ran twice.
    assert sum(counts.values()) - 120 <= 3 * 16
    history = host.instance("crashed", showHistory="true").json()["historyEvents"]
    assert sum(event["EventType"] == "TaskCompleted" for event in history) == 120


def test_waits_survive_a_kill(new_host: Any) -> None:
    host = new_host().start()
    host.begin("approval", "by-event", {"seconds": 60})
    host.begin("approval", "by-timer", {"seconds": 1})
    host.reaches("by-event", "Running")
    host.reaches("by-timer", "Running")
    host.kill()
    time.sleep(1)
    host.start()
    assert host.finished("by-timer")["output"]["approved"] is None
    host.steer("by-event", "raiseEvent/approved", json="yes")
    assert host.finished("by-event")["output"]["approved"] == "yes"


def test_two_hosts_share_the_work_of_one_hub(new_host: Any) -> None:
    first, second = new_host().start(), new_host().start()
    # More than one host could begin at once, by far.
    first.begin("fan_out", "shared", {"n": 200, "sleep_ms": 200})
    assert second.finished("shared")["output"]["n"] == 200
    assert first.trace()
    assert second.trace()
    assert len(first.trace()) + len(second.trace()) == 200


def test_work_of_a_host_that_is_gone_for_good_is_taken_over(new_host: Any) -> None:
    first = new_host().start()
    second = new_host().start()
    first.begin("fan_out", "orphan", {"n": 100, "sleep_ms": 200})
    first.wait_for(lambda: first.trace() and second.trace(), "the work is not shared")
    first.kill()
    # The leases of a dead host end after 30 s; the test does not wait for that.
    owner = (first.state / "host-id").read_text()
    with psycopg.connect(first.environment["DATABASE_URL"], autocommit=True) as connection:
        for table in ("activities", "instances"):
            connection.execute(
                f"update task_hub.{table} set leased_until = now() where owner = %s", (owner,)
            )
    assert second.finished("orphan")["output"]["n"] == 100


@pytest.fixture
def own_postgres() -> Iterator[LocalPostgres]:
    """A server that this test may crash: its data must survive that."""
    with ScratchDirectory() as directory:
        server = LocalPostgres(directory, durable=True)
        yield server
        server.close()


def test_crash_of_postgres_is_survived(new_host: Any, own_postgres: LocalPostgres) -> None:
    host = new_host(DATABASE_URL=own_postgres.create_database()).start()
    host.begin("fan_out", "outage", {"n": 120, "sleep_ms": 50})
    host.begin("watchdog", "waiting")
    host.wait_for(lambda: len(host.trace()) >= 30, "30 were not reached")
    own_postgres.kill()
    answer = host.instance("outage")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert host.http.get("/api/livez").status_code == 200
    own_postgres.start()
    assert host.finished("outage")["output"] == {
        "n": 120,
        "sum": sum(i * i for i in range(120)),
    }
    assert host.process.poll() is None
    host.steer("waiting", "raiseEvent/done", json=1)
    assert host.finished("waiting")["runtimeStatus"] == "Completed"
    assert host.log().count("task hub database lost") == 1
    host.wait_for(lambda: "task hub database is back" in host.log(), "its return is not noticed")
    assert host.log().count("task hub database is back") == 1


def test_timer_missed_in_a_downtime_runs_once_and_is_past_due(new_host: Any) -> None:
    host = new_host(SAMPLE_SCHEDULE="* * * * * *").start()
    host.wait_for(lambda: len(host.trace()) >= 2, "the timer does not run")
    assert set(host.trace()) == {"tick past_due=False"}
    host.kill()
    time.sleep(2)
    before = len(host.trace())
    host.start()
    host.wait_for(lambda: len(host.trace()) >= before + 2, "the timer does not run again")
    assert host.trace()[before:][:2] == ["tick past_due=True", "tick past_due=False"]


def test_timer_runs_on_one_of_two_hosts(new_host: Any) -> None:
    first = new_host(SAMPLE_SCHEDULE="* * * * * *").start()
    second = new_host(SAMPLE_SCHEDULE="* * * * * *").start()
    begun = len(first.trace()) + len(second.trace())
    started = time.monotonic()

    def ran() -> int:
        return len(first.trace()) + len(second.trace()) - begun

    first.wait_for(lambda: ran() >= 6, "the timer does not run")
    # Twice as often, if each host ran it; a host that is held up runs it less often.
    assert ran() <= time.monotonic() - started + 1.5


def test_sigterm_ends_the_host_in_good_order_and_nothing_is_lost(new_host: Any) -> None:
    host = new_host().start()
    host.begin("fan_out", "stopped", {"n": 60, "sleep_ms": 100})
    host.wait_for(lambda: len(host.trace()) >= 10, "10 were not reached")
    requests = threading.Thread(target=lambda: host.http.get("/api/livez"))
    requests.start()
    assert host.stop() == 0
    requests.join()
    host.start()
    assert host.finished("stopped")["output"]["n"] == 60
