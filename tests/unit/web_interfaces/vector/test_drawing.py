"""Geometries as SVG: what is shown, where, and how much of it."""

from __future__ import annotations

import re

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from web_interfaces.pages.assets import assets
from web_interfaces.vector import drawing
from web_interfaces.vector.drawing import HEIGHT, WIDTH, Drawing, draw, overview

NUMBER = r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?"


def wkb(text: str) -> bytes:
    return bytes(shapely.to_wkb(shapely.from_wkt(text)))


def pairs(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(f"({NUMBER}) ({NUMBER})", path)]


def rings(path: str) -> int:
    return path.count("Z")


SQUARE = "POLYGON ((10 50, 10.2 50, 10.2 50.1, 10 50.1, 10 50))"
HOLED = "POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0), (1 1, 2 1, 2 2, 1 2, 1 1))"


def only(drawings: list[Drawing]) -> Drawing:
    assert len(drawings) == 1
    return drawings[0]


def test_north_is_up_and_east_is_right() -> None:
    points = pairs(only(draw(wkb(SQUARE), None)).before)

    (west, south), (east, _), (_, north) = points[0], points[1], points[2]
    assert west < east
    assert north < south


def test_everything_is_in_the_box_with_a_margin() -> None:
    points = pairs(only(draw(wkb(SQUARE), wkb("POINT (10.4 49.9)"))).before)

    assert all(0 < x < WIDTH and 0 < y < HEIGHT for x, y in points)


def test_shapes_keep_their_proportions() -> None:
    """A degree of longitude is half as long as one of latitude at 60 degrees north."""
    points = pairs(only(draw(wkb("POLYGON ((0 60, 2 60, 2 61, 0 61, 0 60))"), None)).before)

    width = points[1][0] - points[0][0]
    height = points[1][1] - points[2][1]
    assert width / height == pytest.approx(2 * np.cos(np.radians(60.5)), rel=0.01)


@pytest.mark.parametrize(
    ("text", "closed"),
    [
        (HOLED, 2),
        ("MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)), ((2 2, 3 2, 3 3, 2 2)))", 2),
        ("GEOMETRYCOLLECTION (POLYGON ((0 0, 1 0, 1 1, 0 0)), LINESTRING (2 2, 3 3))", 1),
        ("GEOMETRYCOLLECTION (GEOMETRYCOLLECTION (MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)))))", 1),
        ("MULTILINESTRING ((0 0, 1 1), (2 2, 3 3))", 0),
        ("MULTIPOINT ((0 0), (1 1))", 0),
    ],
)
def test_every_ring_of_every_part_is_drawn(text: str, closed: int) -> None:
    drawn = only(draw(wkb(text), None)).before

    assert rings(drawn) == closed
    assert drawn.startswith("M")


def test_a_single_point_is_a_dot_in_the_middle() -> None:
    drawn = only(draw(wkb("POINT (7 51)"), None))

    assert drawn.before == f"M{WIDTH / 2:g} {HEIGHT / 2:g}h0"


@pytest.mark.parametrize(
    "geometry", [None, wkb("POLYGON EMPTY"), wkb("POINT EMPTY"), wkb("POINT (nan nan)")]
)
def test_nothing_to_draw_is_no_drawing(geometry: bytes | None) -> None:
    assert draw(geometry, None) == []


def test_coordinates_that_are_no_numbers_are_left_out() -> None:
    with np.errstate(invalid="ignore"):
        broken = bytes(
            shapely.to_wkb(shapely.linestrings([[0, 0], [np.nan, 1], [np.inf, 2], [1, 1]]))
        )

    drawn = only(draw(broken, None))

    assert len(pairs(drawn.before)) == 2


def ragged(vertices: int) -> shapely.Polygon:
    """A circle of a degree whose outline goes in and out."""
    turn = np.linspace(0, 2 * np.pi, vertices, endpoint=False)
    radius = 1 + 0.01 * np.sin(40 * turn)
    return shapely.Polygon(np.column_stack([radius * np.cos(turn), radius * np.sin(turn)]))


def test_a_fault_in_a_large_geometry_is_shown_closer_too() -> None:
    shape = ragged(2000)
    fault = shape.exterior.coords[500]

    whole, close = draw(bytes(shapely.to_wkb(shape)), None, (fault[0], fault[1]))

    assert close.fault == (WIDTH / 2, HEIGHT / 2)
    assert whole.fault != close.fault
    assert whole.vertices == ""
    assert close.vertices.count("M") >= 10
    # What lies far beyond the box is not sent.
    assert len(pairs(close.before)) < 100


def test_a_small_geometry_needs_no_closer_view() -> None:
    assert len(draw(wkb(SQUARE), None, (10.0, 50.0))) == 1


