"""Values that PostgreSQL cannot hold, found and mended in whole Arrow arrays."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import date
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from core.models.feature_table import ColumnType

# What was found, by column and reason: {("name", "nul_removed"): 3}.
ValueFaults = dict[tuple[str, str], int]

NUL_REMOVED = "nul_removed"
BAD_UNICODE = "bad_unicode_replaced"
OUT_OF_RANGE = "out_of_range"
TOO_LONG = "too_long"
NOT_JSON = "not_json_kept_as_text"

# A value of PostgreSQL is under 1 GB; COPY's message of a row must fit that too.
_LONGEST_BYTES = (1 << 30) - (1 << 20)
# PostgreSQL's years go further, but those before 1 and after 9999 have no ISO 8601 text of four
# digits, and neither Python nor most other clients can read them.
_EARLIEST, _LATEST = date(1, 1, 1), date(9999, 12, 31)
_EPOCH = date(1970, 1, 1)
_TICKS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_DAY_SECONDS = 86_400
# An escape that jsonb refuses: NUL, or half of a surrogate pair.
_SUSPICIOUS_ESCAPE = r"\\u(0000|[dD][89abAB-Fc-f])"
_NUL_OR_SURROGATE = re.compile("[\x00\ud800-\udfff]")


def storable(
    name: str, array: pa.Array[Any], column_type: ColumnType
) -> tuple[pa.Array[Any], ValueFaults]:
    """An attribute's values as PostgreSQL can hold them, and what had to be done, by count.

    `name` is the attribute's. NUL characters are removed from texts, broken UTF-8 becomes
    U+FFFD, dates and times out of the years 1 to 9999 and values of 1 GB become null. JSON
    that cannot be parsed is kept, as a JSON string of it. Numbers stay, NaN and infinity too.
    """
    mended: pa.Array[Any]
    found: dict[str, int]
    if column_type is ColumnType.TEXT:
        mended, found = _texts(array)
    elif column_type is ColumnType.JSON:
        mended, found = _json(array)
    elif column_type is ColumnType.BYTES:
        mended, found = _without_giants(array)
    elif column_type in (ColumnType.DATE, ColumnType.TIMESTAMP, ColumnType.TIMESTAMPTZ):
        mended, found = _within_years(array)
    else:
        return array, {}
    return mended, {(name, reason): count for reason, count in found.items() if count}


def _texts(array: pa.Array[Any]) -> tuple[pa.Array[Any], dict[str, int]]:
    array, replaced = _valid_utf8(array)
    array, found = _without_giants(array)
    with_nul = pc.match_substring(array, "\0")
    count = pc.sum(with_nul).as_py() or 0
    if count:
        array = pc.replace_substring(array, pattern="\0", replacement="")
    return array, {**found, BAD_UNICODE: replaced, NUL_REMOVED: count}


def _valid_utf8(array: pa.Array[Any]) -> tuple[pa.Array[Any], int]:
    """Texts whose bytes are UTF-8: readers of other formats may pass on what is not."""
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        pass
    else:
        return array, 0
    binary = pa.large_binary() if pa.types.is_large_string(array.type) else pa.binary()
    raw = array.view(binary).to_pylist()
    texts = [None if value is None else value.decode("utf-8", "replace") for value in raw]
    replaced = sum(
        text is not None and text.encode() != value for text, value in zip(texts, raw, strict=True)
    )
    return pa.array(texts, type=array.type), replaced


def _without_giants(array: pa.Array[Any]) -> tuple[pa.Array[Any], dict[str, int]]:
    """Nulls in place of what is too long for a value."""
    if array.nbytes < _LONGEST_BYTES:
        return array, {}
    giant = pc.greater(pc.binary_length(array), _LONGEST_BYTES)
    count = pc.sum(giant).as_py() or 0
    return (_nulled(array, giant), {TOO_LONG: count}) if count else (array, {})


def _within_years(array: pa.Array[Any]) -> tuple[pa.Array[Any], dict[str, int]]:
    first, last = (_EARLIEST - _EPOCH).days, (_LATEST - _EPOCH).days
    if pa.types.is_date32(array.type):
        ticks = array.view(pa.int32())
    else:
        per_day = _DAY_SECONDS * _TICKS.get(getattr(array.type, "unit", "ms"), 1_000)
        ticks = array.view(pa.int64())
        # In nanoseconds the years reach from 1677 to 2262: all of them are within.
        limit = np.iinfo(np.int64)
        first, last = max(first * per_day, limit.min), min((last + 1) * per_day - 1, limit.max)
    outside = pc.or_(pc.less(ticks, first), pc.greater(ticks, last))
    count = pc.sum(outside).as_py() or 0
    return (_nulled(array, outside), {OUT_OF_RANGE: count}) if count else (array, {})


def _json(array: pa.Array[Any]) -> tuple[pa.Array[Any], dict[str, int]]:
    """JSON that jsonb takes: parsable, and without escapes of NUL or of lone surrogates."""
    array, found = _texts(array)
    suspicious = pc.match_substring_regex(array, _SUSPICIOUS_ESCAPE)
    counts: Counter[str] = Counter(found)
    values = array.to_pylist()
    changed = False
    for index, (text, escaped) in enumerate(zip(values, suspicious.to_pylist(), strict=True)):
        if text is None or (not escaped and is_json(text)):
            continue
        mended, reason = _mended_json(text)
        if reason is not None:
            values[index] = mended
            counts[reason] += 1
            changed = True
    return (pa.array(values, type=array.type) if changed else array), dict(counts)


def is_json(text: str) -> bool:
    """Whether a text can be parsed as JSON."""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _mended_json(text: str) -> tuple[str, str | None]:
    """JSON text that jsonb takes, and the reason where it is another one than was given."""
    try:
        value = json.loads(text, parse_constant=_no_constant)
        cleaned = _clean_json(value)
        if cleaned == value:
            return text, None
        mended = json.dumps(cleaned, ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError):
        return json.dumps(text, ensure_ascii=False), NOT_JSON
    return mended, NUL_REMOVED if "\\u0000" in text else BAD_UNICODE


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _clean_json(value: Any) -> Any:
    if isinstance(value, str):
        return _NUL_OR_SURROGATE.sub(lambda m: "" if m[0] == "\0" else "\ufffd", value)
    if isinstance(value, list):
        return [_clean_json(item) for item in value]
    if isinstance(value, dict):
        return {_clean_json(key): _clean_json(item) for key, item in value.items()}
    return value


def _nulled(array: pa.Array[Any], where: pa.Array[Any]) -> pa.Array[Any]:
    return pc.if_else(pc.fill_null(where, False), pa.scalar(None, type=array.type), array)
