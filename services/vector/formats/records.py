"""Records for the quarantine: their source text, and those of which there is nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from services.vector import casting
from services.vector.batch import Batch, Fault, Rows
from services.vector.model import Reason, SourceColumn

_WKB_BYTES: Final = 8 << 10


@dataclass(frozen=True, slots=True)
class RawRecord:
    """The source of a record as JSON: its fid, its attributes and its WKB, in hex, as far as
    that is short."""

    fids: npt.NDArray[np.int64] | None
    columns: Mapping[str, pa.Array[Any]]
    encoded: pa.Array[Any] | None

    def __call__(self, position: int) -> str:
        record: dict[str, Any] = {}
        if self.fids is not None:
            record["fid"] = int(self.fids[position])
        record["properties"] = {
            name: array[position].as_py() for name, array in self.columns.items()
        }
        data = self.encoded[position].as_py() if self.encoded is not None else None
        if data:
            record["wkb"] = data[:_WKB_BYTES].hex()
            if len(data) > _WKB_BYTES:
                record["wkb_bytes"] = len(data)
        return json.dumps(record, ensure_ascii=False, default=_text_of)


def _text_of(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def lost_batch(columns: Sequence[SourceColumn], first_row: int, count: int, detail: str) -> Batch:
    """Records that are known to be there, and of which nothing could be read."""
    fault = Fault(Reason.MALFORMED, detail)
    return Batch(
        rows=row_numbers(first_row, count),
        columns={
            column.name: pa.nulls(count, casting.ARROW_TYPES[column.type]) for column in columns
        },
        geometry=np.full(count, None, dtype=object),
        faults=dict.fromkeys(range(count), fault),
    )


def row_numbers(first: int, count: int) -> Rows:
    """The numbers of so many records in a row."""
    return np.arange(first, first + count, dtype=np.int64)
