"""Bands, their number and data type, and the format: what is known before any pixel is read."""

from __future__ import annotations

from collections.abc import Iterator

from services.raster.evidence.finding import Finding, Weights, weigh
from services.raster.evidence.subject import Subject
from services.raster.model import Subtype

# How often each type has so many bands. The last one stands for all greater numbers.
_OF_BANDS: tuple[Weights, ...] = (
    weigh(
        dem=0, categorical=0, continuous=0.6, vegetation_index=-1.6, unknown=-2.2,
        rgb=-7, rgba=-8, nir=-8, multispectral=-5,
    ),
    weigh(
        dem=-2.5, categorical=-2, continuous=0.5, vegetation_index=-3, unknown=-0.7,
        rgb=-6, rgba=-6, nir=-7, multispectral=-0.7,
    ),
    weigh(
        dem=-4, categorical=-2.5, continuous=-1.8, vegetation_index=-4, unknown=-3,
        rgb=0.7, rgba=-5, nir=-3, multispectral=0,
    ),
    weigh(
        dem=-5, categorical=-3, continuous=-2, vegetation_index=-4, unknown=-3,
        rgb=-4, rgba=-3, nir=0.7, multispectral=0.5,
    ),
    weigh(
        dem=-5, categorical=-2, continuous=-0.8, vegetation_index=-3.5, unknown=-3,
        rgb=-6, rgba=-6, nir=-4, multispectral=1.2,
    ),
)  # fmt: skip
# A grey picture with transparency has no type of its own, and none that fits it.
_GREY_AND_ALPHA = weigh(
    unknown=2, continuous=0.5, categorical=-1, dem=-2, rgba=-0.5, vegetation_index=-3,
    rgb=-6, nir=-7, multispectral=-4,
)  # fmt: skip
_THREE_AND_ALPHA = weigh(
    rgba=4, rgb=0, multispectral=-1, nir=-2, unknown=-2, categorical=-3, continuous=-3,
    dem=-6, vegetation_index=-6,
)  # fmt: skip
# Drivers whose files hold nothing but elevations.
_FORMATS_OF_ELEVATIONS = frozenset({"DTED", "SRTMHGT", "USGSDEM"})


def find(subject: Subject) -> Iterator[Finding]:
    """Look at the number of bands, their data type and the driver."""
    yield _bands(subject)
    yield _data_type(subject)
    driver = subject.facts.driver
    if driver in _FORMATS_OF_ELEVATIONS:
        yield Finding("format", f"{driver} is a format of elevations.", weigh(dem=9), driver)


def _bands(subject: Subject) -> Finding:
    count = subject.data_bands
    alpha = subject.alpha is not None
    weights = _OF_BANDS[min(count, len(_OF_BANDS)) - 1]
    if alpha and count == 3:
        weights = _THREE_AND_ALPHA
    elif alpha and count == 1 and subject.dtype == "uint8":
        weights = _GREY_AND_ALPHA
    bands = "one band" if count == 1 else f"{count} bands"
    return Finding("bands", f"It has {bands}{' and alpha' if alpha else ''}.", weights, count)


def _data_type(subject: Subject) -> Finding:
    if subject.complex:
        return Finding(
            "data type",
            "Its values are complex, as those of a radar before it is processed: neither a "
            "picture nor a field of amounts.",
            weigh(unknown=8),
            subject.dtype,
            {Subtype.SAR: 2.0},
        )
    says, one, many = _OF_DATA_TYPE.get(subject.dtype, _OF_OTHER_DATA_TYPES)
    return Finding("data type", says, one if subject.data_bands == 1 else many, subject.dtype)


_FLOATING = "Floating point is what measured and computed amounts are kept in."
_OF_SEVERAL_FLOATS = weigh(rgb=-2, rgba=-3, multispectral=0.3, continuous=0.7)
# For each type of data a sentence, weights for one band, and weights for several.
_OF_DATA_TYPE: dict[str, tuple[str, Weights, Weights]] = {
    "uint8": (
        "Bytes are what pictures and classes are kept in.",
        weigh(dem=-2.5, vegetation_index=-1.5),
        weigh(rgb=1.0, nir=0.3),
    ),
    "int8": (
        "Signed bytes hold classes or small amounts.",
        weigh(dem=-2, categorical=0.5),
        weigh(rgb=-2, rgba=-3),
    ),
    "uint16": (
        "Unsigned numbers of 16 bits are what sensors deliver.",
        weigh(dem=-0.6),
        weigh(multispectral=0.4),
    ),
    "int16": (
        "Signed numbers of 16 bits are what elevations are often kept in.",
        weigh(dem=0.8),
        weigh(rgb=-1, multispectral=0.3),
    ),
    "float32": (_FLOATING, weigh(categorical=-0.5, dem=0.2), _OF_SEVERAL_FLOATS),
    "float64": (_FLOATING, weigh(categorical=-0.5, dem=-0.3), _OF_SEVERAL_FLOATS),
}
_OF_OTHER_DATA_TYPES = (
    "Values of this type are rare in pictures.",
    weigh(),
    weigh(rgb=-2, rgba=-3),
)
