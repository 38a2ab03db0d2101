"""Geometries from raw coordinates: what is mended, what is a fault, and one as many."""

from __future__ import annotations

import math
from typing import Any

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from services.vector.geometry.building import build, build_many
from services.vector.geometry.surveying import Survey
from services.vector.model import Reason, RepairKind

_SQUARE = [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]


def _geometry(kind: str, coordinates: Any) -> dict[str, Any]:
    return {"type": kind, "coordinates": coordinates}


@pytest.mark.parametrize(
    ("raw", "wkt", "mended"),
    [
        (_geometry("Point", [1, 2]), "POINT (1 2)", []),
        (_geometry("Point", (1.5, 2, 3)), "POINT Z (1.5 2 3)", []),
        (_geometry("Polygon", [_SQUARE]), "POLYGON ((0 0, 1 0, 1 1, 0 1, 0 0))", []),
        (
            _geometry("Polygon", [_SQUARE[:-1]]),
            "POLYGON ((0 0, 1 0, 1 1, 0 1, 0 0))",
            [RepairKind.RING_CLOSED],
        ),
        (
            _geometry("Polygon", [[[0, 0], [1, 0], [1, 1]]]),
            "POLYGON ((0 0, 1 0, 1 1, 0 0))",
            [RepairKind.RING_CLOSED],
        ),
        (
            _geometry("Polygon", [_SQUARE, [[0, 0], [0.5, 0.5]]]),
            "POLYGON ((0 0, 1 0, 1 1, 0 1, 0 0))",
            [RepairKind.EMPTY_PART],
        ),
        (_geometry("Point", [2, 4, 6, 8]), "POINT Z (2 4 6)", [RepairKind.TUPLES_COMPLETED]),
        (
            _geometry("LineString", [[1, 2, 3], [1, 3], [5]]),
            "LINESTRING Z (1 2 3, 1 3 0)",
            [RepairKind.TUPLES_COMPLETED],
        ),
        (_geometry("LineString", [[1, 2, None], [3, 4, None]]), "LINESTRING (1 2, 3 4)", []),
        (_geometry("MultiPoint", [0, 0]), "POINT (0 0)", [RepairKind.RETYPED]),
        (_geometry("MultiPolygon", [1.5, 2]), "POINT (1.5 2)", [RepairKind.RETYPED]),
        (_geometry("Point", [[1, 2]]), "POINT (1 2)", [RepairKind.RETYPED]),
        (
            _geometry("Polygon", _SQUARE),
            "POLYGON ((0 0, 1 0, 1 1, 0 1, 0 0))",
            [RepairKind.RETYPED],
        ),
        (
            _geometry("Polygon", [[[[_SQUARE]]]]),
            "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 1, 0 0)))",
            [RepairKind.RETYPED],
        ),
        (_geometry("point", [1, 2]), "POINT (1 2)", [RepairKind.RETYPED]),
        (
            _geometry("MultiLineString", [[[0, 0], [1, 1]], [[2, 2]], []]),
            "MULTILINESTRING ((0 0, 1 1))",
            [RepairKind.EMPTY_PART],
        ),
        (
            {
                "type": "GeometryCollection",
                "geometries": [
                    None,
                    {"type": "GeometryCollection", "geometries": [_geometry("Point", [1, 2])]},
                    _geometry("Point", [3, 4, 5]),
                ],
            },
            "GEOMETRYCOLLECTION Z (POINT Z (1 2 0), POINT Z (3 4 5))",
            [RepairKind.EMPTY_PART, RepairKind.TUPLES_COMPLETED],
        ),
    ],
)
def test_what_has_one_remedy_is_mended(
    raw: dict[str, Any], wkt: str, mended: list[RepairKind]
) -> None:
    built = build(raw)

    assert built.fault is None
    assert shapely.to_wkt(built.geometry, trim=True) == wkt
    assert built.mended == mended


@pytest.mark.parametrize("coordinates", [[], [[]], [[[]]]])
def test_an_empty_geometry_is_none_and_no_fault(coordinates: Any) -> None:
    built = build(_geometry("MultiPolygon", coordinates))

    assert built.geometry is None
    assert built.fault is None


