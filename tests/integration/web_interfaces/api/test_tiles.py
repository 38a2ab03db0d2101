"""Vector tiles over HTTP, read by GDAL."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
import shapely
from psycopg.types.json import Jsonb

from core.models.feature_table import Column, ColumnType, FeatureTable, GeometryColumn
from infrastructure import database, tiles_repository
from services.publishing import publish as publishing
from tests.servers import PostgresServer
from tests.support import published
from tests.support.feature_tables import create, publish
from tests.support.in_process import BASE, InProcessClient, Response
from tests.support.settings import app_settings
from tests.support.vector_tiles import DecodedTile, decode
from web_interfaces.api.tiles import bp

WORLD = 20_037_508.35
PIXEL = 2 * WORLD / 512

EVERY_TYPE = FeatureTable(
    columns=tuple(Column(name=f"a {kind.name}", type=kind) for kind in ColumnType),
    geometry=GeometryColumn(type="Point", srid=4326),
)
NAMED = FeatureTable(
    columns=(Column(name="name", type=ColumnType.TEXT),),
    geometry=GeometryColumn(type="Geometry", srid=4326),
)
# Names that the query of a tile uses itself.
AWKWARD = FeatureTable(
    columns=tuple(
        Column(name=name, type=ColumnType.TEXT)
        for name in ("size", "rank", "zoom", "found", "tile", "box", "stored", 'A "quoted" name')
    ),
    geometry=GeometryColumn(type="Point", srid=4326),
)
NOTHING = NAMED.model_copy(update={"geometry": None})


def at(srid: int, kind: Any = "Geometry", *, has_z: bool = False) -> FeatureTable:
    geometry = GeometryColumn(type=kind, srid=srid, has_z=has_z)
    return NAMED.model_copy(update={"geometry": geometry})


def _tables() -> Iterator[tuple[str, FeatureTable, list[Any], dict[str, Any]]]:
    """Name, shape, geometries as EWKT, and what is known of the table."""
    yield "shapes", NAMED, [
        "POLYGON((10 40,20 40,20 50,10 50,10 40))",
        "LINESTRING(10 40,20 50)",
        "MULTIPOINT((15 45),(16 46))",
        None,
        "GEOMETRYCOLLECTION(POINT(12 42),POLYGON((11 41,12 41,12 42,11 41)))",
    ], {"bbox": [10.0, 40.0, 20.0, 50.0], "version": 3}  # fmt: skip
    yield "edges", NAMED, [
        "POLYGON((178 10,180 10,180 20,178 20,178 10))",
        "POLYGON((-180 10,-178 10,-178 20,-180 20,-180 10))",
        "POLYGON((-180 -90,180 -90,180 -60,-180 -60,-180 -90))",
        "POLYGON((-180 90,180 90,180 85,0 80,-180 85,-180 90))",
        "POINT(0 90)",
        "POINT(180 0)",
        "POINT(-180 0)",
    ], {"bbox": [-180.0, -90.0, 180.0, 90.0]}  # fmt: skip
    # The same three places, in four reference systems.
    degrees = ["POINT(14 47)", "POINT(14.5 47.5)", "POINT(15 48)"]
    yield "in_4326", at(4326, "Point"), degrees, {}
    for srid in (3857, 32633, 4258):
        yield f"in_{srid}", at(srid), [(text, srid) for text in degrees], {
            "bbox": [14.0, 47.0, 15.0, 48.0]
        }  # fmt: skip
    yield "etrs_pole", at(4258), [
        "POLYGON((-180 60,180 60,180 90,-180 90,-180 60))"
    ], {"bbox": [-180.0, 60.0, 180.0, 90.0]}  # fmt: skip
    yield "other.high", at(4326, "LineString", has_z=True), [
        "LINESTRING Z(10 40 100,20 50 2000)"
    ], {}  # fmt: skip
    yield "empty", NAMED, [], {}
    yield "codes", NOTHING, [], {}
    yield "gone", NAMED, [], {}
    rng = np.random.default_rng(4)
    for name, count, radius in (("towns", 6_000, None), ("fields", 3_000, 0.01)):
        xs, ys = rng.uniform(5, 15, count), rng.uniform(45, 55, count)
        points = shapely.points(xs, ys)
        found = points if radius is None else shapely.buffer(points, rng.uniform(0, 1, count))
        yield name, NAMED, [shape.wkt for shape in found], {"bbox": [4.0, 44.0, 16.0, 56.0]}


@pytest.fixture(scope="module")
def url(postgres_server: PostgresServer, migrated_template: str) -> Iterator[str]:
    """A database with published tables, which tests only read."""
    url = postgres_server.create_database(migrated_template)
    with psycopg.connect(url) as connection:
        for name, shape, texts, known in _tables():
            create(connection, name, shape, [])
            _fill(connection, name, shape, texts)
            publish(connection, name, shape, row_count=len(texts), **known)
        connection.execute("DROP TABLE geo.gone")
        row = dict(zip([column.name for column in EVERY_TYPE.columns], VALUES, strict=True))
        create(connection, "every_type", EVERY_TYPE, [])
        _insert(connection, "geo.every_type", [{"gid": 7, **row, "geom": "SRID=4326;POINT(0 0)"}])
        publish(connection, "every_type", EVERY_TYPE, row_count=1)
        create(connection, "awkward", AWKWARD, [])
        awkward = {column.name: column.name for column in AWKWARD.columns}
        _insert(connection, "geo.awkward", [{"gid": 1, **awkward, "geom": "SRID=4326;POINT(0 0)"}])
        publish(connection, "awkward", AWKWARD, row_count=1)
    yield url
    postgres_server.drop_database(url)


VALUES = [
    True,
    2**40,
    1.5,
    "text " * 100,
    ["FRA", "ITA"],
    date(2020, 1, 31),
    time(8, 30),
    datetime(2020, 1, 31, 12, 0),
    datetime(2020, 1, 31, 12, 0, tzinfo=UTC),
    Jsonb({"a": 1}),
    b"bytes",
]


def _fill(
    connection: psycopg.Connection[Any], name: str, shape: FeatureTable, texts: list[Any]
) -> None:
    table = name if "." in name else f"geo.{name}"
    for gid, text in enumerate(texts, 1):
        wkt, srid = text if isinstance(text, tuple) else (text, None)
        assert shape.geometry is not None
        connection.execute(
            f"""INSERT INTO {table} (gid, name, geom) VALUES (%s, %s, ST_Transform(
                ST_GeomFromText(%s, %s), %s))""",  # type: ignore[arg-type]
            (gid, f"n{gid}", wkt, 4326 if srid else shape.geometry.srid, shape.geometry.srid),
        )
    connection.execute(f"ANALYZE {table}")  # type: ignore[call-overload]


def _insert(connection: psycopg.Connection[Any], table: str, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        marks = ", ".join(["%s"] * len(row))
        names = ", ".join('"' + name.replace('"', '""') + '"' for name in row)
        connection.execute(
            f"INSERT INTO {table} ({names}) VALUES ({marks})",  # type: ignore[call-overload]
            list(row.values()),
        )


@pytest.fixture(scope="module")
def api(url: str) -> Iterator[InProcessClient]:
    with app_settings(DATABASE_URL=url):
        yield InProcessClient(bp)


def get(api: InProcessClient, collection: str, address: str, **headers: str) -> Response:
    return api.get(f"/api/tiles/{collection}/{address}.pbf", **headers)


def read(api: InProcessClient, collection: str, address: str, folder: Path) -> DecodedTile:
    answer = get(api, collection, address)
    assert answer.status == 200, answer
    assert answer.media_type == "application/vnd.mapbox-vector-tile"
    return decode(answer.body, address, folder)


class TestContents:
    def test_features_have_their_gid_and_their_shape(
        self, api: InProcessClient, tmp_path: Path
    ) -> None:
        tile = read(api, "shapes", "4/8/5", tmp_path)

        assert tile.layer == "shapes"
        found = tile.by_id
        assert sorted(found) == [1, 2, 3, 5]  # 4 is nowhere
        assert found[1].geometry.geom_type in ("Polygon", "MultiPolygon")
        assert found[2].geometry.geom_type in ("LineString", "MultiLineString")
        assert found[3].geometry.geom_type == "MultiPoint"
        assert found[1].properties == {"name": "n1"}

    def test_a_shape_is_where_it_belongs(self, api: InProcessClient, tmp_path: Path) -> None:
        [town] = [
            each for each in read(api, "in_4326", "10/553/358", tmp_path).features if each.id == 2
        ]
        x, y = town.geometry.centroid.coords[0]
        # 14.5 E 47.5 N; a unit of the tile is 9.6 m.
        assert (x, y) == pytest.approx((1614132.6, 6024072.1), abs=10)

    def test_values_are_as_a_tile_can_hold_them(self, api: InProcessClient, tmp_path: Path) -> None:
        [feature] = read(api, "every_type", "0/0/0", tmp_path).features
        assert feature.id == 7
        assert feature.properties == {
            "a BOOLEAN": True,
            "a INTEGER": 2**40,
            "a REAL": 1.5,
            "a TEXT": ("text " * 100)[: tiles_repository.MAX_TEXT],
            "a TEXT_ARRAY": "FRA, ITA",
            "a DATE": "2020-01-31",
            "a TIME": "08:30:00",
            "a TIMESTAMP": "2020-01-31T12:00:00",
            "a TIMESTAMPTZ": "2020-01-31T12:00:00+00:00",
        }

    def test_columns_may_have_any_name(self, api: InProcessClient, tmp_path: Path) -> None:
        [feature] = read(api, "awkward", "0/0/0", tmp_path).features
        assert feature.properties == {column.name: column.name for column in AWKWARD.columns}

    @pytest.mark.parametrize("name", ["in_3857", "in_32633", "in_4258"])
    @pytest.mark.parametrize("address", ["0/0/0", "5/17/11", "10/553/358", "14/8851/5729"])
    def test_any_reference_system_gives_the_same_tile(
        self, api: InProcessClient, name: str, address: str, tmp_path: Path
    ) -> None:
        ours = read(api, name, address, tmp_path / "found").by_id
        theirs = read(api, "in_4326", address, tmp_path / "expected").by_id
        assert sorted(ours) == sorted(theirs)
        assert 2 in theirs
        unit = 2 * WORLD / 2 ** int(address.partition("/")[0]) / 4096
        for gid, feature in theirs.items():
            assert ours[gid].geometry.distance(feature.geometry) <= 2 * unit

    def test_heights_are_left_out(self, api: InProcessClient, tmp_path: Path) -> None:
        [line] = read(api, "other.high", "3/4/2", tmp_path).features
        assert not line.geometry.has_z
        assert read(api, "other.high", "3/4/2", tmp_path).layer == "other.high"

    def test_a_small_area_is_seen_from_afar(self, api: InProcessClient, tmp_path: Path) -> None:
        fields = read(api, "fields", "0/0/0", tmp_path).features
        assert fields
        for feature in fields:
            west, _, east, _ = feature.geometry.bounds
            assert east - west >= 0.5 * PIXEL


class TestEdges:
    def test_both_sides_of_the_antimeridian(self, api: InProcessClient, tmp_path: Path) -> None:
        east = read(api, "edges", "3/7/3", tmp_path).by_id
        west = read(api, "edges", "3/0/3", tmp_path).by_id
        assert {1, 6} <= set(east)
        assert {2, 7} <= set(west)
        assert not {2, 7} & set(east)
        assert east[1].geometry.bounds[2] == pytest.approx(WORLD, abs=2000)
        assert west[2].geometry.bounds[0] == pytest.approx(-WORLD, abs=2000)

    @pytest.mark.parametrize("address", ["0/0/0", "1/0/1", "1/0/0", "5/3/31", "5/3/0"])
    def test_what_reaches_a_pole_ends_where_the_map_does(
        self, api: InProcessClient, address: str, tmp_path: Path
    ) -> None:
        found = read(api, "edges", address, tmp_path).by_id
        assert {3, 4} & set(found)
        assert 5 not in found  # the pole itself
        for feature in found.values():
            assert np.abs(feature.geometry.bounds).max() < WORLD * 1.04

    def test_degrees_of_another_datum_reach_the_pole_too(
        self, api: InProcessClient, tmp_path: Path
    ) -> None:
        for address in ("0/0/0", "4/3/0"):
            [cap] = read(api, "etrs_pole", address, tmp_path).features
            assert cap.geometry.bounds[3] > WORLD * 0.99

    def test_a_tile_with_nothing_in_it_is_empty(self, api: InProcessClient) -> None:
        for collection, address in (("shapes", "4/0/0"), ("empty", "0/0/0")):
            answer = get(api, collection, address)
            assert (answer.status, answer.body) == (204, b"")
            assert answer.headers["X-Geoforge-Tile"] == "complete"
            assert answer.headers["ETag"]

    @pytest.mark.parametrize(
        ("path", "status", "code"),
        [
            ("nothing/0/0/0", 404, "collection_not_found"),
            ("codes/0/0/0", 404, "no_geometry"),
            ("gone/0/0/0", 404, "collection_not_found"),
            ("Shapes%22;/0/0/0", 404, "collection_not_found"),
            ("shapes/0/0/1", 404, "unknown_tile"),
            ("shapes/23/0/0", 422, "invalid_parameters"),
            ("shapes/0/x/0", 422, "invalid_parameters"),
        ],
    )
    def test_what_is_no_tile_is_refused(
        self, api: InProcessClient, path: str, status: int, code: str
    ) -> None:
        answer = api.get(f"/api/tiles/{path}.pbf")
        assert (answer.status, answer.json()["code"]) == (status, code)

    def test_the_deepest_zoom_is_served(self, api: InProcessClient) -> None:
        assert get(api, "shapes", "22/0/0").status == 204


class TestCaching:
    def version(self, api: InProcessClient) -> str:
        [address] = api.get("/api/tiles/shapes/tilejson.json").json()["tiles"]
        return str(address).partition("?v=")[2]

    def test_a_named_version_is_kept_for_ever(self, api: InProcessClient) -> None:
        version = self.version(api)
        assert version.startswith("3-")
        answer = api.get(f"/api/tiles/shapes/4/8/5.pbf?v={version}")
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["Vary"] == "Accept-Encoding"

    @pytest.mark.parametrize("query", ["", "?v=3", "?v=2-0", "?code=KEY"])
    def test_any_other_is_asked_for_again(self, api: InProcessClient, query: str) -> None:
        answer = api.get(f"/api/tiles/shapes/4/8/5.pbf{query}")
        assert answer.headers["Cache-Control"] == "public, max-age=60, must-revalidate"

    @pytest.mark.parametrize("form", ["{}", 'W/"x", {}', "*", "{strong}"])
    def test_a_tile_that_is_known_is_not_made_again(
        self, api: InProcessClient, form: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        etag = get(api, "shapes", "4/8/5").headers["ETag"]

        def never(*args: Any, **options: Any) -> None:
            raise AssertionError("the tile was made")

        monkeypatch.setattr(tiles_repository.TileReader, "tile", never)
        known = form.format(etag, strong=etag.removeprefix("W/"))
        answer = get(api, "shapes", "4/8/5", **{"If-None-Match": known})
        assert (answer.status, answer.body) == (304, b"")
        assert answer.headers["ETag"] == etag
        assert "Cache-Control" in answer.headers

    def test_another_tag_is_answered_with_the_tile(self, api: InProcessClient) -> None:
        assert get(api, "shapes", "4/8/5", **{"If-None-Match": 'W/"2-0"'}).status == 200

    @pytest.mark.parametrize(
        ("accepted", "is_packed"),
        [
            ("gzip, deflate, br", True),
            ("br;q=1.0, GZIP;q=0.5", True),
            ("gzip;q=0", False),
            ("gzip;q=0.0, br", False),
            ("br", False),
            ("", False),
        ],
    )
    def test_it_is_compressed_for_those_who_take_it(
        self, api: InProcessClient, accepted: str, is_packed: bool
    ) -> None:
        plain = get(api, "shapes", "4/8/5")
        answer = get(api, "shapes", "4/8/5", **{"Accept-Encoding": accepted})
        assert answer.headers.get("Content-Encoding") == ("gzip" if is_packed else None)
        body = gzip.decompress(answer.body) if is_packed else answer.body
        assert body == plain.body


class TestLimits:
    def test_a_tile_that_holds_all_says_so(self, api: InProcessClient) -> None:
        assert get(api, "shapes", "4/8/5").headers["X-Geoforge-Tile"] == "complete"

    def test_a_crowd_is_thinned_out_evenly(self, api: InProcessClient, tmp_path: Path) -> None:
        answer = get(api, "towns", "0/0/0")
        state, features, _ = answer.headers["X-Geoforge-Tile"].split(";")
        towns = decode(answer.body, "0/0/0", tmp_path).features
        assert (state, features) == ("thinned", f"features={len(towns)}")
        # 10 by 10 degrees of a map with 1.4 pixels to the degree.
        pixels = {
            (round(each.geometry.bounds[0] / PIXEL, 1), round(each.geometry.bounds[1] / PIXEL, 1))
            for each in towns
        }
        assert 14 * 14 <= len(towns) <= 16 * 16
        assert len(pixels) == len(towns)

    def test_it_is_always_the_same_choice(self, api: InProcessClient) -> None:
        assert get(api, "towns", "0/0/0").body == get(api, "towns", "0/0/0").body

    def test_nearer_nothing_is_left_out(self, api: InProcessClient, tmp_path: Path) -> None:
        gids: set[int] = set()
        for x in range(32, 36):
            for y in range(19, 24):
                answer = get(api, "towns", f"6/{x}/{y}")
                assert answer.headers["X-Geoforge-Tile"] == "complete"
                if answer.status == 200:
                    gids |= set(decode(answer.body, f"6/{x}/{y}", tmp_path).by_id)
        assert gids == set(range(1, 6001))

    @pytest.mark.parametrize("cap", [20_000, 60_000, 200_000])
    @pytest.mark.parametrize("address", ["0/0/0", "4/8/5", "6/33/21", "8/135/86"])
    def test_a_tile_is_never_too_large(
        self, url: str, cap: int, address: str, tmp_path: Path
    ) -> None:
        with app_settings(DATABASE_URL=url, GEOFORGE_TILE_MAX_BYTES=str(cap)):
            answer = get(InProcessClient(bp), "fields", address)
        assert 0 < len(answer.body) <= cap
        fields = decode(answer.body, address, tmp_path).features
        if answer.headers["X-Geoforge-Tile"] != "complete":
            assert f"features={len(fields)}" in answer.headers["X-Geoforge-Tile"]

    def test_the_largest_are_left(self, url: str, tmp_path: Path) -> None:
        with app_settings(DATABASE_URL=url, GEOFORGE_TILE_MAX_FEATURES="100"):
            answer = get(InProcessClient(bp), "fields", "4/8/5")
        with psycopg.connect(url) as connection:
            rows = connection.execute(
                "SELECT gid FROM geo.fields ORDER BY ST_Area(geom) DESC LIMIT 150"
            ).fetchall()
        found = set(decode(answer.body, "4/8/5", tmp_path).by_id)
        assert len(found) == 100
        assert found <= {gid for (gid,) in rows}

    def test_a_table_in_use_is_not_waited_for_for_ever(self, url: str) -> None:
        with (
            app_settings(DATABASE_URL=url, GEOFORGE_TILE_TIMEOUT_SECONDS="0.2"),
            psycopg.connect(url) as holder,
        ):
            holder.execute("LOCK TABLE geo.shapes IN ACCESS EXCLUSIVE MODE")
            answer = get(InProcessClient(bp), "shapes", "4/8/5")
        assert (answer.status, answer.json()["code"]) == (503, "tile_timeout")
        assert answer.headers["Retry-After"]


def test_tilejson_says_what_the_tiles_hold(api: InProcessClient) -> None:
    answer = api.get("/api/tiles/other.high/tilejson.json")
    document = answer.json()
    assert document["tilejson"] == "3.0.0"
    assert document["tiles"][0].startswith(
        f"{BASE}/api/tiles/other.high/{{z}}/{{x}}/{{y}}.pbf?v=1-"
    )
    assert document["vector_layers"] == [
        {
            "id": "other.high",
            "description": "",
            "minzoom": 0,
            "maxzoom": 14,
            "fields": {"name": "String"},
        }
    ]
    assert api.get("/api/tiles/edges/tilejson.json").json()["bounds"] == [
        -180.0, -85.051129, 180.0, 85.051129,
    ]  # fmt: skip
    assert api.get("/api/tiles/codes/tilejson.json").status == 404


class TestVersions:
    def test_a_rollback_is_another_version_with_the_old_tiles(
        self, database_url: str, tmp_path: Path
    ) -> None:
        with app_settings(DATABASE_URL=database_url):
            api = InProcessClient(bp)
            with database.connect(autocommit=True) as connection:
                published.put(connection, [(1, "old", (0.0, 0.0))])
                first = get(api, "parks", "0/0/0")
                published.put(connection, [(1, "new", (0.0, 0.0)), (2, "new", (9.0, 9.0))])
                second = get(api, "parks", "0/0/0")
                with connection.transaction():
                    publishing.rollback(connection, published.PARKS)
                third = get(api, "parks", "0/0/0")
                etag = third.headers["ETag"]
                assert get(api, "parks", "0/0/0", **{"If-None-Match": etag}).status == 304

        tags = [each.headers["ETag"] for each in (first, second, third)]
        assert len(set(tags)) == 3
        assert third.body == first.body != second.body
        names = {
            each.properties["name"] for each in decode(second.body, "0/0/0", tmp_path).features
        }
        assert names == {"new"}
