"""How many tasks ended when: app.throughput, counted from the counters of stages.

Each function runs in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from core.models.throughput import Bin, Outcomes
from infrastructure import queries
from infrastructure.database import Connection

_sql = queries.load("throughput")

Width = Literal["minute", "hour"]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which tasks are meant: of one job type or of all, that ended within `seconds`-wide bins
    from the one on that holds `since`, told by rows of a width."""

    width: Width
    seconds: int
    since: datetime
    job_type: str | None


def count(connection: Connection, min_age: timedelta) -> bool:
    """Bring app.throughput up to date, unless another process does or did so within `min_age`;
    whether it was this one's turn."""
    turn = connection.execute(_sql["take_turn"], {"min_age": min_age}).fetchone()
    if turn is None:
        return False
    connection.execute(_sql["count"], {"last": turn["at"]})
    connection.execute(_sql["prune"])
    return True


def bins(connection: Connection, selection: Selection) -> Sequence[Bin]:
    """The bins in which tasks ended, oldest first."""
    rows = connection.execute(_sql["bins"], _parameters(selection)).fetchall()
    return [Bin(row["begins"], Outcomes(row["completed"], row["failed"])) for row in rows]


def job_types(connection: Connection, selection: Selection, limit: int) -> dict[str, Outcomes]:
    """How many tasks of each job type ended, those with most failures first."""
    rows = connection.execute(
        _sql["job_types"], {**_parameters(selection), "limit": limit}
    ).fetchall()
    return {row["job_type"]: Outcomes(row["completed"], row["failed"]) for row in rows}


def _parameters(selection: Selection) -> dict[str, object]:
    return {
        "width": selection.width,
        "seconds": selection.seconds,
        "since": selection.since,
        "job_type": selection.job_type,
    }
