"""Who may read the features of a table."""

from __future__ import annotations

from config import get_settings
from core.errors import Forbidden
from infrastructure.features_repository import PublishedTable
from services.features.links import collection_id


def require_readable(table: PublishedTable) -> None:
    """Raise `Forbidden` for a restricted table, unless the site shows those too.

    What is known of the table (title, extent, columns) is open in any case.
    """
    if table.restricted and not get_settings().show_restricted:
        raise Forbidden(
            f"The features of {collection_id(table.name)!r} are restricted: the terms of their "
            "source do not allow to show them to everyone.",
            code="restricted",
        )
