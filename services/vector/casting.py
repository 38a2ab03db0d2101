"""Attributes as Arrow arrays of exactly the types that tables are filled from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from core.models.feature_table import ColumnType

ARROW_TYPES: Mapping[ColumnType, pa.DataType] = {
    ColumnType.BOOLEAN: pa.bool_(),
    ColumnType.INTEGER: pa.int64(),
    ColumnType.REAL: pa.float64(),
    ColumnType.TEXT: pa.string(),
    ColumnType.TEXT_ARRAY: pa.list_(pa.string()),
    ColumnType.DATE: pa.date32(),
    ColumnType.TIME: pa.time64("us"),
    ColumnType.TIMESTAMP: pa.timestamp("us"),
    ColumnType.TIMESTAMPTZ: pa.timestamp("us", tz="UTC"),
    ColumnType.JSON: pa.string(),
    ColumnType.BYTES: pa.binary(),
}

# Beyond this a double does not tell whole numbers apart.
_EXACT = float(2**53)


def cast(array: pa.Array[Any], wanted: ColumnType) -> tuple[pa.Array[Any], int]:
    """The array in the column's type, and how many values became null because they do not fit.

    A whole array is cast at once; only where that fails are its values tried one by one.
    """
    target = ARROW_TYPES[wanted]
    if array.type == target:
        return array, 0
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if wanted is ColumnType.TEXT and pa.types.is_floating(array.type):
        return _number_texts(array), 0
    try:
        return pc.cast(array, target, safe=True), 0
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return _cast_each(array, target)


def _number_texts(array: pa.Array[Any]) -> pa.Array[Any]:
    """Numbers as texts; whole ones as such, where Arrow writes 1e+10 from eleven digits on."""
    whole = pc.fill_null(
        pc.and_(pc.equal(pc.floor(array), array), pc.less_equal(pc.abs(array), _EXACT)), False
    )
    integers = pc.if_else(whole, array, 0.0).cast(pa.int64())
    return pc.if_else(whole, integers.cast(pa.string()), array.cast(pa.string()))


def _cast_each(array: pa.Array[Any], target: pa.DataType) -> tuple[pa.Array[Any], int]:
    values: list[Any] = []
    failures = 0
    for value in array:
        try:
            fitting = value.cast(target).as_py() if value.is_valid else None
        # Python's dates end before Arrow's do.
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OverflowError, ValueError):
            fitting, failures = None, failures + 1
        values.append(fitting)
    return pa.array(values, type=target), failures
