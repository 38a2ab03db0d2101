"""Reads a file of one layer as the stages do: inspected once, then chunk by chunk."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.vector.batch import Fault
from services.vector.formats.reader import Reader
from services.vector.model import ReadOptions, RepairKind, SourceLayer


@dataclass(slots=True)
class Read:
    """All records of a layer. Every one of them is in exactly one batch of one chunk."""

    layer: SourceLayer
    columns: dict[str, list[Any]] = field(default_factory=dict)
    geometry: list[Any] = field(default_factory=list)
    faults: dict[int, Fault] = field(default_factory=dict)
    mended: dict[int, list[RepairKind]] = field(default_factory=dict)
    raw: list[str] = field(default_factory=list)

    @property
    def reasons(self) -> dict[int, str]:
        """The faults' reasons by row."""
        return {row: fault.reason.value for row, fault in self.faults.items()}

    @property
    def notes(self) -> dict[str, int]:
        """The layer's notes' counts by code."""
        return {note.code: note.count for note in self.layer.notes}


def read_layer(reader: Reader, path: Path, options: ReadOptions | None = None) -> Read:
    """Inspect and read the file, and check that its chunks add up."""
    options = options or ReadOptions()
    (layer,) = reader.inspect(path, options)
    layer = SourceLayer.model_validate_json(layer.model_dump_json())
    result = Read(layer, {column.name: [] for column in layer.columns})
    row = 0
    for chunk in layer.chunks:
        assert chunk.first_row == row
        for batch in reader.read(path, layer, chunk, options):
            assert batch.rows.tolist() == list(range(row, row + len(batch)))
            assert batch.columns.keys() == result.columns.keys()
            for name, values in batch.columns.items():
                assert len(values) == len(batch)
                result.columns[name] += values.to_pylist()
            assert len(batch.geometry) == len(batch)
            result.geometry += batch.geometry.tolist()
            result.faults |= {row + at: fault for at, fault in batch.faults.items()}
            result.mended |= {row + at: kinds for at, kinds in batch.mended.items()}
            assert batch.raw is not None
            result.raw += [batch.raw(at) for at in range(len(batch))]
            row += len(batch)
        assert chunk.rows is None or row == chunk.first_row + chunk.rows
    assert layer.features == row
    return result
