"""OGC API - Features over published tables in PostgreSQL."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, Literal
from urllib.parse import quote, urlencode

import psycopg
import pytest
from jsonschema import Draft202012Validator
from psycopg import sql
from pydantic import BaseModel, ConfigDict, Field

from core.models.feature_table import Column, ColumnType, FeatureTable, GeometryColumn, TableName
from infrastructure import features_repository
from infrastructure.features_selection import condition
from services.features.parameters import items_request
from tests.servers import PostgresServer
from tests.support import published
from tests.support.feature_tables import create, publish, publish_places
from tests.support.in_process import BASE, InProcessClient, Response
from tests.support.settings import app_settings
from web_interfaces.api import features

ROOT = "/api/features"
COUNT = 36

NAMED = FeatureTable(
    columns=(Column(name="name", type=ColumnType.TEXT),),
    geometry=GeometryColumn(type="Geometry", srid=4326),
)
PROJECTED = NAMED.model_copy(update={"geometry": GeometryColumn(type="Point", srid=32633)})
LAEA = NAMED.model_copy(update={"geometry": GeometryColumn(type="Point", srid=3035)})
HIGH = NAMED.model_copy(update={"geometry": GeometryColumn(type="Point", srid=4326, has_z=True)})
DATED = FeatureTable(columns=(Column(name="day", type=ColumnType.DATE),), geometry=None)
LOCAL_TIME = FeatureTable(columns=(Column(name="at", type=ColumnType.TIMESTAMP),), geometry=None)
NUMBERS = FeatureTable(columns=(Column(name="value", type=ColumnType.REAL),), geometry=None)
LISTS = FeatureTable(columns=(Column(name="iso3", type=ColumnType.TEXT_ARRAY),), geometry=None)
EMPTY = FeatureTable(columns=(), geometry=GeometryColumn(type="Point", srid=4326))


@pytest.fixture(scope="module")
def url(postgres_server: PostgresServer, migrated_template: str) -> str:
    """A database with published tables, which tests only read."""
    url = postgres_server.create_database(migrated_template)
    with psycopg.connect(url) as connection:
        publish_places(connection, COUNT)
        for name, shape, rows, known in _tables():
            create(connection, name, shape, rows)
            publish(connection, name, shape, row_count=len(rows), **known)
        create(connection, "unpublished", EMPTY, [])
        publish(connection, "vanished", EMPTY, row_count=0)
    return url


def _tables() -> Iterator[tuple[str, FeatureTable, list[dict[str, Any]], dict[str, Any]]]:
    shapes = [
        ("square", "SRID=4326;POLYGON((0 0,10 0,10 10,0 10,0 0))"),
        # Its bounding box meets boxes that it does not meet itself.
        ("diagonal", "SRID=4326;LINESTRING(20 0,40 20)"),
        ("nowhere", None),
        ("beside 180", "SRID=4326;POINT(179.5 0)"),
        ("beside -180", "SRID=4326;POINT(-179.5 0)"),
    ]
    rows = [{"gid": gid, "name": name, "geom": geom} for gid, (name, geom) in enumerate(shapes, 1)]
    yield "shapes", NAMED, rows, {"bbox": [-179.5, 0.0, 179.5, 20.0]}
    # The corners of 12 to 18 E, 48 to 51 N, and its middle, in metres of UTM zone 33.
    points = [(276_000, 5_320_600), (723_900, 5_320_600), (500_000, 5_482_500)]
    rows = [
        {"gid": gid, "name": f"p{gid}", "geom": f"SRID=32633;POINT({x} {y})"}
        for gid, (x, y) in enumerate(points, 1)
    ]
    yield "projected", PROJECTED, rows, {"bbox": [11.9, 47.9, 18.1, 50.1]}
    rows = [{"gid": 1, "name": "lost", "geom": "SRID=32633;POINT(1e12 1e12)"}]
    yield "other.lost", PROJECTED, rows, {}
    # 10 E 52 N, where EPSG:3035 begins: north before east by its authority.
    rows = [{"gid": 1, "name": "origin", "geom": "SRID=3035;POINT(4321000 3210000)"}]
    yield "laea", LAEA, rows, {"bbox": [10.0, 52.0, 10.0, 52.0]}
    rows = [{"gid": z, "name": f"z{z}", "geom": f"SRID=4326;POINTZ(1 1 {z})"} for z in (10, 20, 30)]
    yield "high", HIGH, rows, {"bbox": [1.0, 1.0, 1.0, 1.0]}
    rows = [{"gid": gid, "day": date(2020, 1, gid)} for gid in range(1, 6)]
    yield "other.dated", DATED, [*rows, {"gid": 9, "day": None}], {"datetime_column": "day"}
    rows = [{"gid": hour, "at": datetime(2020, 1, 1, hour)} for hour in range(1, 6)]
    yield "local_time", LOCAL_TIME, rows, {"datetime_column": "at"}
    numbers = [1.5, float("nan"), float("inf"), float("-inf"), None, 1e308]
    rows = [{"gid": gid, "value": value} for gid, value in enumerate(numbers, 1)]
    yield "numbers", NUMBERS, rows, {}
    lists = [["FRA"], ["FRA", "ITA"], [], None, ["FRA;ITA"]]
    yield "lists", LISTS, [{"gid": gid, "iso3": iso3} for gid, iso3 in enumerate(lists, 1)], {}
    yield "empty", EMPTY, [], {}


@pytest.fixture(scope="module")
def api(url: str) -> Iterator[InProcessClient]:
    with app_settings(DATABASE_URL=url):
        yield InProcessClient(features.bp)


# -- the shapes of OGC API - Features, Part 1 (schemas.opengis.net/ogcapi/features/part1/1.0)


class Link(BaseModel):
    model_config = ConfigDict(strict=True)

    href: str = Field(pattern=r"^https?://")
    rel: str
    type: str
    title: str | None = None


class Linked(BaseModel):
    links: list[Link]

    def href(self, rel: str) -> str:
        [found] = [each.href for each in self.links if each.rel == rel]
        return found

    @property
    def next(self) -> str | None:
        return next((each.href for each in self.links if each.rel == "next"), None)


class LandingPage(Linked):
    title: str
    description: str


class Conformance(BaseModel):
    conformsTo: list[str]  # noqa: N815


class Spatial(BaseModel):
    bbox: list[tuple[float, float, float, float]] = Field(min_length=1)
    crs: Literal["http://www.opengis.net/def/crs/OGC/1.3/CRS84"]


class Temporal(BaseModel):
    interval: list[tuple[str | None, str | None]] = Field(min_length=1)
    trs: Literal["http://www.opengis.net/def/uom/ISO-8601/0/Gregorian"]


class Extent(BaseModel):
    spatial: Spatial | None = None
    temporal: Temporal | None = None


class Collection(Linked):
    id: str
    title: str
    description: str | None = None
    attribution: str | None = None
    extent: Extent | None = None
    itemType: Literal["feature"]  # noqa: N815
    crs: list[str] = []
    storageCrs: str | None = None  # noqa: N815


class Collections(Linked):
    collections: list[Collection]


class Feature(BaseModel):
    model_config = ConfigDict(extra="forbid")

    type: Literal["Feature"]
    id: int
    geometry: dict[str, Any] | None
    properties: dict[str, Any]
    attribution: str | None = None


class FeatureCollection(Linked):
    model_config = ConfigDict(extra="forbid")

    type: Literal["FeatureCollection"]
    features: list[Feature]
    timeStamp: datetime  # noqa: N815
    numberMatched: int | None = None  # noqa: N815
    numberReturned: int  # noqa: N815
    attribution: str | None = None

    @property
    def ids(self) -> list[int]:
        return [feature.id for feature in self.features]


def read(answer: Response, model: type[Any]) -> Any:
    assert answer.status == 200, answer.text
    geojson = model in (FeatureCollection, Feature)
    assert answer.media_type == ("application/geo+json" if geojson else "application/json")
    return model.model_validate_json(answer.text)


def items(api: InProcessClient, collection: str, **query: Any) -> FeatureCollection:
    names = {name.replace("_crs", "-crs"): value for name, value in query.items()}
    address = f"{ROOT}/collections/{collection}/items?{urlencode(names)}"
    page: FeatureCollection = read(api.get(address), FeatureCollection)
    assert page.numberReturned == len(page.features)
    return page


def problem(answer: Response, status: int) -> dict[str, Any]:
    assert (answer.status, answer.media_type) == (status, "application/problem+json"), answer.text
    found: dict[str, Any] = answer.json()
    return found


# -- what there is


def test_the_landing_page_leads_to_everything(api: InProcessClient) -> None:
    page: LandingPage = read(api.get(ROOT), LandingPage)
    assert page.href("self") == f"{BASE}{ROOT}"
    conformance: Conformance = read(api.get(page.href("conformance")), Conformance)
    assert "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core" in conformance.conformsTo
    read(api.get(page.href("data")), Collections)
    definition = api.get(page.href("service-desc"))
    assert definition.media_type == "application/vnd.oai.openapi+json;version=3.0"


def test_collections_are_listed_as_each_is_described(api: InProcessClient) -> None:
    found: Collections = read(api.get(f"{ROOT}/collections"), Collections)
    assert [each.id for each in found.collections] == [
        "empty", "high", "laea", "lists", "local_time", "numbers", "places", "projected",
        "shapes", "vanished", "other.dated", "other.lost",
    ]  # fmt: skip
    for each in found.collections:
        if each.id != "vanished":
            assert read(api.get(each.href("self")), Collection) == each


def test_a_collection_says_what_is_known_of_it(api: InProcessClient) -> None:
    found: Collection = read(api.get(f"{ROOT}/collections/places"), Collection)
    assert (found.title, found.description, found.attribution) == (
        "Places",
        "Places on the equator",
        "Nobody",
    )
    assert found.extent is not None
    assert found.extent.spatial is not None
    assert found.extent.spatial.bbox == [(-180, 0, 170, 0)]
    assert found.extent.temporal is not None
    assert found.extent.temporal.interval == [
        ("2000-06-01T12:30:00.25Z", "2035-06-01T12:30:00.25Z")
    ]
    assert found.crs == [found.storageCrs] == ["http://www.opengis.net/def/crs/OGC/1.3/CRS84"]
    projected: Collection = read(api.get(f"{ROOT}/collections/projected"), Collection)
    assert projected.storageCrs == "http://www.opengis.net/def/crs/EPSG/0/32633"
    dated: Collection = read(api.get(f"{ROOT}/collections/other.dated"), Collection)
    assert dated.extent is not None
    assert dated.extent.spatial is None
    assert dated.extent.temporal is not None
    assert dated.extent.temporal.interval == [("2020-01-01T00:00:00Z", "2020-01-05T23:59:59Z")]


def test_a_collection_may_be_named_with_its_schema(api: InProcessClient) -> None:
    found: Collection = read(api.get(f"{ROOT}/collections/geo.places"), Collection)
    assert found.id == "places"
    assert found.href("items") == f"{BASE}{ROOT}/collections/places/items"


def test_queryables_and_schema_are_json_schemas_that_name_themselves(api: InProcessClient) -> None:
    for name in ("queryables", "schema"):
        address = f"{ROOT}/collections/places/{name}"
        answer = api.get(address)
        assert answer.media_type == "application/schema+json"
        schema = answer.json()
        Draft202012Validator.check_schema(schema)
        assert schema["$id"] == f"{BASE}{address}"
    queryables = api.get(f"{ROOT}/collections/places/queryables").json()["properties"]
    assert queryables["name"] == {"type": "string", "description": "What people call it"}
    assert "seal" not in queryables


def test_features_are_as_their_schema_says(api: InProcessClient) -> None:
    schema = api.get(f"{ROOT}/collections/places/schema").json()
    roles = {name: each.get("x-ogc-role") for name, each in schema["properties"].items()}
    assert {name: role for name, role in roles.items() if role} == {
        "gid": "id",
        "seen": "primary-instant",
        "geom": "primary-geometry",
    }
    assert schema["properties"]["geom"]["format"] == "geometry-point"
    validator = Draft202012Validator(schema)
    for feature in items(api, "places").features:
        assert feature.properties.keys() | {"gid", "geom"} == roles.keys()
        validator.validate({"gid": feature.id, **feature.properties})


def test_the_definition_has_each_collection_s_parameters(api: InProcessClient) -> None:
    document = api.get(f"{ROOT}/api").json()
    assert document["openapi"].startswith("3.0.")
    assert document["servers"] == [{"url": f"{BASE}{ROOT}"}]
    operation = document["paths"]["/collections/places/items"]["get"]
    names = set()
    for parameter in operation["parameters"]:
        if "$ref" in parameter:
            assert parameter["$ref"].startswith("#/components/parameters/")
            parameter = document["components"]["parameters"][parameter["$ref"].split("/")[-1]]
        Draft202012Validator.check_schema(parameter["schema"])
        names.add(parameter["name"])
    assert {"bbox", "datetime", "limit", "name", "people"} <= names
    operations = [each["get"]["operationId"] for each in document["paths"].values()]
    assert len(operations) == len(set(operations))
    for path, methods in document["paths"].items():
        unreadable = ("{", "vanished", "secret/items", "lost/items")
        if not any(part in path for part in unreadable):
            assert api.get(f"{ROOT}{path}".rstrip("/")).status == 200, path
        assert methods["get"]["responses"]["200"]["content"]


# -- what a feature is


def test_a_feature_has_its_columns_as_json(api: InProcessClient) -> None:
    answer = api.get(f"{ROOT}/collections/places/items/3")
    found = answer.json()
    links = found.pop("links")
    feature: Feature = Feature.model_validate(found)
    assert feature.geometry == {"type": "Point", "coordinates": [-160, 0]}
    assert feature.properties == {
        "name": "place 2",
        "people": 2_000_000_000_000,
        "area": 0.5,
        "capital": True,
        "founded": "1902-01-31",
        "opens": "08:02:00",
        "surveyed": "2002-06-01T12:30:00",
        "seen": "2002-06-01T12:30:00.25+00:00",
        "tags": {"number": 2},
        "seal": base64.b64encode(b"\2" * 60).decode(),
        "code": "C2",
        "feature": "a column of this name",
        "limit": 2,
    }
    assert answer.media_type == "application/geo+json"
    assert [(each["rel"], each["href"]) for each in links] == [
        ("self", f"{BASE}{ROOT}/collections/places/items/3"),
        ("collection", f"{BASE}{ROOT}/collections/places"),
    ]


def test_numbers_that_json_has_not_are_null(api: InProcessClient) -> None:
    values = [feature.properties["value"] for feature in items(api, "numbers").features]
    assert values == [1.5, None, None, None, None, 1e308]


def test_what_has_no_geometry_is_served_with_null(api: InProcessClient) -> None:
    shapes = {each.properties["name"]: each.geometry for each in items(api, "shapes").features}
    assert shapes["nowhere"] is None
    assert {each.geometry for each in items(api, "numbers").features} == {None}


def test_a_projected_table_is_served_in_degrees(api: InProcessClient) -> None:
    middle = items(api, "projected", name="p3").features[0].geometry
    assert middle is not None
    assert middle["coordinates"] == pytest.approx([15.0, 49.495], abs=1e-3)
    assert len(str(middle["coordinates"][1]).partition(".")[2]) <= 9


UTM33 = "http://www.opengis.net/def/crs/EPSG/0/32633"
ETRS_LAEA = "http://www.opengis.net/def/crs/EPSG/0/3035"
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"


@pytest.mark.parametrize(
    ("collection", "gid", "crs", "coordinates"),
    [
        ("projected", 3, UTM33, [500_000, 5_482_500]),
        ("projected", 3, CRS84, [15, 49.495135347]),
        ("laea", 1, ETRS_LAEA, [3_210_000, 4_321_000]),
        ("laea", 1, CRS84, [10, 52]),
        ("places", 19, CRS84, [0, 0]),
    ],
)
def test_coordinates_come_in_the_crs_that_is_asked_for(
    api: InProcessClient, collection: str, gid: int, crs: str, coordinates: list[float]
) -> None:
    query = urlencode({"crs": crs})
    one = api.get(f"{ROOT}/collections/{collection}/items/{gid}?{query}")
    assert one.json()["geometry"]["coordinates"] == coordinates
    assert api.get(one.json()["links"][0]["href"]).text == one.text
    page = api.get(f"{ROOT}/collections/{collection}/items?{query}&limit=100")
    found = {each["id"]: each["geometry"]["coordinates"] for each in page.json()["features"]}
    assert found[gid] == coordinates
    assert one.headers["Content-Crs"] == page.headers["Content-Crs"] == f"<{crs}>"


@pytest.mark.parametrize(
    ("collection", "box", "crs", "ids"),
    [
        ("projected", "499999,5482499,500001,5482501", UTM33, [3]),
        ("projected", "500000,5482500,500000,5482500", UTM33, [3]),
        ("projected", "0,0,1,1", UTM33, []),
        ("laea", "3209999,4320999,3210001,4321001", ETRS_LAEA, [1]),
        ("laea", "4320999,3209999,4321001,3210001", ETRS_LAEA, []),
        ("laea", "10,52,10,52", CRS84, [1]),
    ],
)
def test_a_box_may_be_in_the_crs_of_the_table(
    api: InProcessClient, collection: str, box: str, crs: str, ids: list[int]
) -> None:
    assert items(api, collection, bbox=box, bbox_crs=crs).ids == ids


def test_what_has_no_degrees_can_be_read_as_it_is_stored(api: InProcessClient) -> None:
    address = f"{ROOT}/collections/other.lost/items"
    assert problem(api.get(address), 500)["code"] == "outside_projection"
    stored = api.get(f"{address}?{urlencode({'crs': UTM33})}").json()["features"]
    assert stored[0]["geometry"]["coordinates"] == [1e12, 1e12]


def test_a_collection_offers_its_own_crs(api: InProcessClient) -> None:
    found: Collection = read(api.get(f"{ROOT}/collections/laea"), Collection)
    assert (found.crs, found.storageCrs) == ([CRS84, ETRS_LAEA], ETRS_LAEA)
    address = f"{ROOT}/collections/places/items?{urlencode({'crs': ETRS_LAEA})}"
    assert problem(api.get(address), 400)["errors"][0]["loc"] == ["query", "crs"]


def test_heights_are_served(api: InProcessClient) -> None:
    geometry = items(api, "high", limit=1).features[0].geometry
    assert geometry == {"type": "Point", "coordinates": [1, 1, 10]}


# -- pages


def test_pages_hold_every_feature_once(api: InProcessClient) -> None:
    page = items(api, "places", limit=10)
    pages = [page]
    while pages[-1].next:
        pages.append(read(api.get(pages[-1].next), FeatureCollection))
    assert [each.numberReturned for each in pages] == [10, 10, 10, 6]
    assert [gid for each in pages for gid in each.ids] == list(range(1, COUNT + 1))
    assert {each.numberMatched for each in pages} == {COUNT}
    assert page.href("self") == f"{BASE}{ROOT}/collections/places/items?limit=10"


def test_a_page_that_is_just_full_is_the_last(api: InProcessClient) -> None:
    assert items(api, "places", limit=COUNT).next is None
    assert items(api, "empty").next is None


def test_the_default_and_the_most(api: InProcessClient) -> None:
    assert items(api, "places").numberReturned == 10
    assert items(api, "places", limit=10**30).numberReturned == COUNT


def test_a_filter_stays_on_while_paging(api: InProcessClient) -> None:
    page = items(api, "places", limit=5, capital="true", bbox="-180,-1,0,1")
    found = page.ids
    assert page.numberMatched == 10
    while page.next:
        page = read(api.get(page.next), FeatureCollection)
        assert page.numberMatched is None
        found += page.ids
    assert found == [gid for gid in range(1, 20) if gid % 2]


def test_large_features_make_short_pages(
    api: InProcessClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = items(api, "places", limit=1).numberReturned
    assert size == 1
    monkeypatch.setattr(features_repository, "PAGE_BYTES", 500)
    page = items(api, "places", limit=30)
    assert 1 < page.numberReturned < 10
    found = page.ids
    while page.next:
        page = read(api.get(page.next), FeatureCollection)
        assert page.numberReturned >= 1
        found += page.ids
    assert found == list(range(1, COUNT + 1))
    monkeypatch.setattr(features_repository, "PAGE_BYTES", 1)
    assert items(api, "places", limit=30).ids == [1]


# -- filters


@pytest.mark.parametrize(
    ("box", "names"),
    [
        ("1,1,2,2", {"square"}),
        ("10,10,15,15", {"square"}),
        ("10.000001,10.000001,15,15", set()),
        ("-5,-5,0,0", {"square"}),
        ("5,5,5,5", {"square"}),
        ("21,18,22,19", set()),
        ("29,9,31,11", {"diagonal"}),
        ("179,-1,-179,1", {"beside 180", "beside -180"}),
        ("179.6,-1,-179,1", {"beside -180"}),
        ("-179,-1,179,30", {"square", "diagonal"}),
        ("-180,-90,180,90", {"square", "diagonal", "beside 180", "beside -180"}),
        ("1,1,-1000,2,2,1000", {"square"}),
        ("179.5,0,179.5,0", {"beside 180"}),
        ("179.5,-1,179.5,1", {"beside 180"}),
        ("0,5,180,5", {"square", "diagonal"}),
    ],
)
def test_a_box_finds_what_meets_it_and_what_has_no_place(
    api: InProcessClient, box: str, names: set[str]
) -> None:
    found = {each.properties["name"] for each in items(api, "shapes", bbox=box).features}
    assert found == {*names, "nowhere"}


@pytest.mark.parametrize(
    ("box", "names"),
    [
        ("14.9,49.4,15.1,49.6", {"p3"}),
        ("-180,-90,180,90", {"p1", "p2", "p3"}),
        ("11,47,19,49", {"p1", "p2"}),
        ("12,48,12,48", set()),
        ("-120,-50,-110,-40", set()),
        ("15,49,-170,51", {"p3"}),
    ],
)
def test_a_box_finds_in_a_projected_table(api: InProcessClient, box: str, names: set[str]) -> None:
    found = {each.properties["name"] for each in items(api, "projected", bbox=box).features}
    assert found == names


def test_a_point_of_a_projected_table_is_found_by_a_box_around_it(api: InProcessClient) -> None:
    for feature in items(api, "projected").features:
        assert feature.geometry is not None
        x, y = feature.geometry["coordinates"]
        box = ",".join(map(str, (x - 1e-6, y - 1e-6, x + 1e-6, y + 1e-6)))
        assert items(api, "projected", bbox=box).ids == [feature.id]


def test_heights_of_a_box_count_where_features_have_heights(api: InProcessClient) -> None:
    assert items(api, "high", bbox="0,0,15,2,2,25").ids == [20]
    assert items(api, "high", bbox="0,0,10,2,2,20").ids == [10, 20]
    assert items(api, "high", bbox="0,0,2,2").ids == [10, 20, 30]


@pytest.mark.parametrize(
    ("collection", "period", "ids"),
    [
        ("places", "2002-06-01T12:30:00.25Z", [3]),
        ("places", "2002-06-01T14:30:00.25+02:00", [3]),
        ("places", "2002-06-01T12:30:00Z", []),
        ("places", "2002-06-01", [3]),
        ("places", "../2001-06-01T12:30:00.25Z", [1, 2]),
        ("places", "/2000-12-31T00:00:00Z", [1]),
        ("places", "2034-01-01T00:00:00Z/", [35, 36]),
        ("places", "2001-01-01T00:00:00Z/2003-01-01T00:00:00Z", [2, 3]),
        ("other.dated", "2020-01-02T15:00:00Z", [2, 9]),
        ("other.dated", "2020-01-04T00:00:00Z/..", [4, 5, 9]),
        ("other.dated", "../2020-01-01T23:59:59Z", [1, 9]),
        ("local_time", "2020-01-01T02:00:00Z/2020-01-01T03:00:00Z", [2, 3]),
        # Nothing in it has a time, so everything matches.
        ("high", "1999-01-01T00:00:00Z", [10, 20, 30]),
    ],
)
def test_a_period_finds(api: InProcessClient, collection: str, period: str, ids: list[int]) -> None:
    assert items(api, collection, datetime=period).ids == ids


@pytest.mark.parametrize("number", [0, 7])
def test_every_queryable_finds_its_feature(api: InProcessClient, number: int) -> None:
    [feature] = items(api, "places", name=f"place {number}").features
    queryables = api.get(f"{ROOT}/collections/places/queryables").json()["properties"]
    for name in queryables:
        value = feature.properties[name]
        text = json.dumps(value) if isinstance(value, bool) else str(value)
        assert feature.id in items(api, "places", **{name: text}, limit=COUNT).ids, name
    assert items(api, "places", people="123").ids == []


def test_lists_are_shown_as_such_and_found_by_their_items(api: InProcessClient) -> None:
    schema = api.get(f"{ROOT}/collections/lists/schema").json()
    assert schema["properties"]["iso3"] == {"type": "array", "items": {"type": "string"}}
    shown = [feature.properties["iso3"] for feature in items(api, "lists").features]
    assert shown == [["FRA"], ["FRA", "ITA"], [], None, ["FRA;ITA"]]
    assert items(api, "lists", iso3="ITA").ids == [2]
    assert items(api, "lists", iso3="FRA").ids == [1, 2]
    assert items(api, "lists", iso3="{FRA}").ids == []
    operation = api.get(f"{ROOT}/api").json()["paths"]["/collections/lists/items"]["get"]
    [asked] = [each for each in operation["parameters"] if each.get("name") == "iso3"]
    assert asked["schema"] == {"type": "string"}


def test_a_filter_is_data_and_never_sql(api: InProcessClient) -> None:
    for text in ("'; DROP TABLE geo.places; --", "%(after)s", "%s", "{table}", '"'):
        assert items(api, "places", name=text).ids == []
        address = f"{ROOT}/collections/{quote(text, safe='')}/items"
        problem(api.get(address), 404)
    assert items(api, "places").numberMatched == COUNT


def test_a_function_key_is_not_repeated_in_links(api: InProcessClient) -> None:
    page = items(api, "shapes", limit=1, code="key")
    assert "code" not in page.href("self") + (page.next or "")
    of_a_column = items(api, "places", code="C1")
    assert "code=C1" in of_a_column.href("self")
    assert of_a_column.ids == [2]


# -- what is refused


@pytest.mark.parametrize(
    "address",
    ["?f=json", "/api?f=json", "/conformance?x=1", "/collections?limit=5",
     "/collections/places?f=json", "/collections/places/items?nmae=Oslo",
     "/collections/places/items?bbox=1,2", "/collections/places/items?datetime=soon",
     "/collections/places/items?limit=0", "/collections/places/items?people=many",
     "/collections/places/items?bbox=0,0,1,1&bbox-crs=EPSG:3857",
     "/collections/places/items/1?f=json", "/collections/places/queryables?f=json",
     "/collections/places/schema?f=json"],
)  # fmt: skip
def test_a_parameter_that_cannot_be_used_is_a_400(api: InProcessClient, address: str) -> None:
    found = problem(api.get(f"{ROOT}{address}"), 400)
    [error] = found["errors"]
    assert error["loc"][0] == "query"
    assert str(error["loc"][1]) in found["detail"]


@pytest.mark.parametrize(
    ("address", "missing"),
    [
        ("/collections/nope", "no collection 'nope'"),
        ("/collections/nope/items", "no collection 'nope'"),
        ("/collections/nope/items/1", "no collection 'nope'"),
        ("/collections/nope/schema", "no collection 'nope'"),
        ("/collections/unpublished/items", "no collection 'unpublished'"),
        ("/collections/pg_catalog.pg_class/items", "no collection 'pg_class'"),
        ("/collections/other.places/items", "no collection 'places'"),
        ("/collections/nul%00/items", "no collection"),
        ("/collections/vanished/items", "does not exist"),
        ("/collections/places/items/999", "no feature '999'"),
        ("/collections/places/items/x", "no feature 'x'"),
        ("/collections/places/items/99999999999999999999", "no feature"),
    ],
)
def test_what_is_missing_is_named(api: InProcessClient, address: str, missing: str) -> None:
    assert missing in problem(api.get(f"{ROOT}{address}"), 404)["detail"]


def test_features_say_whom_to_credit(api: InProcessClient) -> None:
    assert items(api, "places", limit=1).attribution == "Nobody"
    assert api.get(f"{ROOT}/collections/places/items/1").json()["attribution"] == "Nobody"
    assert "attribution" not in api.get(f"{ROOT}/collections/empty/items").json()


def test_scripts_of_any_origin_may_read(api: InProcessClient) -> None:
    for address in ("", "/collections/places/items", "/collections/nope"):
        answer = api.get(f"{ROOT}{address}")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert api.call("OPTIONS", f"{ROOT}/collections/places/items").status == 204


def test_a_request_that_takes_too_long_is_stopped(api: InProcessClient, url: str) -> None:
    with (
        psycopg.connect(url) as swapping,
        app_settings(DATABASE_URL=url, GEOFORGE_FEATURES_TIMEOUT_SECONDS="0.2"),
    ):
        swapping.execute("LOCK TABLE geo.places")
        found = problem(api.get(f"{ROOT}/collections/places/items"), 503)
        assert found["code"] == "features_timeout"
        assert "0.2 s" in found["detail"]


def test_a_database_that_is_gone_is_a_503() -> None:
    with app_settings(GEOFORGE_DATABASE_TIMEOUT_SECONDS="0.5"):
        found = problem(InProcessClient(features.bp).get(f"{ROOT}/collections"), 503)
    assert found["code"] == "database_unavailable"


# -- while tables are replaced


def test_a_reader_never_sees_a_table_missing_empty_or_mixed(database_url: str) -> None:
    """Tables of two shapes and lengths are published in turns while they are read."""
    versions = {"code": (published.TABLE, 20), "name": (NAMED, 50)}
    stop, begun = threading.Event(), threading.Event()
    failures: list[Exception] = []
    swaps = 0

    def publish_for_ever() -> None:
        nonlocal swaps
        try:
            with published.connect(database_url, autocommit=True) as connection:
                while not stop.is_set():
                    for shape, count in versions.values():
                        row = ("park",) if shape is NAMED else (1, "park")
                        published.put(connection, [(*row, (n, 0)) for n in range(count)], shape)
                        begun.set()
                        swaps += 1
        except Exception as error:
            failures.append(error)
            begun.set()

    api = InProcessClient(features.bp)
    publisher = threading.Thread(target=publish_for_ever)
    seen: set[int] = set()
    with app_settings(DATABASE_URL=database_url):
        publisher.start()
        try:
            assert begun.wait(60)
            deadline = time.monotonic() + 120
            reads = 0
            while reads < 100 or ((swaps < 10 or len(seen) < 2) and time.monotonic() < deadline):
                page = items(api, "parks", limit=100)
                columns = page.features[0].properties.keys()
                count = 20 if columns == {"code", "name"} else 50
                assert page.numberMatched == page.numberReturned == count
                assert all(each.properties.keys() == columns for each in page.features)
                seen.add(count)
                reads += 1
        finally:
            stop.set()
            publisher.join()
    assert failures == []
    assert swaps >= 10
    assert seen == {20, 50}


# -- the plans


@pytest.mark.parametrize("srid", [4326, 3857])
@pytest.mark.parametrize("box", ["10,10,11,11", "179,10,-169,11"])
def test_a_box_is_looked_up_in_the_spatial_index(database_url: str, srid: int, box: str) -> None:
    shape = FeatureTable(columns=(), geometry=GeometryColumn(type="Point", srid=srid))
    with psycopg.connect(database_url) as connection:
        create(connection, "grid", shape, [])
        connection.execute(
            "INSERT INTO geo.grid SELECT n, ST_Transform(ST_SetSRID(ST_Point("
            "(n %% 200) * 1.7 - 170, (n / 200) * 0.8 - 80), 4326), %s) "
            "FROM generate_series(0, 39999) AS n",
            (srid,),
        )
        connection.execute("ANALYZE geo.grid")
        publish(connection, "grid", shape, row_count=40_000, bbox=[-170.0, -80.0, 169.0, 80.0])
    with app_settings(DATABASE_URL=database_url):
        table = features_repository.published_table(TableName(table_name="grid"))
        where = condition(items_request({"bbox": box}, table).selection, shape, None)
        with features_repository.database.transaction() as connection:
            rows = connection.execute(
                sql.SQL("EXPLAIN SELECT gid FROM geo.grid WHERE {}").format(where.expression),
                where.parameters,
            ).fetchall()
    plan = "\n".join(row["QUERY PLAN"] for row in rows)
    assert "grid_geom_idx" in plan
    assert "Seq Scan" not in plan
