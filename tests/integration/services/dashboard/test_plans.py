"""What the dashboard reads does not grow with the ledger: plans, not times.

Each query that one look at the page makes is explained on a ledger of 10,000 jobs. None may read
tasks, none may read a table of the ledger from end to end, and none may look at many more rows
than it was allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from benchmarks.ledger_filling import fill
from core.models.job import JobStatus
from core.models.throughput import Span
from infrastructure.dashboard_repository import MOST_SEARCHED, JobFilter
from services.dashboard import overview, queues, throughput, workers
from services.orchestration import metrics
from tests.servers import PostgresServer
from tests.support.settings import app_settings

JOBS, TASKS = 10_000, 20_000

# A table of which there is no more than this is best read from end to end.
SMALL = 1_000

LOOKS: dict[str, Callable[[], Any]] = {
    "totals": metrics.summary,
    "all": lambda: overview.overview(JobFilter()),
    "running": lambda: overview.overview(JobFilter(JobStatus.RUNNING)),
    "failed": lambda: overview.overview(JobFilter(JobStatus.FAILED)),
    "cancelled, of a type": lambda: overview.overview(
        JobFilter(JobStatus.CANCELLED, "process_raster")
    ),
    "of a type": lambda: overview.overview(JobFilter(job_type="process_raster")),
    "of no type": lambda: overview.overview(JobFilter(job_type="no_such_type")),
    "with a text": lambda: overview.overview(JobFilter(text="source_9990")),
    "with a text, failed": lambda: overview.overview(JobFilter(JobStatus.FAILED, text="nowhere")),
    "hour": lambda: throughput.history(Span.HOUR),
    "day": lambda: throughput.history(Span.DAY),
    "week": lambda: throughput.history(Span.WEEK, "process_raster"),
    "queues": queues.states,
    "dead letters": queues.dead_letters,
    "workers": workers.recent,
    "counting": throughput.count,
}


@pytest.fixture(scope="module")
def filled(postgres_server: PostgresServer, migrated_template: str) -> Iterator[str]:
    url = postgres_server.create_database(migrated_template)
    fill(url, JOBS, TASKS, small_tasks=False)
    yield url
    postgres_server.drop_database(url)


def explained(url: str, look: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The plans of all that a look asks the database, with the rows that were really read."""
    plans: list[Any] = []
    execute = psycopg.Connection.execute

    def explaining(self: Any, query: Any, params: Any = None, **options: Any) -> Any:
        text = str(query).lstrip()
        if text.startswith(("SELECT", "WITH")) and "pg_catalog" not in text:
            # Of this very transaction, which holds the locks that it needs, and as if it were not.
            with self.transaction(force_rollback=True):
                cursor = execute(self, "EXPLAIN (ANALYZE, FORMAT JSON) " + text, params, **options)
                plans.extend(row["QUERY PLAN"][0]["Plan"] for row in cursor)
        return execute(self, query, params, **options)

    with monkeypatch.context() as spying, app_settings(DATABASE_URL=url):
        spying.setattr("psycopg.Connection.execute", explaining)
        look()
    return plans


def nodes(plan: Any) -> Iterator[Any]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


@pytest.mark.parametrize("name", LOOKS)
def test_a_look_reads_no_more_than_it_shows(
    name: str, filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = explained(filled, LOOKS[name], monkeypatch)
    assert plans, "nothing was asked"
    scans = [node for plan in plans for node in nodes(plan) if "Relation Name" in node]
    for scan in scans:
        table = scan["Relation Name"]
        what = f"{scan['Node Type']} on {table}: {scan.get('Filter') or scan.get('Index Cond')}"
        read = (scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0)) * scan["Actual Loops"]
        assert table != "tasks", what
        if scan["Node Type"] == "Seq Scan" and not table.startswith("pg_"):
            assert read <= SMALL, what
        # The jobs of a day, or those of one type, are the most that is counted or filtered.
        assert read <= max(2_000, MOST_SEARCHED, 1_500 * 8), what