def test_a_large_geometry_makes_a_small_drawing() -> None:
    whole = draw(bytes(shapely.to_wkb(ragged(150_000))), None)[0]

    assert len(whole.before) < 50_000


def test_a_geometry_without_end_is_not_drawn() -> None:
    assert draw(bytes(shapely.to_wkb(ragged(300_000))), None) == []


@given(st.integers(0, 2**32 - 1))
def test_thinning_changes_nothing_inside_the_box(seed: int) -> None:
    """Whatever wanders around the box, what is seen through it stays the same."""
    random = np.random.default_rng(seed)
    steps = random.normal(0, 260, (60, 2))
    pixels = np.cumsum(steps, axis=0) + np.array([WIDTH / 2, HEIGHT / 2])
    pixels = np.round(pixels, 1)
    box = shapely.box(0, 0, WIDTH, HEIGHT)

    thinned = drawing._thinned(pixels)

    before = shapely.intersection(shapely.LineString(pixels), box)
    after = shapely.intersection(shapely.LineString(thinned), box)
    assert before.is_empty == after.is_empty
    assert before.is_empty or shapely.hausdorff_distance(before, after) < 1e-6
    assert after.length == pytest.approx(before.length, abs=1e-6)


def test_the_graticule_is_labelled_with_round_degrees() -> None:
    drawn = only(
        draw(wkb("POLYGON ((-73.98 40.76, -73.96 40.76, -73.96 40.79, -73.98 40.76))"), None)
    )

    assert [line.label for line in drawn.parallels] == [
        "40.76° N",
        "40.77° N",
        "40.78° N",
        "40.79° N",
    ]
    assert all(re.fullmatch(r"\d+\.\d\d° W", line.label) for line in drawn.meridians)


def test_the_equator_and_the_prime_meridian_have_no_side() -> None:
    drawn = only(draw(wkb("POLYGON ((-2 -1, 2 -1, 2 1, -2 1, -2 -1))"), None))

    assert "0.0° N" not in {line.label for line in drawn.parallels}
    assert {line.label.rstrip("°")[:1] for line in drawn.parallels} >= {"0"}


@pytest.mark.parametrize(
    ("half", "text"), [(0.0005, "50 m"), (0.01, "1 km"), (1.0, "100 km"), (80.0, None)]
)
def test_the_scale_bar_is_round_and_left_out_across_continents(
    half: float, text: str | None
) -> None:
    square = shapely.box(-half, -half, half, half)

    scale = only(draw(bytes(shapely.to_wkb(square)), None)).scale

    assert (scale and scale[1]) == text
    assert scale is None or 40 < scale[0] < WIDTH / 2


def test_the_world_lies_under_what_is_large_enough() -> None:
    europe = only(draw(wkb("POLYGON ((-10 36, 30 36, 30 70, -10 70, -10 36))"), None))

    assert only(draw(wkb(SQUARE), None)).land is None
    place = re.fullmatch(
        rf"translate\(({NUMBER}) ({NUMBER})\) scale\(({NUMBER}) ({NUMBER})\)", europe.land or ""
    )
    assert place is not None
    x, y, across, down = map(float, place.groups())
    west, south = pairs(europe.before)[0]
    assert (x - 10 * across, y - 36 * down) == pytest.approx((west, south), abs=0.2)


@pytest.mark.parametrize(
    ("longitude", "latitude", "land"),
    [
        (10.0, 50.0, True),
        (-100.0, 40.0, True),
        (0.0, -85.0, True),
        (179.0, 68.0, True),
        (-30.0, 40.0, False),
        (-150.0, 0.0, False),
        (50.0, 42.0, False),
    ],
)
def test_the_land_is_where_it_is(longitude: float, latitude: float, land: bool) -> None:
    path = assets()["vendor/natural-earth/land.svg"].content.decode().partition(' d="')[2]
    crossings = 0
    for ring in path.split("Z")[:-1]:
        crossings += shapely.Polygon(pairs(ring)).contains(shapely.Point(longitude, -latitude))

    assert (crossings % 2 == 1) == land


def test_places_are_put_on_one_graticule() -> None:
    frame, placed = overview([(10.0, 50.0), (11.0, 50.5), (10.5, 50.2)])

    assert len(placed) == 3
    assert placed[0][0] < placed[2][0] < placed[1][0]
    assert placed[0][1] > placed[2][1] > placed[1][1]
    assert frame.before == frame.after == ""
    assert frame.meridians


@pytest.mark.parametrize("points", [[(180.0, 90.0), (-180.0, -90.0)], [(5.0, 5.0), (5.0, 5.0)]])
def test_the_globe_and_a_single_place_have_an_overview(points: list[tuple[float, float]]) -> None:
    _, placed = overview(points)

    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in placed)
