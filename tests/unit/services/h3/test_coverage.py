"""Shares of pixels that polygons cover, beside those that GEOS cuts out one by one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import shapely

from services.h3 import coverage
from services.h3.model import Numbers

_WINDOW = (0, 0, 12, 12)
_ROUNDING = 1e-13

Ring = Sequence[tuple[float, float]]


def _padded(rings: Sequence[Ring]) -> tuple[Numbers, Numbers, np.ndarray]:
    """Behind a ring's vertices stands what must not be looked at."""
    vertices = np.array([len(ring) for ring in rings])
    points = np.full((len(rings), vertices.max() + 1, 2), np.nan)
    for place, ring in enumerate(rings):
        points[place, : len(ring)] = ring
    return points[:, :, 0], points[:, :, 1], vertices


def _shares(rings: Sequence[Ring], window: tuple[int, int, int, int] = _WINDOW) -> Numbers:
    """The shares as an array (polygons, rows, columns) of the window."""
    row, column, rows, columns = window
    found = np.zeros((len(rings), rows, columns))
    for part in coverage.shares(*_padded(rings), window):
        assert (part.weight > 0).all()
        assert (part.weight <= 1 + _ROUNDING).all()
        place = part.piece, part.row - row, part.column - column
        assert all((each >= 0).all() for each in place)
        assert not found[place].any(), "a pixel was given twice"
        found[place] = part.weight
    return found


def _oracle(rings: Sequence[Ring], window: tuple[int, int, int, int] = _WINDOW) -> Numbers:
    row, column, rows, columns = window
    pixel_rows, pixel_columns = np.mgrid[row : row + rows, column : column + columns]
    pixels = shapely.box(pixel_columns, pixel_rows, pixel_columns + 1, pixel_rows + 1)
    polygons = np.array([shapely.Polygon(ring) for ring in rings])
    assert shapely.is_valid(polygons).all()
    return np.asarray(shapely.area(shapely.intersection(polygons[:, None, None], pixels)))


def _stars(seed: int, count: int, *, size: float, rough: bool) -> list[Ring]:
    """Polygons around random places, some of which reach out of the window."""
    random = np.random.default_rng(seed)
    stars: list[Ring] = []
    while len(stars) < count:
        angles = np.sort(random.uniform(0, 2 * np.pi, random.integers(3, 9)))
        radii = size * (random.uniform(0.2, 1, len(angles)) if rough else np.ones(len(angles)))
        x, y = random.uniform(-1, 13, 2)
        ring = list(zip(x + radii * np.cos(angles), y + radii * np.sin(angles), strict=True))
        # Around a place that is not inside, a ring may cross itself.
        if shapely.Polygon(ring).is_valid:
            stars.append(ring)
    return stars


@pytest.mark.parametrize("size", [1e-6, 0.01, 0.5, 1.5, 6, 20])
@pytest.mark.parametrize("rough", [False, True], ids=["convex", "concave"])
def test_shares_are_areas_of_intersection(size: float, rough: bool) -> None:
    rings = _stars(1, 40, size=size, rough=rough)

    np.testing.assert_allclose(_shares(rings), _oracle(rings), rtol=0, atol=_ROUNDING)


@pytest.mark.parametrize("step", [1.0, 0.5])
def test_vertices_may_lie_on_lines_and_corners_of_the_grid(step: float) -> None:
    rough = [np.round(np.array(ring) / step) * step for ring in _stars(2, 200, size=4, rough=True)]
    rings = [ring for ring in rough if shapely.Polygon(ring).is_valid]
    assert len(rings) > 60

    np.testing.assert_allclose(_shares(rings), _oracle(rings), rtol=0, atol=_ROUNDING)


@pytest.mark.parametrize(
    "ring",
    [
        [(2, 3), (5, 3), (5, 7), (2, 7)],
        [(2.25, 3.5), (5.75, 3.5), (5.75, 7.125), (2.25, 7.125)],
        [(0, 0), (12, 0), (12, 12), (0, 12)],
        [(3, 3), (4, 3), (4, 4), (3, 4)],
        [(3.2, 3.3), (3.4, 3.3), (3.4, 3.6), (3.2, 3.6)],
        [(0, 6), (12, 6.0000001), (12, 6.5)],
        [(6, 0), (6.0000001, 12), (5.5, 12)],
        [(1, 1), (9, 1), (9, 9), (7, 9), (7, 3), (3, 3), (3, 9), (1, 9)],
    ],
    ids=["on lines", "box", "window", "pixel", "within", "flat", "steep", "u"],
)
def test_edges_may_be_level_and_upright(ring: Ring) -> None:
    np.testing.assert_allclose(_shares([ring]), _oracle([ring]), rtol=0, atol=_ROUNDING)


