"""GET /api/metrics/...: rows of app.job_metrics, and the summary."""

from __future__ import annotations

import pytest

from core.errors import Unavailable
from infrastructure import database, job_progress
from infrastructure.job_progress_contexts import H3AggregationTracker
from infrastructure.metrics_losses import Kind
from tests.support.in_process import InProcessClient
from tests.support.ledger import Stage, add_job
from tests.support.metrics import fresh_metrics, new_process


@pytest.fixture
def client(ledger: database.Connection) -> InProcessClient:
    from web_interfaces.api import metrics

    return InProcessClient(metrics.bp)


def test_snapshots_and_events_of_a_job(
    client: InProcessClient, ledger: database.Connection
) -> None:
    job_id = add_job(ledger, Stage("copy", total=10, completed=4))
    job_progress.event(job_id, "stage_started", "Stage copy started")
    job_progress.context(job_id, files_copied=4)
    job_progress.sample(job_id, force=True)

    answer = client.get(f"/api/metrics/jobs/{job_id}")
    assert answer.status == 200
    body = answer.json()
    assert body["job_id"] == job_id
    assert body["context"] == {"files_copied": 4}
    assert body["next"] is None
    snapshot, event = body["metrics"]
    assert snapshot["metric_type"] == "snapshot"
    assert set(snapshot["payload"]) == {"progress", "rates", "context", "recent_events"}
    assert snapshot["payload"]["recent_events"][0]["message"] == "Stage copy started"
    assert event["payload"] == {"kind": "stage_started", "message": "Stage copy started"}
    assert event["timestamp"].endswith("Z")

    [only] = client.get(f"/api/metrics/jobs/{job_id}?type=event").json()["metrics"]
    assert only == event
    first = client.get(f"/api/metrics/jobs/{job_id}?limit=1").json()
    rest = client.get(f"/api/metrics/jobs/{job_id}?limit=1&cursor={first['next']}").json()
    assert [*first["metrics"], *rest["metrics"]] == body["metrics"]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "cursor=x", "since=x", "type=x"]
)
def test_a_bad_query_names_its_parameter(
    client: InProcessClient, ledger: database.Connection, query: str
) -> None:
    answer = client.get(f"/api/metrics/jobs/{add_job(ledger)}?{query}")
    assert answer.status == 422
    assert answer.json()["errors"][0]["loc"] == ["query", query.partition("=")[0]]


def test_an_unknown_job_is_not_found(client: InProcessClient) -> None:
    answer = client.get(f"/api/metrics/jobs/{'f' * 64}")
    assert (answer.status, answer.media_type) == (404, "application/problem+json")


def test_the_summary(client: InProcessClient, ledger: database.Connection) -> None:
    add_job(ledger)
    assert client.get("/api/metrics/summary").json()["running"] == 1


def test_what_could_not_be_written_is_in_the_summary(
    client: InProcessClient, ledger: database.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fresh_metrics(monkeypatch):
        job_id = add_job(ledger)
        losses = job_progress.losses
        losses.failed(Kind.EVENTS, job_id, Unavailable("The database does not answer."), lost=3)
        for _ in range(2):  # as long as no row tells of it, and when one does
            told = client.get("/api/metrics/summary").json()
            lost = {"events": 3, "snapshots": 0, "figures": 0}
            assert told["not_written"] == told["not_written_here"] == lost
            job_progress.event(job_id, "note", "The database answers again.")
        new_process(monkeypatch)
        told = client.get("/api/metrics/summary").json()
        assert told["not_written"]["events"] == 3
        assert told["not_written_here"]["events"] == 0


def test_a_jobs_figures_come_with_their_rate(
    client: InProcessClient, ledger: database.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fresh_metrics(monkeypatch):
        job_id = add_job(ledger, status="completed", created=110, ended=10)
        H3AggregationTracker(job_id).cells_processed("compute_stats:0", cells=500, stats=1000)
        job_progress.flush(job_id)
        context = client.get(f"/api/metrics/jobs/{job_id}").json()["context"]
        assert context["h3_aggregation"] == {
            "cells_processed": 500,
            "stats_computed": 1000,
            "cells_rate_per_sec": 5.0,
        }
