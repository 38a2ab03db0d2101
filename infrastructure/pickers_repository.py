"""What can be chosen in forms, out of the database. Runs in the caller's transaction."""

from __future__ import annotations

from infrastructure import queries
from infrastructure.database import Connection, Row

_SQL = queries.load("pickers")


def options(
    connection: Connection, kind: str, text: str, *, limit: int, within: str | None = None
) -> list[Row]:
    """{value, label, note} of what holds the text, in any case, the best matches first.

    `kind` names a query of sql/pickers.sql; `within` is the collection of items.
    """
    return connection.execute(
        _SQL[kind], {"text": text, "limit": limit, "within": within}
    ).fetchall()
