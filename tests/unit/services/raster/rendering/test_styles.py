"""How rasters of each type are drawn where nobody says how."""

from __future__ import annotations

from typing import Any

import pytest

from services.raster.model import Band, BandStatistics, Facts, RasterType, Subtype
from services.raster.rendering.model import RenderStyle
from services.raster.rendering.styles import style_for

DEPTH_OF_SEA = -4000.0


def facts(*bands: dict[str, Any], **more: Any) -> Facts:
    made = tuple(Band(number=i + 1, **{"dtype": "uint8", **band}) for i, band in enumerate(bands))
    return Facts(driver="GTiff", width=10, height=10, bands=made, **more)


def values(
    low: float, high: float, percentiles: tuple[float, float] | None = None
) -> BandStatistics:
    return BandStatistics(
        minimum=low,
        maximum=high,
        mean=(low + high) / 2,
        stdev=1.0,
        percentiles=percentiles or (low, high),
        valid_share=1.0,
        distinct=100,
    )


NOTHING = BandStatistics(
    minimum=None,
    maximum=None,
    mean=None,
    stdev=None,
    percentiles=None,
    valid_share=0.0,
    distinct=0,
)


def single(
    kind: RasterType, statistics: BandStatistics, subtype: Subtype | None = None, **band: Any
) -> RenderStyle:
    return style_for(kind, subtype, [statistics], facts({"dtype": "float32", **band}))


def test_a_picture_of_8_bits_is_shown_as_it_is() -> None:
    style = style_for(RasterType.RGB, None, [values(0, 255)] * 3, facts({}, {}, {}))
    assert (style.bidx, style.rescale) == ((1, 2, 3), None)


def test_a_picture_that_uses_few_of_its_bits_is_brightened() -> None:
    style = style_for(RasterType.RGB, None, [values(0, 31)] * 3, facts({}, {}, {}))
    assert style.rescale == ((0.0, 31.0),)


def test_a_picture_of_16_bits_is_stretched_band_by_band() -> None:
    bands = [{"dtype": "uint16", "colour": name} for name in ("blue", "green", "red")]
    known = [values(0, 9000, (100, 2000)), values(0, 9000, (200, 3000)), values(0, 9000, (9, 90))]
    style = style_for(RasterType.MULTISPECTRAL, None, known, facts(*bands))
    assert style.bidx == (3, 2, 1)
    assert style.rescale == ((9, 90), (200, 3000), (100, 2000))


def test_alpha_is_no_colour() -> None:
    bands: list[dict[str, Any]] = [{"colour": name} for name in ("red", "green", "blue", "alpha")]
    style = style_for(RasterType.RGBA, None, [values(0, 255)] * 4, facts(*bands))
    assert style.bidx == (1, 2, 3)


@pytest.mark.parametrize(
    ("low", "high", "ramp", "rescale"),
    [
        (120.0, 840.0, "schwarzwald", (120.0, 840.0)),
        (-20.0, 840.0, "schwarzwald", (-20.0, 840.0)),
        (DEPTH_OF_SEA, 1000.0, "topo", (DEPTH_OF_SEA, -DEPTH_OF_SEA)),
        (DEPTH_OF_SEA, -3.0, "ice", (DEPTH_OF_SEA, -3.0)),
    ],
)
def test_land_and_sea_have_colours_of_their_own(
    low: float, high: float, ramp: str, rescale: tuple[float, float]
) -> None:
    style = single(RasterType.DEM, values(low, high))
    assert (style.colormap_name, style.rescale) == (ramp, (rescale,))


@pytest.mark.parametrize(
    ("statistics", "band", "rescale"),
    [
        (values(-0.3, 0.97), {}, (-0.2, 0.9)),
        (values(-2000, 9800), {"dtype": "int16"}, (-2000.0, 9000.0)),
        (values(0, 200), {"dtype": "uint8"}, (0, 200)),
        (values(0, 200), {"dtype": "uint8", "scale": 0.01, "offset": -1.0}, (80.0, 190.0)),
    ],
)
def test_a_vegetation_index_has_the_range_that_it_has_by_nature(
    statistics: BandStatistics, band: dict[str, Any], rescale: tuple[float, float]
) -> None:
    style = single(RasterType.VEGETATION_INDEX, statistics, **band)
    assert style.colormap_name == "rdylgn"
    assert style.rescale == (pytest.approx(rescale),)


def test_a_palette_is_kept() -> None:
    style = single(RasterType.CATEGORICAL, values(0, 5), dtype="uint8", palette_entries=256)
    assert (style.colormap, style.colormap_name, style.rescale) == (None, None, None)
    assert style.resampling == "nearest"


def test_classes_without_colours_get_different_ones() -> None:
    colours = single(RasterType.CATEGORICAL, values(1, 40), dtype="uint8").colormap
    assert colours is not None
    assert sorted(colours) == list(range(1, 41))
    assert len(set(colours.values())) == 40


def test_so_many_classes_that_nobody_tells_them_apart_get_a_ramp() -> None:
    style = single(RasterType.CATEGORICAL, values(0, 50_000), dtype="uint16")
    assert (style.colormap, style.colormap_name, style.resampling) == (None, "turbo", "nearest")


def test_a_mask_has_two_colours() -> None:
    style = single(RasterType.CATEGORICAL, values(0, 255), Subtype.MASK, dtype="uint8")
    assert style.colormap is not None
    assert sorted(style.colormap) == [0, 255]


@pytest.mark.parametrize(
    ("statistics", "rescale"), [(values(0, 1), (0.0, 1.0)), (values(0, 97), (0.0, 100.0))]
)
def test_probabilities_reach_from_none_to_certain(
    statistics: BandStatistics, rescale: tuple[float, float]
) -> None:
    style = single(RasterType.CONTINUOUS, statistics, Subtype.PROBABILITY)
    assert style.rescale == (rescale,)


def test_vectors_are_drawn_by_their_length() -> None:
    wind = facts({"dtype": "float32"}, {"dtype": "float32"})
    style = style_for(
        RasterType.CONTINUOUS, Subtype.VECTOR_FIELD, [values(-3, 3), values(-4, 4)], wind
    )
    assert (style.expression, style.rescale) == ("sqrt(b1**2+b2**2)", ((0.0, 5.0),))


def test_rain_that_fell_nearly_nowhere_still_shows() -> None:
    style = single(RasterType.CONTINUOUS, values(0, 218, (0, 0)), Subtype.PRECIPITATION)
    assert style.rescale == ((0.0, 218.0),)


@pytest.mark.parametrize("kind", list(RasterType))
@pytest.mark.parametrize("statistics", [NOTHING, values(7, 7), values(-1e300, 1e300)])
@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("dtype", ["uint8", "float64"])
def test_every_raster_has_a_style(
    kind: RasterType, statistics: BandStatistics, count: int, dtype: str
) -> None:
    bands: list[dict[str, Any]] = [{"dtype": dtype}] * count
    style = style_for(kind, None, [statistics] * count, facts(*bands))
    assert RenderStyle.model_validate(style.model_dump(mode="json")) == style
    assert None not in style.model_dump(mode="json").values()
    for low, high in style.rescale or ():
        assert low < high


def test_an_unknown_raster_of_two_bands_is_gray() -> None:
    style = style_for(RasterType.UNKNOWN, None, [values(0, 9)] * 2, facts({}, {}))
    assert (style.bidx, style.colormap_name) == ((1,), "gray")
