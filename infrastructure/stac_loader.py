"""Load a Collection and its Items into pgSTAC: all of it, or nothing.

pypgstac's bulk loader does the writing. Around it: one writer at a time (concurrent loads
into partitions lose items), one transaction (readers see the catalog before or after, never
between), a comparison with what is stored (a second run changes nothing), and a query that
proves the count before the commit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from typing import Any, cast

import orjson
import psycopg
from plpygis.geometry import Geometry
from psycopg.types.json import Jsonb
from pypgstac.db import PgstacDB
from pypgstac.hydration import dehydrate, hydrate
from pypgstac.load import Loader, Methods

from core.errors import PermanentTaskError, TransientTaskError, Unavailable
from infrastructure import database, queries
from infrastructure.database import Connection
from infrastructure.locks import Space, try_lock

JsonObject = dict[str, Any]

# As in the Loader: so many items are held in memory and written by one COPY.
CHUNK_ITEMS = 10_000
_LOCK_POLL_SECONDS = (0.05, 1.0)
# What the row holds in columns of its own, and the tag of the base item.
_NOT_CONTENT = ("id", "collection", "geometry", "private", "pgstac:base_item")

_SQL = queries.load("stac_loader")


class Difference(StrEnum):
    """How an item compares with the catalog."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"


class CollectionChange(StrEnum):
    """What became of the collection's own document."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class LoadOutcome:
    """What one load did. `refused` are ids that are stored differently and stay so."""

    collection: CollectionChange
    new: int
    updated: int
    unchanged: int
    refused: list[str] = field(default_factory=list)

    @classmethod
    def from_json(cls, record: JsonObject) -> LoadOutcome:
        return cls(**{**record, "collection": CollectionChange(record["collection"])})


# Called with the stored document (None where there is none) and whether the catalog holds
# items of it that are not part of this load; returns the document to store.
ComposeCollection = Callable[[JsonObject | None, bool], JsonObject]


def check_loadable(item: Mapping[str, Any]) -> None:
    """Raise ValueError, naming the field, unless pgSTAC can hold the (valid) item.

    One item that the database refuses would fail the whole load.
    """
    _time_range(item["properties"])
    geometry = item.get("geometry")
    if geometry is not None:
        try:
            Geometry.from_geojson(geometry).ewkb  # noqa: B018  # Written out on access.
        except Exception as error:  # plpygis raises whatever the malformed part leads to.
            raise ValueError(f"geometry: cannot be written as WKB ({error})") from error


def load(
    job_id: str,
    compose: ComposeCollection,
    collection_id: str,
    items: Callable[[], Iterator[JsonObject]],
    *,
    overwrite: bool,
    check: Callable[[], None],
    progress: Callable[[int], None],
) -> LoadOutcome:
    """Bring a collection and its items into the catalog in one transaction.

    `items` gives a fresh iterator over the items, whose ids must be distinct, at each call.
    With `overwrite` stored items that differ are replaced, without it they stay and are named
    as refused. A job that has loaded already gets the outcome of that load. `check` may raise
    to stop; `progress` is told how many items are done.

    Raises `PermanentTaskError` for an item that the database refuses, `TransientTaskError`
    where the count does not hold, `Unavailable` when the database is down.
    """
    connection = database.connect()
    try:
        with connection, connection.transaction():
            return _load(
                connection, job_id, compose, collection_id, items, overwrite, check, progress
            )
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        raise PermanentTaskError(
            f"pgSTAC refused an item of collection {collection_id!r}: {error}",
            code="catalog_refused",
        ) from error
    except psycopg.errors.InFailedSqlTransaction as error:
        # The Loader logs a failed update of statistics and goes on; the transaction does not.
        raise TransientTaskError(
            f"pgSTAC could not take up collection {collection_id!r}.", code="catalog_busy"
        ) from error
    except psycopg.OperationalError as error:
        if not database.is_outage(error):
            raise
        raise Unavailable(
            "The database does not answer.", code="database_unavailable", service="database"
        ) from error
    finally:
        # The Loader caches, for the whole process, each of its instances.
        Loader.collection_json.cache_clear()


@contextmanager
def comparison(collection_id: str) -> Iterator[Comparison]:
    """Compare items with the catalog as it stands now, without a lock."""
    with database.transaction() as connection:
        connection.execute(_SQL["configure"])
        yield Comparison(connection, collection_id)


def _load(
    connection: Connection,
    job_id: str,
    compose: ComposeCollection,
    collection_id: str,
    items: Callable[[], Iterator[JsonObject]],
    overwrite: bool,
    check: Callable[[], None],
    progress: Callable[[int], None],
) -> LoadOutcome:
    _wait_for_turn(connection, check)
    connection.execute(_SQL["configure"])
    earlier = connection.execute(_SQL["recorded"], {"job_id": job_id}).fetchone()
    if earlier is not None:
        return LoadOutcome.from_json(earlier["outcome"])

    connection.execute(_SQL["create_loaded"])
    others = _has_others(connection, collection_id, items, check)
    stored = connection.execute(_SQL["collection"], {"collection_id": collection_id}).fetchone()
    collection = compose(stored["content"] if stored else None, others)
    loader = _loader(connection)
    change = _store_collection(loader, stored["content"] if stored else None, collection)

    counts = dict.fromkeys(Difference, 0)
    refused: list[str] = []
    stored_items = Comparison(connection, collection_id)
    for chunk in _chunks(items()):
        check()
        sorted_out: dict[Difference, list[JsonObject]] = {kind: [] for kind in Difference}
        for item, difference in stored_items.of(chunk):
            sorted_out[difference].append(item)
        if not overwrite:
            refused += [item["id"] for item in sorted_out[Difference.CHANGED]]
        elif sorted_out[Difference.CHANGED]:
            loader.load_items(iter(sorted_out[Difference.CHANGED]), Methods.delsert)
        if sorted_out[Difference.NEW]:
            loader.load_items(iter(sorted_out[Difference.NEW]), Methods.insert)
        connection.execute(_SQL["add_loaded"], {"ids": [item["id"] for item in chunk]})
        for kind, members in sorted_out.items():
            counts[kind] += len(members)
        progress(sum(counts.values()))

    _prove(connection, collection_id, sum(counts.values()))
    outcome = LoadOutcome(
        collection=change,
        new=counts[Difference.NEW],
        updated=counts[Difference.CHANGED] - len(refused),
        unchanged=counts[Difference.SAME],
        refused=refused,
    )
    connection.execute(
        _SQL["record"],
        {"job_id": job_id, "collection_id": collection_id, "outcome": Jsonb(asdict(outcome))},
    )
    check()
    return outcome


def _wait_for_turn(connection: Connection, check: Callable[[], None]) -> None:
    """Take the catalog's writer lock, to the end of the transaction."""
    delay, longest = _LOCK_POLL_SECONDS
    while not try_lock(connection, Space.PGSTAC_LOAD):
        check()
        time.sleep(delay)
        delay = min(delay * 1.5, longest)


