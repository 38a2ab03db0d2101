from __future__ import annotations

import datetime
import decimal
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from services.vector.formats import detection
from services.vector.formats.reader import UnreadableFile
from services.vector.model import Reason, RepairKind
from tests.unit.services.vector.formats.reading import DATA, needs_data, read_all, read_one, squares

_POINT = pa.struct([("x", pa.float64()), ("y", pa.float64())])


def _write(
    path: Path, geometry: pa.Array, attributes: dict[str, pa.Array] | None = None, *,
    encoding: str = "WKB", group: int = 10_000, **about: object,
) -> Path:  # fmt: skip
    geo = {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {"geometry": {"encoding": encoding, "geometry_types": [], **about}},
    }
    table = pa.table({**(attributes or {}), "geometry": geometry})
    pq.write_table(
        table.replace_schema_metadata({"geo": json.dumps(geo)}), path, row_group_size=group
    )
    return path


def _wkb(count: int) -> pa.Array:
    return pa.array(list(shapely.to_wkb(squares(count))), pa.binary())


def test_chunks_are_row_groups_joined_or_cut(tmp_path: Path) -> None:
    numbers = {"n": pa.array(range(1000))}
    for group, rows in (
        (100, [300, 300, 300, 100]),
        (700, [300, 300, 100, 300]),
        (5000, [300, 300, 300, 100]),
    ):
        path = _write(tmp_path / f"{group}.parquet", _wkb(1000), numbers, group=group)
        whole = read_one(path, chunk_rows=300)
        assert [chunk.rows for chunk in whole.layer.chunks] == rows
        assert whole.columns["n"] == list(range(1000))
        assert whole.geometry == squares(1000)
    assert whole.layer.bbox == pytest.approx((0, 0, 99.9, 9.9))


def test_the_crs(tmp_path: Path) -> None:
    import pyproj

    stated = json.loads(pyproj.CRS("EPSG:2263").to_json())
    assert read_one(_write(tmp_path / "a", _wkb(1))).layer.crs.value == "OGC:CRS84"
    assert read_one(_write(tmp_path / "b", _wkb(1), crs=None)).layer.crs.value is None
    assert read_one(_write(tmp_path / "c", _wkb(1), crs=stated)).layer.crs.value == "EPSG:2263"
    old = _write(tmp_path / "d", _wkb(1), crs=pyproj.CRS("EPSG:2263").to_wkt())
    assert read_one(old).layer.crs.value == "EPSG:2263"


def test_types_of_all_kinds_find_a_column(tmp_path: Path) -> None:
    now = datetime.datetime(2020, 2, 29, 12, 30, tzinfo=datetime.UTC)
    attributes = {
        "i8": pa.array([1], pa.int8()),
        "u64": pa.array([2**63], pa.uint64()),
        "f16": pa.array(np.array([1.5], dtype=np.float16)),
        "money": pa.array([decimal.Decimal("12.50")], pa.decimal128(10, 2)),
        "huge": pa.array([decimal.Decimal("12345678901234567890.50")], pa.decimal128(30, 2)),
        "category": pa.array(["a"]).dictionary_encode(),
        "large": pa.array(["b"], pa.large_string()),
        "ns": pa.array(np.array(["2020-02-29T12:30:00.123456789"], dtype="datetime64[ns]")),
        "zoned": pa.array([now], pa.timestamp("ms", tz="Europe/Berlin")),
        "tags": pa.array([{"a": [1, float("nan")]}], pa.struct([("a", pa.list_(pa.float64()))])),
        "nothing": pa.nulls(1),
        "raw": pa.array([b"\0\xff"]),
        "day": pa.array([datetime.date(2020, 2, 29)], pa.date64()),
    }
    whole = read_one(_write(tmp_path / "a.parquet", _wkb(1), attributes))
    values = {name: column[0] for name, column in whole.columns.items()}
    assert values == {
        "i8": 1, "u64": None, "f16": 1.5, "money": 12.5, "huge": "12345678901234567890.50",
        "category": "a", "large": "b",
        "ns": datetime.datetime(2020, 2, 29, 12, 30, 0, 123456), "zoned": now,
        "tags": '{"a": [1.0, null]}', "nothing": None, "raw": b"\0\xff",
        "day": datetime.date(2020, 2, 29),
    }  # fmt: skip
    assert whole.value_faults == {("u64", "not a bigint"): 1}


def test_native_encodings(tmp_path: Path) -> None:
    points = pa.array([{"x": 1.0, "y": 2.0}, None], _POINT)
    whole = read_one(_write(tmp_path / "p", points, encoding="point"))
    assert whole.geometry == [shapely.Point(1, 2), None]
    assert whole.layer.geometry_types == {"Point": 1, "None": 1}
    square = [[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 0.0]]
    closed = [[{"x": x, "y": y} for x, y in square]]
    rings = pa.array([[closed], None, [[closed[0][:3]]]], pa.list_(pa.list_(pa.list_(_POINT))))
    whole = read_one(_write(tmp_path / "m", rings, encoding="multipolygon"))
    assert whole.geometry[0] == shapely.MultiPolygon([shapely.Polygon(square)])
    assert whole.geometry[1] is None
    assert whole.mended == {2: [RepairKind.RING_CLOSED]}


def test_nan_in_a_native_point_is_a_fault(tmp_path: Path) -> None:
    points = pa.array([{"x": 1.0, "y": float("nan")}, {"x": 1.0, "y": 2.0}], _POINT)
    whole = read_one(_write(tmp_path / "p", points, encoding="point"))
    assert whole.faults[0].reason is Reason.BAD_COORDINATE
    assert whole.geometry[1] == shapely.Point(1, 2)


def test_a_damaged_row_group_costs_no_other(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.parquet", _wkb(3000), group=1000)
    column = pq.ParquetFile(path).metadata.row_group(1).column(0)
    data = bytearray(path.read_bytes())
    at = column.dictionary_page_offset or column.data_page_offset
    data[at : at + 200] = b"\xff" * 200
    path.write_bytes(data)
    whole = read_one(path)
    assert sorted(whole.faults) == list(range(1000, 2000))
    assert whole.geometry[:1000] == squares(3000)[:1000]
    assert whole.geometry[2999] is not None
    assert "row_group_damaged" in whole.notes


def test_what_is_no_geoparquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    assert detection.detect(path) is None
    assert "GeoParquet" in detection.describe(path)
    table = pa.table({"a": [1]}).replace_schema_metadata({"geo": "{"})
    pq.write_table(table, path)
    with pytest.raises(UnreadableFile, match="metadata of GeoParquet"):
        read_all(path)


def test_further_geometry_columns_are_noted(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    geo = {"primary_column": "g", "columns": {"g": {"encoding": "WKB"}, "h": {"encoding": "WKB"}}}
    table = pa.table({"g": _wkb(2), "h": _wkb(2), "n": [1, 2]})
    pq.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), path)
    whole = read_one(path)
    assert list(whole.columns) == ["n"]
    assert "other_geometry_columns" in whole.notes


@needs_data
def test_a_real_one() -> None:
    whole = read_one(DATA / "2_broken_vector" / "geoparquet" / "opengeos__cities.parquet")
    assert len(whole.geometry) == 1249
    assert whole.columns["name"][0] == "Bombo"
