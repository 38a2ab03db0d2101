"""One moment's view of the statistics by H3 cells, for requests that read them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from config import get_settings
from core.errors import Unavailable
from infrastructure import database
from infrastructure.database import Connection


@contextmanager
def snapshot() -> Iterator[Connection]:
    """A read-only transaction that sees what was there when it began: a publication that ends
    meanwhile is seen by the next one.

    Raises `Unavailable` (h3_timeout) where one statement takes longer than
    GEOFORGE_FEATURES_TIMEOUT_SECONDS.
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
            yield connection
    except psycopg.errors.QueryCanceled as error:
        raise Unavailable(
            f"Reading the cells took longer than {seconds:g} s and was stopped; ask for a smaller "
            "area, or for a resolution that the dataset has.",
            code="h3_timeout",
        ) from error
