"""What cleaning does to batches: each step, its account, and the whole on random geometries."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from services.vector.batch import Batch, Fault
from services.vector.geometry.cleaning import Cleaned, clean
from services.vector.model import CleaningOptions, Reason, RepairKind
from tests.support.geometries import (
    as_array,
    batch_of,
    broken_geometries,
    cleaned,
    cleaning,
    geometries,
)

_BOW_TIE = "POLYGON((0 0,2 2,2 0,0 2,0 0))"
_SQUARE = "POLYGON((0 0,1 0,1 1,0 1,0 0))"
_BOX = "(0 0,10 0,10 10,0 10,0 0)"


def the_one(found: Cleaned) -> shapely.Geometry:
    assert not found.faults, found.faults
    (geometry,) = found.geometry
    return geometry


def kinds(found: Cleaned) -> list[RepairKind]:
    (only,) = found.repairs
    return only.kinds


def fault(found: Cleaned) -> Fault:
    assert not len(found.rows)
    return found.faults[0]


def same(geometry: shapely.Geometry, text: str) -> bool:
    """Whether two geometries cover the same, whatever the order of their points."""
    return bool(shapely.equals(geometry, shapely.from_wkt(text)))


def test_valid_geometries_are_as_they_were_but_multi() -> None:
    found = cleaned("POINT(1 2)", "LINESTRING(0 0,1 1)", _SQUARE, None)
    assert [g and g.wkt for g in found.geometry] == [
        "POINT (1 2)",
        "MULTILINESTRING ((0 0, 1 1))",
        "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 1, 0 0)))",
        None,
    ]
    assert found.dimension.tolist() == [0, 1, 2, -1]
    assert found.rows.tolist() == [0, 1, 2, 3]
    assert found.repairs == []
    assert found.faults == {}
    assert found.counts == {"geometries": 3, "promoted": 2}


def test_nothing_is_promoted_unless_asked() -> None:
    found = cleaned("POINT(1 2)", _SQUARE, promote_to_multi=False)
    assert [g.geom_type for g in found.geometry] == ["Point", "Polygon"]
    found = cleaned("POINT(1 2)", _SQUARE, promote_points=True)
    assert [g.geom_type for g in found.geometry] == ["MultiPoint", "MultiPolygon"]


def test_the_batch_itself_stays_as_it_was() -> None:
    batch = batch_of(geometries(_BOW_TIE, "POINT(190 0)", "POINT(nan 1)"))
    before = [g.wkt for g in batch.geometry]
    clean(batch, cleaning(swap_axes=True))
    assert [g.wkt for g in batch.geometry] == before
    assert batch.faults == {}


def test_a_batch_of_nothing_is_nothing() -> None:
    found = cleaned()
    assert len(found.rows) == len(found.geometry) == len(found.dimension) == 0


@pytest.mark.parametrize(
    ("text", "expected", "kind"),
    [
        (_BOW_TIE, "MULTIPOLYGON(((1 1,2 2,2 0,1 1)),((0 0,0 2,1 1,0 0)))", "self_intersection"),
        (
            "POLYGON((0 0,4 0,4 4,2 0,0 4,0 0))",
            "MULTIPOLYGON(((0 0,0 4,2 0,0 0)),((2 0,4 4,4 0,2 0)))",
            "self_intersection",
        ),
        ("POLYGON((0 0,4 0,4 4,6 4,4 4,0 4,0 0))", "POLYGON((0 0,4 0,4 4,0 4,0 0))", "spike"),
        ("POLYGON((0 0,4 0,4 4,2 4,2 8,2 4,0 4,0 0))", "POLYGON((0 0,4 0,4 4,0 4,0 0))", "spike"),
        # A spike that overshoots and comes back only part of the way, and one at the ring's end.
        ("POLYGON((0 0,4 0,4 4,8 4,2 4,0 4,0 0))", "POLYGON((0 0,4 0,4 4,0 4,0 0))", "spike"),
        ("POLYGON((-3 0,4 0,4 4,0 4,0 0,-3 0))", "POLYGON((0 0,4 0,4 4,0 4,0 0))", "spike"),
        (
            f"POLYGON({_BOX},(12 12,12.5 12,12.5 12.5,12 12))",
            f"MULTIPOLYGON(({_BOX}),((12 12,12.5 12,12.5 12.5,12 12)))",
            "hole_outside_shell",
        ),
        (
            f"POLYGON({_BOX},(1 1,5 1,5 5,1 5,1 1),(2 2,3 2,3 3,2 2))",
            f"POLYGON({_BOX},(1 1,5 1,5 5,1 5,1 1))",
            "nested_holes",
        ),
        (f"MULTIPOLYGON(({_BOX}),((2 2,3 2,3 3,2 2)))", f"POLYGON({_BOX})", "nested_shells"),
        (f"MULTIPOLYGON(({_BOX}),({_BOX}))", f"POLYGON({_BOX})", "repeated_part"),
        (
            f"MULTIPOLYGON(({_BOX}),((10 10,0 10,0 0,10 0,10 10)))",
            f"POLYGON({_BOX})",
            "repeated_part",
        ),
        (
            f"POLYGON({_BOX},(1 1,5 1,5 5,1 1),(5 5,1 1,5 1,5 5))",
            f"POLYGON({_BOX},(1 1,5 1,5 5,1 1))",
            "repeated_part",
        ),
        (f"MULTIPOLYGON(({_BOX}),((20 0,21 1,22 2,20 0)))", f"POLYGON({_BOX})", "zero_area_part"),
        (f"POLYGON({_BOX},(1 1,2 2,3 3,1 1))", f"POLYGON({_BOX})", "zero_area_part"),
        (f"POLYGON({_BOX},(1 1,1 1,1 1,1 1))", f"POLYGON({_BOX})", "zero_area_part"),
        ("MULTILINESTRING((1 1,1 1),(0 0,1 1))", "LINESTRING(0 0,1 1)", "zero_area_part"),
        (
            "POLYGON((0 0,10 0,10 10,0 10,0 0),(0 5,5 0,10 5,5 10,0 5))",
            "MULTIPOLYGON(((0 5,5 0,0 0,0 5)),((0 10,5 10,0 5,0 10)),"
            "((10 10,10 5,5 10,10 10)),((10 0,5 0,10 5,10 0)))",
            "self_intersection",
        ),
        (f"MULTIPOLYGON(EMPTY,({_BOX}))", f"POLYGON({_BOX})", "empty_part"),
        ("POLYGON((0 0,0 0,1 0,1 1,0 1,0 1,0 0))", _SQUARE, "repeated_points"),
        ("LINESTRING(0 0,0 0,1 1)", "LINESTRING(0 0,1 1)", "repeated_points"),
    ],
)
def test_what_is_broken_is_repaired_and_named(text: str, expected: str, kind: str) -> None:
    found = cleaned(text)
    assert same(the_one(found), expected)
    assert shapely.is_valid(the_one(found))
    assert kinds(found) == [RepairKind(kind)]


@pytest.mark.parametrize(
    ("text", "reason", "words"),
    [
        ("POLYGON((0 0,1 1,2 2,0 0))", Reason.NOT_REPAIRABLE, "encloses no area"),
        ("POLYGON((0 0,0 0,0 0,0 0))", Reason.TOO_FEW_POINTS, "fewer than three different"),
        ("POLYGON((0 0,1 1,0 0,0 0))", Reason.TOO_FEW_POINTS, "fewer than three different"),
        ("LINESTRING(1 1,1 1)", Reason.TOO_FEW_POINTS, "no length"),
        ("MULTILINESTRING((1 1,1 1),(2 2,2 2))", Reason.TOO_FEW_POINTS, "no length"),
        ("POINT(nan 1)", Reason.BAD_COORDINATE, "Point 1"),
        ("LINESTRING(0 0,1 inf)", Reason.BAD_COORDINATE, "Point 2"),
        ("POINT(10 91)", Reason.OUT_OF_RANGE, "90 of latitude: 10 91"),
        ("POINT(500 0)", Reason.OUT_OF_RANGE, "360 degrees of longitude"),
        (
            f"MULTIPOLYGON(({_BOX}),((5 5,15 5,15 15,5 15,5 5)))",
            Reason.REPAIR_CHANGES_AREA,
            "max_area_change",
        ),
    ],
)
def test_what_cannot_be_loaded_is_set_aside_with_its_reason(
    text: str, reason: Reason, words: str
) -> None:
    found = cleaned(text)
    assert fault(found).reason is reason
    assert words in fault(found).detail


def test_a_repair_is_told_with_its_place_and_its_measures() -> None:
    found = cleaned("POLYGON((0 0,0.02 0,0.02 0.02,0.03 0.02,0.02 0.02,0 0.02,0 0))")
    (told,) = found.repairs
    assert told.position == 0
    assert told.fault == shapely.Point(0.03, 0.02)
    assert told.detail == "Removed a spike at 0.03 0.02."
    assert told.area_before == pytest.approx(2226.4**2, rel=0.01)
    assert told.area_after == pytest.approx(told.area_before)
    assert told.length_before is not None
    assert told.length_after is not None
    assert told.length_before - told.length_after == pytest.approx(2226.4, rel=0.01)
    assert told.before is not None
    assert not shapely.is_valid(told.before)
    assert shapely.equals(told.after, found.geometry[0])


def test_a_limit_of_zero_still_lets_through_what_keeps_the_area() -> None:
    assert kinds(cleaned(_BOW_TIE, max_area_change=0.0)) == [RepairKind.SELF_INTERSECTION]
    found = cleaned(f"MULTIPOLYGON(({_BOX}),((2 2,3 2,3 3,2 2)))", max_area_change=0.0)
    assert fault(found).reason is Reason.REPAIR_CHANGES_AREA
    assert found.fault_geometry[0] is not None


def test_linework_keeps_what_the_even_odd_rule_says() -> None:
    text = f"MULTIPOLYGON(({_BOX}),((2 2,3 2,3 3,2 2)))"
    assert the_one(cleaned(text, repair="linework")).area == pytest.approx(99.5)
    assert the_one(cleaned(text, repair="structure")).area == pytest.approx(100)


def test_without_repair_the_invalid_are_set_aside_and_the_rest_loaded() -> None:
    found = cleaned(_BOW_TIE, _SQUARE, "MULTILINESTRING((1 1,1 1),(0 0,1 1))", repair="none")
    assert found.rows.tolist() == [1]
    assert {f.reason for f in found.faults.values()} == {Reason.INVALID_GEOMETRY}
    assert found.faults[0].detail == "Self-intersection at 1 1."


def test_rings_are_turned_only_where_the_format_has_an_order() -> None:
    clockwise = "POLYGON((0 0,0 4,4 4,4 0,0 0),(1 1,2 1,2 2,1 1))"
    found = cleaned(clockwise, _SQUARE, _BOW_TIE, orient_rings=True)
    turned = found.geometry[0].geoms[0]
    assert turned.exterior.is_ccw
    assert not turned.interiors[0].is_ccw
    assert [r.kinds for r in found.repairs] == [
        [RepairKind.RING_ORDER],
        [RepairKind.SELF_INTERSECTION],
    ]
    assert all(part.exterior.is_ccw for part in found.geometry[2].geoms)
    assert cleaned(clockwise).repairs == []


def test_a_collection_becomes_a_row_for_each_dimension() -> None:
    found = cleaned(
        "GEOMETRYCOLLECTION(POINT(0 0),GEOMETRYCOLLECTION(LINESTRING(0 0,1 1),POINT(1 1)),"
        f"{_SQUARE},POLYGON((1 0,2 0,2 1,1 1,1 0)))",
        "POINT(5 5)",
    )
    assert found.rows.tolist() == [0, 0, 0, 1]
    assert found.dimension.tolist() == [0, 1, 2, 0]
    assert found.counts["collections_split"] == 1
    assert found.repairs == []
    assert same(found.geometry[2], "POLYGON((0 0,2 0,2 1,0 1,0 0))")


def test_a_collection_with_a_hopeless_member_is_set_aside_as_a_whole() -> None:
    found = cleaned("GEOMETRYCOLLECTION(POINT(0 0),LINESTRING(1 1,1 1))", "POINT(1 1)")
    assert found.rows.tolist() == [1]
    assert found.faults[0].reason is Reason.TOO_FEW_POINTS


def test_empty_geometries_are_rows_without_a_geometry() -> None:
    found = cleaned("POLYGON EMPTY", "GEOMETRYCOLLECTION EMPTY", "MULTIPOLYGON(EMPTY)")
    assert found.rows.tolist() == [0, 1, 2]
    assert found.geometry.tolist() == [None, None, None]
    assert found.counts["empty"] == 3


def test_heights_and_measures() -> None:
    texts = ("POINT ZM(1 2 3 4)", "POINT M(1 2 4)", "POINT(1 2)", "POINT Z(1 2 nan)")
    kept = cleaned(*texts, add_z=True)
    assert [g.wkt for g in kept.geometry] == [
        "POINT Z (1 2 3)",
        "POINT Z (1 2 0)",
        "POINT Z (1 2 0)",
        "POINT Z (1 2 0)",
    ]
    assert kept.counts["measures_left_out"] == 2
    assert kept.counts["heights_added"] == 3
    dropped = cleaned(*texts, drop_z=True)
    assert {g.wkt for g in dropped.geometry} == {"POINT (1 2)"}
    assert dropped.counts["heights_left_out"] == 2


def test_what_is_no_number_is_a_fault_and_no_warning() -> None:
    line = shapely.LineString([(0, 0), (1, 1)])
    broken = shapely.transform(line, lambda points: points * np.array([1, np.nan]))
    found = clean(
        batch_of(as_array([broken, shapely.MultiLineString([broken])])), cleaning(add_z=True)
    )
    assert {f.reason for f in found.faults.values()} == {Reason.BAD_COORDINATE}
    assert found.fault_geometry == {0: None, 1: None}


@pytest.mark.parametrize(
    "text",
    [
        "POLYGON((0 0,1 0,1 1,0 1,0 0),EMPTY)",
        "MULTIPOLYGON(EMPTY,((0 0,1 0,1 1,0 1,0 0),EMPTY))",
        "GEOMETRYCOLLECTION(POLYGON((0 0,1 0,1 1,0 1,0 0),EMPTY),POLYGON EMPTY)",
    ],
)
def test_empty_holes_are_left_out(text: str) -> None:
    found = cleaned(text)
    assert the_one(found).wkt == "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 1, 0 0)))"
    assert kinds(found) == [RepairKind.EMPTY_PART]


def test_points_that_differ_in_height_are_not_repeated() -> None:
    found = cleaned("LINESTRING Z(0 0 1,0 0 1,1 1 2,1 1 3,2 2 2)")
    assert the_one(found).wkt == "MULTILINESTRING Z ((0 0 1, 1 1 2, 1 1 3, 2 2 2))"


def test_axes_are_swapped_only_when_asked() -> None:
    found = cleaned("POINT Z(60 170 5)", "LINESTRING(60 100,61 101)", swap_axes=True)
    assert found.geometry[0].wkt == "POINT Z (170 60 5)"
    assert found.geometry[1].wkt == "MULTILINESTRING ((100 60, 101 61))"
    assert found.counts["axes_swapped"] == 2
    assert found.repairs == []
    assert fault(cleaned("POINT(60 170)")).reason is Reason.OUT_OF_RANGE


def test_rounding_beyond_the_limits_is_brought_back() -> None:
    found = cleaned("POINT(180.0000000001 -90.0000000001)")
    assert the_one(found).wkt == "POINT (180 -90)"
    assert kinds(found) == [RepairKind.CLAMPED]


def test_projected_coordinates_far_from_their_crs_are_set_aside() -> None:
    found = cleaned("POINT(500000 4649776)", "POINT(1e9 0)", source_crs="EPSG:32633")
    assert found.geometry[0].x == pytest.approx(15.0)
    assert found.geometry[0].y == pytest.approx(42.0, abs=1e-4)
    assert found.faults[1].reason is Reason.OUT_OF_RANGE


def test_what_has_no_place_in_the_target_is_set_aside() -> None:
    found = cleaned("POINT(0 90)", _SQUARE, target_crs="EPSG:3857")
    assert found.rows.tolist() == [1]
    assert found.faults[0].reason is Reason.PROJECTION_FAILED
    assert found.geometry[0].bounds[2] == pytest.approx(111319.49)


def test_heights_survive_reprojection() -> None:
    found = cleaned("POINT Z(500000 4649776 7)", "POINT(500000 0)", source_crs="EPSG:32633")
    assert found.geometry[0].z == 7
    assert not found.geometry[1].has_z


def test_without_a_source_crs_coordinates_stay_and_nothing_is_measured() -> None:
    found = cleaned("POINT(1e9 5)", _BOW_TIE, source_crs=None)
    assert found.geometry[0].x == 1e9
    (told,) = found.repairs
    assert told.area_before is None
    assert told.before is None


def test_what_crosses_in_a_projected_crs_is_cut_where_it_lands() -> None:
    # EPSG:3832 is centred on the Pacific.
    found = cleaned(
        "POLYGON((3000000 0,3500000 0,3500000 100000,3000000 100000,3000000 0))",
        source_crs="EPSG:3832",
    )
    geometry = the_one(found)
    assert len(geometry.geoms) == 2
    assert geometry.bounds[0] == -180
    assert geometry.bounds[2] == 180
    assert kinds(found) == [RepairKind.ANTIMERIDIAN_CUT]


def test_the_readers_faults_and_repairs_are_part_of_the_account() -> None:
    batch = batch_of(
        geometries(None, _SQUARE, _BOW_TIE),
        faults={0: Fault(Reason.MALFORMED, "Not JSON.")},
        mended={1: [RepairKind.RING_CLOSED], 2: [RepairKind.RING_CLOSED]},
    )
    found = clean(batch, cleaning())
    assert found.faults == {0: Fault(Reason.MALFORMED, "Not JSON.")}
    assert found.rows.tolist() == [1, 2]
    assert [r.kinds for r in found.repairs] == [
        [RepairKind.RING_CLOSED],
        [RepairKind.RING_CLOSED, RepairKind.SELF_INTERSECTION],
    ]
    assert batch.mended[2] == [RepairKind.RING_CLOSED]


def test_an_unknown_crs_is_an_error() -> None:
    with pytest.raises(ValueError, match="EPSG:999999"):
        cleaned("POINT(0 0)", source_crs="EPSG:999999")


def test_rings_end_where_they_began_byte_for_byte() -> None:
    ring = shapely.Polygon([(0.0, 0.0), (1, 0), (1, 1), (-0.0, 0.0)])
    found = clean(batch_of(as_array([ring])), cleaning())
    points = shapely.get_coordinates(found.geometry[0])
    assert points[0].tobytes() == points[-1].tobytes()


def test_rings_that_postgis_refuses_are_not_drawn() -> None:
    found = cleaned("POLYGON((0 0,1 1,0 0))", "GEOMETRYCOLLECTION(POLYGON((0 0,1 1,0 0)))")
    assert len(found.faults) == 2
    assert found.fault_geometry == {0: None, 1: None}


@settings(max_examples=150, deadline=None)
@given(
    found=st.lists(broken_geometries(), min_size=1, max_size=6),
    repair=st.sampled_from(["structure", "linework", "none"]),
    promote=st.booleans(),
    orient=st.booleans(),
    allowed=st.sampled_from([0.0, 0.1, 1.0]),
)
def test_whatever_comes_in_what_goes_out_is_sound(
    found: list[shapely.Geometry | None], repair: str, promote: bool, orient: bool, allowed: float
) -> None:
    options = cleaning(
        repair=repair,
        promote_to_multi=promote,
        promote_points=promote,
        orient_rings=orient,
        max_area_change=allowed,
    )
    assert_sound(batch_of(as_array(found)), options)


def assert_sound(batch: Batch, options: CleaningOptions) -> None:
    result = clean(batch, options)
    loaded, set_aside = set(result.rows.tolist()), set(result.faults)
    assert loaded | set_aside == set(range(len(batch)))
    assert not loaded & set_aside
    assert {r.position for r in result.repairs} <= loaded
    assert (np.diff(result.rows) >= 0).all()
    present = ~shapely.is_missing(result.geometry)
    assert shapely.is_valid(result.geometry[present]).all()
    assert not shapely.is_empty(result.geometry[present]).any()
    singles = {0: ("Point", "MultiPoint"), 1: ("LineString", "MultiLineString")}
    for geometry, dimension in zip(result.geometry, result.dimension.tolist(), strict=True):
        if geometry is None:
            assert dimension == -1
            continue
        types = singles.get(dimension, ("Polygon", "MultiPolygon"))
        assert geometry.geom_type in (types[1:] if options.promote_to_multi else types)


_POINT_AND_SQUARE = f"GEOMETRYCOLLECTION(POINT(5 5),{_SQUARE})"


def test_of_a_table_for_some_dimensions_others_are_set_aside() -> None:
    found = cleaned("POINT(1 2)", _SQUARE, None, "LINESTRING(0 0,1 1)", dimensions=(2, 0))
    assert found.rows.tolist() == [0, 1]
    assert {fault.reason for fault in found.faults.values()} == {Reason.WRONG_DIMENSION}
    assert found.faults[2].detail == "Consists of no geometry; what belongs here: polygons, points."
    assert found.faults[3].detail == "Consists of lines; what belongs here: polygons, points."
    assert found.fault_geometry[3] is not None


def test_records_without_a_geometry_belong_where_that_is_said() -> None:
    found = cleaned(_SQUARE, None, "POLYGON EMPTY", "POINT(1 2)", dimensions=(2, None))
    assert found.rows.tolist() == [0, 1, 2]
    assert list(found.faults) == [3]


@pytest.mark.parametrize("dimensions", [(2,), (0,), (0, 2)])
def test_one_row_holds_no_geometries_of_several_dimensions(dimensions: tuple[int, ...]) -> None:
    found = cleaned(_POINT_AND_SQUARE, dimensions=dimensions)
    assert fault(found).reason is Reason.WRONG_DIMENSION


def test_a_collection_of_one_dimension_is_no_such_mixture() -> None:
    found = cleaned(f"GEOMETRYCOLLECTION({_SQUARE},{_SQUARE})", dimensions=(2,))
    assert the_one(found).geom_type == "MultiPolygon"


def test_what_could_not_be_read_stays_that() -> None:
    batch = batch_of(as_array([None]), faults={0: Fault(Reason.MALFORMED, "cut short")})
    found = clean(batch, cleaning(dimensions=(2,)))
    assert fault(found).reason is Reason.MALFORMED
