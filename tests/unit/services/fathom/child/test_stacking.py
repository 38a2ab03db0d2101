"""The files of a stack must be alike, and where their tile is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS

from core.errors import GeoforgeError
from services.fathom.child import grids, stacking
from services.fathom.child.grids import Grid
from services.fathom.model import Built

SIDE = 36
BOUNDS = [-6.0, 4.0, -5.0, 5.0]
TRANSFORM = Affine(1 / SIDE, 0, -6, 0, -1 / SIDE, 5)

Stack = Callable[..., Built]


def written(file: Path, **profile: Any) -> Path:
    """A tile of zeros; `profile` is what rasterio takes, in place of what is as usual."""
    usual = {
        "crs": "EPSG:4326",
        "nodata": -32768,
        "dtype": "int16",
        "count": 1,
        "width": SIDE,
        "height": SIDE,
        "transform": TRANSFORM,
    }
    said = {**usual, **profile}
    with rasterio.open(file, "w", driver="GTiff", **said) as raster:
        raster.write(np.zeros((said["count"], said["height"], said["width"]), said["dtype"]))
    return file


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    """Stacks a usual tile of 1 in 5 years, and one of 1 in 10 that is written as told."""

    def run(**profile: Any) -> Built:
        files = []
        for band, said in (("1in5", {}), ("1in10", profile)):
            folder = tmp_path / band  # no file lies beside another
            folder.mkdir()
            path = written(folder / "n04w006.tif", **said)
            files.append({"band": band, "name": f"{band}/n04w006.tif", "path": str(path)})
        target = str(tmp_path / "cog.tif")
        return Built.model_validate(stacking.stack(files, "n04w006", BOUNDS, target, 512, 1))

    return run


@pytest.mark.parametrize(
    ("profile", "code", "said"),
    [
        ({"width": SIDE + 1}, "grid_differs", "size (37 x 36 pixels, not 36 x 36)"),
        ({"nodata": -1}, "grid_differs", "its value without data (-1.0, not -32768.0)"),
        ({"nodata": None}, "grid_differs", "its value without data (None, not -32768.0)"),
        ({"crs": "EPSG:4258"}, "grid_differs", "CRS (EPSG:4258, not EPSG:4326)"),
        ({"transform": TRANSFORM @ Affine.translation(0, 1)}, "grid_differs", "place (by +0 col"),
        ({"transform": TRANSFORM @ Affine.scale(1.001)}, "grid_differs", "size of its pixels"),
        ({"count": 2}, "not_a_depth_raster", "has 2 bands"),
        ({"dtype": "float32"}, "not_a_depth_raster", "pixels of float32"),
        ({"crs": "EPSG:32630"}, "not_a_depth_raster", "EPSG:32630"),
        ({"crs": None}, "not_a_depth_raster", "no CRS"),
        (
            {"transform": TRANSFORM @ Affine.scale(1, -1)},
            "not_a_depth_raster",
            "rotated or upside down",
        ),
    ],
)
def test_a_file_that_is_not_as_the_others(
    stack: Stack, profile: dict[str, Any], code: str, said: str
) -> None:
    with pytest.raises(GeoforgeError) as refused:
        stack(**profile)
    assert refused.value.error_code == code
    assert refused.value.message.startswith("1in10/n04w006.tif")
    assert said in refused.value.message


def test_files_that_are_alike_are_stacked(stack: Stack) -> None:
    built = stack()
    assert built.present == ("1in5", "1in10")
    assert built.verification.compared == SIDE * SIDE


@pytest.mark.parametrize(("pixels", "is_misplaced"), [(0.5, False), (1, False), (1.5, True)])
def test_a_tile_may_lie_a_pixel_beside_its_corners(pixels: float, is_misplaced: bool) -> None:
    moved = TRANSFORM @ Affine.translation(-pixels, -pixels)
    grid = Grid("a.tif", SIDE, SIDE, CRS.from_epsg(4326), moved, "int16", None)
    if not is_misplaced:
        grids.refuse_misplaced(grid, "n04w006", BOUNDS)
        return
    with pytest.raises(GeoforgeError) as refused:
        grids.refuse_misplaced(grid, "n04w006", BOUNDS)
    assert refused.value.error_code == "tile_misplaced"


def test_rasters_are_placed_on_the_grid_of_the_first() -> None:
    def grid(columns: int, rows: int) -> Grid:
        moved = TRANSFORM @ Affine.translation(columns, rows)
        return Grid("a.tif", SIDE, SIDE, CRS.from_epsg(4326), moved, "int16", None)

    whole, windows = grids.placed([grid(0, 0), grid(-SIDE, 2 * SIDE), grid(SIDE, 0)])
    assert (whole.col_off, whole.row_off) == (-SIDE, 0)
    assert (whole.width, whole.height) == (3 * SIDE, 3 * SIDE)
    assert [(each.col_off, each.row_off) for each in windows] == [
        (SIDE, 0),
        (0, 2 * SIDE),
        (2 * SIDE, 0),
    ]