def _has_others(
    connection: Connection,
    collection_id: str,
    items: Callable[[], Iterator[JsonObject]],
    check: Callable[[], None],
) -> bool:
    """Whether the catalog holds items of the collection that this load does not bring."""
    names = {"collection_id": collection_id}
    if not _truth(connection, "has_items", names):
        return False
    for chunk in _chunks(items()):
        check()
        connection.execute(_SQL["add_loaded"], {"ids": [item["id"] for item in chunk]})
    return _truth(connection, "has_others", names)


def _truth(connection: Connection, query: str, names: Mapping[str, Any]) -> bool:
    row = connection.execute(_SQL[query], names).fetchone()
    return row is not None and bool(row["found"])


def _store_collection(
    loader: Loader, stored: JsonObject | None, collection: JsonObject
) -> CollectionChange:
    if stored == collection:
        return CollectionChange.UNCHANGED
    loader.load_collections(iter([collection]), Methods.upsert)
    return CollectionChange.CREATED if stored is None else CollectionChange.UPDATED


def _prove(connection: Connection, collection_id: str, expected: int) -> None:
    row = connection.execute(_SQL["prove"], {"collection_id": collection_id}).fetchone()
    if row is None or not row["rows"] == row["ids"] == expected:
        raise TransientTaskError(
            f"pgSTAC holds {row and row['rows']} items of {collection_id!r} where "
            f"{expected} were loaded; nothing was kept.",
            code="catalog_count_differs",
        )


