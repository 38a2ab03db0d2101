"""In the child: read a chunk, clean it, and send it as rows, repairs and quarantine.

Four kinds of streams go to the parent: `rows:<n>` (binary COPY tuples of the layer's n-th
table), `repairs` and `quarantine` (those of the report, see
`infrastructure.vector_report_repository`), and `progress` (JSON).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from core.job_definition import JsonObject
from core.models.feature_table import ColumnType
from core.models.vector_report import RecordCounts
from infrastructure import copy_binary
from services.vector import casting, hashing, html_text, recoding, values
from services.vector.batch import Batch
from services.vector.child import report_rows
from services.vector.formats import registry
from services.vector.geometry.cleaning import Cleaned
from services.vector.geometry.cleaning import clean as clean_geometries
from services.vector.inference import text_forms
from services.vector.model import ReadOptions
from services.vector.plan import ColumnPlan, LayerPlan

Emit = Callable[[str, bytes], None]
Columns: TypeAlias = "dict[str, pa.Array[Any]]"


def clean(root: str, plan: JsonObject, chunk: int, options: JsonObject, emit: Emit) -> JsonObject:
    """Read and clean one chunk of a layer; the `RecordCounts` of it as JSON."""
    layer_plan = LayerPlan.model_validate(plan)
    layer = layer_plan.layer
    reader = registry.reader_for(layer.kind, layer.driver)
    cleaner = _Cleaner(layer_plan, emit)
    batches = reader.read(
        Path(root) / layer.member,
        layer,
        layer.chunks[chunk],
        ReadOptions.model_validate(options),
    )
    for batch in batches:
        cleaner.take(batch)
        emit("progress", json.dumps({"current_layer": layer.name}).encode())
    return cleaner.counts().model_dump(mode="json")


class _Cleaner:
    """Cleans the batches of one chunk and keeps count."""

    def __init__(self, plan: LayerPlan, emit: Emit) -> None:
        self._plan = plan
        self._emit = emit
        self._read = 0
        self._loaded = 0
        self._repaired = 0
        self._quarantined: Counter[str] = Counter()
        self._repairs: Counter[str] = Counter()
        self._steps: Counter[str] = Counter()
        self._value_faults: Counter[tuple[str, str]] = Counter()

    def take(self, batch: Batch) -> None:
        """Clean a batch and send what becomes of it."""
        self._read += len(batch)
        columns = self._columns(batch)
        cleaned = clean_geometries(batch, self._plan.cleaning)
        self._loaded += len(np.unique(cleaned.rows))
        self._steps.update(cleaned.counts)
        self._send_rows(batch, columns, cleaned)
        if cleaned.repairs:
            self._repairs.update(kind.value for each in cleaned.repairs for kind in each.kinds)
            self._emit("repairs", report_rows.repairs(batch, cleaned.repairs, self._repaired))
            self._repaired += len(cleaned.repairs)
        if cleaned.faults:
            self._quarantined.update(fault.reason.value for fault in cleaned.faults.values())
            self._emit("quarantine", report_rows.quarantine(batch, columns, cleaned))

    def counts(self) -> RecordCounts:
        value_faults: dict[str, dict[str, int]] = {}
        for (column, reason), count in self._value_faults.items():
            value_faults.setdefault(column, {})[reason] = count
        return RecordCounts(
            read=self._read,
            loaded=self._loaded,
            quarantined=dict(self._quarantined),
            repaired=self._repaired,
            repairs=dict(self._repairs),
            steps=dict(self._steps),
            value_faults=value_faults,
        )

    def _columns(self, batch: Batch) -> Columns:
        """The table's columns by their names, in their types, with values that can be kept."""
        self._value_faults.update(batch.value_faults)
        columns: Columns = {}
        for plan in self._plan.columns:
            columns[plan.column.name] = (
                _constant(plan, len(batch))
                if plan.source is None
                else self._column(plan, batch, plan.source)
            )
        return columns

    def _column(self, plan: ColumnPlan, batch: Batch, source: str) -> pa.Array[Any]:
        # What is split is first a text that can be kept.
        wanted = plan.column.type if plan.split is None else ColumnType.TEXT
        array = self._values(plan, batch.columns[source], source, wanted)
        for name in plan.otherwise:
            empty = array.is_null()
            if not pc.any(empty).as_py():
                break
            # Of the other records nothing is wanted, so what is wrong with theirs is no fault.
            values = self._values(plan, batch.columns[name].filter(empty), name, wanted)
            array = pc.replace_with_mask(array, empty, values)
        return array if plan.split is None else recoding.split(array, plan.split)

    def _values(
        self, plan: ColumnPlan, array: pa.Array[Any], source: str, wanted: ColumnType
    ) -> pa.Array[Any]:
        """An attribute's values as the column has them, in the type that is wanted."""
        if plan.plain_text:
            array = html_text.plain_texts(array)
        if plan.values:
            array = recoding.recoded(array, plan.values)
        array, unfit = _converted(array, wanted)
        if unfit:
            self._value_faults[source, f"not a {wanted.value}"] += unfit
        array, faults = values.storable(source, array, wanted)
        if not plan.plain_text:
            self._value_faults.update(faults)
        return array

    def _send_rows(self, batch: Batch, columns: Columns, cleaned: Cleaned) -> None:
        hashes = _hashes(columns, cleaned, len(batch))
        main, *others = range(len(self._plan.tables))
        taken = np.zeros(len(cleaned.rows), dtype=bool)
        for number in others:
            of_table = cleaned.dimension == self._plan.tables[number].dimension
            taken |= of_table
            self._send_table(number, batch, columns, cleaned, of_table, hashes)
        self._send_table(main, batch, columns, cleaned, ~taken, hashes)

    def _send_table(
        self,
        number: int,
        batch: Batch,
        columns: Columns,
        cleaned: Cleaned,
        chosen: npt.NDArray[np.bool_],
        hashes: npt.NDArray[np.int64],
    ) -> None:
        if not chosen.any():
            return
        table = self._plan.tables[number]
        rows = cleaned.rows[chosen]
        # A good batch is sent as it is: taking rows copies every column.
        everything = len(rows) == len(batch) and bool((rows == np.arange(len(batch))).all())
        arrays = [
            columns[column.name] if everything else columns[column.name].take(pa.array(rows))
            for column in table.shape.columns
        ]
        geometry = None
        if table.shape.geometry is not None:
            geometry = cleaned.wkb if chosen.all() else cleaned.wkb.filter(pa.array(chosen))
        self._emit(
            f"rows:{number}",
            copy_binary.encode_rows(
                table.shape,
                gid=batch.rows[rows] + 1,
                columns=arrays,
                geometry=geometry,
                hashes=hashes[rows],
            ),
        )


def _converted(array: pa.Array[Any], wanted: ColumnType) -> tuple[pa.Array[Any], int]:
    """The array in the column's type, and how many values became null because they do not fit."""
    if pa.types.is_string(array.type) and casting.ARROW_TYPES[wanted] != array.type:
        return text_forms.convert(array, wanted)
    return casting.cast(array, wanted)


def _constant(plan: ColumnPlan, count: int) -> pa.Array[Any]:
    """A column without an attribute: the same value, or null, in every row."""
    kind = casting.ARROW_TYPES[plan.column.type]
    if plan.constant is None:
        return pa.nulls(count, kind)
    return pa.repeat(plan.constant, count).cast(kind)


def _hashes(columns: Columns, cleaned: Cleaned, count: int) -> npt.NDArray[np.int64]:
    """A hash of each record with all its geometry, also where that is split over tables."""
    shapes = np.zeros(count, dtype=np.uint64)
    np.add.at(shapes, cleaned.rows, cleaned.hashes)
    return hashing.of_records(list(columns.values()), shapes)
