"""Bands, their number and data type, and the format: what is known before any pixel is read."""

from __future__ import annotations

from collections.abc import Iterator

from services.raster.evidence.finding import Finding, Weights
from services.raster.evidence.subject import Subject
from services.raster.model import RasterType as T
from services.raster.model import Subtype

_OF_BANDS: dict[int, Weights] = {
    1: {T.DEM: 0.0, T.CATEGORICAL: 0.0, T.CONTINUOUS: 0.6, T.VEGETATION_INDEX: -1.6,
        T.UNKNOWN: -2.2, T.RGB: -7, T.RGBA: -8, T.NIR: -8, T.MULTISPECTRAL: -5},
    2: {T.DEM: -2.5, T.CATEGORICAL: -2, T.CONTINUOUS: 0.5, T.VEGETATION_INDEX: -3,
        T.UNKNOWN: -0.7, T.RGB: -6, T.RGBA: -6, T.NIR: -7, T.MULTISPECTRAL: -0.7},
    3: {T.DEM: -4, T.CATEGORICAL: -2.5, T.CONTINUOUS: -1.8, T.VEGETATION_INDEX: -4,
        T.UNKNOWN: -3, T.RGB: 0.7, T.RGBA: -5, T.NIR: -3, T.MULTISPECTRAL: 0.0},
    4: {T.DEM: -5, T.CATEGORICAL: -3, T.CONTINUOUS: -2, T.VEGETATION_INDEX: -4,
        T.UNKNOWN: -3, T.RGB: -4, T.RGBA: -3, T.NIR: 0.7, T.MULTISPECTRAL: 0.5},
    5: {T.DEM: -5, T.CATEGORICAL: -2, T.CONTINUOUS: -0.8, T.VEGETATION_INDEX: -3.5,
        T.UNKNOWN: -3, T.RGB: -6, T.RGBA: -6, T.NIR: -4, T.MULTISPECTRAL: 1.2},
}  # fmt: skip
_WITH_ALPHA: dict[int, Weights] = {
    # A grey picture with transparency: no type of its own, none that fits it.
    1: {T.UNKNOWN: 2, T.CONTINUOUS: 0.5, T.CATEGORICAL: -1, T.DEM: -2, T.RGBA: -0.5,
        T.VEGETATION_INDEX: -3, T.RGB: -6, T.NIR: -7, T.MULTISPECTRAL: -4},
    3: {T.RGBA: 4, T.RGB: 0, T.MULTISPECTRAL: -1, T.NIR: -2, T.UNKNOWN: -2, T.CATEGORICAL: -3,
        T.CONTINUOUS: -3, T.DEM: -6, T.VEGETATION_INDEX: -6},
}  # fmt: skip
_RELIEF_FORMATS = frozenset({"DTED", "SRTMHGT", "USGSDEM", "BT", "NTv2"})


def find(subject: Subject) -> Iterator[Finding]:
    yield _bands(subject)
    yield _data_type(subject)
    if subject.facts.driver in _RELIEF_FORMATS:
        yield Finding(
            "format",
            f"{subject.facts.driver} is a format of elevations.",
            {T.DEM: 6},
            subject.facts.driver,
        )


def _bands(subject: Subject) -> Finding:
    count = subject.data_bands
    if subject.alpha is not None and count in _WITH_ALPHA:
        weights = _WITH_ALPHA[count]
        words = "one band and alpha" if count == 1 else "three bands and alpha"
        return Finding("bands", f"It has {words}.", weights, count + 1)
    bands = "one band" if count == 1 else f"{count} bands"
    return Finding("bands", f"It has {bands}.", _OF_BANDS[min(count, 5)], count)


def _data_type(subject: Subject) -> Finding:
    dtype, one = subject.dtype, subject.data_bands == 1
    weights: Weights = {}
    subtypes = {}
    if subject.complex:
        # Neither a picture nor a field of values: of what its magnitude says nothing follows.
        weights, subtypes = {T.UNKNOWN: 8}, {Subtype.SAR: 2.0}
        says = "Its values are complex, as those of a radar before it is processed."
    elif dtype == "uint8":
        weights = {T.DEM: -2.5, T.VEGETATION_INDEX: -1.5} if one else {T.RGB: 1.0, T.NIR: 0.3}
        says = "Bytes are what pictures and classes are kept in."
    elif dtype == "int8":
        weights = {T.DEM: -2, T.CATEGORICAL: 0.5}
        says = "Signed bytes hold classes or small quantities."
    elif dtype == "uint16":
        weights = {T.DEM: -0.6} if one else {T.MULTISPECTRAL: 0.4}
        says = "Unsigned 16 bits are what sensors deliver."
    elif dtype == "int16":
        weights = {T.DEM: 0.8} if one else {T.RGB: -1.0, T.MULTISPECTRAL: 0.3}
        says = "Signed 16 bits are what elevations are often kept in."
    elif dtype in ("float32", "float64", "float16"):
        weights = (
            {T.CATEGORICAL: -0.5, T.DEM: 0.2 if dtype == "float32" else -0.3}
            if one
            else {T.RGB: -2.0, T.RGBA: -3.0, T.MULTISPECTRAL: 0.3, T.CONTINUOUS: 0.7}
        )
        says = "Floating point is what measured and computed quantities are kept in."
    else:
        weights = {T.RGB: -2.0, T.RGBA: -3.0}
        says = f"Values of {dtype} are rare in pictures."
    return Finding("data type", says, weights, dtype, subtypes)
