"""Compare items with those that pgSTAC holds, a thousand at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from itertools import islice
from typing import Any

import orjson
from plpygis.geometry import Geometry
from pypgstac.hydration import dehydrate, hydrate

from infrastructure import database, queries
from infrastructure.database import Connection

JsonObject = dict[str, Any]

# So many items are compared by one query. A parsed item is a hundred small objects: with
# thousands of them alive, Python's collector would take longer than the comparison.
COMPARED_AT_ONCE = 250
# What the row holds in columns of its own, and the tag of the base item.
_NOT_CONTENT = ("id", "collection", "geometry", "private", "pgstac:base_item")

_SQL = queries.load("stac_loader")


class Difference(StrEnum):
    """How an item compares with the catalog."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"


@contextmanager
def comparison(collection_id: str) -> Iterator[Comparison]:
    """Compare items with the catalog as it stands now, without a lock.

    One snapshot for all of the queries: a load that commits between the one that reads the base
    items and the one that reads the items would make all of them look different.
    """
    with database.transaction() as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.execute(_SQL["configure"])
        yield Comparison(connection, collection_id)


class Comparison:
    """Compares items with the stored ones.

    pgSTAC stores an item without what its collection's base item says already, and loses a
    little by it (an empty list that the base fills, for one). So the question is not whether
    the stored item equals the new one, but whether storing the new one on the same base would
    give the same row.
    """

    def __init__(self, connection: Connection, collection_id: str) -> None:
        self._connection = connection
        self._names = {"collection_id": collection_id}
        self._bases: dict[int | None, JsonObject] = {
            row["id"]: row["base_item"]
            for row in connection.execute(_SQL["base_items"], self._names).fetchall()
        }
        row = connection.execute(_SQL["has_items"], self._names).fetchone()
        self._is_empty = row is None or not row["found"]

    def of(self, items: Iterable[JsonObject]) -> Iterator[tuple[JsonObject, Difference]]:
        """How each item compares, in their order; one query for many."""
        if self._is_empty:
            yield from ((item, Difference.NEW) for item in items)
            return
        iterator = iter(items)
        while chunk := list(islice(iterator, COMPARED_AT_ONCE)):
            stored = self._stored([item["id"] for item in chunk])
            for item in chunk:
                yield item, self._difference(item, stored.get(item["id"]))

    def _stored(self, ids: list[str]) -> dict[str, JsonObject]:
        rows = self._connection.execute(_SQL["stored_items"], {**self._names, "ids": ids})
        return {row["id"]: row for row in rows.fetchall()}

    def _difference(self, item: JsonObject, row: JsonObject | None) -> Difference:
        if row is None:
            return Difference.NEW
        same = (
            wkb(item["geometry"]) == row["geometry"].lower()
            and item.get("private") == row["private"]
            and self._is_same_content(item, row["content"])
        )
        return Difference.SAME if same else Difference.CHANGED

    def _is_same_content(self, item: JsonObject, stored: JsonObject) -> bool:
        base = self._bases.get(stored.pop("pgstac:base_item", None)) or {}
        content = dehydrate(base, item)
        for name in _NOT_CONTENT:
            content.pop(name, None)
            stored.pop(name, None)
        if content == stored:
            return True
        # pgSTAC's other ways in leave out a little more or less: compare what comes out.
        # The copy is for `hydrate`, which works in place, on objects that the item still holds.
        given_back = hydrate(base, orjson.loads(orjson.dumps(content)))
        return bool(given_back == hydrate(base, stored))


def wkb(geometry: Mapping[str, Any]) -> str:
    """Hex EWKB, as the Loader writes it."""
    return str(Geometry.from_geojson(geometry).ewkb).lower()
