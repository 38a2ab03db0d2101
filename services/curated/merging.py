"""Layers of one kind, each a part of the same data, seen as the one layer that they make up.

For reports, and to see from version to version what the source has; each part is read by its
own layer. No I/O.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from core.counting import counted
from core.models.feature_table import ColumnType
from services.curated.handler import Field
from services.vector.model import Chunk, Finding, Kind, Note, SourceColumn, SourceLayer

_NUMBERS = {ColumnType.INTEGER, ColumnType.REAL}


def together(name: str, layers: Sequence[SourceLayer]) -> SourceLayer:
    """One layer of this name, out of one or more.

    The records are numbered through, in the order of the layers. What is said of the place, the
    encoding and the format is what the first layer with records says. It is to be looked at, and
    not to be read: `member` says how many files there are.
    """
    first = next((layer for layer in layers if layer.chunks), layers[0])
    chunks: list[Chunk] = []
    types: Counter[str] = Counter()
    rows = 0
    for layer in layers:
        chunks += shifted(layer.chunks, rows)
        types.update(layer.geometry_types)
        rows += records(layer)
    return first.model_copy(
        update={
            "name": name,
            "member": layers[0].member if len(layers) == 1 else counted(len(layers), "file"),
            "features": rows,
            "columns": _columns(layers),
            "geometry_types": dict(types),
            "has_z": any(layer.has_z for layer in layers),
            "has_m": any(layer.has_m for layer in layers),
            "key_candidates": [],
            "bbox": _bbox(layer for layer in layers if layer.crs.value == first.crs.value),
            "chunks": chunks,
            "notes": merged_notes(note for layer in layers for note in layer.notes),
            "details": {
                key: value
                for key, value in first.details.items()
                if not key.startswith("_")
                and all(layer.details.get(key) == value for layer in layers if layer.chunks)
            },
        }
    )


def nothing(name: str, fields: Sequence[Field]) -> SourceLayer:
    """A layer without records that has all attributes of the fields, for a version that brings
    no record at all: no column of the source is missing from it."""
    names = dict.fromkeys(field.sources[0] for field in fields if field.sources)
    return SourceLayer(
        name=name,
        kind=Kind.CSV,
        driver="no reader",
        member="",
        features=0,
        columns=[SourceColumn(name=each, type=ColumnType.TEXT, rows=0, nulls=0) for each in names],
        geometry_types={},
        crs=Finding(value=None, confidence=0, source="assumption"),
        chunks=[],
    )


def shifted(chunks: Iterable[Chunk], rows: int) -> list[Chunk]:
    """The chunks behind so many records of other parts."""
    return [
        chunk.model_copy(update={"first_row": chunk.first_row + rows}) if rows else chunk
        for chunk in chunks
    ]


def records(layer: SourceLayer) -> int:
    """How many records the layer has, or at most so many numbers they take."""
    last = max((chunk.first_row + (chunk.rows or 0) for chunk in layer.chunks), default=0)
    return max(layer.features or 0, last)


def merged_notes(notes: Iterable[Note]) -> list[Note]:
    """The notes, those that say the same once, with how often."""
    said: Counter[tuple[str, str]] = Counter()
    for note in notes:
        said[note.code, note.message] += note.count
    return [Note(code=code, message=text, count=n) for (code, text), n in said.items()]


def _columns(layers: Sequence[SourceLayer]) -> list[SourceColumn]:
    by_name: dict[str, list[SourceColumn]] = {}
    for layer in layers:
        for column in layer.columns:
            by_name.setdefault(column.name, []).append(column)
    return [_column(found) for found in by_name.values()]


def _column(found: Sequence[SourceColumn]) -> SourceColumn:
    """The attribute as all layers together have it: what is empty says nothing of its type."""
    if len(found) == 1:
        return found[0]
    filled = [each for each in found if each.rows is None or each.rows != each.nulls]
    types = Counter(each.inferred or each.type for each in filled)
    return SourceColumn(
        name=found[0].name,
        type=_common(set(types)),
        confidence=min((each.confidence for each in filled), default=0.5),
        evidence=[_evidence(types)],
        html=any(each.html for each in found),
        rows=_sum(each.rows for each in found),
        nulls=_sum(each.nulls for each in found),
        exact=all(each.exact for each in found),
    )


def _common(types: set[ColumnType]) -> ColumnType:
    """The type that values of all these types can have."""
    if len(types) == 1:
        return next(iter(types))
    return ColumnType.REAL if types == _NUMBERS else ColumnType.TEXT


def _evidence(types: Counter[ColumnType]) -> str:
    parts = [f"{type_.value} in {counted(n, 'part')}" for type_, n in types.most_common()]
    return ", ".join(parts) or "no values"


def _sum(numbers: Iterable[int | None]) -> int | None:
    total = 0
    for number in numbers:
        if number is None:
            return None
        total += number
    return total


def _bbox(layers: Iterable[SourceLayer]) -> tuple[float, float, float, float] | None:
    boxes = [layer.bbox for layer in layers if layer.bbox is not None]
    if not boxes:
        return None
    west, south, east, north = zip(*boxes, strict=True)
    return min(west), min(south), max(east), max(north)
