"""Single coordinates as people write them: numbers, and degrees, minutes and seconds."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_Numbers = npt.NDArray[np.float64]

_NUMBER: Final = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?$"
# 12°34'56.7"N, N 12 34 56.7, 12d34m56s S, 12°34.5', -12°34'56": a hemisphere before or
# after, with the signs that keyboards and word processors have for minutes and seconds.
_MINUTE: Final = "['\u2019\u2032\u00b4m:\\s]"
_SECOND: Final = "(?:\"|''|\u201d|\u2033|\u2019\u2019|\u2032\u2032|s)"
_DEGREE: Final = "[\u00b0\u00ba\u02dad:\\s]"
_DMS: Final = (
    r"^(?P<before>[NSEWnsew+-])?\s*(?P<degrees>\d{1,3}(?:\.\d+)?)\s*" + _DEGREE + r"\s*"
    r"(?:(?P<minutes>\d{1,2}(?:\.\d+)?)\s*(?:" + _MINUTE + r"\s*|$)"
    r"(?:(?P<seconds>\d{1,2}(?:\.\d+)?)\s*" + _SECOND + r"?\s*)?)?"
    r"(?P<after>[NSEWnsew])?$"
)
_WEST_OR_SOUTH: Final = r"(?i)^[sw-]$"
# 12.5° N, 12.5N: a number with a sign for degrees, or a hemisphere.
_MARKED: Final = (
    r"^(?P<before>[NSEWnsew])?\s*(?P<degrees>-?\d{1,3}(?:\.\d+)?)\s*" + _DEGREE + r"?\s*"
    r"(?P<after>[NSEWnsew])?$"
)


def numbers_of(texts: pa.Array[Any], *, decimal_comma: bool = False) -> _Numbers:
    """The coordinates in texts without blanks at their ends; NaN where there is none."""
    if decimal_comma:
        texts = pc.replace_substring(texts, ",", ".")
    try:
        # A cast takes nan and inf, and no coordinate is either.
        numbers = np.array(pc.fill_null(texts.cast(pa.float64()), np.nan), dtype=np.float64)
        numbers[~np.isfinite(numbers)] = np.nan
        return numbers
    except pa.ArrowInvalid:
        pass
    fits = pc.match_substring_regex(texts, _NUMBER)
    plain = pc.if_else(fits, texts, pa.scalar(None, pa.string())).cast(pa.float64())
    numbers = np.array(pc.fill_null(plain, np.nan), dtype=np.float64)
    missing = np.isnan(numbers)
    if missing.any():
        rest = texts.filter(pa.array(missing))
        values = _sexagesimal(rest, _DMS)
        still = np.isnan(values)
        if still.any():
            values[still] = _sexagesimal(rest.filter(pa.array(still)), _MARKED)
        numbers[missing] = values
    numbers[~np.isfinite(numbers)] = np.nan
    return numbers


def _sexagesimal(texts: pa.Array[Any], pattern: str) -> _Numbers:
    fields = pc.extract_regex(texts, pattern=pattern)
    names = {field.name for field in fields.type}
    degrees = _group(fields, "degrees")
    minutes = np.nan_to_num(_group(fields, "minutes")) if "minutes" in names else 0.0
    seconds = np.nan_to_num(_group(fields, "seconds")) if "seconds" in names else 0.0
    value = np.abs(degrees) + minutes / 60 + seconds / 3600
    negative = degrees < 0
    for name in ("before", "after"):
        sign = pc.match_substring_regex(pc.struct_field(fields, name), _WEST_OR_SOUTH)
        negative |= np.asarray(pc.fill_null(sign, False), dtype=bool)
    impossible = (np.asarray(minutes) >= 60) | (np.asarray(seconds) >= 60)
    return np.where(impossible, np.nan, np.where(negative, -value, value))


def _group(fields: pa.StructArray, name: str) -> _Numbers:
    digits = pc.struct_field(fields, name)
    blank = pc.equal(digits, "")
    numbers = pc.if_else(blank, pa.scalar(None, pa.string()), digits).cast(pa.float64())
    return np.array(pc.fill_null(numbers, np.nan), dtype=np.float64)
