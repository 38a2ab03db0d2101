"""What is told of a finished COG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
import rasterio.shutil
from affine import Affine

from services.raster.child.describing import describe
from services.raster.child.refusals import UnreadableRaster
from services.raster.description import DescribedBand, Description

UTM = Affine(30, 0, 500_000, 0, -30, 5_000_000)


def described(
    folder: Path,
    pixels: npt.NDArray[Any],
    *,
    crs: str = "EPSG:32631",
    transform: Affine = UTM,
    prepare: Any = None,
    statistics: bool = True,
    **profile: Any,
) -> Description:
    """Make a COG of (bands, rows, columns) and describe it. `prepare` is given the dataset."""
    count, height, width = pixels.shape
    source = folder / "source.tif"
    with rasterio.open(
        source, "w", driver="GTiff", width=width, height=height, count=count, dtype=pixels.dtype,
        crs=crs, transform=transform, **profile,
    ) as dataset:  # fmt: skip
        dataset.write(pixels)
        if prepare is not None:
            prepare(dataset)
    cog = folder / "cog.tif"
    rasterio.shutil.copy(source, cog, driver="COG", STATISTICS="YES" if statistics else "NO")
    return Description.model_validate(describe(str(cog), 512))


def noise(*shape: int, seed: int = 0) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(100, 20, shape).astype(np.float32)


def test_the_grid_is_told_exactly(tmp_path: Path) -> None:
    found = described(tmp_path, noise(1, 200, 300))
    assert found.code == "EPSG:32631"
    assert found.wkt2 is None
    assert found.projjson is None
    assert found.shape == (200, 300)
    assert found.transform == (30, 0, 500_000, 0, -30, 5_000_000)
    assert found.bounds == (500_000, 4_994_000, 509_000, 5_000_000)
    assert found.gsd == 30.0
    assert found.footprint == "extent"
    west, south, east, north = found.bbox
    assert west < found.centroid[0] < east
    assert south < found.centroid[1] < north


def test_a_crs_without_a_code_is_written_out(tmp_path: Path) -> None:
    crs = "+proj=aea +lat_1=29.5 +lat_2=45.5 +lat_0=23 +lon_0=-97 +datum=WGS84 +units=m"
    found = described(tmp_path, noise(1, 50, 50), crs=crs, transform=Affine(100, 0, 0, 0, -100, 0))
    assert found.code is None
    assert found.wkt2 is not None
    assert found.wkt2.startswith("PROJCRS[")
    assert found.projjson is not None
    assert found.projjson["type"] == "ProjectedCRS"


@pytest.mark.parametrize(
    ("crs", "transform", "metres"),
    [
        ("EPSG:4326", Affine(1 / 1200, 0, 10, 0, -1 / 1200, 50), 92.77),
        ("EPSG:2263", Affine(10, 0, 980_000, 0, -10, 200_000), 3.048),
        ("EPSG:3857", Affine(20, 0, 0, 0, -20, 8_399_737.9), 10.0),
    ],
)
def test_pixels_are_measured_in_metres(
    tmp_path: Path, crs: str, transform: Affine, metres: float
) -> None:
    """Degrees, feet, and the metres of a Mercator map, which at 60 degrees are twice too long."""
    found = described(tmp_path, noise(1, 20, 20), crs=crs, transform=transform)
    assert found.gsd == pytest.approx(metres, rel=0.002)


def test_statistics_are_those_of_every_pixel(tmp_path: Path) -> None:
    pixels = noise(2, 2000, 1500)
    pixels[0, :1000] = -9999
    found = described(tmp_path, pixels, nodata=-9999)
    first = found.bands[0].statistics
    assert first is not None
    assert not first.approximate
    valid = pixels[0][pixels[0] != -9999].astype(np.float64)
    assert first.minimum == pytest.approx(valid.min(), rel=1e-6)
    assert first.maximum == pytest.approx(valid.max(), rel=1e-6)
    assert first.mean == pytest.approx(valid.mean(), rel=1e-6)
    assert first.stddev == pytest.approx(valid.std(), rel=1e-6)
    assert first.valid_percent == pytest.approx(50.0)


def test_statistics_of_an_overview_are_marked_so(tmp_path: Path) -> None:
    pixels = noise(1, 2000, 1500)
    found = described(tmp_path, pixels, statistics=False).bands[0].statistics
    assert found is not None
    assert found.approximate
    assert found.mean == pytest.approx(pixels.mean(dtype=np.float64), abs=1.0)
    small = described(tmp_path, pixels[:, :300, :300], statistics=False).bands[0].statistics
    assert small is not None
    assert not small.approximate


def test_without_valid_pixels_there_are_no_statistics(tmp_path: Path) -> None:
    pixels = np.full((1, 100, 100), -1, dtype=np.int16)
    found = described(tmp_path, pixels, nodata=-1)
    assert found.bands[0].statistics is None
    assert found.bands[0].nodata == -1
    assert found.footprint == "extent"


def test_bands_keep_what_they_say_of_themselves(tmp_path: Path) -> None:
    def prepare(dataset: Any) -> None:
        dataset.descriptions = ("temperature", None)
        dataset.units = ("K", None)
        dataset.scales = (0.01, 1.0)
        dataset.offsets = (273.15, 0.0)

    found = described(tmp_path, noise(2, 64, 64).astype(np.int16), prepare=prepare, nodata=-32768)
    first, second = found.bands
    statistics = first.statistics
    assert first == DescribedBand(
        number=1, dtype="int16", nodata=-32768, colour="gray", description="temperature",
        unit="K", scale=0.01, offset=273.15, statistics=statistics,
    )  # fmt: skip
    assert (second.description, second.unit, second.scale, second.offset) == (None, None, 1, 0)


def test_nodata_may_be_nan(tmp_path: Path) -> None:
    pixels = noise(1, 64, 64)
    pixels[0, :32] = np.nan
    found = described(tmp_path, pixels, nodata=float("nan"))
    assert found.bands[0].nodata is not None
    assert np.isnan(found.bands[0].nodata)
    assert found.footprint == "valid_data"


def test_of_a_palette_the_colours_that_occur_are_told(tmp_path: Path) -> None:
    pixels = np.zeros((1, 64, 64), dtype=np.uint8)
    pixels[0, :32], pixels[0, 32:] = 3, 7
    palette = {value: (value, 255 - value, value // 2, 255) for value in range(256)}
    found = described(
        tmp_path,
        pixels,
        prepare=lambda dataset: dataset.write_colormap(1, palette),
        photometric="palette",
    )
    assert [(each.value, each.colour) for each in found.bands[0].palette] == [
        (3, "03FC01"), (7, "07F803"),
    ]  # fmt: skip


def test_an_alpha_band_beside_nodata_is_no_matter(tmp_path: Path) -> None:
    pixels = np.full((4, 64, 64), 9, dtype=np.uint8)
    pixels[3, :, :32] = 0

    found = described(tmp_path, pixels, nodata=0, alpha="yes", photometric="rgb")
    assert [band.colour for band in found.bands] == ["red", "green", "blue", "alpha"]
    assert found.footprint == "valid_data"


def test_without_a_crs_nothing_is_told(tmp_path: Path) -> None:
    path = tmp_path / "plain.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=8, height=8, count=1, dtype="uint8", transform=UTM
    ) as dataset:
        dataset.write(np.ones((1, 8, 8), dtype=np.uint8))
    with pytest.raises(UnreadableRaster, match="no CRS") as caught:
        describe(str(path), 512)
    assert caught.value.error_code == "crs_missing"
