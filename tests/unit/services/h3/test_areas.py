"""Areas: what they hold, however they are written, and what is refused."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import numpy as np
import pytest
import shapely
from shapely.geometry import mapping

from core.errors import PermanentTaskError
from services.h3 import areas, cells
from services.h3.areas import Area
from services.h3.model import Box, Cells

WORLD = Box(west=-180, south=-90, east=180, north=90)

Ring = list[tuple[float, float]]

FIJI: Ring = [(176.5, -19.5), (182.0, -19.2), (181.2, -15.5), (178.0, -15.9), (176.5, -19.5)]
CHUKOTKA: Ring = [
    (27.0, 69.0), (60.0, 50.0), (135.0, 43.0), (190.0, 64.5), (185.0, 72.0), (100.0, 78.0),
    (27.0, 69.0),
]  # fmt: skip


def polygon(*rings: Ring) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [[list(point) for point in ring] for ring in rings]}


def box(west: float, south: float, east: float, north: float) -> Box:
    return Box(west=west, south=south, east=east, north=north)


def held(area: Area, resolution: int) -> Cells:
    """Its cells, looked for in the boxes that it says it lies in."""
    found = np.concatenate([cells.in_box(each, resolution, area) for each in area.boxes()])
    assert (np.sort(found) == cells.in_box(WORLD, resolution, area)).all()
    return np.sort(found)


def jumping(ring: Ring) -> Ring:
    """As GeoJSON writers have it that do not cut: longitudes within -180 to 180."""
    return [(x if x <= 180 else x - 360, y) for x, y in ring]


def split(ring: Ring) -> dict[str, Any]:
    """As RFC 7946 wants it."""
    shape = shapely.Polygon(ring)
    west = shapely.intersection(shape, shapely.box(-180, -90, 180, 90))
    east = shapely.intersection(shape, shapely.box(180, -90, 540, 90))
    moved = shapely.transform(east, lambda points: points - [360, 0])
    document = mapping(shapely.MultiPolygon([west, moved]))
    return dict(json.loads(json.dumps(document)))


@pytest.mark.parametrize("ring", [FIJI, CHUKOTKA], ids=["fiji", "russia"])
@pytest.mark.parametrize("resolution", [2, 4])
def test_what_crosses_the_antimeridian_has_the_same_cells_however_it_is_written(
    ring: Ring, resolution: int
) -> None:
    found = held(areas.of_polygon(polygon(ring)), resolution)
    assert len(found) > 0
    for document in (polygon(jumping(ring)), split(ring), polygon([(x - 360, y) for x, y in ring])):
        assert held(areas.of_polygon(document), resolution).tolist() == found.tolist()
    x, y = cells.centres(cells.in_box(WORLD, resolution))
    shape = shapely.Polygon(ring)
    inside = shapely.intersects_xy(shape, x, y) | shapely.intersects_xy(shape, x + 360, y)
    assert inside.sum() == len(found)


def test_an_area_across_the_antimeridian_lies_in_two_boxes() -> None:
    east, west = areas.of_polygon(polygon(FIJI)).boxes()
    assert (east.west, east.east) == (176.5, 180.0)
    assert (west.west, west.east) == (-180.0, pytest.approx(-178.0))
    assert west.south == pytest.approx(-19.3, abs=0.1)
    # Islands on both sides that do not reach it.
    islands = areas.of_polygon(
        {
            "type": "MultiPolygon",
            "coordinates": [
                polygon([(170, -45), (178, -40), (171, -40), (170, -45)])["coordinates"],
                polygon([(-176, -44), (-175, -44), (-176, -43), (-176, -44)])["coordinates"],
            ],
        }
    )
    assert [(each.west, round(each.east, 9)) for each in islands.boxes()] == [
        (170, 178),
        (-176, -175),
    ]


def test_an_area_in_several_parts_lies_in_one_box_where_that_is_narrower() -> None:
    overseas = areas.Area(
        shapely.MultiPolygon([shapely.box(-54, 2, -51, 5), shapely.box(0, 43, 7, 50)])
    )
    [around] = overseas.boxes()
    assert (around.west, around.south) == (-54, 2)
    # A box ends before its east and north, which belong to the area.
    assert (around.east, around.north) == (math.nextafter(7, 8), math.nextafter(50, 51))
    [everything] = areas.of_bbox((-180.0, -90.0, 180.0, 90.0)).boxes()
    assert everything == WORLD


def test_antarctica_has_the_same_cells_with_and_without_its_edge_along_the_pole() -> None:
    coast = [(float(x), -72 + 6 * math.sin(math.radians(3 * x))) for x in range(-180, 181, 10)]
    laid_out = areas.of_polygon(polygon([(-180, -90), *coast, (180, -90), (-180, -90)]))
    around_the_pole = areas.of_polygon(polygon([*coast[:-1], coast[0]]))
    found = held(laid_out, 3)
    assert held(around_the_pole, 3).tolist() == found.tolist()
    x, y = cells.centres(cells.in_box(WORLD, 3))
    expected = y <= np.interp(x, *np.array(coast).T)
    assert len(found) == expected.sum() > 1000
    assert laid_out.boxes()[0].south == -90


def test_holes_are_left_out() -> None:
    shell: Ring = [(10, 0), (30, 0), (30, 20), (10, 20), (10, 0)]
    hole: Ring = [(15, 5), (15, 15), (25, 15), (25, 5), (15, 5)]
    whole = set(held(areas.of_polygon(polygon(shell)), 4).tolist())
    inner = set(held(areas.of_polygon(polygon(hole)), 4).tolist())
    assert inner < whole
    assert set(held(areas.of_polygon(polygon(shell, hole)), 4).tolist()) == whole - inner
    across = areas.of_polygon(
        polygon([(x + 160, y) for x, y in shell], [(x + 160, y) for x, y in hole])
    )
    assert not across.contains(np.array([-179.0, 179.0]), np.array([10.0, 10.0])).any()
    assert across.contains(np.array([-171.0, 171.0]), np.array([1.0, 1.0])).all()


def test_edges_belong_to_an_area_those_along_the_antimeridian_too() -> None:
    area = areas.of_bbox((170.0, -10.0, -170.0, 10.0))
    x = np.array([170.0, 180.0, -180.0, -170.0, 175.0, 169.9, 0.0])
    y = np.array([0.0, 0.0, 0.0, 10.0, -10.0, 0.0, 0.0])
    assert area.contains(x, y).tolist() == [True] * 5 + [False] * 2


def test_a_bbox_across_the_antimeridian_has_the_cells_of_both_sides() -> None:
    across = held(areas.of_bbox((175.0, -20.0, -175.0, -10.0)), 4)
    sides = [
        areas.of_bbox((175.0, -20.0, 180.0, -10.0)),
        areas.of_bbox((-180.0, -20.0, -175.0, -10.0)),
    ]
    assert across.tolist() == np.sort(np.concatenate([held(each, 4) for each in sides])).tolist()
    up_to_it = areas.of_bbox((175.0, -20.0, -180.0, -10.0))
    assert held(up_to_it, 4).tolist() == held(sides[0], 4).tolist()


def test_an_area_is_kept_as_geojson_to_the_last_digit() -> None:
    random = np.random.default_rng(2)
    ring = [tuple(point) for point in random.uniform([10, 10], [11, 11], (5, 2)).tolist()]
    hull = shapely.convex_hull(shapely.MultiPoint(ring))
    for area in (areas.Area(hull), areas.of_polygon(polygon(FIJI))):
        document = json.loads(json.dumps(area.as_geojson()))
        assert shapely.equals_identical(areas.from_geojson(document).geometry, area.geometry)


def test_what_crosses_itself_is_repaired_and_says_so() -> None:
    bow_tie = areas.of_polygon(polygon([(0, 0), (10, 10), (10, 0), (0, 10), (0, 0)]))
    assert shapely.is_valid(bow_tie.geometry)
    assert bow_tie.geometry.area == pytest.approx(50)
    [repair] = bow_tie.repairs
    assert "5 5" in repair
    assert areas.of_polygon(polygon(FIJI)).repairs == ()


def test_parts_that_overlap_count_once() -> None:
    both = areas.of_polygon(
        {
            "type": "MultiPolygon",
            "coordinates": [
                polygon([(0, 0), (10, 0), (10, 10), (0, 10), (0, 0)])["coordinates"],
                polygon([(5, 0), (15, 0), (15, 10), (5, 10), (5, 0)])["coordinates"],
            ],
        }
    )
    assert both.geometry.area == pytest.approx(150)
    assert len(both.repairs) > 0


def test_an_edge_of_more_than_half_a_turn_goes_the_short_way_but_for_extents_of_the_world() -> None:
    def rectangle(south: float, north: float) -> Area:
        ring: Ring = [(-100, south), (100, south), (100, north), (-100, north), (-100, south)]
        return areas.of_polygon(polygon(ring))

    assert [(each.west, round(each.east, 9)) for each in rectangle(0, 50).boxes()] == [
        (100, 180),
        (-180, -100),
    ]
    [extent] = rectangle(-60, 70).boxes()
    assert (extent.west, round(extent.east, 9)) == (-100, 100)


def test_heights_are_left_out() -> None:
    high = areas.of_polygon(polygon([(0, 0, 5), (1, 0, 5), (1, 1, 5), (0, 0, 5)]))  # type: ignore[list-item]
    assert not high.geometry.has_z


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({}, "must be Polygon or MultiPolygon, not None"),
        ({"type": "Point", "coordinates": [1, 2]}, "not 'Point'"),
        ({"type": "Feature", "geometry": polygon(FIJI)}, "not 'Feature'"),
        ({"type": "Polygon"}, "coordinates"),
        ({"type": "Polygon", "coordinates": []}, "empty"),
        ({"type": "Polygon", "coordinates": [[["a", 1], [2, 3], [3, 4], ["a", 1]]]}, "number"),
        (polygon([(0, 0), (1, 0), (1, 1)]), "closed"),
        (polygon([(0, 0), (1, 0), (2, 0), (0, 0)]), "area"),
        (polygon([(0, 0), (1, 91), (2, 0), (0, 0)]), "latitudes"),
        (polygon([(500_000, 0), (500_001, 1), (500_002, 0), (500_000, 0)]), "longitudes"),
        (polygon([(-200, 0), (200, 1), (200, 0), (-200, 0)]), "longitudes"),
        (polygon([(0, 0), (math.nan, 1), (2, 0), (0, 0)]), "number"),
        (polygon([(0, 0), (10**400, 1), (2, 0), (0, 0)]), "range"),
    ],
)
def test_what_is_no_polygon_is_refused_by_name(document: dict[str, Any], says: str) -> None:
    with pytest.raises(PermanentTaskError, match=r"^polygon ") as refused:
        areas.of_polygon(document)
    assert refused.value.error_code == "polygon_invalid"
    assert refused.value.details["field"] == "polygon"
    assert says in refused.value.message


def test_a_box_is_touched_by_more_than_an_edge() -> None:
    area = areas.of_bbox((30.0, 0.0, 31.0, 1.0))
    tiles = [box(x, y, x + 1, y + 1) for x, y in itertools.product((29, 30, 31), (-1, 0, 1))]
    assert [tile for tile in tiles if area.touches(tile)] == [box(30, 0, 31, 1)]
    assert area.touching(tiles).tolist() == [area.touches(tile) for tile in tiles]
    assert area.touching([]).tolist() == []
    assert area.touches(box(30.4, 0.4, 30.5, 0.5))
    assert area.touches(WORLD)
    fiji = areas.of_polygon(polygon(FIJI))
    touched = [x for x in range(-180, 180) if fiji.touches(box(x, -17, x + 1, -16))]
    assert touched == [-180, -179, 176, 177, 178, 179] or touched == [-180, -179, 177, 178, 179]


def test_boxes_that_run_on_beyond_the_antimeridian_are_seen_on_both_sides() -> None:
    area = areas.of_bbox((175.0, -10.0, -170.0, 10.0))
    west = np.array([176.0, 170.0, -179.0, -190.0, -185.1, 0.0, -360.0 + 176])
    east = np.array([185.0, 185.0, -171.0, -181.0, -170.5, 360.0, -171.0])
    south, north = np.full(7, -5.0), np.full(7, 5.0)
    touched, covered = area.against(west, south, east, north)
    assert touched.all()
    assert covered.tolist() == [True, False, True, False, False, False, True]
    touched, covered = area.against(west, south + 20, east, north + 20)
    assert not touched.any()
    assert not covered.any()
