"""What users are warned of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from services.raster.evidence import caveats
from tests.support import rasters
from tests.support.raster_subjects import subject

_RELIEF = rasters.dem(64)
_MARS = (
    'GEOGCS["Mars 2000",DATUM["D_Mars_2000",SPHEROID["Mars_2000",3396190,169.8944472]],'
    'PRIMEM["Reference_Meridian",0],UNIT["degree",0.0174532925199433]]'
)
_LOCAL = 'LOCAL_CS["Site grid",UNIT["metre",1]]'


def _codes(pixels: np.ndarray = _RELIEF, **known: Any) -> list[str]:
    return [caveat.code for caveat in caveats.find(subject(pixels, **known))]


def _holed(value: float, **known: Any) -> list[str]:
    pixels = _RELIEF.copy()
    pixels[:6] = value
    return _codes(pixels, **known)


def test_a_sound_raster_has_no_caveat() -> None:
    assert _codes() == []
    assert _codes(rasters.landcover(64)) == []
    assert _codes(rasters.rgba(64), bands=[{}, {}, {}, {"colour": "alpha"}]) == []


@pytest.mark.parametrize(
    ("known", "codes"),
    [
        ({"crs": None}, ["no_crs"]),
        ({"crs": None, "transform": None}, ["no_georeference", "no_crs"]),
        ({"crs": None, "transform": None, "gcps": 4, "gcps_crs": "EPSG:4326"}, ["gcps_only"]),
        ({"crs": None, "transform": None, "rpcs": True}, ["rpcs_only"]),
        ({"transform": (10.0, 2.0, 5e5, 2.0, -10.0, 5e6)}, ["rotated"]),
        ({"transform": (10.0, 0.0, 5e5, 0.0, 10.0, 5e6)}, ["south_up"]),
        ({"transform": (-10.0, 0.0, 5e5, 0.0, -10.0, 5e6)}, ["east_left"]),
        ({"crs": "nonsense"}, ["unreadable_crs"]),
        ({"crs": _MARS, "transform": (0.01, 0.0, 10.0, 0.0, -0.01, 10.0)}, ["other_planet"]),
        ({"crs": _LOCAL}, ["local_crs"]),
        ({"crs": "EPSG:4326"}, ["outside_crs"]),
        ({"transform": (0.01, 0.0, 10.0, 0.0, -0.01, 50.0)}, ["degrees_in_projected_crs"]),
    ],
)
def test_georeference(known: dict[str, Any], codes: list[str]) -> None:
    assert _codes(**known) == codes


@pytest.mark.parametrize(
    ("pixels", "codes"),
    [
        (_RELIEF.astype(np.float64), ["64_bit"]),
        (np.round(_RELIEF), ["integers_in_float"]),
        (np.full((64, 64), 7, np.uint8), ["constant"]),
        (np.full((64, 64), np.nan, np.float32), ["all_nodata"]),
        (rasters.landcover(8), ["tiny"]),
    ],
)
def test_values(pixels: np.ndarray, codes: list[str]) -> None:
    assert _codes(pixels) == codes


def test_a_band_without_data_is_named() -> None:
    pixels = rasters.multispectral(64).astype(np.float32)
    pixels[2] = np.nan
    found = list(caveats.find(subject(pixels)))
    assert [(c.code, c.band) for c in found if c.code == "all_nodata"] == [("all_nodata", 3)]


def test_missing_data_that_is_not_declared() -> None:
    assert _holed(-9999) == ["undeclared_nodata"]
    assert _holed(-9999, bands=[{"nodata": -32768}]) == ["undeclared_nodata", "doubtful_nodata"]


def test_a_nodata_value_amid_the_data() -> None:
    assert _codes(bands=[{"nodata": float(np.median(_RELIEF))}]) == ["doubtful_nodata"]
    assert _codes(bands=[{"nodata": -9999}]) == []


def test_messages_are_sentences_with_what_to_do() -> None:
    pixels = _RELIEF.copy()
    pixels[:6] = -9999
    [caveat] = caveats.find(subject(pixels))
    assert caveat.message == (
        "The value -9999 seems to stand for missing data, and is not declared: give it as `nodata`."
    )
    assert caveat.band == 1
