from __future__ import annotations

from services.h3.grids import mosaics
from services.h3.model import Grid, SourceRaster
from services.h3.repeats import repeated


def raster(name: str, column: int, row: int, side: int = 100) -> SourceRaster:
    grid = Grid(
        crs="EPSG:32633", transform=(10, 0, 500_000 + 10 * column, 0, -10, 5_000_000 - 10 * row),
        width=side, height=side,
    )  # fmt: skip
    return SourceRaster(
        name=name, container="c", path=name, etag="e", size=1, grid=grid, band=1, dtype="uint8"
    )


def pair(*rasters: SourceRaster) -> tuple[int, int] | None:
    placed = mosaics(rasters)
    assert len(placed) == 1
    return repeated(rasters, placed)


def test_neighbours_with_a_margin_in_common_are_tiles() -> None:
    assert pair(raster("a", 0, 0), raster("b", 90, 0), raster("c", 0, 90)) is None


def test_the_same_place_at_another_time_is_no_tile() -> None:
    assert pair(raster("a", 0, 0), raster("b", 100, 0), raster("c", 2, 1)) == (0, 2)


def test_a_small_raster_within_a_large_one_is_no_tile() -> None:
    assert pair(raster("large", 0, 0, 1000), raster("small", 500, 500)) == (0, 1)


def test_one_raster_is_alone() -> None:
    assert pair(raster("a", 0, 0)) is None
