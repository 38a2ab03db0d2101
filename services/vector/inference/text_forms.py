"""How values are written in texts: what a text can be read as, and reading it.

Everything works on whole Arrow arrays of strings; only the few values that a cast refuses are
looked at again.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from core.models.feature_table import ColumnType
from services.vector.casting import ARROW_TYPES

Strings: TypeAlias = pa.StringArray
Mask: TypeAlias = npt.NDArray[np.bool_]


class TextForm(BaseModel):
    """How a column's texts are written, beside what the type says. Travels as JSON.

    `date_order` is that of dates such as 31/12/2020; `nulls` are the texts that stand for a
    missing value (in lower case; the empty text always does).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    decimal_comma: bool = False
    date_order: Literal["dmy", "mdy"] = "dmy"
    nulls: tuple[str, ...] = ()


class Class(IntEnum):
    """What a single text looks like, from the most special on."""

    NULL_MARKER = 0
    BOOLEAN = 1
    INTEGER = 2
    LEADING_ZEROS = 3
    BIG_INTEGER = 4
    REAL = 5
    COMMA_REAL = 6
    DATE = 7
    TIMESTAMP = 8
    TIMESTAMPTZ = 9
    PLAIN_DATE = 10  # day and month in an order that has to be found out
    PLAIN_TIMESTAMP = 11
    TIME = 12
    TEXT = 13


# What stands for a missing value in columns of numbers, dates and so on. In columns of texts
# these are values: NA is Namibia.
NULL_MARKERS: Final = frozenset(
    {
        "null", "<null>", "(null)", "n/a", "na", "#n/a", "nan", "none", "nil", "-", "--", "---",
        ".", "?", "\\n", "0000-00-00", "0000-00-00 00:00:00",
    }
)  # fmt: skip
BOOLEAN_WORDS: Final = (("true", "false"), ("yes", "no"), ("t", "f"), ("y", "n"))
_TRUE: Final = pa.array([true for true, _ in BOOLEAN_WORDS])
_FALSE: Final = pa.array([false for _, false in BOOLEAN_WORDS])

_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d{1,9}))?)?"
_ZONE = r" ?(?:Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)"
_ISO_DATE = r"(?P<year>\d{4})[-/](?P<month>\d{1,2})[-/](?P<day>\d{1,2})"
_PLAIN_DATE = r"(?P<first>\d{1,2})[-/.](?P<second_of>\d{1,2})[-/.](?P<year>\d{4})"
_PATTERNS: Final = {
    Class.BOOLEAN: r"(?i)^(?:true|false|yes|no|t|f|y|n)$",
    Class.LEADING_ZEROS: r"^[+-]?0\d+$",
    Class.INTEGER: r"^[+-]?\d{1,18}$",
    Class.BIG_INTEGER: r"^[+-]?\d{19,}$",
    Class.REAL: r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?$",
    Class.COMMA_REAL: r"^[+-]?\d*,\d+(?:[eE][+-]?\d{1,3})?$",
    Class.DATE: f"^{_ISO_DATE}$",
    Class.TIMESTAMP: f"^{_ISO_DATE}[Tt ]{_CLOCK}$",
    Class.TIMESTAMPTZ: f"^{_ISO_DATE}[Tt ]{_CLOCK}{_ZONE}$",
    Class.PLAIN_DATE: f"^{_PLAIN_DATE}$",
    Class.PLAIN_TIMESTAMP: f"^{_PLAIN_DATE}[Tt ]{_CLOCK}$",
    Class.TIME: f"^{_CLOCK}$",
}
_MARKERS_PATTERN = r"^[<(#]?[nN?.\\0-][a-zA-Z/:0 \\-]*[>)]?$"
_DATE_LENGTH: Final = len("2020-12-31")
_LARGE: Final = 1e18
_DAY_MICROSECONDS: Final = 86_400_000_000
_FIRST_FEW: Final = 16


def trimmed(texts: Strings) -> Strings:
    """Without blanks at either end."""
    return pc.utf8_trim_whitespace(texts)


