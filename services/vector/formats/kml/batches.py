"""Batches of records: geometries built, attributes as columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np

from core.models.feature_table import ColumnType
from services.vector.batch import Batch, Geometries
from services.vector.formats.kml.columns import KmlColumn, column_values
from services.vector.formats.kml.features import Feature
from services.vector.formats.kml.geometry import read_plain
from services.vector.formats.kml.plain import Plain, build_plain
from services.vector.formats.kml.records import Record, RecordReader
from services.vector.geometry.building import BuiltMany, RawGeometry, build_many

# A batch has about this much of the file in it, so that its memory is bounded whatever the
# records are like; the rows keep the arrays large enough.
_BATCH_BYTES: Final = 4 << 20
_BATCH_ROWS: Final = 5_000
_NOT_A_TIME: Final = "not a time"


def grouped(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Runs of records of about 4 MB, or 5,000 of them."""
    group: list[Record] = []
    size = 0
    for record in records:
        group.append(record)
        size += len(record.data)
        if size >= _BATCH_BYTES or len(group) >= _BATCH_ROWS:
            yield group
            group, size = [], 0
    if group:
        yield group


def built(records: Sequence[Record]) -> BuiltMany:
    """The geometries, with the faults and mends that the records bring themselves."""
    features = [record.feature for record in records]
    geometry: Geometries = np.full(len(features), None, dtype=object)
    plains = {
        position: feature.geometry
        for position, feature in enumerate(features)
        if isinstance(feature.geometry, Plain)
    }
    geometries, flawless = build_plain(list(plains.values()))
    where = np.fromiter(plains, np.int64, len(plains))
    geometry[where[flawless]] = geometries[flawless]
    done = set(where[flawless].tolist())
    return _with_others(features, geometry, done)


def _with_others(features: Sequence[Feature], geometry: Geometries, done: set[int]) -> BuiltMany:
    """Build what is left, one by one where it has to be."""
    shapes = BuiltMany(geometry)
    raws: dict[int, RawGeometry] = {}
    for position, feature in enumerate(features):
        fault, mended = feature.fault, feature.mended
        if position not in done and fault is None:
            if isinstance(feature.geometry, Plain):
                shape = read_plain(feature.geometry)
                raw, fault = shape.raw, shape.fault
                mended = [*mended, *shape.mended]
            else:
                raw = feature.geometry
            if raw is not None and fault is None:
                raws[position] = raw
        if fault is not None:
            shapes.faults[position] = fault
        elif mended:
            shapes.mended[position] = mended
    others = build_many(list(raws.values()))
    for at, position in enumerate(raws):
        shapes.geometry[position] = others.geometry[at]
        if at in others.faults:
            shapes.faults[position] = others.faults[at]
            shapes.mended.pop(position, None)
        elif at in others.mended:
            both = [*shapes.mended.get(position, []), *others.mended[at]]
            shapes.mended[position] = list(dict.fromkeys(both))
    return shapes


def batch_of(
    reader: RecordReader,
    records: Sequence[Record],
    first_row: int,
    columns: Sequence[tuple[KmlColumn, ColumnType]],
) -> Batch:
    """The records as a batch; `first_row` is the number of the first one in the layer."""
    features = [record.feature for record in records]
    shapes = built(records)
    values, failures = column_values(columns, features)
    sources = [record.data for record in records]
    value_faults: Counter[tuple[str, str]] = Counter()
    value_faults.update({(name, "not of the column's type"): n for name, n in failures.items()})
    value_faults.update((key, _NOT_A_TIME) for each in features for key, _ in each.bad_times)
    return Batch(
        rows=np.arange(first_row, first_row + len(records)),
        columns=values,
        geometry=shapes.geometry,
        faults=shapes.faults,
        mended=shapes.mended,
        value_faults=dict(value_faults),
        raw=lambda position: reader.raw(sources[position]),
    )