def _chunks(items: Iterator[JsonObject]) -> Iterator[list[JsonObject]]:
    while chunk := list(islice(items, CHUNK_ITEMS)):
        yield chunk


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
        self._is_empty = not _truth(connection, "has_items", self._names)

    def of(self, items: Iterable[JsonObject]) -> Iterator[tuple[JsonObject, Difference]]:
        """How each item compares, in their order; one query for many."""
        iterator = iter(items)
        while chunk := list(islice(iterator, CHUNK_ITEMS)):
            stored = self._stored([item["id"] for item in chunk])
            for item in chunk:
                yield item, self._difference(item, stored.get(item["id"]))

    def _stored(self, ids: list[str]) -> dict[str, JsonObject]:
        if self._is_empty:
            return {}
        rows = self._connection.execute(_SQL["stored_items"], {**self._names, "ids": ids})
        return {row["id"]: row for row in rows.fetchall()}

    def _difference(self, item: JsonObject, row: JsonObject | None) -> Difference:
        if row is None:
            return Difference.NEW
        same = (
            _wkb(item.get("geometry")) == (row["geometry"] or "").lower()
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


def _wkb(geometry: Mapping[str, Any] | None) -> str:
    """Hex EWKB, as the Loader writes it; '' for none."""
    return "" if geometry is None else str(Geometry.from_geojson(geometry).ewkb).lower()


def _time_range(properties: Mapping[str, Any]) -> tuple[str, str]:
    """First and last moment of an item, in UTC, spelled as PostgreSQL spells them in Python."""
    start, end = properties.get("start_datetime"), properties.get("end_datetime")
    if start is None or end is None:
        start = end = properties.get("datetime")
        names = ("datetime", "datetime")
    else:
        names = ("start_datetime", "end_datetime")
    first, last = (_utc(name, value) for name, value in zip(names, (start, end), strict=True))
    if first > last:
        raise ValueError("properties.start_datetime: is after end_datetime")
    return first.isoformat(), last.isoformat()


def _utc(name: str, value: Any) -> datetime:
    if not isinstance(value, str):
        raise ValueError(f"properties.{name}: is not an RFC 3339 text")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"properties.{name}: {value!r} is not an RFC 3339 time") from None
    if moment.tzinfo is None:
        raise ValueError(f"properties.{name}: {value!r} has no time zone")
    return moment.astimezone(UTC)


class _TransactionLoader(Loader):
    """pypgstac's Loader with the items' time columns in one spelling.

    It keeps the bounds of a partition by comparing the texts, so that '+05:00' beside 'Z', or
    fractions beside none, would put an item outside of its partition's constraint.
    """

    def format_item(self, _item: Any) -> dict[str, Any]:
        row: dict[str, Any] = super().format_item(_item)
        row["datetime"], row["end_datetime"] = _time_range(_item["properties"])
        return row


class _OneConnection(PgstacDB):
    """pypgstac's database on one connection, in the transaction that is open on it.

    The original opens another connection when its own is lost, and would go on there, outside
    of the transaction.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        # Typed for rows as tuples; the Loader asks for its own row type at each query.
        self.connection = cast("psycopg.Connection[Any]", connection)

    def connect(self) -> psycopg.Connection[Any]:
        if self.connection is None or self.connection.closed or self.connection.broken:
            raise psycopg.OperationalError("the connection was lost")
        return self.connection


def _loader(connection: Connection) -> Loader:
    return _TransactionLoader(_OneConnection(connection))
