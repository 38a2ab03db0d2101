"""Reads a KML file as the pipeline does: inspect it, then read every chunk."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from services.vector.formats import kml
from services.vector.model import ReadOptions, SourceLayer

DOCUMENT = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<kml xmlns="http://www.opengis.net/kml/2.2" xmlns:gx="http://www.google.com/kml/ext/2.2">'
    "<Document><name>Places</name>%s</Document></kml>"
)
POINT = "<Point><coordinates>1,2</coordinates></Point>"


@dataclass
class Loaded:
    """All of a file: each record's values by column, its geometry's WKT, fault and mends, and how
    many geometries there are of each type."""

    layer: SourceLayer
    rows: list[dict[str, Any]] = field(default_factory=list)
    wkt: list[str | None] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    faults: dict[int, str] = field(default_factory=dict)
    details: dict[int, str] = field(default_factory=dict)
    mends: dict[int, list[str]] = field(default_factory=dict)
    raw: list[str] = field(default_factory=list)
    value_faults: Counter[tuple[str, str]] = field(default_factory=Counter)

    def column(self, name: str) -> list[Any]:
        return [row[name] for row in self.rows]

    @property
    def notes(self) -> dict[str, int]:
        return {note.code: note.count for note in self.layer.notes}

    @property
    def types(self) -> dict[str, str]:
        return {column.name: column.type.value for column in self.layer.columns}


def load(path: Path, **options: Any) -> Loaded:
    """Read a file; fails where rows are missing, there twice or out of order."""
    wanted = ReadOptions(**options)
    (layer,) = kml.inspect(path, wanted)
    layer = SourceLayer.model_validate_json(layer.model_dump_json())  # as it travels
    loaded = Loaded(layer)
    for chunk in layer.chunks:
        before = len(loaded.rows)
        assert chunk.first_row == before
        for batch in kml.read(path, layer, chunk, wanted):
            first = len(loaded.rows)
            assert batch.rows.tolist() == list(range(first, first + len(batch)))
            assert set(batch.columns) == {column.name for column in layer.columns}
            columns = {name: array.to_pylist() for name, array in batch.columns.items()}
            loaded.rows += [
                {name: values[at] for name, values in columns.items()} for at in range(len(batch))
            ]
            loaded.wkt += [None if each is None else each.wkt for each in batch.geometry]
            loaded.kinds.update(each.geom_type for each in batch.geometry if each is not None)
            loaded.faults |= {first + at: fault.reason.value for at, fault in batch.faults.items()}
            loaded.details |= {first + at: fault.detail for at, fault in batch.faults.items()}
            loaded.mends |= {
                first + at: [kind.value for kind in kinds] for at, kinds in batch.mended.items()
            }
            assert not set(batch.faults) & set(np.flatnonzero(batch.geometry != None))  # noqa: E711
            assert batch.raw is not None
            loaded.raw += [batch.raw(at) for at in range(len(batch))]
            loaded.value_faults.update(batch.value_faults)
        assert len(loaded.rows) - before == chunk.rows
    assert len(loaded.rows) == layer.features
    return loaded


def load_text(folder: Path, text: str | bytes, **options: Any) -> Loaded:
    """Read what a file with this in it holds."""
    path = folder / "places.kml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(path, **options)


def load_features(folder: Path, features: str, **options: Any) -> Loaded:
    """Read features inside of a document called Places."""
    return load_text(folder, DOCUMENT % features, **options)


def placemark(name: str, inside: str = POINT) -> str:
    """A placemark as it is written, at a point by default."""
    return f"<Placemark><name>{name}</name>{inside}</Placemark>"
