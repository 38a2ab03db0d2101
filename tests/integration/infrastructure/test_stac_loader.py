"""Loading into a real pgSTAC: all or nothing, counted, compared."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from pypgstac.db import PgstacDB
from pypgstac.load import Loader, Methods

from core.errors import PermanentTaskError, Unavailable
from infrastructure import stac_loader
from infrastructure.stac_loader import CatalogLoad, CollectionChange, LoadOutcome
from tests.support.settings import app_settings
from tests.support.stac_collection import make_collection, make_item

Items = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def _app(database_url: str) -> Iterator[None]:
    with app_settings(DATABASE_URL=database_url):
        yield


def collection(collection_id: str = "tiles", **fields: Any) -> dict[str, Any]:
    return {**make_collection("nowhere", 0, collection_id).document, "links": [], **fields}


def some_items(number: int, collection_id: str = "tiles") -> Items:
    return [
        make_item(f"{collection_id}-{n}", collection_id, f"https://e.com/{n}.tif")
        for n in range(number)
    ]


def load(
    job: str, items: Items, document: dict[str, Any] | None = None, *, overwrite: bool = False
) -> LoadOutcome:
    return stac_loader.load(request(job, items, document, overwrite=overwrite))


def request(
    job: str, items: Items, document: dict[str, Any] | None = None, **options: Any
) -> CatalogLoad:
    wanted = document or collection()
    defaults = {"overwrite": False, "check": lambda: None, "progress": lambda _done: None}
    return CatalogLoad(
        job_id=job,
        collection_id=wanted["id"],
        compose=lambda _stored, _others: wanted,
        items=lambda: iter(copy.deepcopy(items)),
        **{**defaults, **options},
    )


def count(database_url: str, query: str = "SELECT count(*) FROM pgstac.items") -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(query).fetchone()  # type: ignore[call-overload]
        return int(row[0])


def test_a_job_that_loaded_already_gets_its_outcome_again(database_url: str) -> None:
    first = load("a", some_items(3))
    assert first == LoadOutcome(CollectionChange.CREATED, new=3, updated=0, unchanged=0)
    assert load("a", some_items(5)) == first
    assert count(database_url) == 3
    assert load("b", some_items(3)) == LoadOutcome(CollectionChange.UNCHANGED, 0, 0, 3)


def test_times_with_offsets_and_fractions_fit_their_partitions(database_url: str) -> None:
    """Compared as texts, each of these would lie outside of its partition's bounds."""
    items = some_items(5)
    for item, moment in zip(
        items,
        [
            "2020-01-01T00:00:00Z",
            "2020-01-01T03:00:00+05:00",
            "2020-01-01T00:00:00.5Z",
            "2019-12-31T23:00:00-08:00",
            "2020-01-01T00:00:00.25+00:00",
        ],
        strict=True,
    ):
        item["properties"]["datetime"] = moment
    assert load("a", items).new == 5
    assert load("b", items).unchanged == 5
    partitioned = collection("parts")
    load("c", some_items(1, "parts"), partitioned)
    with psycopg.connect(database_url) as connection:
        connection.execute("SET search_path TO pgstac, public")
        connection.execute("UPDATE collections SET partition_trunc = 'month' WHERE id = 'parts'")
    for item in items:
        item["collection"] = "parts"
    assert load("d", items, partitioned).new == 5
    assert load("e", items, partitioned).unchanged == 5


def test_items_are_compared_across_changes_of_the_collection() -> None:
    """pgSTAC stores an item without what the collection says of all items."""
    items = some_items(3)
    items[0]["assets"]["data"]["roles"] = []
    items[1]["assets"]["data"].pop("roles")
    items[2]["properties"]["proj:shape"] = [1.0, 2, 1e3]
    load("a", items)
    said = {"data": {"type": "image/tiff", "roles": ["data", "visual"], "title": "Data"}}
    changed = collection(item_assets=said)
    outcome = load("b", items, changed)
    assert (outcome.collection, outcome.unchanged) == (CollectionChange.UPDATED, 3)
    more = [*items, make_item("later", "tiles", "https://e.com/later.tif")]
    assert load("c", more, changed).new == 1
    assert load("d", more, collection()).unchanged == 4
    assert load("e", more, changed).unchanged == 4


