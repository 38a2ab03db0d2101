"""How a COG is made follows from what the raster is, unless it is told otherwise; and wishes that
a raster cannot have are refused by name."""

from __future__ import annotations

import math
from typing import Any

import pytest

from core.errors import PermanentTaskError
from services.raster import cog_plan
from services.raster.model import (
    Band,
    CogPlan,
    Facts,
    Inference,
    Nodata,
    RasterType,
    Survey,
)
from services.raster.parameters import RasterOptions

_NORTH_UP = (10.0, 0.0, 500_000.0, 0.0, -10.0, 5_400_000.0)
_COLOURS = {
    1: ("gray",),
    2: ("gray", "alpha"),
    3: ("red", "green", "blue"),
    4: ("red", "green", "blue", "alpha"),
}


def _facts(
    dtype: str = "float32",
    count: int = 1,
    *,
    nodata: tuple[float | None, ...] | float | None = None,
    palette: int = 0,
    **facts: Any,
) -> Facts:
    nodatas = nodata if isinstance(nodata, tuple) else (nodata,) * count
    colours = _COLOURS.get(count, ("undefined",) * count)
    bands = tuple(
        Band(number=n, dtype=dtype, nodata=value, colour=colour, palette_entries=palette)
        for n, (value, colour) in enumerate(zip(nodatas, colours, strict=True), start=1)
    )
    given = {
        "driver": "GTiff", "width": 3000, "height": 2000, "crs": "EPSG:32633",
        "transform": _NORTH_UP, "mask": "none" if nodatas[0] is None else "nodata", **facts,
    }  # fmt: skip
    return Facts(bands=bands, **given)


def _plan(facts: Facts, kind: RasterType, **options: Any) -> CogPlan:
    inference = Inference(type=kind, confidence=1.0, candidates=(), evidence=())
    survey = Survey(facts=facts, inference=inference, statistics=())
    return cog_plan.plan(survey, RasterOptions(**options))


_PICTURE = _facts("uint8", 3)
_DEM = _facts("float32")


@pytest.mark.parametrize(
    ("facts", "kind", "expected"),
    [
        (_PICTURE, RasterType.RGB, ("JPEG", "cubic", "cubic", "NO", "visualization")),
        (_facts("uint8", 4), RasterType.RGBA, ("WEBP", "cubic", "cubic", "NO", "visualization")),
        (_facts("uint16", 3), RasterType.RGB,
         ("DEFLATE", "cubic", "cubic", "STANDARD", "analysis")),
        (_DEM, RasterType.DEM, ("LERC_DEFLATE", "average", "bilinear", "NO", "analysis")),
        (_facts("int16"), RasterType.DEM,
         ("LERC_DEFLATE", "average", "bilinear", "NO", "analysis")),
        (_facts("int64"), RasterType.DEM, ("DEFLATE", "average", "bilinear", "NO", "analysis")),
        (_facts("uint8"), RasterType.CATEGORICAL, ("DEFLATE", "mode", "nearest", "NO", "analysis")),
        (_facts("uint16", 6), RasterType.MULTISPECTRAL,
         ("DEFLATE", "average", "bilinear", "STANDARD", "analysis")),
        (_DEM, RasterType.CONTINUOUS,
         ("DEFLATE", "average", "bilinear", "FLOATING_POINT", "analysis")),
        (_facts("float64"), RasterType.VEGETATION_INDEX,
         ("DEFLATE", "average", "bilinear", "FLOATING_POINT", "analysis")),
        (_facts("complex64"), RasterType.CONTINUOUS,
         ("DEFLATE", "nearest", "nearest", "NO", "analysis")),
        (_DEM, RasterType.UNKNOWN, ("DEFLATE", "nearest", "nearest", "FLOATING_POINT", "analysis")),
    ],
)  # fmt: skip
def test_each_type_has_its_settings(
    facts: Facts, kind: RasterType, expected: tuple[str, ...]
) -> None:
    plan = _plan(facts, kind)
    found = (plan.compression, plan.overview_resampling, plan.resampling, plan.predictor, plan.tier)
    assert found == expected
    assert plan.lossless == (plan.compression not in {"JPEG", "WEBP"})
    assert plan.quality == (None if plan.lossless else 85)


