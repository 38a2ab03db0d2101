"""Coordinates between CRSs, and where they can be."""

from __future__ import annotations

import numpy as np
import pytest

from services.vector.geometry.projection import project, range_of, to_wgs84
from tests.support.geometries import geometries


def test_the_same_crs_changes_nothing() -> None:
    given = geometries("POINT(1 2)", None)
    projected, failed = project(given, "OGC:CRS84", "EPSG:4326")
    assert projected is given
    assert len(failed) == 0


def test_what_has_no_place_keeps_its_coordinates_and_is_named() -> None:
    given = geometries("LINESTRING(15 42,16 42)", None, "LINESTRING(15 42,15 95)", "POINT(15 0)")
    projected, failed = project(given, "EPSG:4326", "EPSG:32633")
    assert failed.tolist() == [2]
    assert projected[0].coords[0] == pytest.approx((500000, 4649776), abs=1)
    assert projected[1] is None
    assert projected[2] == given[2]
    assert projected[3].x == pytest.approx(500000)
    assert given[0].coords[0] == (15, 42)


def test_degrees_have_their_own_range() -> None:
    assert range_of("EPSG:4326").degrees
    # Grads, from Paris.
    in_grads = range_of("EPSG:4807")
    assert not in_grads.degrees
    assert in_grads.limits == pytest.approx((-400, -100, 400, 100))


def test_a_projected_range_is_wider_than_the_area_of_use() -> None:
    limits = range_of("EPSG:25833").limits
    assert limits is not None
    west, south, east, north = limits
    # Northern Norway is mapped in zone 33 up to 31 degrees east.
    assert west < 0 < 1_200_000 < east
    assert south < 0 < 8_000_000 < north


def test_a_crs_without_an_area_has_no_limits() -> None:
    local = "+proj=tmerc +lat_0=0 +lon_0=9 +k=1 +x_0=0 +y_0=0 +ellps=GRS80 +units=m +type=crs"
    assert range_of(local).limits is None


def test_the_map_gets_what_it_can_draw() -> None:
    given = geometries("POINT Z(1 2 3)", None, "POINT(nan 1)", "POINT(1 91)", "POINT(190 0)")
    drawn = to_wgs84(given, "EPSG:4326")
    assert [g and g.wkt for g in drawn] == ["POINT (1 2)", None, None, None, "POINT (190 0)"]
    assert to_wgs84(given, None).tolist() == [None] * 5
    assert not np.shares_memory(drawn, given)
