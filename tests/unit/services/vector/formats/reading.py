"""Reading a file whole, as a job does, for the tests of readers."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyogrio.raw
import pytest
import shapely

from services.vector import casting
from services.vector.batch import Fault
from services.vector.formats import detection, registry
from services.vector.model import ReadOptions, RepairKind, SourceLayer

DATA = Path(os.environ.get("GEOFORGE_DATA", Path(__file__).parents[6] / "shared" / "data"))
needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="the shared collection of geodata is not beside the checkout"
)


@dataclass
class Whole:
    """A layer with all its records."""

    layer: SourceLayer
    geometry: list[shapely.Geometry | None] = field(default_factory=list)
    columns: dict[str, list[object]] = field(default_factory=dict)
    faults: dict[int, Fault] = field(default_factory=dict)
    mended: dict[int, list[RepairKind]] = field(default_factory=dict)
    value_faults: dict[tuple[str, str], int] = field(default_factory=dict)
    raw: dict[int, str] = field(default_factory=dict)

    @property
    def notes(self) -> set[str]:
        return {note.code for note in self.layer.notes}


def read_all(path: Path, **options: object) -> list[Whole]:
    """Every layer of a file; checks what must hold for whatever is read."""
    kind = detection.detect(path)
    assert kind is not None, detection.describe(path)
    reader = registry.reader_for(kind)
    wanted = ReadOptions.model_validate(options)
    result = []
    for layer in reader.inspect(path, wanted):
        # It travels as JSON from one task to the next.
        whole = Whole(SourceLayer.model_validate_json(layer.model_dump_json()))
        rows: list[int] = []
        for chunk in whole.layer.chunks:
            in_chunk = 0
            for batch in reader.read(path, whole.layer, chunk, wanted):
                _add(whole, batch, rows)
                in_chunk += len(batch)
            assert in_chunk == chunk.rows
        assert rows == list(range(len(rows)))
        result.append(whole)
    return result


def read_one(path: Path, **options: object) -> Whole:
    """The one layer of a file."""
    (whole,) = read_all(path, **options)
    return whole


def _add(whole: Whole, batch: object, rows: list[int]) -> None:
    assert list(batch.columns) == [column.name for column in whole.layer.columns]
    for column in whole.layer.columns:
        array = batch.columns[column.name]
        assert array.type == casting.ARROW_TYPES[column.type]
        assert len(array) == len(batch)
        whole.columns.setdefault(column.name, []).extend(array.to_pylist())
    first = len(rows)
    rows += batch.rows.tolist()
    whole.geometry += batch.geometry.tolist()
    for position, fault in batch.faults.items():
        assert batch.geometry[position] is None
        whole.faults[first + position] = fault
        if batch.raw is not None:
            whole.raw[first + position] = batch.raw(position)
    whole.mended |= {first + position: kinds for position, kinds in batch.mended.items()}
    for key, count in batch.value_faults.items():
        whole.value_faults[key] = whole.value_faults.get(key, 0) + count


def squares(count: int) -> list[shapely.Polygon]:
    """Squares side by side in rows of a hundred."""
    at = np.arange(count)
    return list(shapely.box(at % 100, at // 100, at % 100 + 0.9, at // 100 + 0.9))


def write(path: Path, driver: str, count: int = 100, layer: str | None = None) -> Path:
    """A file of squares with a number and a name each."""
    numbers = np.arange(count, dtype=np.int32)
    names = np.array([f"name {number}" for number in numbers], dtype=object)
    pyogrio.raw.write(
        str(path), shapely.to_wkb(squares(count)), [numbers, names], ["id", "name"],
        driver=driver, geometry_type="Polygon", crs="EPSG:4326", layer=layer,
    )  # fmt: skip
    return path


def wkb_array(*values: bytes | None) -> pa.Array:
    return pa.array(values, pa.binary())
