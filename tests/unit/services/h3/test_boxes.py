"""Boxes of longitude and latitude: disjoint, grown, and cut into ones of about one size."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from services.h3 import boxes
from services.h3.model import Box

WORLD = Box(west=-180, south=-90, east=180, north=90)


def box(west: float, south: float, east: float, north: float) -> Box:
    return Box(west=west, south=south, east=east, north=north)


def shape(found: Sequence[Box]) -> shapely.Geometry:
    return shapely.union_all([shapely.box(b.west, b.south, b.east, b.north) for b in found])


def area(found: Sequence[Box]) -> float:
    return sum((b.east - b.west) * (b.north - b.south) for b in found)


def sides_m(one: Box) -> tuple[float, float]:
    """Metres along the longer of its parallels, and along its meridians."""
    metre = math.radians(boxes.EARTH_RADIUS_M)
    nearest = 0.0 if one.south < 0 < one.north else min(abs(one.south), abs(one.north))
    parallel = math.cos(math.radians(nearest)) * metre
    return (one.east - one.west) * parallel, (one.north - one.south) * metre


whole_degrees = st.tuples(
    st.integers(-18, 17), st.integers(-9, 8), st.integers(1, 9), st.integers(1, 5)
).map(
    lambda b: box(10 * b[0], 10 * b[1], min(10 * (b[0] + b[2]), 180), min(10 * (b[1] + b[3]), 90))
)


@given(st.lists(whole_degrees, max_size=8))
def test_disjoint_boxes_cover_the_same_and_each_place_once(bounds: list[Box]) -> None:
    found = boxes.disjoint(bounds)
    assert shape(found).equals(shape(bounds))
    assert area(found) == pytest.approx(shape(bounds).area)


def test_boxes_that_are_disjoint_stay_as_few_as_they_were() -> None:
    assert boxes.disjoint([]) == []
    assert boxes.disjoint([box(0, 0, 10, 10), box(0, 0, 10, 10)]) == [box(0, 0, 10, 10)]
    beside = [box(0, 0, 10, 10), box(10, 0, 20, 10), box(0, 10, 20, 20)]
    assert boxes.disjoint(beside) == [box(0, 0, 20, 20)]
    apart = [box(0, 0, 10, 10), box(30, 40, 31, 41)]
    assert boxes.disjoint(apart) == apart


@pytest.mark.parametrize(
    "bounds",
    [
        [WORLD],
        [box(28.8, -2.9, 30.9, -1.0)],
        [box(-180, 80, 180, 90)],
        [box(170, -20, 180, -10), box(-180, -20, -170, -10)],
        [box(0, 0, 20, 20), box(10, 10, 30, 30)],
    ],
)
def test_a_partition_covers_the_bounds_with_disjoint_boxes_of_the_size(bounds: list[Box]) -> None:
    side = 300_000.0
    found = boxes.partition(bounds, 5, side)
    assert shape(found).equals(shape(boxes.disjoint(bounds)))
    assert area(found) == pytest.approx(shape(bounds).area, rel=1e-12)
    assert all(max(sides_m(one)) <= side * (1 + 1e-9) for one in found)
    assert all(min(sides_m(one)) > side / 2 for one in found)


def test_boxes_of_one_band_meet_to_the_last_digit() -> None:
    found = boxes.partition([box(-0.3, 0.1, 0.6, 0.2)], 9, 5_000)
    bands = {one.south: one.north for one in found}
    for south, north in bands.items():
        band = sorted((one for one in found if one.south == south), key=lambda one: one.west)
        assert [one.north for one in band] == [north] * len(band)
        assert (band[0].west, band[-1].east) == (-0.3, 0.6)
        assert all(a.east == b.west for a, b in itertools.pairwise(band))
    assert (min(bands), max(bands.values())) == (0.1, 0.2)
    assert sorted(bands)[1:] == sorted(bands.values())[:-1]


def test_near_a_pole_there_are_few_boxes() -> None:
    side = 500_000.0
    at_pole = boxes.partition([box(-180, 86, 180, 90)], 4, side)
    at_equator = boxes.partition([box(-180, 0, 180, 4)], 4, side)
    assert len(at_pole) < 8 < 80 < len(at_equator)


def test_a_box_is_not_narrower_than_a_cell() -> None:
    found = boxes.partition([box(0, 0, 30, 30)], 1, 1.0)
    cell_m = math.sqrt(4 * math.pi / 842) * boxes.EARTH_RADIUS_M
    sides = [side for one in found for side in sides_m(one)]
    assert 0.5 * cell_m < min(sides) < max(sides) <= cell_m


@given(
    st.floats(-180, 179), st.floats(-90, 89), st.floats(0.01, 30), st.floats(0.01, 30),
    st.floats(0.001, 20), st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_grown_boxes_hold_what_is_near(
    west: float, south: float, width: float, height: float, degrees: float, seed: int
) -> None:
    one = box(west, south, min(west + width, 180.0), min(south + height, 90.0))
    found = boxes.grown([one], degrees)
    random = np.random.default_rng(seed)
    for _ in range(20):
        # Places at the edge of the box, where growing matters, and from there in any direction.
        longitude = random.choice([one.west, one.east, random.uniform(one.west, one.east)])
        latitude = random.choice([one.south, one.north, random.uniform(one.south, one.north)])
        x, y = destination(longitude, latitude, random.uniform(0, 360), degrees * 0.999)
        assert any(
            b.west - 1e-9 <= x <= b.east + 1e-9 and b.south - 1e-9 <= y <= b.north + 1e-9
            for b in found
        )


def destination(
    longitude: float, latitude: float, azimuth: float, degrees: float
) -> tuple[float, float]:
    """The place so many degrees of a great circle away, into a direction."""
    phi, theta, delta = (math.radians(each) for each in (latitude, azimuth, degrees))
    sine = math.sin(phi) * math.cos(delta) + math.cos(phi) * math.sin(delta) * math.cos(theta)
    reached = math.asin(max(-1.0, min(1.0, sine)))
    turn = math.atan2(
        math.sin(theta) * math.sin(delta) * math.cos(phi),
        math.cos(delta) - math.sin(phi) * math.sin(reached),
    )
    x = (longitude + math.degrees(turn) + 180) % 360 - 180
    return x, math.degrees(reached)


def test_grown_boxes_cross_the_antimeridian_and_the_poles() -> None:
    beyond, near = boxes.grown([box(170, -5, 180, 5)], 1.0)
    assert (near.south, near.north, near.east) == (-6, 6, 180)
    assert near.west == pytest.approx(169, abs=0.01)
    assert (beyond.south, beyond.north, beyond.west) == (-6, 6, -180)
    assert beyond.east == pytest.approx(-179, abs=0.01)
    assert boxes.grown([box(0, 88, 10, 89.5)], 1.0) == [box(-180, 87, 180, 90)]
    assert boxes.grown([WORLD], 5.0) == [WORLD]


@pytest.mark.parametrize(
    "whole", [box(-10, 0, 10, 30), box(0, 80, 30, 84), box(-180, 85, 180, 90), WORLD]
)
def test_halves_make_up_the_whole(whole: Box) -> None:
    halves = boxes.halved(whole)
    assert area(halves) == pytest.approx(area([whole]))
    assert shape(halves).equals(shape([whole]))
    longest = max(sides_m(whole))
    assert all(min(sides_m(half)) < longest for half in halves)


def test_what_boxes_have_in_common() -> None:
    assert boxes.common(box(0, 0, 10, 10), box(5, -5, 20, 5)) == box(5, 0, 10, 5)
    assert boxes.common(box(0, 0, 10, 10), box(10, 0, 20, 10)) is None
