"""GDAL's OGC API - Features driver, unmodified, against the running app.

It runs in a process of its own, as it does for users; CPL_DEBUG makes it tell its requests.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from core.models.feature_table import Column, ColumnType, FeatureTable, GeometryColumn
from tests.servers import StackUnderTest
from tests.support.feature_tables import PLACES, create, publish, publish_places

COUNT = 36
NAMED = (Column(name="name", type=ColumnType.TEXT),)
# The middle of a UTM zone; and the origin of a CRS whose authority has north before east.
PROJECTED = {32633: (500_000, 5_482_500), 3035: (4_321_000, 3_210_000)}

_SCRIPT = """
import json, sys
import pyogrio
from shapely import from_wkb

call, address, options = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
if "bbox" in options:
    options["bbox"] = tuple(options["bbox"])
if call == "layers":
    answer = pyogrio.list_layers(address).tolist()
elif call == "info":
    info = pyogrio.read_info(address, **options)
    answer = {
        "fields": dict(zip(info["fields"].tolist(), info["dtypes"].tolist())),
        "features": info["features"], "crs": info["crs"], "type": info["geometry_type"],
        "bounds": info["total_bounds"],
    }
else:
    meta, fids, geometry, columns = pyogrio.raw.read(address, return_fids=True, **options)
    named = dict(zip(meta["fields"].tolist(), columns))
    answer = {
        "fids": fids.tolist(),
        "wkt": [None if each is None else each.wkt for each in from_wkb(geometry)],
        "names": named["name"].tolist(),
    }
print(json.dumps(answer, default=str))
"""


@dataclass(frozen=True)
class Told:
    """What GDAL answered, and the addresses that it asked for."""

    answer: Any
    requests: list[str]


class Gdal:
    """GDAL as a client of the API."""

    def __init__(self, url: str) -> None:
        self._address = f"OAPIF:{url}/api/features"

    def call(self, name: str, /, **options: Any) -> Told:
        arguments = [name, self._address, json.dumps(options)]
        done = subprocess.run(
            [sys.executable, "-c", _SCRIPT, *arguments],
            env={**os.environ, "CPL_DEBUG": "HTTP,OAPIF"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        requests = re.findall(r"HTTP: Fetch\((\S+?)\)", done.stderr)
        assert requests, done.stderr
        return Told(json.loads(done.stdout), requests)


@pytest.fixture(scope="module")
def gdal(stack: StackUnderTest) -> Gdal:
    with psycopg.connect(stack.database_url) as connection:
        connection.execute("TRUNCATE app.published_tables")
        connection.execute("DROP TABLE IF EXISTS geo.places, geo.in_32633, geo.in_3035")
        publish_places(connection, COUNT)
        for srid, (x, y) in PROJECTED.items():
            name = f"in_{srid}"
            shape = FeatureTable(columns=NAMED, geometry=GeometryColumn(type="Point", srid=srid))
            row = {"gid": 1, "name": "point", "geom": f"SRID={srid};POINT({x} {y})"}
            create(connection, name, shape, [row])
            publish(connection, name, shape, row_count=1, bbox=[9.0, 49.0, 16.0, 53.0])
    return Gdal(stack.url)


def test_layers_are_listed(gdal: Gdal) -> None:
    layers = {name for name, _ in gdal.call("layers").answer}
    assert layers == {"places", "in_32633", "in_3035"}


def test_a_layer_has_its_columns_types_and_extent(gdal: Gdal) -> None:
    found = gdal.call("info", layer="places").answer
    fields = found["fields"]
    assert set(fields) >= {column.name for column in PLACES.columns}
    assert fields["people"] == "int64"
    assert fields["area"] == "float64"
    assert fields["capital"] == "bool"
    assert fields["founded"] == "datetime64[D]"
    assert fields["seen"].startswith("datetime64[")
    assert (found["features"], found["type"]) == (COUNT, "Point")
    assert found["bounds"] == [-180, 0, 170, 0]


def test_all_features_are_read_over_several_pages(gdal: Gdal) -> None:
    told = gdal.call("read", layer="places", PAGE_SIZE=10)
    assert told.answer["fids"] == list(range(1, COUNT + 1))
    assert told.answer["wkt"][18] == "POINT (0 0)"
    assert sum("cursor=" in request for request in told.requests) >= 3


def test_a_box_is_asked_of_the_server(gdal: Gdal) -> None:
    told = gdal.call("read", layer="places", bbox=[-15, -1, 15, 1])
    assert told.answer["names"] == ["place 17", "place 18", "place 19"]
    assert any("bbox=" in request for request in told.requests)


@pytest.mark.parametrize(
    ("where", "asked", "names"),
    [
        ("name = 'place 7'", "name=place%207", ["place 7"]),
        # Integers of 64 bits it compares itself.
        ("people = 3000000000000", "limit=1000", ["place 3"]),
        ("code = 'C1' AND area < 1", "code=C1", ["place 1"]),
        ("seen >= '2034/01/01 00:00:00'", "datetime=2034-", ["place 34", "place 35"]),
    ],
)  # fmt: skip
def test_attributes_are_asked_of_the_server(
    gdal: Gdal, where: str, asked: str, names: list[str]
) -> None:
    told = gdal.call("read", layer="places", where=where)
    assert told.answer["names"] == names
    assert any(asked in request for request in told.requests), told.requests


@pytest.mark.parametrize("srid", PROJECTED)
def test_a_projected_table_arrives_as_it_is_stored(gdal: Gdal, srid: int) -> None:
    x, y = PROJECTED[srid]
    assert gdal.call("info", layer=f"in_{srid}").answer["crs"] == f"EPSG:{srid}"
    told = gdal.call("read", layer=f"in_{srid}", bbox=[x - 1, y - 1, x + 1, y + 1])
    assert told.answer["wkt"] == [f"POINT ({x} {y})"]
    assert any("bbox-crs=" in request for request in told.requests)


def test_a_projected_table_arrives_in_degrees_where_that_is_asked_for(gdal: Gdal) -> None:
    told = gdal.call("read", layer="in_3035", CRS="OGC:CRS84")
    assert told.answer["wkt"] == ["POINT (10 52)"]
