"""The published tables that can be shown on a map."""

from __future__ import annotations

import difflib

from core.errors import NotFound
from infrastructure import features_repository
from infrastructure.features_repository import PublishedTable
from infrastructure.tiles_repository import geometry_of
from services.features.collections import table_name
from services.features.links import collection_id

_MOST_NAMED = 20


def mapped_table(collection: str) -> PublishedTable:
    """The published table of a collection.

    Raises `NotFound`: for an unknown collection (collection_not_found), naming those that there
    are, and for one that has no geometries (no_geometry).
    """
    name = table_name(collection)
    try:
        table = features_repository.published_table(name)
    except NotFound as error:
        known = [collection_id(each.name) for each in features_repository.published_tables()]
        named = difflib.get_close_matches(collection, known, n=5) or known[:_MOST_NAMED]
        hint = f" There are: {', '.join(named)}." if named else " None is published yet."
        raise NotFound(
            f"There is no collection {collection!r}.{hint}", code=error.error_code
        ) from None
    geometry_of(table)
    return table
