from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from pyproj import Geod

from services.vector.geometry import measures
from tests.support.geometries import as_array, broken_polygons, geometries

_GEOD = Geod(ellps="WGS84")
# A degree of latitude at the equator, and of longitude, on WGS 84.
_LATITUDE_METRES = 110_574.4
_LONGITUDE_METRES = 111_319.5


def area(geometry: shapely.Geometry) -> float:
    return float(measures.areas(as_array([geometry]))[0])


def length(geometry: shapely.Geometry) -> float:
    return float(measures.lengths(as_array([geometry]))[0])


def before(geometry: shapely.Geometry, after: float) -> float:
    repaired = as_array([shapely.box(0, 0, 1, after)])
    found = measures.areas_before(
        as_array([geometry]), repaired, np.array([after]), measures.planar_areas
    )
    return float(found[0])


@pytest.mark.parametrize("latitude", [-89.9, -60, 0, 45, 80])
def test_areas_are_those_of_the_ellipsoid(latitude: float) -> None:
    parcel = shapely.box(10, latitude, 10.05, latitude + 0.05)
    expected = abs(_GEOD.geometry_area_perimeter(parcel)[0])
    assert area(parcel) == pytest.approx(expected, rel=1e-4)


def test_all_of_the_earth_has_its_area() -> None:
    assert area(shapely.box(-180, -90, 180, 90)) == pytest.approx(510_065_621_724_000, rel=1e-9)


def test_areas_do_not_depend_on_the_direction_of_rings_or_on_the_turn() -> None:
    square = shapely.from_wkt("POLYGON((0 0,1 0,1 1,0 1,0 0),(0.2 0.2,0.4 0.2,0.4 0.4,0.2 0.2))")
    assert area(square) == pytest.approx(_LATITUDE_METRES * _LONGITUDE_METRES * 0.98, rel=1e-3)
    assert area(square.reverse()) == pytest.approx(area(square))
    assert area(shapely.box(179, 0, 181, 1)) == pytest.approx(area(shapely.box(0, 0, 2, 1)))


def test_lengths_are_of_lines_and_of_all_rings() -> None:
    line = shapely.from_wkt("MULTILINESTRING((0 0,1 0),(0 0,0 1))")
    assert length(line) == pytest.approx(_LATITUDE_METRES + _LONGITUDE_METRES, rel=1e-5)
    box = shapely.box(0, 0, 1, 1)
    assert length(box) == pytest.approx(2 * (_LATITUDE_METRES + _LONGITUDE_METRES), rel=1e-3)
    holed = box.difference(shapely.box(0.25, 0.25, 0.75, 0.75))
    assert length(holed) == pytest.approx(length(box) * 1.5, rel=1e-3)
    both = shapely.GeometryCollection([line, holed, shapely.Point(0, 0)])
    assert length(both) == pytest.approx(length(line) + length(holed))


def test_points_and_nothing_have_neither() -> None:
    found = geometries("POINT(1 1)", None, "LINESTRING(0 0,1 1)")
    assert measures.areas(found).tolist() == [0, 0, 0]
    assert measures.lengths(found)[:2].tolist() == [0, 0]
    assert measures.lengths(found)[2] > 0
    assert measures.lengths(geometries()).tolist() == []


def test_an_invalid_polygon_has_the_area_that_is_nearer_to_its_repair() -> None:
    loops_cancel_out = shapely.from_wkt("POLYGON((0 0,2 2,2 0,0 2,0 0))")
    assert measures.planar_areas(as_array([loops_cancel_out]))[0] == 0
    assert before(loops_cancel_out, 2.0) == 2
    nested = shapely.MultiPolygon([shapely.box(0, 0, 4, 4), shapely.box(1, 1, 3, 3)])
    assert before(nested, 19.0) == 20
    assert before(nested, 13.0) == 12
    # As far from both: the smaller share counts.
    assert before(nested, 16.0) == 20


def test_what_geos_cannot_node_has_one_reading() -> None:
    unsound = shapely.from_wkt("MULTIPOLYGON(((1 0,1 0,1 0,1 0)),((0 0,0 1,-1 0,0 0)))")
    bow_tie = shapely.from_wkt("POLYGON((0 0,2 2,2 0,0 2,0 0))")
    invalid = as_array([unsound, bow_tie])
    repaired = as_array([shapely.box(0, 0, 1, 0.4), shapely.box(0, 0, 1, 2)])
    found = measures.areas_before(invalid, repaired, np.array([0.4, 2.0]), measures.planar_areas)
    assert found.tolist() == [0.5, 2.0]


@settings(deadline=None, max_examples=50)
@given(broken_polygons())
def test_a_repair_that_keeps_every_edge_has_the_area_of_the_even_odd_rule(
    polygon: shapely.Geometry,
) -> None:
    try:
        repaired = shapely.make_valid(polygon, method="structure", keep_collapsed=False)
        even_odd = shapely.make_valid(polygon, method="linework")
    except shapely.GEOSException:
        assume(False)
    if polygon.length == pytest.approx(repaired.length, rel=1e-12):
        assert repaired.area == pytest.approx(even_odd.area, abs=1e-9)


def test_shares() -> None:
    found = measures.share_changed(np.array([100.0, 100.0, 0.0]), np.array([90.0, 110.0, 5.0]))
    assert found.tolist() == pytest.approx([0.1, 0.1, 1.0])
