"""The SQL of docs/deploy-azure.md that deletes what is too old, as it stands there."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from core.models.curated import UpdateStatus, UpdateType
from infrastructure import curated_updates_repository as updates_log
from infrastructure.database import Connection
from tests.support.curated_datasets import begin, forget_all, publish_version, register

PAGE = Path(__file__).parents[2] / "docs" / "deploy-azure.md"
DUE = datetime(2020, 5, 1, 2, tzinfo=UTC)


def delete_what_is_old(connection: Connection) -> None:
    [statements] = re.findall(r"```sql\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    connection.execute(statements)


def attempt(connection: Connection, dataset_id: str, due_at: datetime | None = None) -> int:
    """An attempt that ended years ago; its log_id."""
    log_id = updates_log.record(
        connection,
        dataset_id,
        UpdateType.MANUAL if due_at is None else UpdateType.SCHEDULED,
        UpdateStatus.FAILED,
        due_at=due_at,
    )
    assert log_id is not None
    connection.execute(
        "UPDATE app.curated_update_log SET completed_at = '2020-05-02' WHERE log_id = %s", (log_id,)
    )
    return log_id


def test_of_the_log_of_a_dataset_stays_what_is_still_needed(ledger: Connection) -> None:
    forget_all(ledger)
    lakes = register(ledger)
    register(ledger, dataset_id="ponds", target_table_name="curated_ponds")
    attempt(ledger, "lakes")
    attempt(ledger, "lakes", DUE.replace(year=2019))
    last_due = attempt(ledger, "lakes", DUE)
    of_a_version = attempt(ledger, "lakes")
    publish_version(ledger, lakes)
    ledger.execute("UPDATE app.curated_versions SET log_id = %s", (of_a_version,))
    attempt(ledger, "lakes")
    recent = updates_log.record(ledger, "lakes", UpdateType.MANUAL, UpdateStatus.FAILED)
    assert recent is not None
    under_way = updates_log.begin(ledger, "lakes", begin(ledger, "lakes"), UpdateType.MANUAL)
    newest = attempt(ledger, "ponds")

    delete_what_is_old(ledger)

    left = ledger.execute("SELECT log_id FROM app.curated_update_log ORDER BY log_id").fetchall()
    assert [row["log_id"] for row in left] == sorted(
        [last_due, of_a_version, recent, under_way, newest]
    )
