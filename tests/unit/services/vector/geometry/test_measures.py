from __future__ import annotations

import pytest
import shapely

from services.vector.geometry import measures

# A degree of latitude at the equator, and of longitude, on WGS 84.
_LATITUDE_METRES = 110_574.4
_LONGITUDE_METRES = 111_319.5


def test_areas_do_not_depend_on_the_direction_of_rings() -> None:
    square = shapely.from_wkt("POLYGON((0 0,1 0,1 1,0 1,0 0),(0.2 0.2,0.4 0.2,0.4 0.4,0.2 0.2))")
    expected = _LATITUDE_METRES * _LONGITUDE_METRES * 0.98
    assert measures.area(square) == pytest.approx(expected, rel=1e-3)
    assert measures.area(square.reverse()) == pytest.approx(measures.area(square))
    both = shapely.MultiPolygon([square, shapely.box(5, 0, 6, 1)])
    assert measures.area(both) == pytest.approx(expected * 1.98 / 0.98, rel=1e-3)


def test_lengths_are_of_lines_and_of_all_rings() -> None:
    line = shapely.from_wkt("MULTILINESTRING((0 0,1 0),(0 0,0 1))")
    assert measures.length(line) == pytest.approx(_LATITUDE_METRES + _LONGITUDE_METRES, rel=1e-5)
    box = shapely.box(0, 0, 1, 1)
    assert measures.length(box) == pytest.approx(
        2 * (_LATITUDE_METRES + _LONGITUDE_METRES), rel=1e-3
    )
    holed = box.difference(shapely.box(0.25, 0.25, 0.75, 0.75))
    assert measures.length(holed) == pytest.approx(measures.length(box) * 1.5, rel=1e-3)


def test_points_and_nothing_have_neither() -> None:
    assert measures.area(shapely.Point(1, 1)) == measures.length(shapely.Point(1, 1)) == 0
    assert measures.area(None) == measures.length(None) == 0


def test_an_invalid_polygon_has_the_area_that_is_nearer_to_its_repair() -> None:
    loops_cancel_out = shapely.from_wkt("POLYGON((0 0,2 2,2 0,0 2,0 0))")
    assert measures.planar_area(loops_cancel_out) == 0
    assert measures.area_before(loops_cancel_out, 2.0, measures.planar_area) == 2
    nested = shapely.MultiPolygon([shapely.box(0, 0, 4, 4), shapely.box(1, 1, 3, 3)])
    assert measures.area_before(nested, 19.0, measures.planar_area) == 20
    assert measures.area_before(nested, 13.0, measures.planar_area) == 12
    # As far from both: the smaller share counts.
    assert measures.area_before(nested, 16.0, measures.planar_area) == 20


def test_an_area_that_the_repair_keeps_is_the_area() -> None:
    square = shapely.box(0, 0, 1, 1)
    assert measures.area_before(square, measures.area(square)) == measures.area(square)
