"""A page of statistics by cells as JSON, as GeoJSON, and as Parquet.

Cells are written some at a time as they are read, so that no page is in memory as objects.
Numbers that JSON does not have (NaN, infinite ones) are null.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import h3ronpy
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from core.times import iso_utc
from infrastructure.h3_repository import Batch
from services.h3 import shapes
from services.h3.model import Cells
from services.h3.reading import Reading
from services.h3.shapes import Wkb
from services.orchestration.paging import cursor_after

# Rows of a row group, and their values: fewer cost room, more memory.
_GROUP_ROWS: Final = 131_072
_GROUP_VALUES: Final = 2_097_152

_COUNTS: Final = ("pixel_count", "nodata_count")
# https://geoparquet.org/releases/v1.1.0/: no `crs` means longitude and latitude (OGC:CRS84).
_GEOPARQUET: Final = "1.1.0"
_GEOMETRY: Final = "geometry"


@dataclass(slots=True)
class _Extent:
    """What the polygons of a file lie in, and their types, as they are written."""

    types: set[str] = field(default_factory=set)
    bounds: list[tuple[float, float, float, float]] = field(default_factory=list)

    def add(self, polygons: Wkb) -> None:
        self.types |= polygons.types
        self.bounds.append(polygons.bounds)

    def geo(self) -> dict[str, Any]:
        """The file's metadata as GeoParquet has it."""
        column: dict[str, Any] = {
            "encoding": "WKB",
            "geometry_types": sorted(self.types),
            "edges": "planar",
            "orientation": "counterclockwise",
        }
        if self.bounds:
            sides = np.array(self.bounds)
            lowest, highest = sides[:, :2].min(axis=0), sides[:, 2:].max(axis=0)
            column["bbox"] = [*lowest.tolist(), *highest.tolist()]
        return {
            "version": _GEOPARQUET,
            "primary_column": _GEOMETRY,
            "columns": {_GEOMETRY: column},
        }


def members(reading: Reading) -> dict[str, Any]:
    """What every format says of the page."""
    dataset, choice = reading.dataset, reading.choice
    return {
        "dataset": dataset.dataset_id,
        "title": dataset.title,
        "theme": dataset.theme,
        "resolution": choice.resolution,
        "rolled_up_from": choice.layer.resolution if choice.is_rolled_up else None,
        "band": choice.layer.band,
        "unit": dataset.unit,
        "weighting": choice.layer.weighting,
        "statistics": list(choice.statistics),
        "updated_at": iso_utc(choice.layer.updated_at),
    }


def json_document(reading: Reading) -> bytes:
    """{dataset, ..., cells: [{h3, <statistic>, ..., pixel_count, nodata_count}],
    numberReturned, next}."""

    def objects(batch: Batch) -> list[dict[str, Any]]:
        names = ("h3", *reading.choice.statistics, *_COUNTS)
        return [dict(zip(names, row, strict=True)) for row in _values(reading, batch)]

    return _document(reading, members(reading), "cells", objects)


def geojson_document(reading: Reading) -> bytes:
    """A FeatureCollection (RFC 7946) with the members of the JSON document, and each cell as a
    Feature with its polygon."""

    def features(batch: Batch) -> list[dict[str, Any]]:
        names = ("h3", *reading.choice.statistics, *_COUNTS)
        geometries = shapes.geometries(_unsigned(batch))
        return [
            {
                "type": "Feature",
                "id": row[0],
                "geometry": geometry,
                "properties": dict(zip(names, row, strict=True)),
            }
            for row, geometry in zip(_values(reading, batch), geometries, strict=True)
        ]

    first = {"type": "FeatureCollection", **members(reading)}
    return _document(reading, first, "features", features)


def parquet_file(reading: Reading, *, with_geometry: bool) -> bytes:
    """A Parquet file with the columns h3_index (uint64), h3 (text), one for each statistic (null
    where a cell has none), pixel_count and nodata_count, in row groups that ascend by h3_index.

    With `with_geometry` it is GeoParquet, and the polygons are its column `geometry` (WKB). What
    it is of is JSON in the file's metadata under `geoforge`.
    """
    schema = _schema(reading.choice.statistics, with_geometry)
    target, extent = io.BytesIO(), _Extent()
    with pq.ParquetWriter(target, schema, compression="zstd", use_dictionary=False) as writer:
        for batches in _gathered(reading.batches()):
            columns = [_arrow(each, schema, extent) for each in batches]
            writer.write_table(pa.Table.from_batches(columns, schema))
        about = orjson.dumps(members(reading))
        writer.add_key_value_metadata({"geoforge": about.decode()})
        if with_geometry:
            writer.add_key_value_metadata({"geo": orjson.dumps(extent.geo()).decode()})
    return target.getvalue()


def _document(
    reading: Reading,
    first: dict[str, Any],
    listed: str,
    objects: Callable[[Batch], list[dict[str, Any]]],
) -> bytes:
    """An object with a long list in it, which is written batch by batch."""
    parts: list[bytes] = []
    returned = 0
    for batch in reading.batches():
        parts.append(_dumped(objects(batch))[1:-1])
        returned += len(batch)
    last = {
        "numberReturned": returned,
        "next": None if reading.next is None else cursor_after(reading.next),
    }
    return b"".join(
        [_dumped(first)[:-1], b',"', listed.encode(), b'":[', b",".join(parts), b"],",
         _dumped(last)[1:]]
    )  # fmt: skip


def _dumped(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def _values(reading: Reading, batch: Batch) -> Iterator[tuple[Any, ...]]:
    """Of each cell its name, its statistics, and its counts."""
    names = h3ronpy.cells_to_string(_unsigned(batch)).to_pylist()
    statistics = (batch.values[name].tolist() for name in reading.choice.statistics)
    return zip(
        names,
        *statistics,
        batch.pixel_count.tolist(),
        batch.nodata_count.tolist(),
        strict=True,
    )


def _unsigned(batch: Batch) -> Cells:
    return batch.cells.astype(np.uint64)


def _schema(statistics: Iterable[str], with_geometry: bool) -> pa.Schema:
    fields = [pa.field("h3_index", pa.uint64(), nullable=False)]
    fields.append(pa.field("h3", pa.string(), nullable=False))
    fields += [pa.field(name, pa.float64()) for name in statistics]
    fields += [pa.field(name, pa.float64(), nullable=False) for name in _COUNTS]
    if with_geometry:
        fields.append(pa.field(_GEOMETRY, pa.binary(), nullable=False))
    return pa.schema(fields)


def _gathered(batches: Iterable[Batch]) -> Iterator[list[Batch]]:
    """Batches together, each time about as many as fill a row group."""
    gathered: list[Batch] = []
    for batch in batches:
        gathered.append(batch)
        rows = sum(map(len, gathered))
        if rows >= _GROUP_ROWS or rows * len(batch.values) >= _GROUP_VALUES:
            yield gathered
            gathered = []
    if gathered:
        yield gathered


def _arrow(batch: Batch, schema: pa.Schema, extent: _Extent) -> pa.RecordBatch:
    cells = _unsigned(batch)
    columns: dict[str, pa.Array] = {
        "h3_index": pa.array(cells),
        "h3": pa.array(h3ronpy.cells_to_string(cells)).cast(pa.string()),
        **{name: pa.array(each, from_pandas=True) for name, each in batch.values.items()},
        "pixel_count": pa.array(batch.pixel_count),
        "nodata_count": pa.array(batch.nodata_count),
    }
    if _GEOMETRY in schema.names:
        polygons = shapes.wkb(cells)
        columns[_GEOMETRY] = polygons.polygons
        extent.add(polygons)
    return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)
