"""A batch of records on its way from a reader to a table: columns, not rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from services.vector.model import Reason, RepairKind

Geometries = npt.NDArray[np.object_]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a record cannot be loaded; `detail` is a sentence for its owner."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class SourceWkb:
    """Geometries as the WKB that they came in, a (large_)binary array.

    Of those that are `exact` the bytes are what would be written of the geometry: flat, in
    little-endian order, and nothing behind it.
    """

    values: pa.Array[Any]
    exact: npt.NDArray[np.bool_]


@dataclass(slots=True)
class Batch:
    """Records as a reader yields them. Positions count from 0 within the batch.

    `rows` are the records' numbers in their layer, from 0. `columns` are Arrow arrays by
    source name, in the types of the layer's columns. `geometry` holds shapely geometries in
    the source's CRS, None where a record has none or a fault, `wkb` the same as it came where
    that was WKB. `faults` are the records that
    could not be built; `mended` what was changed to build others (a ring that was closed).
    `raw` gives the source text of a record, for the quarantine. `value_faults` counts, by
    column and reason, the values that became null because no column can hold them.
    """

    rows: Rows
    columns: dict[str, pa.Array[Any]]
    geometry: Geometries
    faults: dict[int, Fault] = field(default_factory=dict)
    mended: dict[int, list[RepairKind]] = field(default_factory=dict)
    value_faults: dict[tuple[str, str], int] = field(default_factory=dict)
    raw: Callable[[int], str] | None = None
    wkb: SourceWkb | None = None

    def __len__(self) -> int:
        return len(self.rows)
