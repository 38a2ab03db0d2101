"""A COG put together of strips is that of a single pass: every pixel, overview and tag."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rio_cogeo.cogeo import cog_validate

from core.errors import PermanentTaskError
from infrastructure.sandbox import Limits, Sandbox
from services.raster import children, encoding, windows
from services.raster.child import tiff_tiles
from services.raster.child.gdal_environment import ENVIRONMENT, PRELOAD
from services.raster.model import CogPlan, Encoded

_BLOCK = 128
_STRIP = 3 * _BLOCK
_MEMORY_MB = 512


@dataclass(frozen=True)
class Case:
    """A raster, and the plan of its COG."""

    dtype: str = "float32"
    bands: int = 1
    size: tuple[int, int] = (637, 803)  # columns and rows, no multiple of a tile
    nodata: float | None = None
    colours: tuple[ColorInterp, ...] = ()
    palette: bool = False
    plan: dict[str, Any] = field(default_factory=dict)

    @property
    def cog_plan(self) -> CogPlan:
        settings: dict[str, Any] = {
            "type": "unknown",
            "tier": "analysis",
            "compression": "DEFLATE",
            "block_size": _BLOCK,
            "overview_resampling": "average",
            "resampling": "bilinear",
            "lossless": True,
        }
        return CogPlan(**(settings | self.plan))

    def write(self, path: Path) -> Path:
        pixels = _pixels(self)
        bands, height, width = pixels.shape
        with rasterio.open(
            path, "w", driver="GTiff", count=bands, height=height, width=width, dtype=self.dtype,
            nodata=self.nodata, crs="EPSG:32633", transform=Affine(10, 0, 5e5, 0, -10, 5.4e6),
            photometric="RGB" if self.colours else "MINISBLACK",
        ) as dataset:  # fmt: skip
            dataset.write(pixels)
            if self.colours:
                dataset.colorinterp = self.colours
            if self.palette:
                dataset.write_colormap(1, {each: (each * 9, 0, 90, 255) for each in range(24)})
            dataset.set_band_description(1, "first")
            dataset.units = ("m",) * self.bands
            dataset.scales = (0.5,) * self.bands
            dataset.update_tags(ACQUIRED="2024-06-17", TIFFTAG_SOFTWARE="a program")
            dataset.update_tags(TIFFTAG_XRESOLUTION="72", TIFFTAG_DATETIME="2024:06:17 10:00:00")
            dataset.update_tags(1, SENSOR="one")
        return path


def _pixels(case: Case) -> NDArray[Any]:
    """Waves with noise, so that every resampling method has its own answer, and holes."""
    chance = np.random.default_rng(8)
    width, height = case.size
    y, x = np.mgrid[0:height, 0:width]
    bands = [110 + 80 * np.sin(x / (23 + band)) * np.cos(y / 31) for band in range(case.bands)]
    pixels = np.stack(bands) + chance.normal(0, 4, (case.bands, height, width))
    if case.palette:
        pixels /= 10
    pixels = pixels.astype(case.dtype)
    holes = chance.random((height, width)) < 0.08
    holes[90:300, 40:222] = True
    if case.nodata is not None:
        pixels[:, holes] = case.nodata
    if ColorInterp.alpha in case.colours:
        pixels[-1] = np.where(holes, 0, np.iinfo(case.dtype).max)
    return pixels


_RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
_RGBA = (*_RGB, ColorInterp.alpha)
_LERC = {"compression": "LERC_DEFLATE", "max_z_error": 0.0}
_LOSSY = {"lossless": False, "overview_resampling": "cubic"}

CASES = {
    "dem-lerc": Case(nodata=-9999, plan=_LERC),
    "dem-lerc-nan": Case(nodata=float("nan"), plan=_LERC),
    "dem-lerc-lossy": Case(plan={**_LERC, **_LOSSY, "max_z_error": 0.5}),
    "dem-deflate": Case(nodata=-9999, plan={"predictor": "FLOATING_POINT"}),
    "dem-zstd": Case(plan={"compression": "ZSTD", "predictor": "FLOATING_POINT"}),
    "uncompressed": Case("int16", plan={"compression": "NONE"}),
    "archive": Case("uint16", nodata=0, plan={"predictor": "STANDARD", "level": 9}),
    "classes": Case("uint8", palette=True, plan={"overview_resampling": "mode"}),
    "classes-nodata": Case("uint8", nodata=3, palette=True, plan={"overview_resampling": "mode"}),
    "classes-nearest": Case("uint8", palette=True, plan={"overview_resampling": "nearest"}),
    "rgb-jpeg": Case(
        "uint8", 3, colours=_RGB, plan={**_LOSSY, "compression": "JPEG", "quality": 85}
    ),
    "gray-jpeg": Case("uint8", plan={**_LOSSY, "compression": "JPEG", "quality": 60}),
    "rgba-webp": Case(
        "uint8", 4, colours=_RGBA, plan={**_LOSSY, "compression": "WEBP", "quality": 85}
    ),
    "rgba-16": Case("uint16", 4, colours=_RGBA, plan={"overview_resampling": "bilinear"}),
    "multispectral": Case("uint16", 6, nodata=0, plan={"predictor": "STANDARD"}),
    "int64": Case("int64", nodata=50, plan={"overview_resampling": "nearest"}),
    "int8": Case("int8", nodata=-1, plan={"overview_resampling": "lanczos"}),
    "float64": Case("float64", plan={"overview_resampling": "cubicspline"}),
    "last-row-alone": Case(size=(257, 2 * _STRIP + 1)),
    "whole-tiles": Case(size=(5 * _BLOCK, 7 * _BLOCK)),
    "narrow": Case(size=(40, 1301)),
    "wide": Case(size=(2100, _STRIP + 9)),
    # So large that GDAL computes its overviews in several portions.
    "portions": Case("uint8", size=(2659, 2667)),
    "portions-mode": Case("uint8", size=(2659, 2667), plan={"overview_resampling": "mode"}),
    "warp": Case(nodata=-9999, plan={"predictor": "FLOATING_POINT", "warp_to": "EPSG:4326"}),
    "warp-cubic": Case("int16", nodata=-1, plan={"warp_to": "EPSG:3857", "resampling": "cubic"}),
}


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Sandbox]:
    limits = Limits(
        memory_bytes=_MEMORY_MB << 20,
        cpu_seconds=600,
        wall_seconds=600,
        written_file_bytes=1 << 30,
    )
    with Sandbox(
        limits, environment=ENVIRONMENT, preload=PRELOAD, readable=[tmp_path], writable=[tmp_path]
    ) as sandbox:
        yield sandbox


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_strips_and_a_single_pass_make_the_same_cog(
    case: Case, child: Sandbox, tmp_path: Path
) -> None:
    source = case.write(tmp_path / "source.tif")
    single, strips = tmp_path / "single.tif", tmp_path / "strips.tif"

    expected = _in_a_single_pass(child, source, single, case.cog_plan)
    encoded = _in_strips(child, source, strips, case.cog_plan, expected)

    for level, (one, other) in enumerate(zip(_levels(single), _levels(strips), strict=True)):
        np.testing.assert_array_equal(one, other, err_msg=f"overview {level} (0: full image)")
    assert _said(strips) == _said(single)
    assert list(_tiles(strips)) == list(_tiles(single))
    valid, errors, warnings = cog_validate(strips, strict=True, quiet=True)
    assert (valid, errors, warnings) == (True, [], [])
    assert (encoded.width, encoded.height) == (expected.width, expected.height)
    assert encoded.overviews == expected.overviews
    assert encoded.decoded_bytes == expected.decoded_bytes
    assert encoded.bytes == strips.stat().st_size


def test_nothing_is_left_but_the_cog(child: Sandbox, tmp_path: Path) -> None:
    case = Case()
    source = case.write(tmp_path / "source.tif")
    target = tmp_path / "cog.tif"
    strips = _encoded_strips(child, source, case.cog_plan, (637, 803))

    windows.assemble(
        child, source, strips, target, case.cog_plan, _MEMORY_MB, check=_go_on,
        progress=_ignore,
    )  # fmt: skip

    assert sorted(tmp_path.iterdir()) == [target, source]


def test_the_statistics_are_those_of_all_strips(child: Sandbox, tmp_path: Path) -> None:
    case = Case(nodata=-9999)
    source = case.write(tmp_path / "source.tif")
    target = tmp_path / "cog.tif"
    strips = _encoded_strips(child, source, case.cog_plan, (637, 803))

    windows.assemble(
        child, source, strips, target, case.cog_plan, _MEMORY_MB, check=_go_on, progress=_ignore,
        statistics=True,
    )  # fmt: skip
    found = encoding.verify(
        child, source, target, case.cog_plan, memory_mb=_MEMORY_MB, check=_go_on
    )

    with rasterio.open(source) as dataset:
        values = dataset.read(1, masked=True).compressed()
    with rasterio.open(target) as cog:
        tags = cog.tags(1)
    assert found.valid_cog
    assert float(tags["STATISTICS_MINIMUM"]) == values.min()
    assert float(tags["STATISTICS_MAXIMUM"]) == values.max()
    assert float(tags["STATISTICS_MEAN"]) == pytest.approx(values.mean(dtype="float64"))


@pytest.mark.parametrize(
    ("order", "reason"),
    [([0, 1], "768 rows, not 803"), ([0, 1, 2, 2], "row 803, where no tile")],
    ids=["one missing", "one too many"],
)
def test_strips_that_are_not_all_are_refused(
    order: list[int], reason: str, child: Sandbox, tmp_path: Path
) -> None:
    case = Case()
    source = case.write(tmp_path / "source.tif")
    strips = _encoded_strips(child, source, case.cog_plan, (637, 803))

    with pytest.raises(PermanentTaskError, match=reason) as refused:
        windows.assemble(
            child, source, [strips[each] for each in order], tmp_path / "cog.tif", case.cog_plan,
            _MEMORY_MB, check=_go_on, progress=_ignore,
        )  # fmt: skip

    assert refused.value.error_code == "strips_do_not_fit"
    assert not list(tmp_path.glob("cog.tif*"))


def test_strips_of_another_plan_are_refused(child: Sandbox, tmp_path: Path) -> None:
    case = Case("uint8", plan={**_LOSSY, "compression": "JPEG", "quality": 85})
    source = case.write(tmp_path / "source.tif")
    strips = _encoded_strips(child, source, case.cog_plan, (637, 803))
    other = case.cog_plan.model_copy(update={"quality": 40})

    with pytest.raises(PermanentTaskError, match="encoded otherwise") as refused:
        windows.assemble(
            child, source, strips, tmp_path / "cog.tif", other, _MEMORY_MB, check=_go_on,
            progress=_ignore,
        )  # fmt: skip

    assert refused.value.error_code == "strips_do_not_fit"


def test_a_raster_that_is_cut_off_is_refused_by_the_strip_that_misses_pixels(
    child: Sandbox, tmp_path: Path
) -> None:
    case = Case()
    source = tmp_path / "cut.tif"
    whole = case.write(tmp_path / "whole.tif")
    rasterio.shutil.copy(whole, source, driver="COG", overviews="NONE", blocksize=_BLOCK)
    data = source.read_bytes()  # header first, then tiles from north to south
    source.write_bytes(data[: len(data) * 3 // 5])
    first, last = ((0, _STRIP), (2 * _STRIP, 803 - 2 * _STRIP))

    target = tmp_path / "strip.tif"
    windows.encode_strip(child, source, target, case.cog_plan, first, _MEMORY_MB, check=_go_on)
    with pytest.raises(PermanentTaskError, match="damaged or cut off") as refused:
        windows.encode_strip(child, source, target, case.cog_plan, last, _MEMORY_MB, check=_go_on)

    assert refused.value.error_code == "cog_failed"
    assert "vsimem" not in refused.value.message


def _in_a_single_pass(child: Sandbox, source: Path, target: Path, plan: CogPlan) -> Encoded:
    made = children.call(
        child,
        "services.raster.child.encoding:encode",
        {
            "source": str(source),
            "target": str(target),
            "plan": plan.model_dump(mode="json"),
            "memory_mb": _MEMORY_MB,
            "threads": 2,
        },
        check=_go_on,
        what="source.tif",
    )
    return Encoded.model_validate(made)


def _in_strips(
    child: Sandbox, source: Path, target: Path, plan: CogPlan, expected: Encoded
) -> Encoded:
    strips = _encoded_strips(child, source, plan, (expected.width, expected.height))
    return windows.assemble(
        child, source, strips, target, plan, _MEMORY_MB, check=_go_on, progress=_ignore
    )


def _encoded_strips(
    child: Sandbox, source: Path, plan: CogPlan, grid: tuple[int, int]
) -> list[Path]:
    strips = []
    for first in range(0, grid[1], _STRIP):
        strip = source.with_name(f"strip-{first}.tif")
        rows = (first, min(_STRIP, grid[1] - first))
        windows.encode_strip(child, source, strip, plan, rows, _MEMORY_MB, check=_go_on)
        strips.append(strip)
    assert len(strips) > 1
    return strips


def _levels(cog: Path) -> Iterator[NDArray[Any]]:
    """The pixels of the full image and of each overview."""
    with rasterio.open(cog) as dataset:
        overviews = dataset.overviews(1)
        yield dataset.read()
    for level in range(len(overviews)):
        with rasterio.open(cog, overview_level=level) as dataset:
            yield dataset.read()


def _said(cog: Path) -> dict[str, Any]:
    """All that a COG says of itself beside its pixels."""
    with rasterio.open(cog) as dataset:
        return {
            "profile": {key: str(value) for key, value in dataset.profile.items()},
            "tags": dataset.tags(),
            "structure": dataset.tags(ns="IMAGE_STRUCTURE"),
            "bands": [dataset.tags(band) for band in dataset.indexes],
            "descriptions": dataset.descriptions,
            "units": dataset.units,
            "scales": dataset.scales,
            "colours": dataset.colorinterp,
            "palette": dataset.colormap(1) if "palette" in str(dataset.colorinterp) else None,
        }


def _tiles(cog: Path) -> Iterator[bytes]:
    """The encoded tiles of the full image."""
    with cog.open("rb") as file:
        yield from tiff_tiles.stored(file, tiff_tiles.read(file).directories[0])


def _go_on() -> None:
    pass


def _ignore(**_facts: int) -> None:
    pass