@pytest.mark.parametrize("kind", list(RasterType))
@pytest.mark.parametrize("tier", ["analysis", "archive"])
@pytest.mark.parametrize("facts", [_PICTURE, _DEM, _facts("uint8", 4), _facts("int16", 7)])
def test_analysis_and_archive_are_without_loss(facts: Facts, kind: RasterType, tier: str) -> None:
    plan = _plan(facts, kind, output_tier=tier)
    assert plan.lossless
    assert (plan.compression, plan.level) == ("DEFLATE", 9) or tier == "analysis"


@pytest.mark.parametrize("kind", [RasterType.DEM, RasterType.CONTINUOUS, RasterType.NIR])
def test_a_small_file_is_no_reason_to_change_a_measured_value(kind: RasterType) -> None:
    assert _plan(_facts("float32"), kind, output_tier="visualization").lossless


@pytest.mark.parametrize(
    ("facts", "options", "parameter", "says"),
    [
        (_DEM, {"compression": "JPEG"}, "compression", "JPEG holds uint8, not float32"),
        (_facts("uint8", 2), {"compression": "JPEG"}, "compression", "no alpha band"),
        (_facts("uint8", 5), {"compression": "JPEG"}, "compression", "1 or 3 bands, not 5"),
        (_facts("uint8", palette=9), {"compression": "JPEG"}, "compression", "palette"),
        (_facts("uint8", 5), {"compression": "WEBP"}, "compression", "3 or 4 bands, not 5"),
        (_facts("uint16", 3), {"compression": "WEBP"}, "compression", "uint8, not uint16"),
        (_facts("complex64"), {"compression": "LERC"}, "compression", "LERC holds no complex64"),
        (_facts("uint8", palette=9), {"max_z_error": 0.5}, "compression", "palette"),
        (_facts("uint8", 4), {"compression": "LERC"}, "compression", "transparent"),
        (_DEM, {"quality": 80}, "quality", "DEFLATE, which has no quality"),
        (_DEM, {"compression": "ZSTD", "max_z_error": 1}, "max_z_error", "no greatest error"),
        (_facts("uint8"), {"nodata": -1}, "nodata", "whole number from 0 to 255"),
        (_facts("uint8"), {"nodata": "nan"}, "nodata", "no value of uint8"),
        (_facts("int16"), {"nodata": 0.5}, "nodata", "whole number from -32768 to 32767"),
        (_facts("uint8", palette=9), {"resampling": "average"}, "resampling", "mode and nearest"),
        (_facts("complex64"), {"resampling": "mode"}, "resampling", "complex"),
    ],
)  # fmt: skip
def test_a_wish_that_does_not_fit_is_refused_with_what_would(
    facts: Facts, options: dict[str, Any], parameter: str, says: str
) -> None:
    with pytest.raises(PermanentTaskError) as refused:
        _plan(facts, RasterType.CONTINUOUS, **options)
    assert refused.value.error_code == "settings_do_not_fit"
    assert refused.value.details["parameter"] == parameter
    assert refused.value.message.startswith(f"{parameter}: ")
    assert says in refused.value.message


def test_bands_of_different_types_are_refused_rather_than_made_larger() -> None:
    bands = (Band(number=1, dtype="uint8"), Band(number=2, dtype="float32"))
    facts = Facts(driver="HFA", width=9, height=9, bands=bands, transform=_NORTH_UP)
    with pytest.raises(PermanentTaskError, match=r"float32, uint8") as refused:
        _plan(facts, RasterType.MULTISPECTRAL)
    assert refused.value.error_code == "bands_of_different_types"


