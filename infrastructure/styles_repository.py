"""The styles of collections: geo.feature_collection_styles.

Who changes a collection's styles takes its turn first (`take_turn`), as one of them at most is
the default.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from core import jsonb
from infrastructure import queries
from infrastructure.database import Connection, Row
from infrastructure.locks import Space, lock

_SQL = queries.load("styles")


@dataclass(frozen=True, slots=True)
class StoredStyle:
    """One style. `spec` is {layers, legend}; `is_seeded` tells that no user has written it."""

    style_id: str
    title: str | None
    description: str | None
    spec: Mapping[str, Any]
    is_default: bool
    is_seeded: bool


def take_turn(connection: Connection, collection_id: str) -> None:
    """Wait until nobody else changes the collection's styles, to the end of the transaction."""
    lock(connection, Space.DATASET, "styles", collection_id)


def seed(
    connection: Connection,
    collection_id: str,
    style_id: str,
    *,
    title: str | None,
    description: str | None,
    spec: Mapping[str, Any],
) -> None:
    """Enter a style of geoforge's own, or bring it up to date where nobody has edited it."""
    connection.execute(_SQL["seed"], _style_row(collection_id, style_id, title, description, spec))


def default_if_none(connection: Connection, collection_id: str, style_id: str) -> None:
    """Make the style the default one, unless the collection has one already."""
    connection.execute(
        _SQL["default_if_none"], {"collection_id": collection_id, "style_id": style_id}
    )


def of_collection(connection: Connection, collection_id: str) -> list[StoredStyle]:
    """A collection's styles, the default one first and then by their ids."""
    rows = connection.execute(_SQL["of_collection"], {"collection_id": collection_id}).fetchall()
    return [_stored(row) for row in rows]


def names(connection: Connection, collection_ids: Iterable[str]) -> list[Row]:
    """The styles of some collections: {collection_id, style_id, title, description, is_default}."""
    return connection.execute(_SQL["names"], {"collection_ids": list(collection_ids)}).fetchall()


def put(
    connection: Connection,
    collection_id: str,
    style_id: str,
    *,
    title: str | None,
    description: str | None,
    spec: Mapping[str, Any],
) -> bool:
    """Enter or replace a style as a user wants it; whether it is new."""
    row = connection.execute(
        _SQL["put"], _style_row(collection_id, style_id, title, description, spec)
    ).fetchone()
    return row is not None and bool(row["created"])


def set_default(connection: Connection, collection_id: str, style_id: str) -> None:
    """Make the style the default one, in place of another."""
    style = {"collection_id": collection_id, "style_id": style_id}
    connection.execute(_SQL["no_other_default"], style)
    connection.execute(_SQL["default"], style)


def delete(connection: Connection, collection_id: str, style_id: str) -> None:
    """Remove a style."""
    connection.execute(_SQL["delete"], {"collection_id": collection_id, "style_id": style_id})


def forget(connection: Connection, collection_id: str) -> None:
    """Remove all styles of a collection, in turn with who changes them."""
    take_turn(connection, collection_id)
    connection.execute(_SQL["forget"], {"collection_id": collection_id})


def _style_row(
    collection_id: str,
    style_id: str,
    title: str | None,
    description: str | None,
    spec: Mapping[str, Any],
) -> dict[str, Any]:
    return {
        "collection_id": collection_id,
        "style_id": style_id,
        "title": title,
        "description": description,
        "spec": Jsonb(spec, dumps=jsonb.encode),
    }


def _stored(row: Row) -> StoredStyle:
    return StoredStyle(
        style_id=row["style_id"],
        title=row["title"],
        description=row["description"],
        spec=row["style_spec"],
        is_default=row["is_default"],
        is_seeded=row["is_seeded"],
    )
