"""Overviews: tiles from afar, made from a copy of the table."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
import shapely
from psycopg import sql

from core.errors import NotFound
from core.models.feature_table import Column, ColumnType, FeatureTable, GeometryColumn, TableName
from infrastructure import database, features_repository, locks, overviews_repository
from services.tiles import overviews, tiles
from services.tiles.versions import tiles_token
from tests.servers import PostgresServer
from tests.support import published
from tests.support.settings import app_settings
from tests.support.vector_tiles import DecodedTile, decode

AREAS = FeatureTable(
    columns=(
        Column(name="code", type=ColumnType.INTEGER),
        Column(name="name", type=ColumnType.TEXT),
        # Names that an overview's own columns, and the query that makes it, have too.
        *(Column(name=name, type=ColumnType.TEXT) for name in ("zoom", "size", "rank", "pixel")),
    ),
    geometry=GeometryColumn(type="Geometry", srid=4326),
)
NAME = TableName(table_name="areas")
COUNT = 5_000


def rows(count: int = COUNT, *, label: str = "a") -> list[tuple[Any, ...]]:
    """Areas of all sizes and some points, all over the world, one over the pole."""
    rng = np.random.default_rng(5)
    xs, ys = rng.uniform(-179, 179, count), rng.uniform(-80, 80, count)
    sizes = np.minimum(np.exp(rng.normal(-4, 2, count)), 1.0)
    shapes = shapely.box(xs - sizes, ys - sizes, xs + sizes, ys + sizes)
    shapes[::10] = shapely.points(xs[::10], ys[::10])
    shapes[0] = shapely.box(-180, -90, 180, -60)
    return [
        (number, f"{label}{number}" + "x" * 300, "z", "s", "r", "p", shape.wkt)
        for number, shape in enumerate(shapes)
    ]


@pytest.fixture
def connection(
    postgres_server: PostgresServer, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[database.Connection]:
    monkeypatch.setattr(overviews, "_LEAST_ROWS", 1_000)
    with app_settings(DATABASE_URL=database_url), database.connect(autocommit=True) as connection:
        yield connection


def put(
    connection: database.Connection,
    *,
    table: FeatureTable = AREAS,
    count: int = COUNT,
    label: str = "a",
    **options: Any,
) -> None:
    published.put(connection, rows(count, label=label), table, target=NAME, **options)


def tokens(connection: database.Connection) -> list[str]:
    return [each.token for each in overviews_repository.overviews(connection)]


def relations(connection: database.Connection) -> int:
    """How many tables there are; an overview has two."""
    row = connection.execute(
        "SELECT count(*) AS n FROM pg_tables WHERE schemaname = 'geo_overviews'"
    ).fetchone()
    assert row is not None
    return int(row["n"])


def tile(address: str, folder: Path) -> DecodedTile:
    found = tiles.tile("areas", *address.split("/"))
    assert found.data
    return decode(found.data, address, folder)


@pytest.mark.parametrize("address", ["0/0/0", "2/1/1", "5/16/15", "7/64/63"])
def test_a_tile_is_much_the_same_as_from_the_table(
    connection: database.Connection, address: str, tmp_path: Path
) -> None:
    put(connection)
    direct = tile(address, tmp_path / "direct")
    overviews.refresh()
    [token] = tokens(connection)
    from_overview = tile(address, tmp_path / "overview")

    assert from_overview.layer == direct.layer
    ours, theirs = from_overview.by_id, direct.by_id
    # Pixels are told apart in metres there and in degrees here: all that is as large as a pixel
    # is in both, and of the rest about as much.
    assert len(ours) == pytest.approx(len(theirs), rel=0.35, abs=3)
    pixel = 40_075_016.7 / 2 ** int(address.partition("/")[0]) / 512
    large = {gid for gid, each in theirs.items() if _width(each.geometry) > 2 * pixel}
    assert large <= set(ours)
    for gid in large:
        assert _width(ours[gid].geometry) == pytest.approx(
            _width(theirs[gid].geometry), abs=2 * pixel
        )
        assert ours[gid].properties.keys() == theirs[gid].properties.keys()
    assert token in tiles.tile("areas", *address.split("/")).etag


def _width(shape: shapely.Geometry) -> float:
    west, _, east, _ = shape.bounds
    return float(east - west)


def test_deeper_tiles_are_made_from_the_table(
    connection: database.Connection, tmp_path: Path
) -> None:
    put(connection)
    before = tile("8/128/127", tmp_path / "before")
    overviews.refresh()
    connection.execute("TRUNCATE geo_overviews.overview_1")

    assert tile("8/128/127", tmp_path / "after").features == before.features
    assert not tiles.tile("areas", "7", "64", "63").data
    assert tile("2/1/1", tmp_path / "far").features


def test_details_are_cut_and_kept(connection: database.Connection, tmp_path: Path) -> None:
    put(connection)
    overviews.refresh()
    named = [each for each in tile("4/8/8", tmp_path).features if "name" in each.properties]
    assert named
    assert {len(each.properties["name"]) for each in named} == {256}
    assert named[0].properties["zoom"] == "z"


def test_a_new_version_has_no_overview_until_it_is_made(
    connection: database.Connection, tmp_path: Path
) -> None:
    put(connection)
    overviews.refresh()
    [first] = tokens(connection)

    put(connection, label="b")
    names = {
        each.properties["name"][0]
        for each in tile("3/4/4", tmp_path / "between").features
        if "name" in each.properties
    }
    assert names == {"b"}
    overviews.refresh()

    [second] = tokens(connection)
    assert second != first
    assert relations(connection) == 2
    assert tile("3/4/4", tmp_path / "after").features[0].properties["name"].startswith("b")


def test_a_tile_that_an_overview_will_change_is_not_kept(
    connection: database.Connection,
) -> None:
    put(connection)
    version = tiles_token(features_repository.published_table(NAME))
    before = tiles.tile("areas", "3", "4", "4", version=version)
    deeper = tiles.tile("areas", "8", "128", "127", version=version)
    overviews.refresh()
    after = tiles.tile("areas", "3", "4", "4", version=version, known=before.etag)
    again = tiles.tile("areas", "3", "4", "4", version=version, known=after.etag)
    deeper_again = tiles.tile("areas", "8", "128", "127", version=version, known=deeper.etag)

    assert (before.is_lasting, after.is_lasting, again.is_lasting) == (False, True, True)
    assert after.data
    assert after.data != before.data
    assert again.data is None
    # Deeper ones are never made from it.
    assert deeper.is_lasting
    assert (deeper_again.is_lasting, deeper_again.data) == (True, None)


def test_tiles_of_small_tables_are_kept_at_once(connection: database.Connection) -> None:
    put(connection, count=900)
    version = tiles_token(features_repository.published_table(NAME))
    assert tiles.tile("areas", "0", "0", "0", version=version).is_lasting


def test_it_is_not_made_twice(connection: database.Connection) -> None:
    put(connection)
    overviews.refresh()
    before = overviews_repository.overviews(connection)
    overviews.refresh()
    assert overviews_repository.overviews(connection) == before
    with pytest.raises(psycopg.errors.UniqueViolation):
        overviews.build(NAME)
    assert relations(connection) == 2


def test_small_tables_have_none(connection: database.Connection) -> None:
    put(connection, count=900)
    overviews.refresh()
    assert tokens(connection) == []


def test_that_of_a_table_that_is_gone_goes_too(connection: database.Connection) -> None:
    put(connection)
    overviews.refresh()
    connection.execute("DELETE FROM app.published_tables")
    overviews.refresh()
    assert (tokens(connection), relations(connection)) == ([], 0)


def test_one_that_is_read_is_dropped_later(
    connection: database.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overviews_repository, "_DROP_PATIENCE", "50ms")
    put(connection)
    overviews.refresh()
    connection.execute("DELETE FROM app.published_tables")
    with database.connect() as reader:
        reader.execute("SELECT FROM geo_overviews.overview_1 LIMIT 1")
        overviews.refresh()
        assert relations(connection) == 2
    overviews.refresh()
    assert (tokens(connection), relations(connection)) == ([], 0)


def test_one_that_was_dropped_by_hand_is_done_without(
    connection: database.Connection, tmp_path: Path
) -> None:
    put(connection)
    overviews.refresh()
    connection.execute("DROP TABLE geo_overviews.overview_1, geo_overviews.overview_1_far")
    assert tile("0/0/0", tmp_path / "far").features
    assert tile("5/16/15", tmp_path / "near").features


def test_one_that_cannot_be_made_is_left(
    connection: database.Connection, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    put(connection)
    connection.execute("ALTER TABLE geo.areas RENAME COLUMN name TO title")
    overviews.refresh()
    assert relations(connection) == 0
    assert "there is no overview of geo.areas" in caplog.text

    # It fails at the full price: not again and again, but a day later.
    connection.execute("ALTER TABLE geo.areas RENAME COLUMN title TO name")
    overviews.refresh()
    assert relations(connection) == 0
    assert tile("3/4/4", tmp_path / "table").features
    connection.execute("UPDATE app.tile_overviews SET created_at = now() - interval '25 hours'")
    overviews.refresh()
    assert relations(connection) == 2
    assert tile("3/4/4", tmp_path / "overview").features


def test_one_that_could_not_be_made_does_not_keep_the_next_version_from_having_one(
    connection: database.Connection,
) -> None:
    put(connection)
    connection.execute("ALTER TABLE geo.areas RENAME COLUMN name TO title")
    overviews.refresh()
    connection.execute("ALTER TABLE geo.areas RENAME COLUMN title TO name")
    put(connection, label="b")
    overviews.refresh()
    assert (len(tokens(connection)), relations(connection)) == (1, 2)


def test_one_that_is_being_made_gives_way_to_who_publishes(
    connection: database.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(connection)
    making = threading.Event()

    def at_great_length(*of: Any) -> sql.Composed:
        making.set()
        return sql.SQL("SELECT pg_sleep(60)").format()

    with monkeypatch.context() as slow, ThreadPoolExecutor(1) as thread:
        slow.setattr(overviews_repository, "_making", at_great_length)
        refreshing = thread.submit(overviews.refresh)
        assert making.wait(60)
        put(connection, label="b", patience=30.0)
        refreshing.result(60)
    assert (tokens(connection), relations(connection)) == ([], 0)
    overviews.refresh()
    assert relations(connection) == 2


def test_only_one_process_makes_them(connection: database.Connection) -> None:
    put(connection)
    with locks.singleton("tile_overviews") as mine:
        assert mine
        overviews.refresh()
    assert tokens(connection) == []


@pytest.mark.parametrize("srid", [3857, 3035, 4258])
def test_any_reference_system_has_one(
    connection: database.Connection, srid: int, tmp_path: Path
) -> None:
    stored = AREAS.model_copy(update={"geometry": GeometryColumn(type="Geometry", srid=srid)})
    # 2,000 squares near 10 E, 50 N, 5 km wide.
    rng = np.random.default_rng(6)
    corners = rng.uniform(0, 1, (2_000, 2))
    scale, x, y = {
        3857: (500_000, 1_000_000, 6_000_000),
        3035: (500_000, 4_321_000, 3_210_000),
        4258: (5, 10, 50),
    }[srid]
    west, south = x + corners[:, 0] * scale, y + corners[:, 1] * scale
    squares = shapely.box(west, south, west + 0.01 * scale, south + 0.01 * scale)
    made = [(n, "n", "z", "s", "r", "p", square.wkt) for n, square in enumerate(squares)]
    published.put(connection, made, stored, target=NAME)
    overviews.refresh()
    assert len(tokens(connection)) == 1
    features = tile("0/0/0", tmp_path).features
    assert 0 < len(features) < 200
    lefts = [each.geometry.bounds[0] for each in features]
    assert min(lefts) > 800_000
    assert max(lefts) < 2_000_000


def test_what_has_no_geometry_has_none(connection: database.Connection) -> None:
    bare = AREAS.model_copy(update={"geometry": None})
    published.put(connection, [(*row[:-1], None) for row in rows()], bare, target=NAME)
    overviews.refresh()
    assert tokens(connection) == []
    with pytest.raises(NotFound):
        overviews.build(NAME)
    with pytest.raises(NotFound):
        overviews.build(TableName(table_name="nothing"))
