"""One moment's view of the statistics by H3 cells, for requests that read them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import psycopg

from config import get_settings
from core.errors import Unavailable
from infrastructure import database
from infrastructure.database import Connection


class Snapshot:
    """A read-only transaction that sees what was there when it began: a publication that ends
    meanwhile is seen by the next one."""

    def __init__(self, connection: Connection, seconds: float) -> None:
        self.connection = connection
        self._deadline = monotonic() + seconds

    def check(self) -> None:
        """Raise `Unavailable` (h3_timeout) once all of it together has taken too long."""
        if monotonic() > self._deadline:
            raise _took_too_long()


@contextmanager
def snapshot() -> Iterator[Snapshot]:
    """A snapshot that may last GEOFORGE_FEATURES_TIMEOUT_SECONDS.

    Raises `Unavailable` (h3_timeout) where one statement takes longer.
    """
    seconds = get_settings().features_timeout_seconds
    try:
        with database.transaction() as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            connection.execute(
                # The planner would compile what runs for milliseconds.
                "SELECT set_config('statement_timeout', %s, true), set_config('jit', 'off', true)",
                [str(round(seconds * 1000))],
            )
            yield Snapshot(connection, seconds)
    except psycopg.errors.QueryCanceled as error:
        raise _took_too_long() from error


def _took_too_long() -> Unavailable:
    seconds = get_settings().features_timeout_seconds
    return Unavailable(
        f"Reading the cells took longer than {seconds:g} s and was stopped; ask for a smaller "
        "area, for fewer statistics, or for a resolution that the dataset has.",
        code="h3_timeout",
    )
