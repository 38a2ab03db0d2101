"""What is broken is broken as it says: some can be repaired, the rest cannot be loaded."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from local.standins import shapes
from local.standins.dice import Dice
from local.standins.places import places
from local.standins.shapes import Areas, Flaws
from services.vector.geometry.cleaning import clean
from tests.support.geometries import batch_of, cleaning

COUNT = 4_000
FLAWS = Flaws(repairable=0.1, unrepairable=0.02)
DICE = Dice(11, np.arange(1, COUNT + 1))


def made(flaws: Flaws, count: int = COUNT) -> Areas:
    dice = Dice(11, np.arange(1, count + 1))
    site = places(dice)
    return shapes.areas(
        dice, site.longitude, site.latitude, scale=np.ones(count), vertices=40, flaws=flaws
    )


def test_without_flaws_all_are_valid_and_lie_on_the_globe() -> None:
    geometry = made(Flaws(0, 0)).geometry
    assert shapely.is_valid(geometry).all()
    assert set(shapely.get_type_id(geometry)) == {shapely.GeometryType.MULTIPOLYGON}
    west, south, east, north = shapely.total_bounds(geometry)
    assert -180 < west < east < 180
    assert -85 < south < north < 85
    assert (shapely.get_num_geometries(geometry) == 2).mean() > 0.05
    assert (shapely.get_num_interior_rings(shapely.get_geometry(geometry, 0)) == 1).mean() > 0.02


def test_they_have_about_as_many_vertices_as_asked_for() -> None:
    vertices = shapely.get_num_coordinates(made(Flaws(0, 0)).geometry)
    assert 35 < vertices.mean() < 55
    assert vertices.max() > 4 * vertices.mean()


def test_their_size_is_that_of_the_outline() -> None:
    found = made(Flaws(0, 0))
    one_part = shapely.get_num_geometries(found.geometry) == 1
    whole = shapely.get_num_coordinates(found.geometry) > 0
    shells = shapely.polygons(
        shapely.get_exterior_ring(shapely.get_geometry(found.geometry[one_part & whole], 0))
    )
    latitude = shapely.get_y(shapely.centroid(shells))
    km2 = shapely.area(shells) * 111.195**2 * np.cos(np.radians(latitude))
    assert np.allclose(km2, found.km2[one_part & whole], rtol=0.05)


def test_every_kind_of_fault_is_there() -> None:
    geometry = made(Flaws(FLAWS.repairable, 0)).geometry
    reasons = {
        reason.partition("[")[0]
        for reason in shapely.is_valid_reason(geometry)
        if reason != "Valid Geometry"
    }
    assert {"Self-intersection", "Ring Self-intersection", "Hole lies outside shell"} <= reasons
    repeated = shapely.get_num_coordinates(geometry) > shapely.get_num_coordinates(
        shapely.remove_repeated_points(geometry)
    )
    assert repeated.sum() > COUNT * FLAWS.repairable / 8


def test_cleaning_loses_just_those_that_are_beyond_repair() -> None:
    geometry = made(FLAWS).geometry
    loadable = shapes.are_loadable(DICE, FLAWS)
    found = clean(batch_of(geometry), cleaning())
    polygons = set(found.rows[found.dimension == 2].tolist())
    assert polygons == set(np.flatnonzero(loadable).tolist())
    # The others are in quarantine, or have no geometry at all.
    lost = set(np.flatnonzero(~loadable).tolist())
    missing = set(np.flatnonzero(shapely.is_missing(geometry)).tolist())
    assert set(found.faults) == lost - missing
    assert missing
    assert len({fault.reason for fault in found.faults.values()}) == 2


@pytest.mark.parametrize("count", [0, 1])
def test_few_or_none_are_made_as_well(count: int) -> None:
    assert len(made(FLAWS, count).geometry) == count


def test_points_lie_where_they_shall() -> None:
    site = places(DICE)
    geometry = shapes.points(DICE, site.longitude, site.latitude, flaws=FLAWS)
    loadable = shapes.are_loadable(DICE, FLAWS)
    points = shapely.get_geometry(geometry[loadable], 0)
    assert np.allclose(shapely.get_x(points), site.longitude[loadable])
    lost = geometry[~loadable]
    assert shapely.is_missing(lost).any()
    assert (shapely.bounds(lost[~shapely.is_missing(lost)])[:, 1] > 90).all()
