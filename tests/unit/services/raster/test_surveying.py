"""Rasters surveyed in a child: limits, refusals, and what the parameters change."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.shutil

from core.errors import PermanentTaskError, TaskCancelled, TransientTaskError
from infrastructure.file_cache import Entry
from infrastructure.sandbox import Sandbox, SandboxError, SandboxFault
from services.raster import children, surveying
from services.raster.model import RasterType, Survey
from services.raster.parameters import RasterOptions
from services.vector.source_files import LocalSource
from tests.support.raster_files import IN_UTM, relief, write_raster
from tests.support.settings import app_settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


@pytest.fixture
def child(folder: Path) -> Iterator[Sandbox]:
    source = LocalSource(folder, [], Entry(folder), lambda: None)
    with (
        app_settings(GEOFORGE_MAX_RASTER_PIXELS="2000000000"),
        children.brief_child(source, 120) as child,
    ):
        yield child


def survey(child: Sandbox, path: Path, **parameters: Any) -> Survey:
    return surveying.survey(child, path, f"in/{path.name}", RasterOptions(**parameters), None)


def refusal(child: Sandbox, path: Path, **parameters: Any) -> PermanentTaskError:
    with pytest.raises(PermanentTaskError, match=f"in/{path.name}: ") as caught:
        survey(child, path, **parameters)
    return caught.value


def test_a_survey_has_facts_inference_and_statistics(child: Sandbox, folder: Path) -> None:
    found = survey(child, write_raster(folder / "dem.tif", relief(300, 300), nodata=-9999))

    assert found.inference.type is RasterType.DEM
    assert (found.facts.width, found.facts.height) == (300, 300)
    assert found.statistics[0].valid_share == 1.0


def test_a_type_that_is_given_takes_the_place_of_the_one_that_is_told(
    child: Sandbox, folder: Path
) -> None:
    path = write_raster(folder / "dem.tif", relief(300, 300))

    found = survey(child, path, raster_type="temperature").inference

    assert (found.type, found.overridden) == (RasterType.CONTINUOUS, True)
    assert found.conflict is not None


def test_pixels_of_the_nodata_that_is_given_are_not_looked_at(child: Sandbox, folder: Path) -> None:
    pixels = relief(100, 100)
    pixels[:, :50] = -9999
    path = write_raster(folder / "dem.tif", pixels)

    [plain] = survey(child, path).statistics
    [told] = survey(child, path, nodata=-9999).statistics

    assert (plain.minimum, plain.valid_share) == (-9999, 1.0)
    assert told.minimum == pytest.approx(float(pixels[:, 50:].min()))
    assert told.valid_share == 0.5


def test_a_crs_that_is_given_mends_a_file_without_one(child: Sandbox, folder: Path) -> None:
    path = write_raster(folder / "a.tif", crs=None)
    strict = RasterOptions(strict=True, source_crs="EPSG:32633")

    plain, told = survey(child, path), survey(child, path, source_crs="EPSG:32633")

    assert "no_crs" in [each.code for each in plain.inference.warnings]
    assert "no_crs" not in [each.code for each in told.inference.warnings]
    surveying.refuse_unusable(told, "a.tif", strict)


def test_strict_refuses_what_has_a_warning_of_its_place(child: Sandbox, folder: Path) -> None:
    upside_down = IN_UTM @ rasterio.Affine.scale(1, -1)
    found = survey(child, write_raster(folder / "a.tif", transform=upside_down))
    surveying.refuse_unusable(found, "a.tif", RasterOptions())

    with pytest.raises(PermanentTaskError, match=r"a\.tif has warnings\..*southernmost") as caught:
        surveying.refuse_unusable(found, "a.tif", RasterOptions(strict=True))
    assert caught.value.error_code == "strict"


def test_strict_does_not_mind_what_only_takes_room(child: Sandbox, folder: Path) -> None:
    found = survey(child, write_raster(folder / "a.tif", relief(300, 300).astype("float64")))
    assert "64_bit" in [each.code for each in found.inference.warnings]
    surveying.refuse_unusable(found, "a.tif", RasterOptions(strict=True))


def test_a_huge_raster_is_surveyed_within_the_limits(child: Sandbox, folder: Path) -> None:
    """1.3 GB of pixels in a small file: only a few of its blocks are read."""
    path = folder / "huge.tif"
    profile = {"crs": "EPSG:32633", "transform": IN_UTM, "count": 1, "dtype": "uint8"}
    with rasterio.open(
        path, "w", driver="GTiff", width=36_000, height=36_000, tiled=True, sparse_ok=True,
        compress="deflate", **profile,
    ) as dataset:  # fmt: skip
        dataset.write(np.ones((1, 256, 256), "uint8"), window=((0, 256), (0, 256)))
    child.limits = replace(child.limits, memory_bytes=400 << 20)

    found = survey(child, path)

    assert found.facts.decoded_bytes == 36_000**2


def test_a_file_with_more_images_says_that_the_first_is_taken(child: Sandbox, folder: Path) -> None:
    path, other = write_raster(folder / "a.tif"), write_raster(folder / "b.tif", relief(20, 20))
    rasterio.shutil.copy(other, path, driver="GTiff", append_subdataset="YES")

    found = survey(child, path)

    [caveat] = [each for each in found.inference.warnings if each.code == "more_images"]
    assert "2 images" in caveat.message
    assert (found.facts.width, found.facts.height) == (80, 64)


def test_more_pixels_than_the_setting_allows(child: Sandbox, folder: Path) -> None:
    path = folder / "a.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=50_000, height=50_000, count=1, dtype="uint8", tiled=True,
        sparse_ok=True, crs="EPSG:32633", transform=IN_UTM,
    ):  # fmt: skip
        pass
    error = refusal(child, path)
    assert error.error_code == "raster_too_large"
    assert "50,000 x 50,000 pixels in 1 band" in error.message
    assert "GEOFORGE_MAX_RASTER_PIXELS" in error.message


def test_a_block_that_takes_most_of_the_memory(child: Sandbox, folder: Path) -> None:
    path = folder / "a.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=16_000, height=10_000, count=1, dtype="float32",
        blockysize=10_000, sparse_ok=True, compress="deflate", crs="EPSG:32633", transform=IN_UTM,
    ):  # fmt: skip
        pass
    error = refusal(child, path)
    assert error.error_code == "block_too_large"
    assert "16,000 x 10,000 pixels" in error.message
    assert "memory_mb" in error.message


def test_pixels_that_cannot_be_read(child: Sandbox, folder: Path) -> None:
    path = write_raster(folder / "a.tif", relief(300, 300), compress="deflate")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 2000] = os.urandom(2000)
    path.write_bytes(data)
    error = refusal(child, path)
    assert error.error_code == "damaged_pixels"
    assert str(folder) not in error.message


class _Failing(Sandbox):
    """A child whose calls all fail in one way."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error

    def call(self, *_: Any, **__: Any) -> Any:
        raise self._error


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        (SandboxFault.KILLED, TransientTaskError, "sandbox_killed"),
        (SandboxFault.CRASHED, PermanentTaskError, "raster_crashes_reader"),
        (SandboxFault.TIMED_OUT, PermanentTaskError, "raster_takes_too_long"),
        (SandboxFault.OUT_OF_MEMORY, PermanentTaskError, "raster_needs_more_memory"),
        (SandboxFault.RAISED, PermanentTaskError, "raster_failed"),
    ],
)
def test_a_child_that_fails_is_told_of_the_raster(
    fault: SandboxFault, kind: type[Exception], code: str
) -> None:
    child = _Failing(SandboxError(fault, "It failed."))
    with pytest.raises(kind, match=r"in/a\.tif: It failed\.") as caught:
        children.call(child, "a:b", {}, check=None, what="in/a.tif")
    assert caught.value.error_code == code  # type: ignore[attr-defined]


def test_whoever_stops_the_wait_is_heard() -> None:
    with pytest.raises(TaskCancelled):
        children.call(_Failing(TaskCancelled("stop")), "a:b", {}, check=None, what="a.tif")