def classify(texts: Strings, *, temporal_only: bool = False) -> npt.NDArray[np.int8]:
    """The `Class` of each text (trimmed, neither null nor empty).

    With `temporal_only` texts that look like numbers or yes and no are TEXT: in JSON they
    have been quoted on purpose.
    """
    classes = np.full(len(texts), Class.TEXT, dtype=np.int8)
    plain = _classify_plain(texts, temporal_only)
    if plain is not None:
        return plain
    left = np.arange(len(texts))
    rest = texts
    if not temporal_only:
        markers = is_null_marker(rest)
        classes[left[markers]] = Class.NULL_MARKER
        left, rest = left[~markers], rest.filter(pa.array(~markers))
    for name, pattern in _PATTERNS.items():
        if not len(rest):
            break
        if temporal_only and name < Class.DATE:
            continue
        found = _matches(rest, pattern)
        if name in _TEMPORAL and found.any():
            found[found] = _exist(rest.filter(pa.array(found)), name)
        if found.any():
            classes[left[found]] = name
            left, rest = left[~found], rest.filter(pa.array(~found))
    return classes


_TEMPORAL: Final = frozenset(
    {Class.DATE, Class.TIMESTAMP, Class.TIMESTAMPTZ, Class.PLAIN_DATE, Class.PLAIN_TIMESTAMP,
     Class.TIME}
)  # fmt: skip


def is_null_marker(texts: Strings) -> Mask:
    """Which texts stand for a missing value where they are no values themselves."""
    likely = _matches(texts, _MARKERS_PATTERN)
    if likely.any():
        lower = pc.utf8_lower(texts.filter(pa.array(likely)))
        likely[likely] = _mask(pc.is_in(lower, value_set=pa.array(sorted(NULL_MARKERS))))
    return likely


def day_and_month_orders(texts: Strings) -> tuple[int, int, int]:
    """Of dates such as 31/12/2020: how many begin with the day for sure, how many with the
    month, and how many are written with full stops, which is done where the day comes first.
    """
    fields = pc.extract_regex(texts, pattern=f"^{_PLAIN_DATE}")
    first, second = _number(fields, "first"), _number(fields, "second_of")
    dots = int(_mask(pc.match_substring(texts, ".")).sum())
    return int((first > 12).sum()), int((second > 12).sum()), dots


def convert(
    texts: Strings, wanted: ColumnType, form: TextForm | None = None
) -> tuple[pa.Array[Any], int]:
    """The texts as values of a type, and how many became null because they are none.

    Empty texts, and those that the form names as nulls, are null and not counted.
    """
    form = form or TextForm()
    if wanted in (ColumnType.TEXT, ColumnType.JSON, ColumnType.BYTES):
        empty = pc.equal(texts, "")
        if pc.any(empty).as_py():
            texts = pc.if_else(empty, pa.scalar(None, pa.string()), texts)
        return texts.cast(ARROW_TYPES[wanted]), 0
    texts = _without_nulls(texts, form)
    target = ARROW_TYPES[wanted]
    if wanted in _CASTS and not form.decimal_comma:
        try:
            plain = texts.cast(target)
        except pa.ArrowInvalid:
            pass
        else:
            # Arrow reads hexadecimal integers, and nan and inf as reals: no column has them.
            if wanted is not ColumnType.INTEGER or not _any_hexadecimal(texts):
                return plain, 0
    values = _careful(trimmed(texts), wanted, form)
    return values, values.null_count - texts.null_count


_CASTS: Final = frozenset(
    {
        ColumnType.INTEGER,
        ColumnType.REAL,
        ColumnType.DATE,
        ColumnType.TIMESTAMP,
        ColumnType.TIMESTAMPTZ,
    }
)


def _without_nulls(texts: Strings, form: TextForm) -> Strings:
    empty = pc.equal(texts, "")
    if form.nulls:
        lower = pc.utf8_lower(trimmed(texts))
        empty = pc.or_(empty, pc.is_in(lower, value_set=pa.array([*form.nulls, ""])))
    if not pc.any(empty).as_py():
        return texts
    return pc.if_else(empty, pa.scalar(None, pa.string()), texts)


