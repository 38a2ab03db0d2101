"""The STAC catalog, read through pgstac's SQL functions.

All reads of one request share a read-only snapshot, so that a page, its count and the
collection it belongs to agree, and nothing uncommitted is ever seen::

    with stac_repository.snapshot() as catalog:
        page = catalog.search({"collections": ["cdl"], "limit": 10})
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from core.errors import Unavailable
from infrastructure import database, queries
from infrastructure.database import Connection

JsonObject = dict[str, Any]

# A public search may be arbitrarily hard; no single one may hold a connection for longer.
STATEMENT_TIMEOUT_SECONDS = 30

_SQL = queries.load("stac")


class SearchRefused(Exception):
    """pgstac could not evaluate the request: its message, as said by the database."""


class CatalogSnapshot:
    """The catalog as of one moment. Made by `snapshot`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def search(self, search: Mapping[str, Any]) -> JsonObject:
        """A page of items as pgstac's FeatureCollection; `SearchRefused` if it cannot be run.

        `search` is the body of an Item Search. Its links hold the paging tokens and no usable
        addresses.
        """
        result: JsonObject = self._evaluate("search", search)
        return result

    def collections(self, search: Mapping[str, Any]) -> JsonObject:
        """A page of collections, by bbox, datetime, limit and offset."""
        result: JsonObject = self._evaluate("collection_search", search)
        return result

    def collection(self, collection_id: str) -> JsonObject | None:
        """The STAC Collection as it was stored, or None."""
        result: JsonObject | None = self._value("collection", collection_id=collection_id)
        return result

    def collection_titles(self) -> list[tuple[str, str | None]]:
        """(id, title) of every collection, by id."""
        rows = self._connection.execute(_SQL["collection_titles"]).fetchall()
        return [(row["id"], row["title"]) for row in rows]

    def collections_with_items(self) -> list[tuple[str, str | None]]:
        """(id, title) of every collection that has an item, by id."""
        rows = self._connection.execute(_SQL["collections_with_items"]).fetchall()
        return [(row["id"], row["title"]) for row in rows]

    def has_collection(self, collection_id: str) -> bool:
        return bool(self._value("collection_exists", collection_id=collection_id))

    def item(self, collection_id: str, item_id: str) -> JsonObject | None:
        """The STAC Item as it was stored, or None."""
        result: JsonObject | None = self._value(
            "item", collection_id=collection_id, item_id=item_id
        )
        return result

    def footprints(
        self, collection_id: str, asset: str, named_property: str
    ) -> Iterator[JsonObject]:
        """{id, geometry, bbox, href, shape, data_types, property} of every item that has the
        asset, by id: its file, the rows and columns of it (None where the item does not say),
        the data type of each of its bands, and what the item says of a property, or None."""
        cursor = self._connection.execute(
            _SQL["footprints"],
            {"collection_id": collection_id, "asset": asset, "property": named_property},
        )
        yield from cursor

    def queryables(self, collection_id: str | None = None) -> JsonObject | None:
        """The JSON Schema of filterable properties, or None in a catalog without collections."""
        result: JsonObject | None = self._value("queryables", collection_id=collection_id)
        return result

    def _value(self, query: str, **parameters: Any) -> Any:
        row = self._connection.execute(_SQL[query], parameters).fetchone()
        return None if row is None else row["result"]

    def _evaluate(self, query: str, search: Mapping[str, Any]) -> Any:
        try:
            return self._value(query, search=Jsonb(search))
        except psycopg.errors.QueryCanceled as error:
            raise Unavailable(
                f"The search took longer than {STATEMENT_TIMEOUT_SECONDS} s and was stopped; "
                "narrow it by collections, datetime or bbox.",
                code="search_timeout",
            ) from error
        except psycopg.Error as error:
            if database.is_outage(error):
                raise
            raise SearchRefused(error.diag.message_primary or str(error)) from error


@contextmanager
def snapshot() -> Iterator[CatalogSnapshot]:
    """One moment's view of the catalog, in a read-only transaction."""
    with database.transaction() as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.execute(_SQL["configure"], {"timeout_ms": str(STATEMENT_TIMEOUT_SECONDS * 1000)})
        yield CatalogSnapshot(connection)
