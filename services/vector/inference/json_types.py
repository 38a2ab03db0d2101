"""Which type the JSON values of a column have: the narrowest one that holds every value."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from core.counting import counted
from core.models.feature_table import ColumnType
from services.vector.casting import ARROW_TYPES
from services.vector.inference.distinct import DistinctCounter
from services.vector.inference.text_forms import TextForm
from services.vector.inference.types import TextTyper, convert
from services.vector.model import SourceColumn

_NAMES: Final = {
    bool: "true or false",
    int: "integers",
    float: "decimal numbers",
    str: "texts",
    list: "lists",
    dict: "objects",
}
_INT64: Final = np.iinfo(np.int64)
_TEMPORAL: Final = frozenset(
    {ColumnType.DATE, ColumnType.TIME, ColumnType.TIMESTAMP, ColumnType.TIMESTAMPTZ}
)


class JsonTyper:
    """Finds the type of one column from parsed JSON values, batch by batch."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._counts: Counter[type] = Counter()
        self._texts = TextTyper(name, temporal_only=True)
        self._distinct = DistinctCounter()
        self._is_big = False

    def observe(self, values: Sequence[Any]) -> None:
        """Look at a batch; None is a missing value."""
        kinds = Counter(map(type, values))
        kinds.pop(type(None), None)
        self._counts.update(kinds)
        if str in kinds:
            texts = [value for value in values if type(value) is str]
            self._texts.observe(pa.array(texts, type=pa.string()))
        for kind in (int, float):
            if kind in kinds:
                self._observe_numbers([value for value in values if type(value) is kind])

    def _observe_numbers(self, numbers: list[Any]) -> None:
        if type(numbers[0]) is int and not (
            min(numbers) >= _INT64.min and max(numbers) <= _INT64.max
        ):
            self._is_big = True
            return
        self._distinct.add_hashes(np.unique(np.asarray(numbers)).view(np.uint64), len(numbers))

    def result(self, rows: int) -> SourceColumn:
        """The column, of so many rows in all (in some of them it may be missing)."""
        kinds = set(self._counts)
        total = self._counts.total()
        kind, confidence, evidence = self._decide(kinds)
        text = self._texts.result().column
        nulls = rows - total
        distinct: int | None = None
        exact = True
        if kinds == {str}:
            distinct, exact, nulls = text.distinct, text.exact, nulls + (text.nulls or 0)
        elif kinds and kinds <= {int, float} and not self._is_big:
            distinct, exact = self._distinct.count, self._distinct.exact
        elif kinds:
            exact = False
        return SourceColumn(
            name=self._name,
            type=kind,
            confidence=confidence,
            evidence=evidence,
            html=kind is ColumnType.TEXT and text.html,
            rows=rows,
            nulls=nulls,
            distinct=distinct if kinds else 0,
            exact=exact,
        )

    def _decide(self, kinds: set[type]) -> tuple[ColumnType, float, list[str]]:
        if not kinds:
            return ColumnType.TEXT, 0.5, ["no values"]
        if kinds == {str}:
            column = self._texts.result().column
            return column.type, column.confidence, column.evidence
        total = self._counts.total()
        said = f"of {counted(total, 'value')}: " + ", ".join(
            f"{count:,} {_NAMES[kind]}" for kind, count in self._counts.most_common()
        )
        if kinds == {bool}:
            return ColumnType.BOOLEAN, 1.0, [said]
        if kinds == {int}:
            if self._is_big:
                return ColumnType.TEXT, 1.0, [said, "some are beyond 64 bits: kept as text"]
            return ColumnType.INTEGER, 1.0, [said]
        if kinds <= {int, float}:
            return ColumnType.REAL, 1.0, [said]
        if str not in kinds and kinds & {list, dict}:
            return ColumnType.JSON, 1.0, [said]
        return ColumnType.TEXT, 1.0, [said, "mixed: kept as text"]


def convert_values(values: Sequence[Any], wanted: ColumnType) -> tuple[pa.Array[Any], int]:
    """JSON values as an Arrow array of a type, and how many became null as they are none."""
    target = ARROW_TYPES[wanted]
    if wanted is ColumnType.JSON:
        return pa.array([None if v is None else json_text(v) for v in values], type=target), 0
    if wanted is ColumnType.TEXT:
        try:
            return pa.array(values, type=target), 0
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            texts = [v if v is None or type(v) is str else json_text(v) for v in values]
            return pa.array(texts, type=target), 0
    if wanted in _TEMPORAL:
        texts = [v if type(v) is str else None for v in values]
        array, failures = convert(pa.array(texts, type=pa.string()), wanted, TextForm())
        return array, failures + sum(v is not None and type(v) is not str for v in values)
    try:
        return pa.array(values, type=target), 0
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        fitted = pa.array([_fitted(value, wanted) for value in values], type=target)
        texts = pa.array([v if type(v) is str else None for v in values], type=pa.string())
        array = pc.coalesce(fitted, convert(texts, wanted)[0])
        return array, array.null_count - sum(value is None or value == "" for value in values)


def json_text(value: object) -> str:
    """A value as JSON; integers of any size are kept as they are."""
    try:
        return orjson.dumps(value).decode()
    except (TypeError, orjson.JSONEncodeError):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _fitted(value: object, wanted: ColumnType) -> object:
    """A number or boolean as one of the type, where that loses nothing."""
    if not isinstance(value, int | float):
        return None
    match wanted:
        case ColumnType.BOOLEAN:
            return bool(value) if value in (0, 1) else None
        case ColumnType.INTEGER:
            fits = value == value // 1 and _INT64.min <= value <= _INT64.max
            return int(value) if fits and type(value) is not bool else None
        case ColumnType.REAL if type(value) is not bool:
            try:
                return float(value)
            except OverflowError:
                return None
        case _:
            return None
