"""Published tables for OGC API - Features, and its answers as the standard has them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, Literal
from urllib.parse import urlencode

import psycopg
from pydantic import BaseModel, ConfigDict, Field

from core.models.feature_table import Column, ColumnType, FeatureTable, GeometryColumn
from tests.servers import PostgresServer
from tests.support.feature_tables import create, publish, publish_places
from tests.support.in_process import InProcessClient, Response

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


def features_database(postgres_server: PostgresServer, migrated_template: str) -> str:
    """The address of a new database with published tables."""
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
    """The answer as a model of the standard's."""
    assert answer.status == 200, answer.text
    geojson = model in (FeatureCollection, Feature)
    assert answer.media_type == ("application/geo+json" if geojson else "application/json")
    return model.model_validate_json(answer.text)


def items(api: InProcessClient, collection: str, **query: Any) -> FeatureCollection:
    """A page of a collection's features."""
    names = {name.replace("_crs", "-crs"): value for name, value in query.items()}
    address = f"{ROOT}/collections/{collection}/items?{urlencode(names)}"
    page: FeatureCollection = read(api.get(address), FeatureCollection)
    assert page.numberReturned == len(page.features)
    return page


def problem(answer: Response, status: int) -> dict[str, Any]:
    """What an answer that is a refusal says."""
    assert (answer.status, answer.media_type) == (status, "application/problem+json"), answer.text
    found: dict[str, Any] = answer.json()
    return found