def _careful(texts: Strings, wanted: ColumnType, form: TextForm) -> pa.Array[Any]:
    """The texts that are values of the type, all others null."""
    match wanted:
        case ColumnType.BOOLEAN:
            return _booleans(texts)
        case ColumnType.INTEGER:
            plain = pc.utf8_ltrim(_only(texts, r"^[+-]?\d+$"), characters="+")
            return _castable(plain, pa.int64())
        case ColumnType.REAL:
            if form.decimal_comma:
                texts = pc.replace_substring(texts, ",", ".")
            return _only(texts, _PATTERNS[Class.REAL]).cast(pa.float64())
        case ColumnType.DATE:
            micros, valid = _moments(texts, form)
            days = np.floor_divide(micros, _DAY_MICROSECONDS).astype(np.int32)
            return pa.array(days, mask=~valid).cast(pa.date32())
        case ColumnType.TIME:
            fields = pc.extract_regex(texts, pattern=_PATTERNS[Class.TIME])
            micros, valid = _clock(fields)
            return pa.array(micros, mask=~valid).cast(pa.time64("us"))
        case ColumnType.TIMESTAMP:
            micros, valid = _moments(texts, form)
            return pa.array(micros, mask=~valid).cast(pa.timestamp("us"))
        case _:
            micros, valid = _moments(texts, form)
            return pa.array(micros, mask=~valid).cast(pa.timestamp("us", tz="UTC"))


def _booleans(texts: Strings) -> pa.Array[Any]:
    """Of words, and of 1 and 0, which are booleans only where a column is said to have them."""
    lower = pc.utf8_lower(texts)
    is_true = pc.or_(pc.is_in(lower, value_set=_TRUE), pc.equal(lower, "1"))
    is_false = pc.or_(pc.is_in(lower, value_set=_FALSE), pc.equal(lower, "0"))
    known = pc.or_(is_true, is_false)
    return pc.if_else(known, is_true, pa.scalar(None, pa.bool_()))


def _castable(texts: Strings, target: pa.DataType) -> pa.Array[Any]:
    """As a cast, but what does not fit (integers beyond 64 bits) is null."""
    try:
        return texts.cast(target)
    except pa.ArrowInvalid:
        limits = np.iinfo(np.int64)
        numbers = [None if text is None else int(text) for text in texts.to_pylist()]
        return pa.array(
            [n if n is not None and limits.min <= n <= limits.max else None for n in numbers],
            type=target,
        )


# Dates and times as microseconds since 1970.


def _moments(texts: Strings, form: TextForm) -> tuple[npt.NDArray[np.int64], Mask]:
    """Of dates with or without a time of day, with or without a zone (then in UTC)."""
    micros = np.zeros(len(texts), dtype=np.int64)
    valid = np.zeros(len(texts), dtype=bool)
    for date in (_ISO_DATE, _PLAIN_DATE):
        pattern = f"^{date}(?:[Tt ]{_CLOCK}(?P<zone>{_ZONE})?)?$"
        fields = pc.extract_regex(texts, pattern=pattern)
        if fields.null_count == len(fields):
            continue
        year = _number(fields, "year")
        if date is _ISO_DATE:
            month, day = _number(fields, "month"), _number(fields, "day")
        elif form.date_order == "dmy":
            day, month = _number(fields, "first"), _number(fields, "second_of")
        else:
            month, day = _number(fields, "first"), _number(fields, "second_of")
        days, exists = _calendar(year, month, day)
        clock, ticks = _clock(fields)
        has_clock = _mask(pc.not_equal(pc.struct_field(fields, "hour"), ""))
        here = _mask(pc.is_valid(fields)) & exists & (ticks | ~has_clock)
        total = days * _DAY_MICROSECONDS + np.where(has_clock, clock, 0) - _zone_offset(fields)
        micros[here] = total[here]
        valid |= here
    return micros, valid


