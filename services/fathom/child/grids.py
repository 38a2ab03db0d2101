"""The grids of the rasters that one COG is made of: each must be what the others are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import MaskFlags
from rasterio.io import DatasetReader
from rasterio.windows import Window

from core.errors import PermanentTaskError
from services.fathom.model import DTYPE

# Of a pixel: what rounding of coordinates in files may come to.
_ROUNDING = 1e-3
# Pixels that a tile's corners may lie beside those that its name says: FATHOM's are half a pixel
# to the north-west of them, and tiles that share their edges reach half a pixel beyond.
_BESIDE = 1.0

Bounds = Sequence[float]


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the pixels of a raster are, and of what kind; `name` is the one its owner knows."""

    name: str
    width: int
    height: int
    crs: CRS
    transform: Affine
    dtype: str
    nodata: float | None

    @classmethod
    def of(cls, dataset: DatasetReader, name: str) -> Grid:
        """That of an open raster whose bands are alike."""
        return cls(
            name, dataset.width, dataset.height, dataset.crs, dataset.transform,
            dataset.dtypes[0], dataset.nodata,
        )  # fmt: skip

    @property
    def pixel(self) -> tuple[float, float]:
        """Width and height of a pixel in degrees; north is up."""
        return self.transform.a, -self.transform.e

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east and north."""
        width, height = self.pixel
        west, north = self.transform.c, self.transform.f
        return west, north - height * self.height, west + width * self.width, north


def refuse_unusable(dataset: DatasetReader, name: str, bands: int) -> None:
    """Raise `PermanentTaskError` (not_a_depth_raster, grid_differs) for what is no raster of
    depths with so many bands, north up, in longitude and latitude."""
    if dataset.count != bands:
        said = "one band" if bands == 1 else f"{bands} bands"
        raise _unusable(name, f"has {dataset.count} bands, and flood maps have {said}")
    if set(dataset.dtypes) != {DTYPE}:
        found = ", ".join(sorted(set(dataset.dtypes)))
        raise _unusable(name, f"has pixels of {found}; depths in cm are {DTYPE}")
    if (set(dataset.scales), set(dataset.offsets)) != ({1.0}, {0.0}):
        raise _unusable(name, "has a scale or an offset; depths are stored in cm as they are")
    if {MaskFlags.per_dataset, MaskFlags.alpha} & set(dataset.mask_flag_enums[0]):
        raise _unusable(name, "has a mask or an alpha band in place of a value without data")
    if not dataset.crs or not dataset.crs.is_geographic:
        crs = dataset.crs.to_string() if dataset.crs else "no CRS"
        raise _unusable(name, f"is not in longitude and latitude, but has {crs}")
    a, b, _, d, e, _ = dataset.transform[:6]
    if b or d or not (a > 0 > e):
        raise _unusable(name, "is rotated or upside down")


def refuse_differing(first: Grid, other: Grid) -> None:
    """Raise `PermanentTaskError` (grid_differs), saying what differs, for rasters that are not
    pixel by pixel of the same places, or not of the same values."""
    for difference in _differences(first, other):
        raise PermanentTaskError(
            f"{other.name} differs from {first.name} in {difference}: the bands of a stack must "
            "have the same pixels.",
            code="grid_differs",
        )


def refuse_misplaced(grid: Grid, tile: str, bounds: Bounds) -> None:
    """Raise `PermanentTaskError` (tile_misplaced) where a raster's corners are not those of its
    tile: west, south, east and north in degrees."""
    off = [
        abs(is_ - said) / pixel
        for is_, said, pixel in zip(grid.bounds, bounds, 2 * grid.pixel, strict=True)
    ]
    if max(off) > _BESIDE + _ROUNDING:
        said = ", ".join(f"{side:g}" for side in bounds)
        lies = ", ".join(f"{side:.6g}" for side in grid.bounds)
        raise PermanentTaskError(
            f"{grid.name} is not where its name says: tile {tile} has the corners {said}, and the "
            f"raster {lies} (west, south, east, north).",
            code="tile_misplaced",
        )


def placed(grids: Sequence[Grid]) -> tuple[Window, list[Window]]:
    """The window that rasters cover together, in pixels from the corner of the first one; and
    where each of them lies in it.

    Raises `PermanentTaskError` (misaligned) for rasters whose pixels do not lie on one grid, or
    are not of one kind.
    """
    first = grids[0]
    offsets = []
    for grid in grids:
        for difference in _kind_differences(first, grid):
            raise _misaligned(f"{grid.name} differs from {first.name} in {difference}")
        column, row = _offset(first, grid)
        beside = max(abs(column - round(column)), abs(row - round(row)))
        if beside > _ROUNDING:
            raise _misaligned(
                f"{grid.name} lies {beside:.3f} pixels beside the grid of {first.name}"
            )
        offsets.append((round(column), round(row)))
    left, top = (min(each[axis] for each in offsets) for axis in (0, 1))
    windows = [
        Window(column - left, row - top, grid.width, grid.height)
        for (column, row), grid in zip(offsets, grids, strict=True)
    ]
    width = max(each.col_off + each.width for each in windows)
    height = max(each.row_off + each.height for each in windows)
    return Window(left, top, width, height), windows


def _differences(first: Grid, other: Grid) -> Iterator[str]:
    """What differs of two rasters that shall have the same pixels."""
    if (first.width, first.height) != (other.width, other.height):
        yield (
            f"size ({other.width:,} x {other.height:,} pixels, not "
            f"{first.width:,} x {first.height:,})"
        )
    yield from _kind_differences(first, other)
    columns, rows = _offset(first, other)
    if math.hypot(columns, rows) > _ROUNDING:
        yield f"place (by {columns:+.3g} columns and {rows:+.3g} rows)"


def _kind_differences(first: Grid, other: Grid) -> Iterator[str]:
    if not same_crs(first.crs, other.crs):
        yield f"CRS ({other.crs}, not {first.crs})"
    if first.dtype != other.dtype:
        yield f"type of its pixels ({other.dtype}, not {first.dtype})"
    if first.nodata != other.nodata:
        yield f"its value without data ({other.nodata}, not {first.nodata})"
    # Over as many pixels as there are, a difference in their size must not come to a shift.
    longest = max(other.width, other.height)
    for ours, theirs in zip(first.pixel, other.pixel, strict=True):
        if abs(theirs - ours) / ours * longest > _ROUNDING:
            yield f"size of its pixels ({theirs:.10g} degrees, not {ours:.10g})"


def _offset(first: Grid, other: Grid) -> tuple[float, float]:
    """By how many columns and rows a raster lies beside another."""
    width, height = first.pixel
    return (
        (other.transform.c - first.transform.c) / width,
        (first.transform.f - other.transform.f) / height,
    )


def same_crs(first: CRS, other: CRS) -> bool:
    """Whether two CRSs are one, which files may say in different words."""
    return bool(first == other or first.to_epsg() == other.to_epsg() is not None)


def _unusable(name: str, why: str) -> PermanentTaskError:
    return PermanentTaskError(f"{name} {why}.", code="not_a_depth_raster")


def _misaligned(why: str) -> PermanentTaskError:
    return PermanentTaskError(
        f"{why}: rasters that are merged must have one grid of pixels.", code="misaligned"
    )
