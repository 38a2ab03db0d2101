"""Statistics of H3 cells, pixel by pixel and cell by cell: slow, and independent of the product.

The outline of a cell comes from h3, and so does the cell of a pixel's centre; what a cell covers
of a pixel is what is left of its outline when all else is cut off.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field

import h3
import numpy as np
import numpy.typing as npt
import pyproj
from affine import Affine

_POLE, _TURN = 90.0, 360.0

Ring = npt.NDArray[np.float64]  # (vertices, 2)


@dataclass
class Sums:
    """Valid pixels of a cell as (value, weight), and the weight of those without data."""

    pixels: list[tuple[float, float]] = field(default_factory=list)
    nodata: float = 0.0

    @property
    def columns(self) -> dict[str, float]:
        values, weights = np.array(self.pixels, np.float64).reshape(-1, 2).T
        count = math.fsum(weights)
        found = {"pixel_count": count, "nodata_count": self.nodata}
        if not len(values):
            return found
        counted = values[weights >= 1e-9]
        mean = math.fsum(values * weights) / count
        return found | {
            "count": count,
            "sum": math.fsum(values * weights),
            "mean": mean,
            "stdev": math.sqrt(math.fsum(weights * (values - mean) ** 2) / count),
            "min": float(counted.min()) if len(counted) else math.nan,
            "max": float(counted.max()) if len(counted) else math.nan,
        }


Found = dict[int, Sums]


def exact(
    values: npt.NDArray[np.float64],
    valid: npt.NDArray[np.bool_],
    transform: Affine,
    crs: str,
    resolution: int,
    seam: float,
) -> Found:
    """Weights are the shares of pixels that cells cover, whose edges are straight in pixels.

    Outlines are cut at the meridian `seam`, and placed from there on to the east.
    """
    project = pyproj.Transformer.from_crs("OGC:CRS84", crs, always_xy=True)
    is_geographic = pyproj.CRS(crs).is_geographic
    found: Found = defaultdict(Sums)
    for cell in _cells_near(values.shape, transform, crs, resolution):
        for piece in _pieces(cell, seam):
            x, y = piece.T
            if not is_geographic:
                x, y = project.transform(x, y)
            ring = np.column_stack(~transform @ (np.asarray(x), np.asarray(y)))
            if np.isfinite(ring).all():
                _cover(found[h3.str_to_int(cell)], ring, values, valid)
    return {cell: sums for cell, sums in found.items() if sums.pixels or sums.nodata}


def centroid(
    values: npt.NDArray[np.float64],
    valid: npt.NDArray[np.bool_],
    transform: Affine,
    crs: str,
    resolution: int,
) -> Found:
    """Each pixel is in the cell of its centre."""
    project = pyproj.Transformer.from_crs(crs, "OGC:CRS84", always_xy=True)
    found: Found = defaultdict(Sums)
    for row, column in np.ndindex(values.shape):
        longitude, latitude = project.transform(*(transform @ (column + 0.5, row + 0.5)))
        if not (math.isfinite(longitude) and abs(latitude) <= _POLE):
            continue
        sums = found[h3.str_to_int(h3.latlng_to_cell(latitude, longitude, resolution))]
        if valid[row, column]:
            sums.pixels.append((float(values[row, column]), 1.0))
        else:
            sums.nodata += 1.0
    return dict(found)


def _cells_near(shape: tuple[int, ...], transform: Affine, crs: str, resolution: int) -> set[str]:
    """Cells within three rings of a pixel's corner."""
    project = pyproj.Transformer.from_crs(crs, "OGC:CRS84", always_xy=True)
    row, column = (each.ravel() for each in np.mgrid[0 : shape[0] + 1, 0 : shape[1] + 1])
    longitudes, latitudes = project.transform(*(transform @ (column, row)))
    there = np.isfinite(longitudes) & (np.abs(latitudes) <= _POLE)
    corners = {
        h3.latlng_to_cell(latitude, longitude, resolution)
        for longitude, latitude in zip(longitudes[there], latitudes[there], strict=True)
    }
    return {near for corner in corners for near in h3.grid_disk(corner, 3)}


def _pieces(cell: str, seam: float) -> list[Ring]:
    """The outline in degrees, longitudes from the seam to a turn on."""
    latitudes, longitudes = np.array(h3.cell_to_boundary(cell)).T
    ring = np.column_stack((np.unwrap(longitudes, period=_TURN), latitudes))
    if abs(ring[-1, 0] - ring[0, 0]) > 180:  # around a pole
        end = ring[0, 0] + math.copysign(_TURN, ring[-1, 0] - ring[0, 0])
        line = np.linspace(end, ring[0, 0], 721)
        pole = np.full(len(line), math.copysign(_POLE, latitudes.mean()))
        ring = np.concatenate((ring, [[end, ring[0, 1]]], np.column_stack((line, pole))))
    pieces = []
    for turn in (-2, -1, 0, 1, 2):
        moved = _clipped(ring + np.array([turn * _TURN, 0]), 0, seam, seam + _TURN)
        if _area(moved) > 0:
            pieces.append(moved)
    return pieces


def _cover(
    sums: Sums, ring: Ring, values: npt.NDArray[np.float64], valid: npt.NDArray[np.bool_]
) -> None:
    height, width = values.shape
    first = np.maximum(np.floor(ring.min(axis=0)), 0).astype(int)
    last = np.minimum(np.ceil(ring.max(axis=0)), (width, height)).astype(int)
    for row in range(first[1], last[1]):
        line = _clipped(ring, 1, row, row + 1)
        for column in range(first[0], last[0]):
            weight = _area(_clipped(line, 0, column, column + 1))
            if weight > 1e-13 and valid[row, column]:
                sums.pixels.append((float(values[row, column]), weight))
            elif weight > 1e-13:
                sums.nodata += weight


def _clipped(ring: Ring, axis: int, low: float, high: float) -> Ring:
    """What of a ring lies between two lines (Sutherland and Hodgman 1974)."""
    return _beyond(-_beyond(ring, axis, low), axis, -high) * -1.0


def _beyond(ring: Ring, axis: int, line: float) -> Ring:
    if not len(ring):
        return ring
    found = []
    for begin, end in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        if begin[axis] >= line:
            found.append(begin)
        if (begin[axis] >= line) != (end[axis] >= line):
            share = (line - begin[axis]) / (end[axis] - begin[axis])
            cut = begin + share * (end - begin)
            cut[axis] = line
            found.append(cut)
    return np.array(found).reshape(-1, 2)


def _area(ring: Ring) -> float:
    if not len(ring):
        return 0.0
    x, y = (ring - ring[0]).T
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2
