"""Which bands are red, green and blue."""

from __future__ import annotations

from typing import Any

import pytest

from services.raster.model import Band, Facts
from services.raster.rendering.bands import natural_colour, wavelength


def facts(bands: list[dict[str, Any]], **tags: str) -> Facts:
    made = tuple(Band(number=i + 1, dtype="uint16", **band) for i, band in enumerate(bands))
    return Facts(driver="GTiff", width=1, height=1, bands=made, tags=tags)


def named(*names: str) -> list[dict[str, Any]]:
    return [{"description": name} for name in names]


@pytest.mark.parametrize(
    ("bands", "expected"),
    [
        ([{"colour": "blue"}, {"colour": "green"}, {"colour": "red"}], (3, 2, 1)),
        (named("blue", "green", "red", "nir"), (3, 2, 1)),
        (named("B", "G", "R", "N"), (3, 2, 1)),
        (named("NIR", "Red", "Green", "Blue"), (2, 3, 4)),
        (
            named("B02 - Blue (490 nm)", "B03 - Green", "B05 - Red Edge 1", "B04 - Red (665 nm)"),
            (4, 2, 1),
        ),
        (named("B02", "B03", "B04", "B08"), (3, 2, 1)),
        (named("SR_B1", "SR_B2", "SR_B3", "SR_B4", "SR_B5", "SR_B6", "SR_B7"), (4, 3, 2)),
        (named("B1", "B2", "B3", "B4", "B5", "B7"), (3, 2, 1)),
        (named("a", "b", "c"), (1, 2, 3)),
        ([{}] * 13, (4, 3, 2)),
        ([{}] * 6, (3, 2, 1)),
        ([{}] * 4, (1, 2, 3)),
        ([{}] * 4 + [{"colour": "alpha"}], (1, 2, 3)),
    ],
)
def test_colours_are_found(bands: list[dict[str, Any]], expected: tuple[int, int, int]) -> None:
    assert natural_colour(facts(bands)) == expected


def test_older_landsats_have_no_coastal_band() -> None:
    bands = named("B1", "B2", "B3", "B4")
    assert natural_colour(facts(bands, SPACECRAFT_ID="LANDSAT_5")) == (3, 2, 1)
    assert natural_colour(facts(bands, SPACECRAFT_ID="LANDSAT_8")) == (4, 3, 2)


def test_colours_are_found_by_wavelength() -> None:
    lengths = ["0.443", "0.490", "0.560", "0.665", "0.842"]
    bands = [{"tags": {"CENTRAL_WAVELENGTH_UM": length}} for length in lengths]
    assert natural_colour(facts(bands)) == (4, 3, 2)
    infrared = [{"tags": {"wavelength": length}} for length in ("1600 nm", "2100 nm", "865 nm")]
    assert natural_colour(facts(infrared)) == (1, 2, 3)


@pytest.mark.parametrize(("text", "expected"), [("0.665", 665), ("665.2 nm", 665.2), ("n/a", None)])
def test_wavelengths_are_in_nanometres(text: str, expected: float | None) -> None:
    band = Band(number=1, dtype="uint16", tags={"wavelength": text})
    assert wavelength(band) == (None if expected is None else pytest.approx(expected))
