"""Rasters of one grid as one: which share their pixels' grid, and where in it each of them lies."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from services.h3.model import Grid, Member, Mosaic, SourceRaster
from services.h3.planes import Plane
from services.vector.inference.crs import same_crs

# Of a pixel: by so much corners may miss the common grid. Transforms are written with some twelve
# digits, and by some programs with seven.
_OFF = 0.01
# Significant digits of a transform by which rasters are first sorted into likely ones.
_LIKE = 5
# Along a pixel: each as wide as twice of what a corner may miss, so that what is on one grid is
# in one of them, or in neighbours.
_SQUARES = round(1 / (2 * _OFF))

# (a, b, d, e) of a transform.
_Steps = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class _Placed:
    """A raster, by its number, and the pixels of a common grid that it has."""

    raster: int
    column: int
    row: int
    columns: int
    rows: int


def go_on() -> None:
    """What is asked between steps where nobody may stop them."""


def mosaics(
    rasters: Sequence[SourceRaster], check: Callable[[], None] = go_on
) -> tuple[Mosaic, ...]:
    """The rasters in mosaics: those of one CRS, of pixels of one size, whole pixels apart.

    Members keep the order of the rasters, so what comes first is what counts. On a grid that goes
    round the Earth in whole pixels, rasters a turn apart are in the same place. `check` may raise,
    to stop.
    """
    found = []
    for first, members in _on_one_grid(rasters, check):
        check()
        plane = Plane(rasters[first].grid)
        around = _whole(plane.turn_columns)
        for together in _within_a_turn(members, around):
            found.append(_mosaic(rasters[first].grid, together))
    return tuple(sorted(found, key=lambda mosaic: mosaic.members[0].raster))


def _on_one_grid(
    rasters: Sequence[SourceRaster], check: Callable[[], None]
) -> Iterator[tuple[int, list[_Placed]]]:
    """Rasters on one grid: the number of the first, in whose pixels all are placed."""
    alike: dict[tuple[str, ...], _Alike] = {}
    names = _Names()
    for number, raster in enumerate(rasters):
        check()
        a, b, _, d, e, _ = raster.grid.transform
        steps = (f"{each:.{_LIKE}g}" for each in (a, b, d, e))
        like = alike.setdefault((names.common(raster.grid.crs), *steps), _Alike())
        for first in like.candidates(raster.grid):
            placed = _placed(number, raster.grid, rasters[first].grid)
            if placed is not None:
                like.members[first].append(placed)
                break
        else:
            like.begin(number, raster.grid)
    for like in alike.values():
        yield from like.members.items()


class _Names:
    """CRSs by the first of the names under which they came."""

    def __init__(self) -> None:
        self._common: dict[str, str] = {}

    def common(self, crs: str) -> str:
        if crs not in self._common:
            known = dict.fromkeys(self._common.values())
            self._common[crs] = next((name for name in known if same_crs(name, crs)), crs)
        return self._common[crs]


@dataclass(frozen=True, slots=True)
class _Alike:
    """Grids of one CRS whose pixels have nearly one size, by the first raster of each.

    They are looked up by where in a pixel their first one begins, in squares of 1/`_SQUARES` of
    a pixel. That is counted in pixels of the very size that the grid has: far from where pixels
    are counted from, a digit of it makes much.
    """

    members: dict[int, list[_Placed]] = field(default_factory=dict)
    squares: dict[_Steps, dict[tuple[int, int], list[int]]] = field(default_factory=dict)

    def begin(self, number: int, grid: Grid) -> None:
        """A grid of its own, whose first raster this is."""
        self.members[number] = [_Placed(number, 0, 0, grid.width, grid.height)]
        a, b, _, d, e, _ = grid.transform
        squares = self.squares.setdefault((a, b, d, e), {})
        squares.setdefault(_square(grid, (a, b, d, e)), []).append(number)

    def candidates(self, grid: Grid) -> list[int]:
        """The first rasters of grids that a raster may be on: all that it is on, and few more."""
        found = []
        for steps, squares in self.squares.items():
            across, down = _square(grid, steps)
            for column in (across - 1, across, across + 1):
                for row in (down - 1, down, down + 1):
                    found += squares.get((column % _SQUARES, row % _SQUARES), [])
        return sorted(found)


def _square(grid: Grid, steps: _Steps) -> tuple[int, int]:
    """In which square of a pixel a grid begins, where pixels have these steps and one of them
    begins at the origin of the CRS."""
    a, b, d, e = steps
    _, _, x, _, _, y = grid.transform
    determinant = a * e - b * d
    column, row = (e * x - b * y) / determinant, (a * y - d * x) / determinant
    return (
        math.floor((column - math.floor(column)) * _SQUARES) % _SQUARES,
        math.floor((row - math.floor(row)) * _SQUARES) % _SQUARES,
    )


def _placed(number: int, grid: Grid, common: Grid) -> _Placed | None:
    """Where a raster lies in another's pixels; None where it is not whole pixels away."""
    plane = Plane(common)
    columns = np.array([0.0, grid.width, 0.0, grid.width])
    rows = np.array([0.0, 0.0, grid.height, grid.height])
    x, y = Plane(grid).coordinates(columns, rows)
    there = np.stack(plane.pixels_of(x, y))
    origin = np.round(there[:, :1])
    if np.abs(there - origin - np.stack((columns, rows))).max() > _OFF:
        return None
    return _Placed(number, int(origin[0, 0]), int(origin[1, 0]), grid.width, grid.height)


def _whole(columns: float | None) -> int | None:
    """The columns of a turn, if they are whole pixels."""
    if columns is None or abs(columns - round(columns)) > _OFF:
        return None
    return round(columns)


def _within_a_turn(members: list[_Placed], around: int | None) -> Iterator[list[_Placed]]:
    """The members in groups none of which is wider than a turn, moved by whole turns where that
    brings them together."""
    while members:
        starts = np.array([each.column for each in members])
        ends = starts + [each.columns for each in members]
        if around is None or ends.max() - starts.min() <= around:
            yield members
            return
        offsets = (starts[None, :] - np.unique(starts)[:, None]) % around
        fit = offsets + (ends - starts) <= around
        best = int(fit.sum(axis=1).argmax())
        base = int(np.unique(starts)[best])
        if not fit[best].any():
            # Each is wider than a turn by itself.
            yield [members[0]]
            members = members[1:]
            continue
        yield [
            _Placed(each.raster, base + int(offset), each.row, each.columns, each.rows)
            for each, offset, fits in zip(members, offsets[best], fit[best], strict=True)
            if fits
        ]
        members = [each for each, fits in zip(members, fit[best], strict=True) if not fits]


def _mosaic(grid: Grid, placed: Sequence[_Placed]) -> Mosaic:
    """A mosaic whose grid is just as large as its members; `grid` is what they are placed in."""
    column, row = min(each.column for each in placed), min(each.row for each in placed)
    right = max(each.column + each.columns for each in placed)
    bottom = max(each.row + each.rows for each in placed)
    a, b, _, d, e, _ = grid.transform
    x, y = Plane(grid).coordinates(np.array([float(column)]), np.array([float(row)]))
    return Mosaic(
        grid=Grid(
            crs=grid.crs,
            transform=(a, b, float(x[0]), d, e, float(y[0])),
            width=right - column,
            height=bottom - row,
        ),
        members=tuple(
            Member(raster=each.raster, column=each.column - column, row=each.row - row)
            for each in placed
        ),
    )
