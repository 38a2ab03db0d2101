"""Load a Collection and its Items into pgSTAC: all of it, or nothing.

pypgstac's bulk loader does the writing. Around it: one writer at a time (concurrent loads
into partitions lose items), one transaction (readers see the catalog before or after, never
between), a comparison with what is stored (a second run changes nothing), and a query that
proves the count before the commit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from typing import Any, cast

import psycopg
from psycopg.types.json import Jsonb
from pypgstac.db import PgstacDB
from pypgstac.load import Loader, Methods

from core.errors import PermanentTaskError, TransientTaskError, Unavailable
from infrastructure import database, queries
from infrastructure.database import Connection
from infrastructure.locks import Space, lock_patiently
from infrastructure.stac_comparison import Comparison, Difference, wkb

JsonObject = dict[str, Any]

# As in the Loader: so many items are written by one COPY.
CHUNK_ITEMS = 10_000
NOTED_AT_ONCE = 1_000
# How much of a time's text says its month, and how much there is to the second.
_MONTH = len("2020-01")
_SECONDS = len("2020-01-01T00:00:00Z")

_SQL = queries.load("stac_loader")


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
    _check_times(item["properties"])
    geometry = item.get("geometry")
    if geometry is None:
        raise ValueError("geometry: is null, and pgSTAC keeps only items that have a place")
    try:
        wkb(geometry)
    except Exception as error:  # plpygis raises whatever the malformed part leads to.
        raise ValueError(f"geometry: cannot be written as WKB ({error})") from error


@dataclass(frozen=True, slots=True)
class CatalogLoad:
    """What to load. `items` gives a fresh iterator over the items, whose ids must be distinct,
    at each call; it is called once more where the catalog holds the collection already.

    With `overwrite` stored items that differ are replaced, without it they stay and are named
    as refused. `check` may raise to stop; `progress` is told how many items are done.
    """

    job_id: str
    collection_id: str
    compose: ComposeCollection
    items: Callable[[], Iterator[JsonObject]]
    overwrite: bool
    check: Callable[[], None]
    progress: Callable[[int], None]


def load(request: CatalogLoad) -> LoadOutcome:
    """Bring a collection and its items into the catalog in one transaction.

    A job that has loaded already gets the outcome of that load. Raises `PermanentTaskError`
    for an item that the database refuses, `TransientTaskError` where the count does not hold,
    `Unavailable` when the database is down.
    """
    connection = database.connect()
    try:
        with connection, connection.transaction():
            return _load(connection, request)
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        raise PermanentTaskError(
            f"pgSTAC refused an item of collection {request.collection_id!r}: "
            f"{error.diag.message_primary} ({error.diag.context})",
            code="catalog_refused",
        ) from error
    except psycopg.errors.InFailedSqlTransaction as error:
        # The Loader logs a failed update of statistics and goes on; the transaction does not.
        raise TransientTaskError(
            f"pgSTAC could not take up collection {request.collection_id!r}.",
            code="catalog_busy",
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


def _load(connection: Connection, request: CatalogLoad) -> LoadOutcome:
    lock_patiently(connection, request.check, Space.PGSTAC_LOAD)
    connection.execute(_SQL["configure"])
    earlier = connection.execute(_SQL["recorded"], {"job_id": request.job_id}).fetchone()
    if earlier is not None:
        return LoadOutcome.from_json(earlier["outcome"])

    names = {"collection_id": request.collection_id}
    connection.execute(_SQL["create_loaded"])
    exists = _truth(connection, "has_items", names)
    others = exists and _has_others(connection, request)
    row = connection.execute(_SQL["collection"], names).fetchone()
    stored = None if row is None else row["content"]
    loader = _TransactionLoader(_OneConnection(connection))
    change = _store_collection(loader, stored, request.compose(stored, others))

    sorting = _Sorting(connection, request, ids_are_noted=exists)
    loader.load_items(sorting.new_items(), Methods.insert, chunksize=CHUNK_ITEMS)
    if request.overwrite and sorting.changed:
        changed = (item for item in request.items() if item["id"] in sorting.changed)
        loader.load_items(changed, Methods.delsert, chunksize=CHUNK_ITEMS)

    _prove(connection, request.collection_id, sorting.counts.total())
    outcome = LoadOutcome(
        collection=change,
        new=sorting.counts[Difference.NEW],
        updated=len(sorting.changed) if request.overwrite else 0,
        unchanged=sorting.counts[Difference.SAME],
        refused=[] if request.overwrite else sorted(sorting.changed),
    )
    connection.execute(
        _SQL["record"], {**names, "job_id": request.job_id, "outcome": Jsonb(asdict(outcome))}
    )
    request.check()
    return outcome


class _Sorting:
    """Compares the items while the Loader draws the new ones from it.

    The Loader draws a chunk before it writes it, so that the comparison and the writing take
    turns on the connection.
    """

    def __init__(
        self, connection: Connection, request: CatalogLoad, *, ids_are_noted: bool
    ) -> None:
        self._connection = connection
        self._request = request
        self._ids_are_noted = ids_are_noted
        self._comparison = Comparison(connection, request.collection_id)
        self.counts: Counter[Difference] = Counter()
        self.changed: set[str] = set()

    def new_items(self) -> Iterator[JsonObject]:
        """The items that the catalog does not hold; the others are counted on the way."""
        for item, difference in self._comparison.of(self._noted(self._request.items())):
            self.counts[difference] += 1
            if difference is Difference.NEW:
                yield item
            elif difference is Difference.CHANGED:
                self.changed.add(item["id"])

    def _noted(self, items: Iterable[JsonObject]) -> Iterator[JsonObject]:
        """The items, one at a time, while their ids are noted for the proof.

        They are not gathered on the way: thousands of parsed items alive at once would double
        the time that the load takes, spent in Python's collector.
        """
        ids: list[str] = []
        for item in items:
            ids.append(item["id"])
            yield item
            if len(ids) == NOTED_AT_ONCE:
                self._note(ids)
                ids = []
        self._note(ids)

    def _note(self, ids: list[str]) -> None:
        self._request.check()
        if not self._ids_are_noted:
            self._connection.execute(_SQL["add_loaded"], {"ids": ids})
        self._request.progress(self.counts.total())


def _has_others(connection: Connection, request: CatalogLoad) -> bool:
    """Whether the catalog holds items of the collection that this load does not bring.

    Notes the ids of the load on the way.
    """
    ids = (item["id"] for item in request.items())
    while chunk := list(islice(ids, NOTED_AT_ONCE)):
        request.check()
        connection.execute(_SQL["add_loaded"], {"ids": chunk})
    connection.execute(_SQL["analyze_loaded"])
    return _truth(connection, "has_others", {"collection_id": request.collection_id})


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
    connection.execute(_SQL["analyze_loaded"])
    row = connection.execute(_SQL["prove"], {"collection_id": collection_id}).fetchone()
    if row is None or not row["rows"] == row["ids"] == expected:
        raise TransientTaskError(
            f"pgSTAC holds {row and row['rows']} items of {collection_id!r} where "
            f"{expected} were loaded; nothing was kept.",
            code="catalog_count_differs",
        )


def _check_times(properties: Mapping[str, Any]) -> None:
    start, end = properties.get("start_datetime"), properties.get("end_datetime")
    if start is None or end is None:
        _utc("datetime", properties.get("datetime"))
    elif _utc("start_datetime", start) > _utc("end_datetime", end):
        raise ValueError("properties.start_datetime: is after end_datetime")


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

    It finds an item's partition, and keeps the partition's bounds, by the texts: '+05:00'
    beside 'Z', or fractions beside none, would put an item into the wrong one.
    """

    def format_item(self, _item: Any) -> dict[str, Any]:
        row: dict[str, Any] = super().format_item(_item)
        given = row["datetime"]
        row["datetime"], row["end_datetime"] = _in_utc(given), _in_utc(row["end_datetime"])
        if row["datetime"][:_MONTH] != given[:_MONTH]:
            del row["partition"]  # It is found anew, from the datetime as it is now.
        return row


def _in_utc(moment: str) -> str:
    """A time that `check_loadable` let pass, as Python spells it in UTC."""
    if len(moment) == _SECONDS and moment[-1] == "Z":
        return f"{moment[:-1]}+00:00"  # Nearly all are so, and need no parsing.
    return datetime.fromisoformat(moment).astimezone(UTC).isoformat()


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
