"""A COG that is not what its source is does not pass for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from rasterio.io import DatasetReader

from core.errors import PermanentTaskError
from services.raster.model import RasterType
from tests.support.cog_making import encoded_cog, plan_of, verified
from tests.support.raster_files import relief, write_raster


def _other_cog(folder: Path, target: Path, **changes: object) -> None:
    """A COG of the same raster but for the changes."""
    other = write_raster(folder / "other.tif", **{"pixels": relief(600, 700), **changes})  # type: ignore[arg-type]
    rasterio.shutil.copy(other, target, driver="COG", COMPRESS="DEFLATE")


def _one_pixel() -> np.ndarray:
    pixels = relief(600, 700)
    pixels[0, 599, 698] += 1e-3
    return pixels


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"pixels": _one_pixel()}, "band 1 at column 698, row 599: "),
        ({"nodata": -1}, "values without data: "),
        ({"crs": "EPSG:32634"}, "CRS: "),
        ({"transform": Affine(10, 0, 500_005, 0, -10, 5_400_000)}, "transform: "),
        ({"pixels": relief(600, 701)}, "size: "),
        ({"pixels": relief(600, 700).astype("float64")}, "types of the bands: "),
    ],
)
def test_what_differs_is_named(tmp_path: Path, changes: dict[str, object], says: str) -> None:
    source = write_raster(tmp_path / "source.tif", relief(600, 700))
    target = tmp_path / "cog.tif"
    _other_cog(tmp_path, target, **changes)
    with pytest.raises(PermanentTaskError) as refused:
        verified(source, target, plan_of(source))
    assert refused.value.error_code == "verification_failed"
    assert says in refused.value.message


def test_a_plain_tiff_with_the_same_pixels_is_no_cog(tmp_path: Path) -> None:
    source = write_raster(tmp_path / "source.tif", relief(600, 700))
    with pytest.raises(PermanentTaskError, match="no valid COG"):
        verified(source, source, plan_of(source))


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda dataset: dataset.write_mask(relief(600, 700)[0] > 380), "mask"),
        (lambda dataset: dataset.set_band_description(1, "other"), "descriptions of the bands"),
        (lambda dataset: dataset.update_tags(AREA_OR_POINT="Point"), "points or areas"),
        (lambda dataset: setattr(dataset, "scales", (0.5,)), "scales"),
        (lambda dataset: setattr(dataset, "units", ("feet",)), "units"),
    ],
)
def test_what_is_said_of_the_pixels_is_compared(
    tmp_path: Path, write: Callable[[DatasetReader], None], says: str
) -> None:
    source = write_raster(tmp_path / "source.tif", relief(600, 700))
    other = write_raster(tmp_path / "other.tif", relief(600, 700))
    with rasterio.open(other, "r+") as dataset:
        write(dataset)
    target = tmp_path / "cog.tif"
    rasterio.shutil.copy(other, target, driver="COG")
    with pytest.raises(PermanentTaskError, match=says):
        verified(source, target, plan_of(source))


def test_a_mask_that_differs_in_one_pixel_is_found(tmp_path: Path) -> None:
    mask = np.ones((600, 700), bool)
    mask[:50] = False
    paths = []
    for name in ("source", "other"):
        paths.append(write_raster(tmp_path / f"{name}.tif", relief(600, 700)))
        with rasterio.open(paths[-1], "r+") as dataset:
            dataset.write_mask(mask)
        mask[599, 3] = False
    target = tmp_path / "cog.tif"
    rasterio.shutil.copy(paths[1], target, driver="COG")
    with pytest.raises(PermanentTaskError, match=r"mask differs at column 3, row 599"):
        verified(paths[0], target, plan_of(paths[0]))


def test_a_cog_in_another_order_of_bands_is_not_the_same_picture(tmp_path: Path) -> None:
    level = (relief(600, 700)[0] - 250) / 400 * 255
    bands = [np.clip(level * share, 0, 255) for share in (1, 0.7, 0.4)]
    picture = np.array(bands).astype("uint8")
    source = write_raster(tmp_path / "source.tif", picture, photometric="rgb")
    plan = plan_of(source, RasterType.RGB)
    assert plan.compression == "JPEG"
    target = tmp_path / "cog.tif"
    encoded_cog(source, target, plan)
    assert verified(source, target, plan).mean_difference < 3
    turned = write_raster(tmp_path / "turned.tif", picture[::-1], photometric="rgb")
    encoded_cog(turned, target, plan)
    with pytest.raises(PermanentTaskError, match="changes this picture too much"):
        verified(source, target, plan)
