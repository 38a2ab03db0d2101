"""OGR's fields as columns: their types, and their values in those types."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from core.models.feature_table import ColumnType
from services.vector import casting
from services.vector.inference.text_forms import convert as convert_texts
from services.vector.inference.types import TextTyper
from services.vector.model import SourceColumn
from services.vector.values import is_json

ValueFaults = dict[tuple[str, str], int]

# So many decimal digits a double keeps.
_EXACT_DIGITS: Final = 15
_OTHER_ENCODING: Final = "cp1252"
_JSON_SUBTYPE: Final = "OFSTJSON"


def column_type(arrow_type: pa.DataType, subtype: str = "OFSTNone") -> ColumnType:
    """The type of column that holds a field; lists and structs become JSON."""
    t = pa.types
    if t.is_dictionary(arrow_type):
        return column_type(arrow_type.value_type, subtype)
    if t.is_boolean(arrow_type):
        return ColumnType.BOOLEAN
    if t.is_integer(arrow_type):
        return ColumnType.INTEGER
    if t.is_floating(arrow_type):
        return ColumnType.REAL
    if t.is_decimal(arrow_type):
        return ColumnType.REAL if arrow_type.precision <= _EXACT_DIGITS else ColumnType.TEXT
    if t.is_date(arrow_type):
        return ColumnType.DATE
    if t.is_time(arrow_type):
        return ColumnType.TIME
    if t.is_timestamp(arrow_type):
        return ColumnType.TIMESTAMP if arrow_type.tz is None else ColumnType.TIMESTAMPTZ
    if t.is_nested(arrow_type) or subtype == _JSON_SUBTYPE:
        return ColumnType.JSON
    if (
        t.is_binary(arrow_type)
        or t.is_large_binary(arrow_type)
        or t.is_fixed_size_binary(arrow_type)
    ):
        return ColumnType.BYTES
    return ColumnType.TEXT


def convert(name: str, array: pa.Array[Any], wanted: ColumnType, faults: ValueFaults) -> Any:
    """A field's values in the type of its column; what does not fit becomes null and counts."""
    texts = pa.types.is_string(array.type) or pa.types.is_large_string(array.type)
    if texts:
        array = _in_utf8(name, array, faults)
    if wanted is ColumnType.JSON or pa.types.is_nested(array.type):
        return _as_json(name, array, faults)
    if texts and wanted is not ColumnType.TEXT:
        converted, unfit = convert_texts(array.cast(pa.string()), wanted)
    else:
        converted, unfit = casting.cast(_coarser(array), wanted)
    if unfit:
        key = (name, f"not a {wanted.value}")
        faults[key] = faults.get(key, 0) + unfit
    return converted


def _in_utf8(name: str, array: pa.Array[Any], faults: ValueFaults) -> pa.Array[Any]:
    """Texts whose bytes are what they should be; drivers hand through what is in the file."""
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        raw = array.view(
            pa.large_binary() if pa.types.is_large_string(array.type) else pa.binary()
        ).to_pylist()
        texts = [None if text is None else _decoded(text) for text in raw]
        key = (name, f"not UTF-8, read as {_OTHER_ENCODING}")
        wrong = sum(
            text is not None and text != bytes_.decode("utf-8", "replace")
            for text, bytes_ in zip(texts, raw, strict=True)
        )
        faults[key] = faults.get(key, 0) + wrong
        return pa.array(texts, pa.string())
    return array


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode(_OTHER_ENCODING, "replace")


def _coarser(array: pa.Array[Any]) -> pa.Array[Any]:
    """Times to the microsecond, and dates to the day, which is as fine as columns are."""
    kind = array.type
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        return pc.cast(array, pa.timestamp("us", kind.tz), safe=False)
    if pa.types.is_time64(kind) and kind.unit == "ns":
        return pc.cast(array, pa.time64("us"), safe=False)
    if pa.types.is_date64(kind):
        return pc.cast(array, pa.date32(), safe=False)
    if pa.types.is_duration(kind):
        return pa.array([None if value is None else str(value) for value in array.to_pylist()])
    return array


def _as_json(name: str, array: pa.Array[Any], faults: ValueFaults) -> pa.Array[Any]:
    if pa.types.is_nested(array.type):
        return pa.array(
            [None if value is None else _json_text(value) for value in array.to_pylist()],
            pa.string(),
        )
    texts: list[str | None] = []
    for text in pc.cast(array, pa.string()).to_pylist():
        if text is None or is_json(text):
            texts.append(text)
        else:
            key = (name, "not JSON")
            faults[key] = faults.get(key, 0) + 1
            texts.append(None)
    return pa.array(texts, pa.string())


def _json_text(value: Any) -> str:
    return json.dumps(_plain(value), ensure_ascii=False, default=str)


def _plain(value: Any) -> Any:
    """JSON has no NaN and no infinities: null stands for them. Bytes are written in hex."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value.hex() if isinstance(value, bytes) else value


def unique_names(names: Sequence[str]) -> list[str]:
    """The names with a number behind those that came before: columns are told apart by name."""
    taken: set[str] = set()
    unique = []
    for number, name in enumerate(names, 1):
        plain = candidate = name or f"column_{number}"
        again = 2
        while candidate in taken:
            candidate, again = f"{plain}_{again}", again + 1
        taken.add(candidate)
        unique.append(candidate)
    return unique


def observe(
    name: str, wanted: ColumnType, arrays: Sequence[pa.Array[Any]], evidence: list[str]
) -> SourceColumn:
    """A column with what the records that were looked at show of it."""
    rows = sum(map(len, arrays))
    column = SourceColumn(
        name=name,
        type=wanted,
        evidence=evidence,
        rows=rows,
        nulls=sum(array.null_count for array in arrays),
    )
    if not arrays or wanted is ColumnType.BYTES:
        return column
    chunked = pa.chunked_array(arrays)
    column.distinct = pc.count_distinct(chunked, mode="only_valid").as_py()
    if wanted is ColumnType.TEXT:
        typer = TextTyper(name)
        for array in arrays:
            typer.observe(array)
        column.html = typer.result().column.html
    return column
