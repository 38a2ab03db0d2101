"""Crossings of the antimeridian: which are cut, which are left alone, and what comes out."""

from __future__ import annotations

import pytest
import shapely

from services.vector.geometry import antimeridian, measures
from services.vector.model import RepairKind
from tests.support.geometries import as_array, cleaned


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Jumping over the antimeridian, and running on beyond it: the same place.
        (
            "POLYGON((178 -18,-179 -18,-179 -16,178 -16,178 -18))",
            "MULTIPOLYGON(((178 -18,180 -18,180 -16,178 -16,178 -18)),"
            "((-180 -18,-179 -18,-179 -16,-180 -16,-180 -18)))",
        ),
        (
            "POLYGON((178 -18,181 -18,181 -16,178 -16,178 -18))",
            "MULTIPOLYGON(((178 -18,180 -18,180 -16,178 -16,178 -18)),"
            "((-180 -18,-179 -18,-179 -16,-180 -16,-180 -18)))",
        ),
        (
            "POLYGON((-182 0,-178 0,-178 2,-182 2,-182 0))",
            "MULTIPOLYGON(((178 0,180 0,180 2,178 2,178 0)),"
            "((-180 0,-178 0,-178 2,-180 2,-180 0)))",
        ),
        ("LINESTRING(170 0,-170 10)", "MULTILINESTRING((170 0,180 5),(-180 5,-170 10))"),
        ("LINESTRING(170 0,190 10)", "MULTILINESTRING((170 0,180 5),(-180 5,-170 10))"),
        # Back and forth.
        (
            "LINESTRING(179 0,-179 2,179 4)",
            "MULTILINESTRING((179 0,180 1),(-180 1,-179 2,-180 3),(180 3,179 4))",
        ),
        # A hole over the antimeridian, and one on the far side only.
        (
            "POLYGON((170 -10,-170 -10,-170 10,170 10,170 -10),"
            "(175 -5,-175 -5,-175 5,175 5,175 -5),(-179 6,-178 6,-178 7,-179 6))",
            "MULTIPOLYGON(((170 -10,180 -10,180 -5,175 -5,175 5,180 5,180 10,170 10,170 -10)),"
            "((-170 -10,-170 10,-180 10,-180 5,-175 5,-175 -5,-180 -5,-180 -10,-170 -10),"
            "(-179 6,-178 6,-178 7,-179 6)))",
        ),
        # Around a pole.
        (
            "POLYGON((0 80,90 80,180 80,-90 80,0 80))",
            "POLYGON((-180 80,180 80,180 90,-180 90,-180 80))",
        ),
        (
            "POLYGON((-90 -70,0 -70,90 -70,170 -70,-170 -70,-90 -70))",
            "POLYGON((-180 -70,180 -70,180 -90,-180 -90,-180 -70))",
        ),
        # A layer of 0 to 360 degrees, over Greenwich.
        (
            "POLYGON((358 50,2 50,2 52,358 52,358 50))",
            "POLYGON((-2 50,2 50,2 52,-2 52,-2 50))",
        ),
    ],
)
def test_what_crosses_is_cut_at_the_antimeridian(text: str, expected: str) -> None:
    found = cleaned(text)
    (geometry,) = found.geometry
    assert shapely.equals(geometry, shapely.from_wkt(expected)), geometry.wkt
    assert shapely.is_valid(geometry)
    (told,) = found.repairs
    assert told.kinds[0] in (RepairKind.ANTIMERIDIAN_CUT, RepairKind.LONGITUDE_WRAPPED)


@pytest.mark.parametrize(
    "text",
    [
        # Cut already, as Russia and Antarctica come.
        "MULTIPOLYGON(((170 60,180 60,180 70,170 70,170 60)),"
        "((-180 60,-170 60,-170 70,-180 70,-180 60)))",
        "MULTIPOLYGON(((-180 -90,180 -90,180 -84,0 -70,-180 -84,-180 -90)))",
        # The extent of something world-wide.
        "MULTIPOLYGON(((-180 -90,180 -90,180 90,-180 90,-180 -90)))",
        "MULTIPOLYGON(((-179 -85,179 -85,179 85,-179 85,-179 -85)))",
        # Wide, but in short steps.
        "MULTIPOLYGON(((-170 0,-60 0,60 0,170 0,170 10,60 10,-60 10,-170 10,-170 0)))",
        "MULTILINESTRING((-170 0,0 0,170 0))",
        # Parts on both sides are no jump.
        "MULTILINESTRING((179 0,180 0),(-180 0,-179 0))",
        "MULTIPOINT((179 0),(-179 0))",
    ],
)
def test_what_does_not_cross_is_left_alone(text: str) -> None:
    found = cleaned(text)
    assert found.geometry[0].wkt == shapely.from_wkt(text).wkt
    assert found.repairs == []


def test_what_lies_beyond_as_a_whole_is_moved() -> None:
    found = cleaned("POINT Z(190 10 5)", "POLYGON((190 0,200 0,200 10,190 0))", "POINT(-190 1)")
    assert found.geometry[0].wkt == "POINT Z (-170 10 5)"
    assert found.geometry[1].bounds == (-170, 0, -160, 10)
    assert found.geometry[2].wkt == "POINT (170 1)"
    assert [r.kinds for r in found.repairs] == [[RepairKind.LONGITUDE_WRAPPED]] * 3


def test_heights_are_interpolated_at_the_cut() -> None:
    found = cleaned("LINESTRING Z(170 0 5,190 10 6)")
    assert found.geometry[0].wkt == (
        "MULTILINESTRING Z ((170 0 5, 180 5 5.5), (-180 5 5.5, -170 10 6))"
    )


def test_a_crossing_polygon_that_is_invalid_is_repaired_where_it_lies() -> None:
    found = cleaned("POLYGON((178 0,-178 4,-178 0,178 4,178 0))")
    (told,) = found.repairs
    assert told.kinds == [RepairKind.SELF_INTERSECTION, RepairKind.ANTIMERIDIAN_CUT]
    assert found.geometry[0].area == pytest.approx(8)
    assert told.area_after == pytest.approx(told.area_before, rel=1e-6)


def test_cutting_keeps_the_area() -> None:
    jumping = shapely.from_wkt("POLYGON((179 -1,-178.5 -1.2,-179 1,179.2 1.1,179 -1))")
    running_on = antimeridian.unwrap(jumping)
    cut, turns = antimeridian.cut(running_on)
    assert turns == 2
    found = measures.areas(as_array([running_on, cut]))
    assert found[1] == pytest.approx(found[0])


def test_the_report_measures_what_was_meant_by_a_jump() -> None:
    found = cleaned("POLYGON((178 -18,-179 -18,-179 -16,178 -16,178 -18))")
    (told,) = found.repairs
    assert told.area_after == pytest.approx(3 * 2 * 110_600 * 111_300 * 0.956, rel=0.01)
    assert told.area_before == pytest.approx(told.area_after)