@pytest.mark.parametrize(
    ("raw", "reason", "said"),
    [
        (_geometry("Point", ["foo", 2]), Reason.BAD_COORDINATE, "the x of the point is 'foo'"),
        (_geometry("Point", [True, 2]), Reason.BAD_COORDINATE, "the x of the point is true"),
        (_geometry("Point", [1, math.nan]), Reason.BAD_COORDINATE, "the y of the point is not"),
        (_geometry("Point", [10**400, 2]), Reason.BAD_COORDINATE, "not finite"),
        (_geometry("Point", {"x": 1}), Reason.BAD_COORDINATE, "an object, not a list"),
        (
            _geometry("LineString", [[0, 0], [1, None]]),
            Reason.BAD_COORDINATE,
            "the y of position 2 of the line is null",
        ),
        (_geometry("LineString", [[0, 0], None]), Reason.BAD_COORDINATE, "member 2 of a list"),
        (_geometry("LineString", [0, 0, 1, 1]), Reason.BAD_COORDINATE, "1 deep"),
        (_geometry("Polygon", [5]), Reason.BAD_COORDINATE, "nested 3 deep; these are 1 deep"),
        (
            _geometry("MultiPolygon", [_SQUARE, [_SQUARE]]),
            Reason.BAD_COORDINATE,
            "different depths",
        ),
        (_geometry("LineString", [[0, 0]]), Reason.TOO_FEW_POINTS, "has 1 position"),
        (_geometry("Polygon", [[[0, 0], [1, 1]]]), Reason.TOO_FEW_POINTS, "outer ring"),
        ({}, Reason.NOT_A_FEATURE, "no type"),
        ({"type": "Point"}, Reason.NOT_A_FEATURE, "no coordinates"),
        ({"type": "FooBar"}, Reason.NOT_A_FEATURE, "'FooBar' is no type"),
        ({"type": "CircularString"}, Reason.UNSUPPORTED_GEOMETRY, "CircularString"),
        (
            {"type": "GeometryCollection", "geometries": [None]},
            Reason.NOT_A_FEATURE,
            "nothing but null",
        ),
        (
            {"type": "GeometryCollection", "geometries": [False]},
            Reason.NOT_A_FEATURE,
            "geometry 1 of the collection: the geometry is false",
        ),
    ],
)
def test_what_has_none_is_a_fault_that_says_where(
    raw: dict[str, Any], reason: Reason, said: str
) -> None:
    built = build(raw)

    assert built.geometry is None
    assert built.fault is not None
    assert built.fault.reason is reason
    assert said in built.fault.detail


def test_endless_nesting_is_a_fault() -> None:
    coordinates: Any = [0, 0]
    collection: Any = _geometry("Point", [0, 0])
    for _ in range(500):
        coordinates = [coordinates, coordinates]
        collection = {"type": "GeometryCollection", "geometries": [collection]}

    deep = build(collection)

    assert deep.fault is not None
    assert deep.fault.reason is Reason.UNSUPPORTED_GEOMETRY


_NUMBERS = st.one_of(
    st.integers(-5, 5), st.floats(-5, 5), st.sampled_from([None, "1", math.nan, True, 10**400])
)
_POSITIONS = st.one_of(
    st.lists(st.integers(-5, 5), min_size=2, max_size=2), st.lists(_NUMBERS, max_size=4)
)
_RINGS = st.one_of(st.just(_SQUARE), st.lists(_POSITIONS, max_size=6))
_POLYGONS = st.one_of(st.just([_SQUARE]), st.lists(_RINGS, max_size=3))
_ANY = st.one_of(_NUMBERS, _POSITIONS, _RINGS, _POLYGONS, st.lists(_POLYGONS, max_size=3))
_KINDS = st.sampled_from(
    ["Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon"]
)


@given(st.lists(st.one_of(st.none(), st.builds(_geometry, _KINDS, _ANY)), max_size=8))
def test_many_are_built_as_one_is(raws: list[dict[str, Any] | None]) -> None:
    many = build_many(raws)
    survey = Survey()
    survey.add(raws)

    for position, raw in enumerate(raws):
        if raw is None:
            assert many.geometry[position] is None
            continue
        one = build(raw)
        assert many.faults.get(position) == one.fault
        assert many.mended.get(position, []) == one.mended
        if one.geometry is None:
            assert many.geometry[position] is None
        else:
            assert shapely.equals_identical(many.geometry[position], one.geometry)
            assert survey.types[one.geometry.geom_type] > 0
            assert survey.has_z or not one.geometry.has_z
    assert survey.types.total() == len(raws)