def test_a_pixel_that_is_touched_from_outside_has_no_share() -> None:
    covered = _shares([[(2, 3), (5, 3), (5, 7), (2, 7)]])[0]

    assert covered.sum() == 12
    assert np.count_nonzero(covered) == 12


def test_rings_turn_either_way_and_may_end_where_they_began() -> None:
    rings = _stars(3, 40, size=5, rough=True)

    expected = _shares(rings)

    for same in ([ring[::-1] for ring in rings], [[*ring, ring[0]] for ring in rings]):
        np.testing.assert_allclose(_shares(same), expected, rtol=0, atol=_ROUNDING)


@pytest.mark.parametrize(
    "window",
    [(4, 0, 8, 12), (0, 4, 12, 8), (0, 0, 8, 12), (0, 0, 12, 8), (4, 4, 4, 4), (5, 5, 1, 1)],
    ids=["top", "left", "bottom", "right", "all sides", "a pixel"],
)
def test_a_window_cuts_out_what_the_whole_has_there(window: tuple[int, int, int, int]) -> None:
    rings = _stars(4, 60, size=8, rough=True)
    row, column, rows, columns = window

    whole = _shares(rings)[:, row : row + rows, column : column + columns]

    np.testing.assert_allclose(_shares(rings, window), whole, rtol=0, atol=_ROUNDING)


def test_what_lies_beside_the_window_is_left_out() -> None:
    aside = [[(x, y), (x + 2, y), (x + 1, y + 2)] for x, y in [(-3, 5), (13, 5), (5, -3), (5, 13)]]

    assert not _shares(aside).any()
    assert not list(coverage.shares(np.zeros((0, 6)), np.zeros((0, 6)), np.zeros(0, int), _WINDOW))


@pytest.mark.parametrize("pixels", [0.05, 1, 5, 60])
@pytest.mark.parametrize("offset", [0, 123_456])
def test_shares_of_a_tiling_add_up_to_the_pixel(pixels: float, offset: int) -> None:
    """Triangles of random size that cover a square without gaps, far from the grid's origin."""
    side = 12
    random = np.random.default_rng(5)
    inner = random.uniform(0, side, (int(side * side / pixels / 2), 2))
    corners = [(0, 0), (side, 0), (0, side), (side, side)]
    points = np.concatenate([inner, corners]) + offset
    triangles = shapely.get_parts(shapely.delaunay_triangles(shapely.MultiPoint(points)))
    rings = shapely.get_coordinates(triangles).reshape(len(triangles), 4, 2)[:, :3]
    total = np.zeros((side, side))

    for part in coverage.shares(
        rings[:, :, 0], rings[:, :, 1], np.full(len(rings), 3), (offset, offset, side, side)
    ):
        np.add.at(total, (part.row - offset, part.column - offset), part.weight)

    np.testing.assert_allclose(total, 1, rtol=0, atol=1e-12)


def test_a_polygon_of_millions_of_pixels_comes_in_strips() -> None:
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    ring = np.stack([1000 + 900.3 * np.cos(angles), 1000 + 900.3 * np.sin(angles)], axis=1)
    found = np.zeros((2000, 2000))
    most = 0

    for part in coverage.shares(*_padded([ring]), (0, 0, 2000, 2000)):
        assert not found[part.row, part.column].any()
        found[part.row, part.column] = part.weight
        most = max(most, len(part.weight))

    area = shapely.Polygon(ring).area
    assert found.sum() == pytest.approx(area, rel=1e-12)
    assert found[1000, 1000] == 1
    assert most < area / 2


def test_batches_are_bounded_and_in_order() -> None:
    random = np.random.default_rng(6)
    count = 30_000
    corners = np.array([(0, 0), (3.5, 0.3), (3.1, 4.2), (0.2, 3.9)])
    rings = random.uniform(0, 500, (count, 1, 2)) + corners
    one = shapely.Polygon(corners).area
    sums = np.zeros(count)
    last = -1

    parts = list(
        coverage.shares(rings[:, :, 0], rings[:, :, 1], np.full(count, 4), (-9, -9, 520, 520))
    )

    assert len(parts) > 1
    for part in parts:
        assert len(part.weight) <= 1 << 16
        assert part.piece[0] > last
        last = part.piece[-1]
        order = np.lexsort((part.column, part.row, part.piece))
        np.testing.assert_array_equal(order, np.arange(len(order)))
        sums += np.bincount(part.piece, part.weight, minlength=count)
    np.testing.assert_allclose(sums, one, rtol=1e-12)


def test_coordinates_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        _shares([[(1, 1), (float("inf"), 1), (1, 2)]])
