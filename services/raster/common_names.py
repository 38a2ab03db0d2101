"""Which part of the spectrum a band shows, by the common names of STAC's eo extension.

https://github.com/stac-extensions/eo/tree/v1.1.0#common-band-names
Only what is said of a band counts: GDAL's colour, or a name that is one of these. Numbers such
as B4 mean another band with each sensor.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from services.raster.description import DescribedBand
from services.raster.model import RasterType

_BY_COLOUR = {name: name for name in ("red", "green", "blue", "coastal", "rededge", "nir", "pan")}
_BY_WORD = {
    **_BY_COLOUR,
    "aerosol": "coastal",
    "yellow": "yellow",
    "panchromatic": "pan",
    "infrared": "nir",
    "nearinfrared": "nir",
    "nir08": "nir08",
    "nir8a": "nir08",
    "nir09": "nir09",
    "watervapour": "nir09",
    "watervapor": "nir09",
    "cirrus": "cirrus",
    "swir1": "swir16",
    "swir16": "swir16",
    "swir2": "swir22",
    "swir22": "swir22",
    "lwir": "lwir",
    "lwir1": "lwir11",
    "lwir11": "lwir11",
    "lwir2": "lwir12",
    "lwir12": "lwir12",
}
_PICTURE = frozenset({"red", "green", "blue"})
_NOT_LETTERS_OR_DIGITS = re.compile(r"[^a-z0-9]")
_REDEDGE = re.compile(r"(?:vegetation)?rededge\d*")


def common_names(bands: Sequence[DescribedBand], kind: RasterType) -> list[str | None]:
    """The common name of each band, in their order; None where nothing says it.

    Of a raster of red, green, blue and near infrared the fourth band is what is left.
    """
    names = [_common_name(band) for band in bands]
    if kind is RasterType.NIR and set(names) >= _PICTURE and "nir" not in names:
        unnamed = [place for place, name in enumerate(names) if name is None]
        if len(unnamed) == 1:
            names[unnamed[0]] = "nir"
    return names


def _common_name(band: DescribedBand) -> str | None:
    word = _NOT_LETTERS_OR_DIGITS.sub("", (band.description or "").lower())
    if _REDEDGE.fullmatch(word):
        return "rededge"
    return _BY_WORD.get(word) or _BY_COLOUR.get(band.colour)
