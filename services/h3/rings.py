"""The vertices of cells, the same to the last digit in all cells that share one.

H3 lays its cells on the faces of an icosahedron, and computes a cell's vertices on the face of
its centre. On one face neighbours so have the same vertices; where two faces meet they differ by
up to 1e-13 degrees, which would leave gaps and overlaps between cells. There the vertex is that
of the cell with the least index.
"""

from __future__ import annotations

import itertools
import math
from functools import cache

import h3ronpy
import h3ronpy.vector
import numpy as np
import pyarrow as pa

from services.h3.indexes import centres, circumradius, parents, pentagons, resolutions
from services.h3.model import Cells, Indices, Numbers

_TURN = 360.0

# Of a polygon with one ring in WKB: byte order, type, number of rings, number of points.
_WKB_HEADER = 1 + 3 * 4
_WKB_POINT = 2 * 8

# So many resolutions above their own, ancestors are looked at for being near the edge of a face.
_COARSER = 2
# Vertices so near to each other, as a share of a cell's radius, are one.
_SAME = 1e-6


def rings(cells: Cells) -> tuple[Numbers, Numbers, Indices]:
    """Longitudes and latitudes (cells, vertices) of the vertices of cells of one resolution, in
    degrees, and how many each cell has; its last one fills up its row."""
    places, vertices = _computed(cells)
    near = _near_edges(cells)
    if len(near):
        places[near] = _agreed(cells[near], places[near])
    return places[:, :, 0], places[:, :, 1], vertices


def _computed(cells: Cells) -> tuple[Numbers, Indices]:
    """The vertices as H3 computes them for each cell."""
    wkb = pa.array(h3ronpy.vector.cells_to_wkb_polygons(cells))
    _, offsets_buffer, content_buffer = wkb.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int64)[wkb.offset : wkb.offset + len(wkb) + 1]
    content = np.frombuffer(content_buffer, np.uint8)
    # The last point of a ring is the first again.
    vertices = (np.diff(offsets) - _WKB_HEADER) // _WKB_POINT - 1
    places = np.empty((len(cells), int(vertices.max(initial=0)), 2))
    for number in np.unique(vertices):
        rows = np.flatnonzero(vertices == number)
        points = np.lib.stride_tricks.sliding_window_view(content, number * _WKB_POINT)
        found = points[offsets[rows] + _WKB_HEADER].view("<f8").reshape(len(rows), number, 2)
        places[rows, :number] = found
        places[rows, number:] = found[:, -1:]
    return places, vertices


def _near_edges(cells: Cells) -> Indices:
    """The places of cells that may share a vertex with one whose centre is on another face."""
    near = np.arange(len(cells))
    own = int(resolutions(cells[:1]).sum())
    # First by ancestors: most cells are far away, and come next to others below the same one.
    for level in (max(0, own - _COARSER), own):
        ancestors = parents(cells[near], level)
        first = np.flatnonzero(np.diff(ancestors, prepend=np.uint64(0)))
        reach = circumradius(level) + 3 * circumradius(own)
        is_near = _edge_distance(ancestors[first]) < math.sin(math.radians(min(reach, 90)))
        near = near[np.repeat(is_near, np.diff(first, append=len(ancestors)))]
    return near


def _edge_distance(cells: Cells) -> Numbers:
    """The sine of how far the cells' centres are from the nearest edge of a face."""
    faces = _face_centres()
    nearest = np.sort(_unit_vectors(cells) @ faces.T, axis=1)[:, -2:]
    between = np.linalg.norm(faces[0] - faces, axis=1)
    sine: Numbers = (nearest[:, 1] - nearest[:, 0]) / between[between > _SAME].min()
    return sine


@cache
def _face_centres() -> Numbers:
    """Unit vectors to the middles of the icosahedron's faces: its corners are pentagons."""
    corners = _unit_vectors(pentagons())
    adjacent = (corners @ corners.T > 0) & ~np.eye(len(corners), dtype=bool)
    faces = [
        corners[list(three)].sum(axis=0)
        for three in itertools.combinations(range(len(corners)), 3)
        if all(adjacent[pair] for pair in itertools.combinations(three, 2))
    ]
    middles: Numbers = np.array(faces) / np.linalg.norm(faces, axis=1)[:, None]
    return middles


def _unit_vectors(cells: Cells) -> Numbers:
    """The cells' centres as places on a sphere of radius 1."""
    x, y = np.radians(centres(cells))
    return np.column_stack([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)])


def _agreed(cells: Cells, own: Numbers) -> Numbers:
    """The vertices as the cell with the least index has them, of all that share one."""
    everyone, neighbours = _neighbours(cells)
    theirs, _ = _computed(everyone)
    tolerance = _SAME * circumradius(int(resolutions(cells[:1])[0]))
    parallel = np.cos(np.radians(own[:, :, None, 1]))
    agreed = own.copy()
    for neighbour in neighbours.T[::-1]:
        places = theirs[neighbour]
        x, y = np.moveaxis(np.abs(own[:, :, None] - places[:, None]), -1, 0)
        same = (np.minimum(x, np.abs(x - _TURN)) * parallel < tolerance) & (y < tolerance)
        found = np.take_along_axis(places, same.argmax(axis=2)[:, :, None], axis=1)
        agreed = np.where(same.any(axis=2)[:, :, None], found, agreed)
    return agreed


def _neighbours(cells: Cells) -> tuple[Cells, Indices]:
    """All cells next to these, and these themselves, ascending; and of each cell which of them
    are next to it, ascending too, the last one again where a pentagon has less than others."""
    disks = pa.array(h3ronpy.grid_disk(cells, 1))
    counts = np.diff(disks.offsets.to_numpy())
    everyone, number = np.unique(disks.flatten().to_numpy(), return_inverse=True)
    by_cell = number[np.lexsort((number, np.repeat(np.arange(len(cells)), counts)))]
    first = np.cumsum(counts) - counts
    place = np.minimum(np.arange(counts.max()), counts[:, None] - 1)
    return everyone, by_cell[first[:, None] + place]
