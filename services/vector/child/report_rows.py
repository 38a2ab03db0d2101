"""In the child: repairs and quarantine as the rows that the report's tables take.

The columns and their order are those of `infrastructure.vector_report_repository`.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import orjson
import pyarrow as pa
import shapely

from core import jsonb
from core.models.feature_table import ColumnType
from infrastructure import copy_binary
from services.vector.batch import Batch, Geometries
from services.vector.geometry.cleaning import Cleaned, Repair

Columns: TypeAlias = "dict[str, pa.Array[Any]]"

_RAW_LIMIT = 64 << 10
# The map shows what repairs did to some geometries, not to a million of them.
_DRAWN_REPAIRS = 200
_DRAWN_VERTICES = 5_000


def repairs(batch: Batch, found: list[Repair], already: int) -> bytes:
    """Rows of app.vector_repairs. Of a chunk, of which `already` were sent, the first ones are
    drawn: they have their geometries before and after."""
    drawn = found[: max(0, _DRAWN_REPAIRS - already)]
    drawn = [each for each in drawn if _is_drawable(each)]
    shown = {id(each) for each in drawn}

    def geometries(name: str) -> Geometries:
        return _ewkb([getattr(each, name) if id(each) in shown else None for each in found])

    def numbers(name: str) -> tuple[ColumnType, pa.Array[Any]]:
        return ColumnType.REAL, pa.array([getattr(each, name) for each in found], pa.float64())

    return copy_binary.encode(
        [
            (ColumnType.INTEGER, pa.array(batch.rows[[each.position for each in found]] + 1)),
            (
                ColumnType.TEXT_ARRAY,
                pa.array([[kind.value for kind in each.kinds] for each in found]),
            ),
            (ColumnType.TEXT, pa.array([each.detail for each in found], pa.string())),
            ("geometry", _ewkb([each.fault for each in found])),
            numbers("area_before"),
            numbers("area_after"),
            numbers("length_before"),
            numbers("length_after"),
            ("geometry", geometries("before")),
            ("geometry", geometries("after")),
        ]
    )


def quarantine(batch: Batch, columns: Columns, cleaned: Cleaned) -> bytes:
    """Rows of app.vector_quarantine for the faults of a batch."""
    faults = sorted(cleaned.faults.items())
    raws = [_raw(batch, position) for position, _ in faults]
    return copy_binary.encode(
        [
            (ColumnType.INTEGER, pa.array(batch.rows[[position for position, _ in faults]] + 1)),
            (ColumnType.TEXT, pa.array([fault.reason.value for _, fault in faults])),
            (ColumnType.TEXT, pa.array([jsonb.clean_text(fault.detail) for _, fault in faults])),
            (ColumnType.JSON, pa.array([_properties(columns, place) for place, _ in faults])),
            (ColumnType.TEXT, pa.array([raw for raw, _ in raws], pa.string())),
            (ColumnType.BOOLEAN, pa.array([cut for _, cut in raws])),
            ("geometry", _ewkb([cleaned.fault_geometry.get(place) for place, _ in faults])),
        ]
    )


def _ewkb(geometries: list[Any]) -> Geometries:
    """EWKB in WGS 84, None where there is none."""
    array = np.empty(len(geometries), dtype=object)
    array[:] = geometries
    encoded: Geometries = shapely.to_wkb(shapely.set_srid(array, 4326), include_srid=True)
    return encoded


def _is_drawable(repair: Repair) -> bool:
    return all(
        shapely.get_num_coordinates(geometry) <= _DRAWN_VERTICES
        for geometry in (repair.before, repair.after)
    )


def _raw(batch: Batch, position: int) -> tuple[str | None, bool]:
    """The record's source text as far as a row keeps it, and whether it was cut."""
    if batch.raw is None:
        return None, False
    text = jsonb.clean_text(batch.raw(position))
    return text[:_RAW_LIMIT], len(text) > _RAW_LIMIT


def _properties(columns: Columns, position: int) -> str:
    """The record's attributes as JSON, without those that are null."""
    record = {name: array[position].as_py() for name, array in columns.items()}
    return orjson.dumps(
        {name: _jsonable(value) for name, value in record.items() if value is not None},
        default=str,
    ).decode()


def _jsonable(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
