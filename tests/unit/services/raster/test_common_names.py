"""Which part of the spectrum bands show."""

from __future__ import annotations

import pytest

from services.raster.common_names import common_names
from services.raster.model import RasterType
from tests.support.raster_items import band


@pytest.mark.parametrize(
    ("description", "name"),
    [
        ("Red", "red"), ("NIR", "nir"), ("Near-Infrared", "nir"), ("swir 1", "swir16"),
        ("SWIR22", "swir22"), ("red edge 2", "rededge"), ("rededge", "rededge"),
        ("Coastal", "coastal"), ("Panchromatic", "pan"), ("B04", None), ("redness", None),
        ("", None), (None, None),
    ],
)  # fmt: skip
def test_names_that_are_known_count(description: str | None, name: str | None) -> None:
    kind = RasterType.MULTISPECTRAL
    assert common_names([band(description=description)], kind) == [name]


def test_a_name_comes_before_a_colour() -> None:
    bands = [band(description="nir", colour="red"), band(colour="green"), band(colour="alpha")]
    assert common_names(bands, RasterType.MULTISPECTRAL) == ["nir", "green", None]


def test_what_is_left_beside_a_picture_is_near_infrared() -> None:
    picture = [band(colour=colour) for colour in ("red", "green", "blue")]
    for colour in ("undefined", "alpha"):
        bands = [*picture, band(colour=colour)]
        assert common_names(bands, RasterType.NIR)[3] == "nir"
        assert common_names(bands, RasterType.RGBA)[3] is None
    assert common_names([*picture, band(), band()], RasterType.NIR)[3:] == [None, None]
    assert common_names([band()] * 4, RasterType.NIR) == [None] * 4
