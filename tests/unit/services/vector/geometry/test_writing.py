"""WKB for the table: what came so is passed on, and single geometries become multi."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from services.vector.batch import Batch, Geometries
from services.vector.formats import wkb
from services.vector.geometry import writing
from services.vector.geometry.cleaning import clean
from tests.support.geometries import as_array, batch_of, broken_geometries, cleaning, geometries

_TEXTS = [
    "POINT(1 2)",
    "LINESTRING(0 0,1 1)",
    "POLYGON((0 0,4 0,4 4,0 0),(1 0.5,2 0.5,2 1,1 0.5))",
    "MULTIPOLYGON(((0 0,4 0,4 4,0 0),(1 0.5,2 0.5,2 1,1 0.5)))",
]


def came_as(*values: bytes | None, kind: pa.DataType | None = None) -> Batch:
    decoded = wkb.decode(pa.array(values, kind or pa.binary()))
    return batch_of(decoded.geometry, wkb=decoded.source)


def exact(value: bytes) -> bool:
    source = came_as(value).wkb
    assert source is not None
    return bool(source.exact[0])


def write(batch: Batch, geometry: Geometries | None = None) -> list[Any]:
    shapes = batch.geometry if geometry is None else geometry
    return list(writing.written(batch, np.arange(len(shapes)), shapes).to_pylist())


def to_wkb(text: str, **options: Any) -> bytes:
    return bytes(shapely.to_wkb(shapely.from_wkt(text), **options))


@pytest.mark.parametrize("text", _TEXTS)
def test_plain_wkb_can_be_passed_on(text: str) -> None:
    assert exact(to_wkb(text))


@pytest.mark.parametrize("text", _TEXTS)
def test_wkb_that_says_more_or_says_it_otherwise_cannot(text: str) -> None:
    plain = to_wkb(text)
    assert not exact(plain + b"\0")
    assert not exact(plain + b"\0" * 16)
    assert not exact(to_wkb(text, byte_order=0))
    with_srid = shapely.to_wkb(shapely.set_srid(shapely.from_wkt(text), 4326), include_srid=True)
    assert not exact(with_srid)
    high = shapely.to_wkb(shapely.force_3d(shapely.from_wkt(text)), output_dimension=3)
    assert not exact(high)


def test_a_part_in_another_byte_order_is_written_anew() -> None:
    part = to_wkb("POLYGON((0 0,4 0,4 4,0 0))", byte_order=0)
    mixed = b"\1" + struct.pack("<II", 6, 1) + part
    assert not exact(mixed)
    assert write(came_as(mixed)) == [to_wkb("MULTIPOLYGON(((0 0,4 0,4 4,0 0)))")]


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_only_what_was_touched_is_written(kind: pa.DataType) -> None:
    values = [to_wkb(text) for text in _TEXTS]
    batch = came_as(None, *values, kind=kind)
    assert write(batch) == [None, *values]
    touched = batch.geometry.copy()
    touched[2] = shapely.from_wkt("LINESTRING(7 7,8 8)")
    touched[3] = None
    assert write(batch, touched) == [
        None,
        values[0],
        to_wkb("LINESTRING(7 7,8 8)"),
        None,
        values[3],
    ]


def test_the_places_in_the_batch_count_and_not_those_in_the_result() -> None:
    batch = came_as(*(to_wkb(text) for text in _TEXTS))
    positions = np.array([2, 0])
    found = writing.written(batch, positions, batch.geometry[positions])
    assert found.to_pylist() == [to_wkb(_TEXTS[2]), to_wkb(_TEXTS[0])]


@pytest.mark.parametrize("height", ["", " Z"])
def test_single_geometries_are_made_multi(height: str) -> None:
    z = " 9" if height else ""
    singles = geometries(
        f"POINT{height}(1 2{z})",
        f"LINESTRING{height}(0 0{z},1 1{z})",
        f"POLYGON{height}((0 0{z},4 0{z},4 4{z},0 0{z}))",
        f"MULTIPOINT{height}(1 2{z},3 4{z})",
        None,
    )
    encoded = writing.written(batch_of(singles), np.arange(5), singles)
    both, count = writing.promoted(encoded, singles, points=True, others=True)
    assert count == 3
    expected = [
        shapely.multipoints([singles[0]]),
        shapely.multilinestrings([singles[1]]),
        shapely.multipolygons([singles[2]]),
        singles[3],
        None,
    ]
    assert both.to_pylist() == list(shapely.to_wkb(as_array(expected)))
    only_others, count = writing.promoted(encoded, singles, points=False, others=True)
    assert count == 2
    assert only_others[0].as_py() == shapely.to_wkb(singles[0])
    unchanged, count = writing.promoted(encoded, singles, points=False, others=False)
    assert count == 0
    assert unchanged is encoded


@settings(deadline=None, max_examples=40)
@given(st.lists(broken_geometries(), min_size=1, max_size=10))
def test_geometries_that_came_as_wkb_end_as_others_do(found: list[shapely.Geometry | None]) -> None:
    others = batch_of(as_array(found))
    same = came_as(*(None if shape is None else shapely.to_wkb(shape) for shape in found))
    assert clean(same, cleaning()).wkb.equals(clean(others, cleaning()).wkb)