def _calendar(
    year: npt.NDArray[np.int64], month: npt.NDArray[np.int64], day: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], Mask]:
    """Days since 1970, and which of the dates exist."""
    plausible = (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    months = (np.where(plausible, year, 1970) - 1970) * 12 + np.where(plausible, month, 1) - 1
    begins = months.astype("datetime64[M]")
    first = begins.astype("datetime64[D]").astype(np.int64)
    following = (begins + 1).astype("datetime64[D]").astype(np.int64)
    days = first + np.where(plausible, day, 1) - 1
    return days, plausible & (days < following)


def _clock(fields: pa.StructArray) -> tuple[npt.NDArray[np.int64], Mask]:
    """Microseconds since midnight, and which times of day exist."""
    hour, minute, second = (_number(fields, name) for name in ("hour", "minute", "second"))
    fraction = pc.utf8_rpad(pc.struct_field(fields, "fraction"), width=6, padding="0")
    micros = _as_integers(pc.utf8_slice_codeunits(fraction, 0, 6))
    exists = (hour >= 0) & (hour < 24) & (minute >= 0) & (minute < 60) & (second < 60)
    total = (np.maximum(hour, 0) * 60 + np.maximum(minute, 0)) * 60 + np.maximum(second, 0)
    return total * 1_000_000 + np.maximum(micros, 0), exists


def _zone_offset(fields: pa.StructArray) -> npt.NDArray[np.int64]:
    zone = pc.extract_regex(
        pc.struct_field(fields, "zone"),
        pattern=r"(?P<sign>[+-])(?P<hours>\d{2}):?(?P<minutes>\d{2})?",
    )
    minutes = np.maximum(_number(zone, "hours"), 0) * 60 + np.maximum(_number(zone, "minutes"), 0)
    sign = np.where(_mask(pc.equal(pc.struct_field(zone, "sign"), "-")), -1, 1)
    offset: npt.NDArray[np.int64] = sign * minutes * 60_000_000
    return offset


def _exist(texts: Strings, name: Class) -> Mask:
    """Whether there is such a date and time: there is no 30th of February."""
    if name is Class.TIME:
        return _clock(pc.extract_regex(texts, pattern=_PATTERNS[name]))[1]
    _, exists = _moments(texts, TextForm())
    if name in (Class.PLAIN_DATE, Class.PLAIN_TIMESTAMP):
        exists |= _moments(texts, TextForm(date_order="mdy"))[1]
    return exists


# Between Arrow and numpy.


def _number(fields: pa.StructArray, name: str) -> npt.NDArray[np.int64]:
    """A group of digits as integers; -1 where there is none."""
    return _as_integers(pc.struct_field(fields, name))


def _as_integers(digits: Strings) -> npt.NDArray[np.int64]:
    blank = pc.equal(digits, "")
    numbers = pc.if_else(blank, pa.scalar(None, pa.string()), digits).cast(pa.int64())
    filled: npt.NDArray[np.int64] = np.asarray(pc.fill_null(numbers, -1))
    return filled


def _mask(booleans: pa.BooleanArray) -> Mask:
    return np.array(pc.fill_null(booleans, False), dtype=bool)


def _matches(texts: Strings, pattern: str) -> Mask:
    return _mask(pc.match_substring_regex(texts, pattern))


def _only(texts: Strings, pattern: str) -> Strings:
    """The texts that match, all others null."""
    fits = pc.match_substring_regex(texts, pattern)
    return pc.if_else(fits, texts, pa.scalar(None, pa.string()))


def _classify_plain(texts: Strings, temporal_only: bool) -> npt.NDArray[np.int8] | None:
    """The common case, that all are numbers or all are moments, by one cast."""
    classes = np.empty(len(texts), dtype=np.int8)
    if not temporal_only and _cast(texts, pa.int64()) is not None:
        # A cast takes 007 and 0x7 too, and neither is a number for sure.
        if not (_any_leading_zero(texts) or _any_hexadecimal(texts)):
            classes[:] = Class.INTEGER
            return classes
        return None
    numbers = None if temporal_only else _cast(texts, pa.float64())
    if numbers is not None:
        values = np.abs(np.asarray(numbers))
        # nan and inf are no numbers here, and integers this large no reals.
        if not np.all(values < _LARGE) or _any_leading_zero(texts):
            return None
        has_point = _mask(pc.match_substring_regex(texts, r"[.eE]"))
        classes[:] = np.where(has_point, Class.REAL, Class.INTEGER)
        return classes
    if _cast(texts, pa.timestamp("us", tz="UTC")) is not None:
        classes[:] = Class.TIMESTAMPTZ
        return classes
    if _cast(texts, pa.timestamp("us")) is not None:
        is_date = np.asarray(pc.binary_length(texts)) == _DATE_LENGTH
        classes[:] = np.where(is_date, Class.DATE, Class.TIMESTAMP)
        return classes
    return None


def _cast(texts: Strings, target: pa.DataType) -> pa.Array[Any] | None:
    try:
        # Arrow words an error for every value that it refuses, so a few are asked for first.
        texts.slice(0, _FIRST_FEW).cast(target)
        return texts.cast(target)
    except pa.ArrowInvalid:
        return None


def _any_leading_zero(texts: Strings) -> bool:
    """Whether one is written as 007; 0, 0.7 and -0 are not."""
    zeros = pc.or_(pc.starts_with(texts, "0"), pc.starts_with(texts, "-0"))
    suspects = texts.filter(zeros)
    return len(suspects) > 0 and bool(_matches(suspects, r"^-?0\d").any())


def _any_hexadecimal(texts: Strings) -> bool:
    return bool(_matches(texts, r"^-?0[xX]").any())
