"""Spikes, and repairs as the report tells them."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from services.vector.geometry.repair import repair
from services.vector.geometry.spikes import without_spikes
from services.vector.model import Reason, RepairKind
from tests.support.geometries import Ring

_grid = st.integers(min_value=-4, max_value=4).map(float)
_rings = st.lists(st.tuples(_grid, _grid), min_size=3, max_size=12).map(
    lambda points: [*points, points[0]]
)


def wound_area(ring: Ring | np.ndarray) -> float:
    x, y = np.asarray(ring).T
    return abs(float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum())) / 2


@given(_rings)
def test_what_a_ring_winds_around_stays_without_its_spikes(ring: Ring) -> None:
    without, _ = without_spikes(np.array(ring))
    if len(without) < 4:
        assert wound_area(ring) == 0
        return
    assert wound_area(without) == wound_area(ring)
    assert (without[0] == without[-1]).all()
    again, tip = without_spikes(without)
    assert len(again) == len(without)
    assert tip is None


def test_a_ring_without_spikes_is_the_same_array() -> None:
    ring = np.array([(0, 0), (1, 0), (2, 0), (2, 2), (0, 0)], dtype=float)
    kept, tip = without_spikes(ring)
    assert kept is ring
    assert tip is None


def test_heights_stay_with_their_points() -> None:
    spiked = shapely.from_wkt("POLYGON Z((0 0 1,4 0 2,4 4 3,6 4 9,4 4 3,0 4 4,0 0 1))")
    found = repair(spiked, "structure")
    assert found.geometry.wkt == "POLYGON Z ((0 0 1, 4 0 2, 4 4 3, 0 4 4, 0 0 1))"
    assert found.at == (6, 4)
    assert not found.rebuilt


def test_several_faults_are_all_told() -> None:
    geometry = shapely.from_wkt(
        "MULTIPOLYGON(((0 0,4 0,4 4,6 4,4 4,0 4,0 0)),((9 9,9 9,9 9,9 9)),"
        "((20 0,22 2,22 0,20 2,20 0)))"
    )
    found = repair(geometry, "structure")
    assert found.kinds == [
        RepairKind.SPIKE,
        RepairKind.ZERO_AREA_PART,
        RepairKind.SELF_INTERSECTION,
    ]
    assert found.at == (6, 4)
    assert found.rebuilt
    assert found.geometry.area == pytest.approx(18)


def test_leftovers_of_a_repair_are_dropped_and_told() -> None:
    # Parts that share an edge: as linework, a piece of it is left over.
    geometry = shapely.from_wkt("MULTIPOLYGON(((0 0,4 0,4 4,0 4,0 0)),((4 1,6 1,6 3,4 3,4 1)))")
    found = repair(geometry, "linework")
    assert found.geometry.geom_type == "Polygon"
    assert found.geometry.area == 20
    assert found.details[-1] == "Left out 1 line or point that the repair produced."


def test_without_repair_the_fault_is_what_geos_says() -> None:
    found = repair(shapely.from_wkt("POLYGON((0 0,2 2,2 0,0 2,0 0))"), "none")
    assert found.geometry is None
    assert found.fault is not None
    assert found.fault.reason is Reason.INVALID_GEOMETRY
    assert found.fault.detail == "Self-intersection at 1 1."
    assert found.at == (1, 1)