def test_items_of_the_bare_loader_and_of_sql_are_recognised(database_url: str) -> None:
    items = some_items(4)
    document = collection(item_assets={"data": {"roles": ["data"], "title": "Data"}})
    with PgstacDB(dsn=database_url) as pgstac:
        loader = Loader(pgstac)
        loader.load_collections(iter([document]), Methods.insert)
        loader.load_items(iter(copy.deepcopy(items[:2])), Methods.insert)
        for item in items[2:]:
            list(pgstac.func("create_item", copy.deepcopy(item)))
    outcome = load("a", items, document)
    assert outcome == LoadOutcome(CollectionChange.UNCHANGED, 0, 0, 4)


@pytest.mark.parametrize(
    "change",
    [
        {"properties": {"datetime": "2020-01-01T00:00:01Z"}},
        {"bbox": [0, 0, 1, 1]},
        {"geometry": {"type": "Point", "coordinates": [1, 2]}},
        {"private": {"secret": 1}},
        {"assets": {"data": {"href": "https://e.com/other.tif"}}},
        {"links": [{"rel": "about", "href": "https://e.com"}]},
    ],
)
def test_every_difference_is_seen(change: dict[str, Any]) -> None:
    items = some_items(2)
    load("a", items)
    changed = [items[0], {**items[1], **change}]
    assert load("b", changed).refused == ["tiles-1"]
    assert load("c", changed, overwrite=True).updated == 1
    assert load("d", changed, overwrite=True) == LoadOutcome(CollectionChange.UNCHANGED, 0, 0, 2)


def test_an_item_that_the_database_refuses_fails_the_load_for_good(database_url: str) -> None:
    items = some_items(3)
    items[2]["properties"]["note"] = "NUL \x00 in a text"
    with pytest.raises(PermanentTaskError) as caught:
        load("a", items)
    assert caught.value.error_code == "catalog_refused"
    assert count(database_url, "SELECT count(*) FROM pgstac.collections") == 0


def test_a_lost_connection_is_an_outage_and_leaves_nothing(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bare Loader would open another connection and go on outside of the transaction."""
    monkeypatch.setattr(stac_loader, "CHUNK_ITEMS", 2)
    monkeypatch.setattr(stac_loader, "NOTED_AT_ONCE", 2)
    done: list[int] = []

    def kill(number: int) -> None:
        done.append(number)
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE state = 'idle in transaction' AND datname = current_database()"
            )

    items = some_items(6)
    with pytest.raises(Unavailable):
        stac_loader.load(request("a", items, progress=kill))
    assert done == [2]
    assert count(database_url) == 0
    assert count(database_url, "SELECT count(*) FROM pgstac.collections") == 0


def test_readers_see_all_or_nothing_and_writers_take_turns(database_url: str) -> None:
    half, go_on = threading.Event(), threading.Event()

    def pause(_done: int) -> None:
        half.set()
        go_on.wait(60)

    def first() -> LoadOutcome:
        return stac_loader.load(request("a", some_items(4), progress=pause))

    waiting = threading.Event()

    def second() -> LoadOutcome:
        return stac_loader.load(request("b", some_items(4), check=waiting.set))

    with ThreadPoolExecutor(2) as threads:
        one = threads.submit(first)
        assert half.wait(60)
        # The new partition is locked until the commit; its rows cannot be seen half-way.
        assert count(database_url, "SELECT count(*) FROM pgstac.collections") == 0
        two = threads.submit(second)
        assert waiting.wait(60)
        assert not two.done()
        go_on.set()
        assert one.result().new == 4
        assert two.result().unchanged == 4
    assert count(database_url) == 4


@pytest.mark.parametrize(
    ("change", "culprit"),
    [
        ({"datetime": "2020-02-30T00:00:00Z"}, "datetime"),
        ({"datetime": "2020-01-01"}, "time zone"),
        ({"datetime": 5}, "RFC 3339"),
        ({"start_datetime": "2021-01-01T00:00:00Z", "end_datetime": "2020-01-01T00:00:00Z"},
         "after end_datetime"),
    ],
)  # fmt: skip
def test_what_pgstac_cannot_hold_is_told_before(change: dict[str, Any], culprit: str) -> None:
    item = make_item("a", "tiles", "a.tif")
    item["properties"].update(change)
    with pytest.raises(ValueError, match=culprit):
        stac_loader.check_loadable(item)
