"""What a chunk's task has done outlives a PostgreSQL that dies, or the job says what is gone."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import PermanentTaskError
from core.models.vector_report import RecordCounts
from infrastructure import database, vector_report_repository
from infrastructure.database import Connection
from services.vector import staging
from tests.support.run_job import JobRun
from tests.support.vector_job import collection, feature, job, put, rows

pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture
def parcels() -> JobRun:
    blob = put(
        "durable.geojson",
        collection(*(feature("Point", [n / 10, 0], number=n) for n in range(200))),
    )
    return job(blob, table_name="durable_parcels", chunk_rows=100)


def test_a_chunk_is_committed_durably_before_its_task_ends(
    parcels: JobRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker keeps an outcome while PostgreSQL restarts, and settles it afterwards: a
    commit that the dying server had not flushed would be gone, its task completed."""
    seen = []
    record = vector_report_repository.record_chunk

    def recorded(connection: Connection, *arguments: Any) -> None:
        row = connection.execute("SHOW synchronous_commit").fetchone()
        seen.append(row)
        record(connection, *arguments)

    monkeypatch.setattr(staging.vector_report_repository, "record_chunk", recorded)
    parcels.run(until="validate")
    assert seen == [{"synchronous_commit": "on"}] * 2


def test_a_chunk_that_is_gone_after_its_task_completed_stops_the_job(parcels: JobRun) -> None:
    parcels.run(until="validate")
    with database.transaction() as connection:
        connection.execute(
            "DELETE FROM app.vector_chunks WHERE job_id = %s AND chunk = 1", (parcels.job_id,)
        )
    with pytest.raises(PermanentTaskError) as refused:
        parcels.run()
    assert refused.value.error_code == "staged_chunks_missing"
    assert "read 200 records" in refused.value.message
    assert "account for 100" in refused.value.message
    assert rows("SELECT to_regclass('geo.durable_parcels') AS found") == [{"found": None}]


def test_what_is_there_is_let_through(parcels: JobRun) -> None:
    result = parcels.run()
    assert result is not None
    with database.transaction() as connection:
        totals = vector_report_repository.totals(connection, parcels.job_id)
    assert sum(totals.values(), RecordCounts()).read == result["read"] == 200
