"""Statistics by H3 cells as GeoJSON and as Parquet."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Iterator
from typing import Any

import h3 as h3_library
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from infrastructure import database
from services.h3 import formats, reading
from services.h3.model import Cells
from tests.servers import PostgresServer
from tests.support import h3_layers
from tests.support.in_process import InProcessClient
from tests.support.settings import app_settings
from web_interfaces.api import h3

STATS = "/api/h3/stats"
LAND = h3_layers.cells_of((28.0, -3.0, 31.0, -0.5), 5)
FAR = h3_layers.cells_of((178.0, -18.0, -178.0, -15.0), 4)
POLAR = h3_layers.cells_of((-180.0, 85.0, 180.0, 90.0), 3)
GAPS = np.where(np.arange(len(LAND)) % 3, np.arange(len(LAND)) / 7, np.nan)


@pytest.fixture(scope="module")
def api(postgres_server: PostgresServer, migrated_template: str) -> Iterator[InProcessClient]:
    url = postgres_server.create_database(migrated_template)
    with app_settings(DATABASE_URL=url):
        with database.connect(autocommit=True) as connection:
            values = {"mean": np.arange(len(LAND)) / 3, "max": GAPS}
            h3_layers.put(connection, "land", LAND, values, title="Größe", unit="m")
            for name, found in (("far", FAR), ("polar", POLAR)):
                h3_layers.put(connection, name, found, {"mean": np.ones(len(found))})
        yield InProcessClient(h3.bp)
    postgres_server.drop_database(url)


def names(found: Cells) -> list[str]:
    return [h3_library.int_to_str(each) for each in found.tolist()]


def geojson(api: InProcessClient, query: str) -> dict[str, Any]:
    answer = api.get(f"{STATS}?{query}&format=geojson")
    assert (answer.status, answer.media_type) == (200, "application/geo+json"), answer.text
    found: dict[str, Any] = answer.json()
    return found


def parquet(api: InProcessClient, query: str) -> tuple[pa.Table, dict[str, Any]]:
    """The table, and its metadata of which the values are JSON."""
    answer = api.get(f"{STATS}?{query}&format=parquet")
    assert answer.status == 200, answer.text
    assert answer.media_type == "application/vnd.apache.parquet"
    file = pq.ParquetFile(io.BytesIO(answer.body))
    about = file.metadata.metadata or {}
    known = {name: json.loads(about[name]) for name in (b"geo", b"geoforge") if name in about}
    return file.read(), {name.decode(): value for name, value in known.items()}


def test_features_are_the_cells(api: InProcessClient) -> None:
    found = geojson(api, "dataset=land&stat=mean,max")
    assert found["type"] == "FeatureCollection"
    assert (found["title"], found["unit"], found["resolution"]) == ("Größe", "m", 5)
    features = found["features"]
    assert [each["id"] for each in features] == names(LAND)
    assert found["numberReturned"] == len(LAND)
    first = features[0]
    assert first["type"] == "Feature"
    assert first["properties"] == {
        "h3": names(LAND)[0], "mean": 0.0, "max": None, "pixel_count": 4.0, "nodata_count": 0.0,
    }  # fmt: skip
    for each in features:
        boundary = [(x, y) for y, x in h3_library.cell_to_boundary(each["id"])]
        polygon = shapely.from_geojson(json.dumps(each["geometry"]))
        assert polygon.normalize().equals_exact(shapely.Polygon(boundary).normalize(), 1e-6)


@pytest.mark.parametrize("dataset", ["far", "polar"])
def test_polygons_stay_on_the_map(api: InProcessClient, dataset: str) -> None:
    for query in (f"dataset={dataset}", f"dataset={dataset}&resolution=1"):
        features = geojson(api, query)["features"]
        polygons = [shapely.from_geojson(json.dumps(each["geometry"])) for each in features]
        assert shapely.is_valid(polygons).all()
        west, _, east, north = shapely.total_bounds(polygons)
        assert (west, east) == (-180, 180)
        assert north <= 90
        # No cell goes the long way round, but those around the pole.
        widths = [part.bounds[2] - part.bounds[0] for part in shapely.get_parts(polygons)]
        assert dataset == "polar" or max(widths) < 30


def test_parquet_has_the_columns(api: InProcessClient) -> None:
    table, about = parquet(api, "dataset=land&stat=mean,max")
    assert table.schema.names == ["h3_index", "h3", "mean", "max", "pixel_count", "nodata_count"]
    assert table.schema.field("h3_index").type == pa.uint64()
    assert table["h3_index"].to_pylist() == LAND.tolist()
    assert table["h3"].to_pylist() == names(LAND)
    assert table["mean"].to_pylist() == (np.arange(len(LAND)) / 3).tolist()
    assert table["max"].null_count == int(np.isnan(GAPS).sum())
    assert about["geoforge"]["dataset"] == "land"
    assert about["geoforge"]["unit"] == "m"
    assert "geo" not in about


def test_geoparquet_has_the_polygons(api: InProcessClient) -> None:
    for dataset, types in (("land", ["Polygon"]), ("far", ["MultiPolygon", "Polygon"])):
        table, about = parquet(api, f"dataset={dataset}&geometry=true")
        geo = about["geo"]
        assert (geo["version"], geo["primary_column"]) == ("1.1.0", "geometry")
        column = geo["columns"]["geometry"]
        assert (column["encoding"], column["geometry_types"]) == ("WKB", types)
        polygons = shapely.from_wkb(table["geometry"].to_pylist())
        assert column["bbox"] == pytest.approx(shapely.total_bounds(polygons))
        features = geojson(api, f"dataset={dataset}")["features"]
        same = [shapely.from_geojson(json.dumps(each["geometry"])) for each in features]
        assert shapely.hausdorff_distance(polygons, same).max() < 1e-6


def test_a_file_has_many_row_groups(api: InProcessClient, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = parquet(api, "dataset=land")
    monkeypatch.setattr(formats, "_GROUP_ROWS", 1)
    answer = api.get(f"{STATS}?dataset=land&format=parquet&limit=60")
    assert pq.ParquetFile(io.BytesIO(answer.body)).read().equals(whole.slice(0, 60))


def test_files_follow_each_other(api: InProcessClient) -> None:
    tables = []
    address: str | None = f"{STATS}?dataset=land&format=parquet&limit=50"
    while address is not None:
        answer = api.get(address)
        tables.append(pq.ParquetFile(io.BytesIO(answer.body)).read())
        link = answer.headers.get("Link")
        address = None if link is None else link.partition("<")[2].partition(">")[0]
    assert len(tables) > 2
    assert pa.concat_tables(tables)["h3_index"].to_pylist() == LAND.tolist()


def test_a_file_without_cells_is_a_file(api: InProcessClient) -> None:
    table, about = parquet(api, "dataset=land&bbox=0,50,1,51&geometry=true")
    assert table.num_rows == 0
    assert about["geo"]["columns"]["geometry"]["geometry_types"] == []
    assert geojson(api, "dataset=land&bbox=0,50,1,51")["features"] == []


def test_a_file_has_a_name(api: InProcessClient) -> None:
    answer = api.get(f"{STATS}?dataset=land&format=parquet&resolution=4")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="land-4.parquet"'


@pytest.mark.parametrize(
    ("query", "most"), [("format=parquet", 5_000_000), ("format=parquet&geometry=1", 1_000_000)]
)
def test_more_cells_than_a_file_holds_are_refused(
    api: InProcessClient, query: str, most: int
) -> None:
    answer = api.get(f"{STATS}?dataset=land&{query}&limit={most + 1}")
    assert answer.status == 422
    assert f"must be between 1 and {most:,}" in answer.text


def test_with_many_statistics_there_is_room_for_fewer_cells(
    api: InProcessClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = dataclasses.replace(h3._FILE, values=100)
    monkeypatch.setattr(h3, "_FILE", room)
    address = f"{STATS}?dataset=land&format=parquet&stat=mean,max"
    first = api.get(address)
    assert pq.ParquetFile(io.BytesIO(first.body)).read().num_rows == 50
    assert 'rel="next"' in first.headers["Link"]
    assert api.get(f"{address}&limit=50").status == 200
    refused = api.get(f"{address}&limit=51")
    assert refused.status == 422
    assert "'limit' must be 50 at most with 2 statistics" in refused.json()["detail"]
    assert "room for 100 values" in refused.json()["detail"]


@pytest.mark.parametrize("query", ["format=parquet", "format=json", "format=geojson"])
def test_rows_are_held_by_their_values(
    api: InProcessClient, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    """However few are read and written at once, it is the same answer."""
    address = f"{STATS}?dataset=land&stat=mean,max&{query}"
    whole = api.get(address)
    for module, name in (
        (reading, "_VALUES"),
        (reading, "_FEWEST_ROWS"),
        (formats, "_GROUP_VALUES"),
    ):
        monkeypatch.setattr(module, name, 20)
    parts = api.get(address)
    if "parquet" not in query:
        assert parts.body == whole.body
        return
    one, many = (pq.ParquetFile(io.BytesIO(each.body)) for each in (whole, parts))
    assert one.read().equals(many.read())
    assert one.metadata.num_row_groups == 1
    assert many.metadata.row_group(0).num_rows <= 20
