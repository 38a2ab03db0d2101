"""How the database server does, and what waits: read-only, in the caller's transaction."""

from __future__ import annotations

from core.models.queue import QueueWork
from core.models.server import ServerFigures, TableSize
from infrastructure import queries
from infrastructure.database import Connection, Row

_sql = queries.load("server")


def figures(connection: Connection) -> ServerFigures:
    """Sessions, locks and sizes."""
    row = connection.execute(_sql["figures"]).fetchone()
    assert row is not None
    tables = connection.execute(_sql["largest_tables"]).fetchall()
    return ServerFigures(**row, largest_tables=tuple(TableSize(**each) for each in tables))


def queue_work(connection: Connection) -> dict[str, QueueWork]:
    """Tasks of running stages, by queue."""
    rows = connection.execute(_sql["queue_work"]).fetchall()
    return {row["queue"]: QueueWork(**row) for row in rows}


def dead_letters(
    connection: Connection, *, limit: int, before: int | None = None, queue: str | None = None
) -> list[Row]:
    """Rows of app.dead_letters, newest first, each with its job's type; bodies are cut."""
    return connection.execute(
        _sql["dead_letters"], {"limit": limit, "before": before, "queue": queue}
    ).fetchall()


def recent_dead_letters(connection: Connection, most: int) -> dict[str, int]:
    """How many of the newest `most` dead letters came within a day, by queue."""
    rows = connection.execute(_sql["recent_dead_letters"], {"most": most}).fetchall()
    return {row["queue"]: row["letters"] for row in rows}
