"""Curated datasets together with what is published and what is on its way, for many at once."""

from __future__ import annotations

from collections.abc import Sequence

from infrastructure import queries
from infrastructure.database import Connection, Row

_SQL = queries.load("curated_overview")


def situations(connection: Connection, dataset_ids: Sequence[str]) -> dict[str, Row]:
    """By dataset what is published of it, which version is held, and how the last attempt
    ended; see the query for the columns."""
    rows = connection.execute(_SQL["situations"], {"dataset_ids": list(dataset_ids)})
    return {row["dataset_id"]: row for row in rows}


def last_attempts(connection: Connection, dataset_ids: Sequence[str]) -> dict[str, Row]:
    """By dataset the open row of app.curated_update_log, else the newest one, if it has any."""
    rows = connection.execute(_SQL["last_attempts"], {"dataset_ids": list(dataset_ids)})
    return {row["dataset_id"]: row for row in rows}
