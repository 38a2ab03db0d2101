"""How the database does, looked up in the background: a page that shows it must not wait for it."""

from __future__ import annotations

from core.models.server import ServerFigures
from infrastructure import database, server_repository
from infrastructure.looked_up import Finding, LookedUp

_FRESH_SECONDS = 8.0


def _look() -> ServerFigures:
    with database.transaction() as connection:
        return server_repository.figures(connection)


_figures = LookedUp(_look, _FRESH_SECONDS)


def figures() -> Finding[ServerFigures]:
    """Sessions, locks and sizes of the database, as they were found last."""
    return _figures.get()
