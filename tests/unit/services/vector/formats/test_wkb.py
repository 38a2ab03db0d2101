from __future__ import annotations

import json
import math
import struct

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from services.vector.formats import arcs, broken_wkb, wkb, wkb_types
from services.vector.formats.broken_wkb import BrokenWkb
from services.vector.model import Reason, RepairKind
from tests.unit.services.vector.formats.reading import wkb_array


def _doubles(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}d", *values)


def _header(kind: int, count: int | None = None) -> bytes:
    return b"\1" + struct.pack("<I", kind) + (b"" if count is None else struct.pack("<I", count))


def _ring(*positions: tuple[float, float]) -> bytes:
    return struct.pack("<I", len(positions)) + b"".join(_doubles(*p) for p in positions)


OPEN_SQUARE = _header(3, 1) + _ring((0, 0), (1, 0), (1, 1), (0, 1))
ARC = _header(8, 3) + _doubles(0, 0, 1, 1, 2, 0)


def test_good_geometries_come_as_they_are() -> None:
    geometries = [
        shapely.Point(1, 2),
        shapely.box(0, 0, 1, 1),
        None,
        shapely.from_wkt("POINT Z (1 2 3)"),
    ]
    decoded = wkb.decode(wkb_array(*(None if g is None else shapely.to_wkb(g) for g in geometries)))
    assert decoded.geometry.tolist() == geometries
    assert not decoded.faults
    assert not decoded.mended


def test_one_curve_does_not_take_the_others_with_it() -> None:
    decoded = wkb.decode(wkb_array(shapely.to_wkb(shapely.Point(1, 2)), ARC, OPEN_SQUARE))
    assert decoded.geometry[0] == shapely.Point(1, 2)
    assert decoded.geometry[1].length == pytest.approx(math.pi, rel=1e-3)
    assert decoded.geometry[2].equals(shapely.box(0, 0, 1, 1))
    assert decoded.mended == {1: [RepairKind.LINEARISED], 2: [RepairKind.RING_CLOSED]}


def test_a_compound_curve_is_one_line() -> None:
    line = _header(2, 2) + _doubles(2, 0, 5, 0)
    decoded = wkb.decode(wkb_array(_header(9, 2) + ARC + line))
    (geometry,) = decoded.geometry
    assert geometry.geom_type == "LineString"
    assert geometry.length == pytest.approx(math.pi + 3, rel=1e-3)
    assert geometry.is_simple


def test_a_curve_polygon_in_a_multi_surface_becomes_a_multipolygon() -> None:
    circle = _header(8, 3) + _doubles(0, 0, 2, 0, 0, 0)
    (geometry,) = wkb.decode(wkb_array(_header(12, 1) + _header(10, 1) + circle)).geometry
    assert geometry.geom_type == "MultiPolygon"
    assert geometry.area == pytest.approx(math.pi, rel=1e-2)


@pytest.mark.parametrize("kind", [15, 16])
def test_surfaces_of_polygons_become_multipolygons(kind: int) -> None:
    part = _header(3 if kind == 15 else 17, 1) + _ring((0, 0), (1, 0), (1, 1), (0, 0))
    decoded = wkb.decode(wkb_array(_header(kind, 1) + part))
    assert decoded.geometry[0].geom_type == "MultiPolygon"
    assert decoded.mended == {0: [RepairKind.RETYPED]}


def test_collections_in_multi_geometries_are_kept_as_collections() -> None:
    mixed = _header(6, 2) + OPEN_SQUARE + shapely.to_wkb(shapely.Point(7, 7))
    (geometry,) = wkb.decode(wkb_array(mixed)).geometry
    assert {part.geom_type for part in geometry.geoms} == {"Polygon", "Point"}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (_header(2, 1_000_000_000), "1,000,000,000 points follow"),
        (_header(3, 4_000_000_000), "rings follow"),
        (_header(6, 1)[:-2], "ends before the number of parts"),
        (b"\7" + _header(1)[1:], "no byte order 7"),
        (_header(99, 0), "no geometry type 99"),
        (b"\1", "ends before the type"),
        (_header(1) + _doubles(1), "ends before the point"),
    ],
)
def test_nonsense_says_what_is_wrong(data: bytes, says: str) -> None:
    decoded = wkb.decode(wkb_array(data))
    assert decoded.geometry.tolist() == [None]
    assert decoded.faults[0].reason is Reason.UNREADABLE_GEOMETRY
    assert says in decoded.faults[0].detail


def test_nesting_has_an_end() -> None:
    with pytest.raises(BrokenWkb, match="nested more than") as caught:
        broken_wkb.parse(_header(7, 1) * 5000)
    assert caught.value.fault.reason is Reason.UNSUPPORTED_GEOMETRY


def test_a_point_of_nan_is_empty_and_half_of_one_is_a_fault() -> None:
    nan = math.nan
    decoded = wkb.decode(wkb_array(_header(1) + _doubles(nan, nan), _header(1) + _doubles(1, nan)))
    assert decoded.geometry.tolist() == [None, None]
    assert {at: fault.reason for at, fault in decoded.faults.items()} == {1: Reason.BAD_COORDINATE}


def test_both_byte_orders_and_ewkb_are_read_by_hand_as_by_geos() -> None:
    shape = shapely.from_wkt(
        "MULTIPOLYGON Z (((0 0 1, 4 0 2, 4 4 3, 0 0 1), (1 1 1, 2 1 1, 2 2 1, 1 1 1)))"
    )
    for order in (0, 1):
        for flavor in ("iso", "extended"):
            data = shapely.to_wkb(shapely.set_srid(shape, 4326), byte_order=order, flavor=flavor,
                                  include_srid=flavor == "extended")  # fmt: skip
            assert shapely.from_geojson(json.dumps(broken_wkb.parse(data).raw)).equals(shape)


@given(
    st.binary(max_size=200), st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 1003, 3006])
)
def test_any_bytes_end_in_a_geometry_or_a_fault(body: bytes, kind: int) -> None:
    with np.errstate(all="ignore"):
        decoded = wkb.decode(wkb_array(_header(kind) + body))
    assert decoded.geometry[0] is None or not decoded.faults


def test_types_are_counted_without_decoding() -> None:
    counts = wkb_types.TypeCounts()
    high = shapely.from_wkt("POLYGON Z ((0 0 1, 1 0 1, 1 1 1, 0 0 1))")
    point = shapely.to_wkb(shapely.Point(1, 2))
    array = wkb_array(None, point, ARC, b"\1", shapely.to_wkb(high, flavor="iso"))
    counts.add(array)
    counts.add(array.slice(1, 2))
    assert counts.by_name == {"None": 2, "Point": 2, "CircularString": 2, "Polygon": 1}
    assert counts.has_z
    assert not counts.has_m


def test_arcs_keep_their_control_points_and_go_the_right_way_round() -> None:
    drawn = arcs.linearise(np.array([[0.0, 0.0], [1.0, -1.0], [2.0, 0.0], [3.0, 1.0], [4.0, 0.0]]))
    for point in ([1, -1], [2, 0], [3, 1], [4, 0]):
        assert np.isclose(drawn, point).all(axis=1).any()
    assert drawn[:, 1].min() == pytest.approx(-1)
    assert len(drawn) > 80


def test_points_on_one_line_are_no_arc() -> None:
    straight = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])
    assert np.array_equal(arcs.linearise(straight), straight)
