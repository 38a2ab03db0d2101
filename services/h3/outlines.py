"""The outlines of cells on the plane of longitude and latitude, where their edges are straight.

There the outlines of all cells of a resolution cover the rectangle from a seam meridian once
around the Earth, from pole to pole, without gaps and overlaps: neighbours have the same vertices
to the last digit. A cell that lies on the seam is cut there into pieces, and the one around a
pole is closed along the line that the pole is on this plane.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from services.h3.model import Cells, Indices, Numbers
from services.h3.rings import rings

_HALF, _TURN, _POLE = 180.0, 360.0, 90.0


@dataclass(frozen=True, slots=True)
class Outlines:
    """Simple polygons, each a cell or a piece of one.

    `cell` is the place of each piece's cell among those that were asked for, ascending; a cell
    has one piece or more. `x` and `y` (pieces, vertices) are degrees, x from the seam up to 360
    more. A ring goes round in either direction and ends before its first vertex; of its row the
    first `vertices` count, and the last of these fills the rest.
    """

    cell: Indices
    x: Numbers
    y: Numbers
    vertices: Indices


def outlines(cells: Cells, seam: float) -> Outlines:
    """The outlines of cells of one resolution, with longitudes from `seam` (degrees) on to the
    east.

    Takes some 400 bytes of memory for each cell.
    """
    x, y, vertices = rings(cells)
    # By whole turns, and so to the same digits in all cells that share a vertex.
    x = x + np.ceil((seam - x) / _TURN) * _TURN
    jumps = np.abs(np.diff(x, axis=1, append=x[:, :1])) > _HALF
    across = jumps.any(axis=1)
    whole = Outlines(np.flatnonzero(~across), x[~across], y[~across], vertices[~across])
    if not across.any():
        return whole
    return _together(whole, _cut(np.flatnonzero(across), x[across], y[across], seam))


def _cut(cell: Indices, x: Numbers, y: Numbers, seam: float) -> Outlines:
    """The pieces of cells that lie on the seam or around a pole."""
    window = shapely.box(seam, -_POLE, seam + _TURN, _POLE)
    jumps = np.round(np.diff(x, axis=1, append=x[:, :1]) / _TURN)
    turns = np.zeros_like(x)
    turns[:, 1:] = -np.cumsum(jumps[:, :-1], axis=1)
    pieces, owners = [], []
    # Where a ring is in the window its vertices have not been moved, and keep all their digits.
    for turn in (-1, 0, 1):
        moved = x + (turns + turn) * _TURN
        polygons = shapely.polygons(np.stack([moved, y], axis=2))
        for around in np.flatnonzero(jumps.sum(axis=1)):
            beyond = -jumps[around].sum() * _TURN
            polygons[around] = _closed_along_pole(moved[around], y[around], beyond)
        parts, owner = shapely.get_parts(shapely.intersection(polygons, window), return_index=True)
        areal = shapely.area(parts) > 0  # and not where an edge only lies along the seam
        pieces.append(parts[areal])
        owners.append(cell[owner[areal]])
    return _as_outlines(np.concatenate(owners), np.concatenate(pieces))


def _closed_along_pole(x: Numbers, y: Numbers, beyond: float) -> shapely.Polygon:
    """A ring that comes back to its first vertex so many degrees beyond it, closed along the
    pole within it."""
    pole = np.copysign(_POLE, y.mean())
    closing = [(x[0] + beyond, y[0]), (x[0] + beyond, pole), (x[0], pole)]
    return shapely.Polygon([*zip(x, y, strict=True), *closing])


def _as_outlines(cell: Indices, polygons: npt.NDArray[np.object_]) -> Outlines:
    rings = shapely.get_exterior_ring(polygons)
    vertices = shapely.get_num_coordinates(rings) - 1
    points = shapely.get_coordinates(rings)
    first = np.cumsum(vertices + 1) - (vertices + 1)
    place = np.minimum(np.arange(vertices.max()), vertices[:, None] - 1) + first[:, None]
    return Outlines(cell, points[place, 0], points[place, 1], vertices)


def _together(some: Outlines, others: Outlines) -> Outlines:
    """Both, by cell."""
    width = max(some.x.shape[1], others.x.shape[1])
    cell = np.concatenate([some.cell, others.cell])
    order = np.argsort(cell, kind="stable")
    return Outlines(
        cell[order],
        np.concatenate([_wider(some.x, width), _wider(others.x, width)])[order],
        np.concatenate([_wider(some.y, width), _wider(others.y, width)])[order],
        np.concatenate([some.vertices, others.vertices])[order],
    )


def _wider(rows: Numbers, width: int) -> Numbers:
    return np.pad(rows, ((0, 0), (0, width - rows.shape[1])), mode="edge")
