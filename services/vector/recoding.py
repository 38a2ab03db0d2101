"""Values put in place of others, and texts taken apart into lists: whole Arrow arrays at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.models.feature_table import ColumnType
from services.vector import casting

_TRUTHS = {"true": 1, "false": 0}
# Beyond this a double does not tell whole numbers apart.
_EXACT = 2**53


def recoded(array: pa.Array[Any], values: Mapping[str, str | None]) -> pa.Array[Any]:
    """The array with other values in place of those that `values` names, None for null.

    What is named is compared by what it means: "0" is also the number 0, and the texts 0 and
    0.0. What only becomes null leaves the others in their type; else all become texts.
    """
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    known, replacements = _lookup(array, values)
    place = pc.index_in(array, value_set=known)
    named = place.is_valid()
    if not pc.any(named).as_py():
        return array
    if all(replacement is None for replacement in replacements):
        return pc.if_else(named, pa.scalar(None, array.type), array)
    texts, _ = casting.cast(array, ColumnType.TEXT)
    return pc.if_else(named, pa.array(replacements, pa.string()).take(place), texts)


def _lookup(
    array: pa.Array[Any], values: Mapping[str, str | None]
) -> tuple[pa.Array[Any], list[str | None]]:
    """The values to look for, in the array's type, and what each becomes."""
    kind = array.type
    found: dict[str | int | float, str | None] = {}
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        for name, replacement in values.items():
            number = _number(name)
            if number is not None and _fits(number, kind):
                found.setdefault(number, replacement)
    else:
        for spelling, replacement in _spellings(values):
            found.setdefault(spelling, replacement)
    known = pa.array(list(found), pa.int8() if pa.types.is_boolean(kind) else kind)
    return known.cast(kind), list(found.values())


def _number(name: str) -> int | float | None:
    if name.lower() in _TRUTHS:
        return _TRUTHS[name.lower()]
    try:
        return int(name)
    except ValueError:
        pass
    try:
        number = float(name)
    except ValueError:
        return None
    return int(number) if number.is_integer() else number


def _fits(number: int | float, kind: pa.DataType) -> bool:
    """Whether a value of the type can equal the number."""
    if pa.types.is_boolean(kind):
        return number in (0, 1)
    if pa.types.is_floating(kind):
        return abs(number) <= _EXACT
    return isinstance(number, int) and abs(number) < 2 ** (kind.bit_width - 1)


def _spellings(values: Mapping[str, str | None]) -> Iterator[tuple[str, str | None]]:
    """The names, then the other ways in which those that are whole numbers are written."""
    yield from values.items()
    for name, replacement in values.items():
        number = _number(name)
        if isinstance(number, int) and name.lower() not in _TRUTHS:
            yield str(number), replacement
            yield f"{number}.0", replacement


def split(texts: pa.Array[Any], separator: str) -> pa.Array[Any]:
    """Lists of the texts' parts between separators, trimmed; empty parts are left out.

    A text of which nothing is left becomes null, as a null stays one.
    """
    if pa.types.is_dictionary(texts.type):
        texts = texts.dictionary_decode()
    whole = pc.split_pattern(texts.cast(pa.string()), pattern=separator)
    parts = pc.utf8_trim_whitespace(whole.flatten())
    kept = pc.not_equal(parts, "")
    owners = pc.list_parent_indices(whole).filter(kept).to_numpy()
    lengths = np.bincount(owners, minlength=len(texts))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(
        pa.array(offsets), parts.filter(kept), mask=pa.array(lengths == 0)
    )
