"""What callers want drawn otherwise."""

from __future__ import annotations

import pytest

from core.errors import InvalidParameters
from services.raster.model import Band, BandStatistics, Facts, Inference, RasterType, Survey
from services.raster.rendering.choices import Choices, applied, parse
from services.raster.rendering.model import RenderStyle
from services.raster.rendering.pictures import Inspected


def inspected(*dtypes: str) -> Inspected:
    """A raster whose band n has values from 0 to 100 n."""
    bands = tuple(Band(number=i + 1, dtype=dtype) for i, dtype in enumerate(dtypes))
    statistics = tuple(
        BandStatistics(
            minimum=0,
            maximum=100 * band.number,
            mean=1,
            stdev=1,
            percentiles=(0, 100 * band.number),
            valid_share=1,
            distinct=9,
        )
        for band in bands
    )
    return Inspected(
        survey=Survey(
            facts=Facts(driver="GTiff", width=1, height=1, bands=bands),
            inference=Inference(type=RasterType.UNKNOWN, confidence=1, candidates=(), evidence=()),
            statistics=statistics,
        )
    )


SCENE = inspected("uint16", "uint16", "uint16", "uint16")
COLOUR = RenderStyle(bidx=(3, 2, 1), rescale=((0, 1), (0, 2), (0, 3)))
HEIGHTS = RenderStyle(bidx=(1,), rescale=((0, 50),), colormap_name="viridis")


def test_a_query_string_is_read() -> None:
    assert parse({"bidx": "4,3,2", "rescale": "0,3000", "colormap": "magma_r", "size": "9"}) == (
        Choices(bidx=(4, 3, 2), rescale=((0, 3000),), colormap="magma_r")
    )
    assert not parse({"size": "9"})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("bidx", ""),
        ("bidx", "1,2"),
        ("bidx", "0"),
        ("bidx", "1.5"),
        ("bidx", "red"),
        ("bidx", "9" * 400),
        ("bidx", "9" * 5000),
        ("rescale", "1"),
        ("rescale", "1,1"),
        ("rescale", "2,1"),
        ("rescale", "0,inf"),
        ("rescale", "0," + "9" * 400),
        ("rescale", "0,1,2,3"),
        ("rescale", "0,1,0,1,0,1,0,1"),
        ("colormap", "../viridis"),
    ],
)
def test_what_makes_no_sense_is_named(name: str, text: str) -> None:
    with pytest.raises(InvalidParameters) as refused:
        parse({name: text})
    assert [each["loc"] for each in refused.value.errors] == [["query", name]]


def test_other_bands_are_stretched_by_their_own_values() -> None:
    style = applied(Choices(bidx=(4, 3, 2)), COLOUR, SCENE)
    assert (style.bidx, style.rescale) == ((4, 3, 2), ((0, 400), (0, 300), (0, 200)))


def test_another_band_keeps_the_ramp() -> None:
    style = applied(Choices(bidx=(2,)), HEIGHTS, SCENE)
    assert (style.bidx, style.rescale, style.colormap_name) == ((2,), ((0, 200),), "viridis")
    assert applied(Choices(bidx=(2,)), COLOUR, SCENE).colormap_name is None


def test_a_ramp_takes_the_place_of_classes() -> None:
    classes = RenderStyle(bidx=(1,), colormap={1: "#ff0000"})
    style = applied(Choices(colormap="magma"), classes, inspected("uint8"))
    assert (style.colormap, style.colormap_name, style.rescale) == (None, "magma", ((0, 100),))


def test_one_range_is_for_all_bands() -> None:
    style = applied(Choices(rescale=((5, 6),)), COLOUR, SCENE)
    assert (style.bidx, style.rescale) == ((3, 2, 1), ((5, 6),))


@pytest.mark.parametrize(
    ("choices", "style"),
    [
        (Choices(bidx=(5,)), COLOUR),
        (Choices(colormap="magma"), COLOUR),
        (Choices(rescale=((0, 1), (0, 1), (0, 1))), HEIGHTS),
    ],
)
def test_what_the_raster_does_not_have_is_refused(choices: Choices, style: RenderStyle) -> None:
    with pytest.raises(InvalidParameters):
        applied(choices, style, SCENE)