@pytest.mark.parametrize(
    ("facts", "options", "expected"),
    [
        (_DEM, {}, (Nodata.KEEP, None)),
        (_facts(nodata=-9999.0), {}, (Nodata.KEEP, None)),
        (_facts(nodata=-9999.0), {"nodata": -9999}, (Nodata.KEEP, None)),
        (_facts(nodata=math.nan), {"nodata": "nan"}, (Nodata.KEEP, None)),
        (_DEM, {"nodata": -9999}, (Nodata.DECLARE, -9999.0)),
        (_facts(nodata=0.0), {"nodata": -9999}, (Nodata.DECLARE, -9999.0)),
        (_facts("uint8", 3, nodata=0.0), {"compression": "JPEG"}, (Nodata.MASK, None)),
        (_facts("uint8", 3), {"compression": "JPEG", "nodata": 0}, (Nodata.MASK, 0.0)),
        (_facts(nodata=-9999.0), {"max_z_error": 0.1}, (Nodata.MASK, None)),
        (_facts(nodata=math.nan), {"max_z_error": 0.1}, (Nodata.KEEP, None)),
        (_facts("int16", 2, nodata=(0.0, -1.0)), {}, (Nodata.MASK, None)),
        (_DEM, {"target_crs": "EPSG:4326"}, (Nodata.MASK, None)),
        (_facts(nodata=-1.0), {"target_crs": "EPSG:4326"}, (Nodata.KEEP, None)),
        (_facts("uint8", 4, mask="alpha"), {"target_crs": "EPSG:4326"}, (Nodata.KEEP, None)),
        (_facts(mask="dataset"), {}, (Nodata.KEEP, None)),
        (_facts(mask="dataset"), {"target_crs": "EPSG:4326"}, (Nodata.MASK, None)),
        (_facts(nodata=-1.0, mask="dataset"), {"target_crs": "EPSG:4326"}, (Nodata.MASK, None)),
    ],
)  # fmt: skip
def test_pixels_without_data_stay_so(
    facts: Facts, options: dict[str, Any], expected: tuple[Nodata, float | None]
) -> None:
    plan = _plan(facts, RasterType.CONTINUOUS, **options)
    assert (plan.nodata, plan.nodata_value) == expected
    assert plan.notes or plan.nodata is not Nodata.MASK


def test_another_value_without_data_than_the_file_declares_is_said() -> None:
    plan = _plan(_facts(nodata=0.0), RasterType.DEM, nodata=-9999)
    assert any("-9999" in note and "0.0 of the file" in note for note in plan.notes)


def test_near_infrared_declared_as_alpha_hides_no_pixel() -> None:
    plan = _plan(_facts("uint8", 4, mask="alpha"), RasterType.NIR)
    assert plan.alpha_is_data == (4,)
    assert any("near infrared" in note for note in plan.notes)
    assert _plan(_facts("uint8", 4, mask="alpha"), RasterType.RGBA).alpha_is_data == ()


@pytest.mark.parametrize(
    ("facts", "target", "expected"),
    [
        (_DEM, None, None),
        (_DEM, "EPSG:32633", None),
        (_DEM, "EPSG:3857", "EPSG:3857"),
        (_facts(crs="OGC:CRS84"), "EPSG:4326", None),
        (_facts(crs=None, transform=None, gcps=9, gcps_crs="EPSG:4326"), "EPSG:4326", "EPSG:4326"),
    ],
)
def test_a_raster_in_the_wanted_crs_keeps_its_grid(
    facts: Facts, target: str | None, expected: str | None
) -> None:
    assert _plan(facts, RasterType.DEM, target_crs=target).warp_to == expected


@pytest.mark.parametrize(
    ("facts", "wanted", "expected"),
    [
        (_DEM, 1024, 1024),
        (_facts("float64", 100), 1024, 256),
        (_facts("float32", width=1024), 1024, 512),
        (_facts("float32", width=700, height=9000), 1024, 512),
        (_facts("float32", width=100), 256, 256),
    ],
)
def test_tiles_are_neither_too_large_nor_taken_for_strips(
    facts: Facts, wanted: int, expected: int
) -> None:
    assert _plan(facts, RasterType.DEM, block_size=wanted).block_size == expected


@pytest.mark.parametrize(
    ("width", "height", "block", "count"),
    [(512, 512, 512, 0), (513, 20, 512, 1), (1025, 1, 512, 2), (900, 900, 1024, 1),
     (600, 600, 256, 2), (1, 9000, 512, 0), (2, 9000, 512, 5), (36_000, 36_000, 512, 7)],
)  # fmt: skip
def test_the_smallest_overview_fits_a_tile(width: int, height: int, block: int, count: int) -> None:
    assert cog_plan.overview_count(width, height, block) == count


def test_a_south_up_raster_is_said_to_be_one() -> None:
    facts = _facts(transform=(10.0, 0.0, 0.0, 0.0, 10.0, 0.0))
    assert any("south to north" in note for note in _plan(facts, RasterType.DEM).notes)
