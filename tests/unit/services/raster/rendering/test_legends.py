"""What the colours of a picture mean."""

from __future__ import annotations

from typing import Any

from services.raster.model import Band, Facts
from services.raster.rendering import ramps
from services.raster.rendering.legends import MOST_CLASSES, legend
from services.raster.rendering.model import RenderStyle


def facts(*bands: dict[str, Any]) -> Facts:
    made = tuple(Band(number=i + 1, **{"dtype": "int16", **band}) for i, band in enumerate(bands))
    return Facts(driver="GTiff", width=1, height=1, bands=made)


def test_a_ramp_goes_between_values_as_they_are_meant() -> None:
    style = RenderStyle(bidx=(1,), rescale=((0, 2000),), colormap_name="magma_r")
    found = legend(style, facts({"scale": 0.1, "offset": -50.0, "unit": "°C"}), None)
    assert (found.low, found.high, found.unit) == (-50.0, 150.0, "°C")
    assert found.ramp == ramps.colours("magma_r")
    assert found.ramp[::-1] == ramps.colours("magma")


def test_a_picture_says_which_band_is_which_colour() -> None:
    found = legend(RenderStyle(bidx=(3, 1, 2)), facts({}, {}, {"description": "nir"}), None)
    assert found.channels == ("Red: band 3 (nir)", "Green: band 1", "Blue: band 2")


def test_classes_have_the_names_that_are_known() -> None:
    palette = {0: "#000000ff", 1: "#ff0000ff", 2: "#00ff00ff", 3: "#00000000"}
    found = legend(RenderStyle(bidx=(1,)), facts({}), palette)
    assert [(each.value, each.label) for each in found.classes] == [(1, "1"), (2, "2")]
    found = legend(RenderStyle(bidx=(1,)), facts({"categories": ("sea", "", "wood")}), palette)
    assert [each.label for each in found.classes] == ["sea", "wood"]
    found = legend(RenderStyle(bidx=(1,)), facts({}), palette, {2: "Trees"})
    assert [(each.value, each.label) for each in found.classes] == [(2, "Trees")]


def test_a_legend_stays_readable() -> None:
    colours = dict.fromkeys(range(200), "#123456")
    found = legend(RenderStyle(bidx=(1,), colormap=colours), facts({}), None)
    assert (len(found.classes), found.more_classes) == (MOST_CLASSES, 200 - MOST_CLASSES)


def test_the_file_s_colours_do_not_hold_for_a_ramp() -> None:
    style = RenderStyle(bidx=(1,), rescale=((0, 9),), colormap_name="viridis")
    assert legend(style, facts({}), {1: "#ff0000ff"}).classes == ()


def test_a_ramp_whose_colours_are_not_known_has_none() -> None:
    style = RenderStyle(bidx=(1,), rescale=((0, 9),), colormap_name="rainbow")
    assert legend(style, facts({}), None).ramp == ()
