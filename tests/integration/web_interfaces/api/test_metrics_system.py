"""Throughput, queues, processes and the database over HTTP."""

from __future__ import annotations

import pytest

from infrastructure import database
from services.dashboard.workers import Heart
from tests.support.engine import eventually
from tests.support.in_process import InProcessClient
from tests.support.ledger import Stage, add_job


@pytest.fixture
def client(ledger: database.Connection) -> InProcessClient:
    from web_interfaces.api import metrics

    ledger.execute("TRUNCATE app.throughput, app.workers, app.dead_letters")
    return InProcessClient(metrics.bp)


@pytest.mark.parametrize(("span", "bins"), [("hour", 60), ("day", 96), ("week", 168)])
def test_throughput_has_a_point_for_every_bin(
    client: InProcessClient, ledger: database.Connection, span: str, bins: int
) -> None:
    ledger.execute(
        "INSERT INTO app.throughput"
        " SELECT width, date_trunc(width, now(), 'UTC') - ('1 ' || width)::interval,"
        " 'hello_fan_out', 110, 10 FROM unnest(ARRAY['minute', 'hour']) AS width"
    )
    told = client.get(f"/api/metrics/throughput?span={span}").json()
    # The newest bin may have just begun, and is not among them then.
    assert bins - 1 <= len(told["points"]) <= bins
    assert told["total"] == {"completed": 110, "failed": 10}
    assert told["job_types"] == {"hello_fan_out": {"completed": 110, "failed": 10}}
    assert client.get("/api/metrics/throughput?job_type=other").json()["total"]["failed"] == 0


def test_a_span_that_there_is_not_is_refused(client: InProcessClient) -> None:
    answer = client.get("/api/metrics/throughput?span=year")
    assert (answer.status, answer.json()["errors"][0]["loc"]) == (422, ["query", "span"])


def test_queues_tell_of_tasks_whether_or_not_messages_can_be_counted(
    client: InProcessClient, ledger: database.Connection
) -> None:
    add_job(ledger, Stage(total=90, completed=20))
    light, heavy = client.get("/api/metrics/queues").json()["queues"]
    assert (light["queue"], light["tasks_waiting"], heavy["tasks_waiting"]) == ("light", 70, 0)
    assert light["messages"] is None


def test_processes_are_listed(client: InProcessClient) -> None:
    assert client.get("/api/metrics/workers").json() == {"workers": []}
    Heart().beat()
    [worker] = client.get("/api/metrics/workers").json()["workers"]
    assert (worker["state"], worker["tasks"]) == ("alive", 0)


def test_the_database_is_looked_at_in_the_background(client: InProcessClient) -> None:
    eventually("it was looked at", lambda: client.get("/api/metrics/database").json()["figures"])
    told = client.get("/api/metrics/database").json()
    assert 1 <= told["figures"]["connections"] <= told["figures"]["connections_max"]
    assert told["figures"]["bytes"] > 1_000_000
    assert told["age_seconds"] >= 0


def test_dead_letters_come_in_pages(client: InProcessClient, ledger: database.Connection) -> None:
    for number in range(3):
        ledger.execute(
            "INSERT INTO app.dead_letters (queue, reason, body) VALUES ('light', %s, 'x')",
            (f"reason {number}",),
        )
    first = client.get("/api/metrics/dead-letters?limit=2").json()
    rest = client.get(f"/api/metrics/dead-letters?limit=2&cursor={first['next']}").json()
    told = [each["reason"] for each in [*first["dead_letters"], *rest["dead_letters"]]]
    assert (told, rest["next"]) == (["reason 2", "reason 1", "reason 0"], None)
    assert client.get("/api/metrics/dead-letters?queue=none").status == 422
