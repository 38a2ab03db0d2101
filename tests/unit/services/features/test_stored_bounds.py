"""Boxes in degrees as bounds in other CRSs: they must enclose, or be unknown."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from infrastructure.features_selection import Bounds
from services.features.stored_bounds import stored_bounds

# EPSG code, and where the CRS is used: UTM, web Mercator, polar, one cut at 30 W, US feet, degrees.
SYSTEMS: dict[int, Bounds] = {
    32633: (11.0, 0.0, 19.0, 84.0),
    3857: (-180.0, -85.0, 180.0, 85.0),
    3035: (-16.0, 32.0, 41.0, 75.0),
    3413: (-180.0, 60.0, 180.0, 90.0),
    3031: (-180.0, -90.0, 180.0, -60.0),
    3832: (-180.0, -60.0, 180.0, 66.0),
    2263: (-74.3, 40.4, -71.8, 41.4),
    4258: (-16.0, 32.0, 41.0, 75.0),
}


@st.composite
def boxes(draw: st.DrawFn) -> Bounds:
    west, east = sorted((draw(st.floats(-180, 180)), draw(st.floats(-180, 180))))
    south, north = sorted((draw(st.floats(-90, 90)), draw(st.floats(-90, 90))))
    return west, south, east, north


@pytest.mark.parametrize("srid", SYSTEMS)
@settings(max_examples=60, deadline=None)
@given(box=boxes(), seed=st.integers(0, 2**32 - 1))
def test_what_lies_in_the_box_lies_in_the_bounds(srid: int, box: Bounds, seed: int) -> None:
    extent = SYSTEMS[srid]
    bounds = stored_bounds(box, srid, extent)
    if bounds is None:
        return
    west, south = max(box[0], extent[0]), max(box[1], extent[1])
    east, north = min(box[2], extent[2]), min(box[3], extent[3])
    if west > east or south > north:
        return
    generator = np.random.default_rng(seed)
    longitudes = generator.uniform(west, east, 200)
    latitudes = generator.uniform(south, north, 200)
    x, y = Transformer.from_crs(4326, srid, always_xy=True).transform(longitudes, latitudes)
    assert (bounds[0] <= x).all()
    assert (x <= bounds[2]).all()
    assert (bounds[1] <= y).all()
    assert (y <= bounds[3]).all()


@pytest.mark.parametrize("srid", SYSTEMS)
def test_bounds_are_known_where_the_crs_is_used(srid: int) -> None:
    west, south, east, north = SYSTEMS[srid]
    inner = (west + 1e-3, (south + north) / 2, west + 1e-3 + (east - west) / 4, north - 1e-3)
    assert stored_bounds(inner, srid, SYSTEMS[srid]) is not None


def test_a_small_box_has_small_bounds() -> None:
    west, south, east, north = stored_bounds((15.0, 50.0, 15.01, 50.01), 32633, None) or (0,) * 4
    assert east - west < 4_000
    assert north - south < 4_000


def test_the_whole_world_in_a_zone_s_crs_is_cut_to_where_something_is() -> None:
    bounds = stored_bounds((-180, -90, 180, 90), 32633, (12.0, 48.0, 18.0, 51.0))
    assert bounds is not None
    assert bounds[0] > 200_000
    assert bounds[3] < 5_800_000


def test_an_unknown_crs_has_no_bounds() -> None:
    assert stored_bounds((0, 0, 1, 1), 999_999, None) is None
