"""GeoParquet 0.4 to 1.1, and Parquet with its own GEOMETRY type: chunks are row groups.

https://geoparquet.org/releases/v1.1.0 and, for the type, the Parquet format 2.11.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from services.vector.batch import Batch
from services.vector.formats import geoarrow, ogr_columns, wkb, wkb_types
from services.vector.formats.reader import UnreadableFile
from services.vector.formats.records import RawRecord, lost_batch, row_numbers
from services.vector.formats.wkb import Decoded
from services.vector.inference import file_crs
from services.vector.model import (
    Chunk,
    Finding,
    Kind,
    Note,
    ReadOptions,
    SourceColumn,
    SourceLayer,
)

_DRIVER: Final = "geoparquet"
_DEFAULT_CRS: Final = "OGC:CRS84"
_FEWEST_ROWS: Final = 5_000
_MOST_ROWS: Final = 100_000
_BATCH_BYTES: Final = 8 << 20
_SMALLEST_BATCH: Final = 64
_LARGEST_BATCH: Final = 16_384
_OBSERVED_ROWS: Final = 10_000
_SAMPLE_ROWS: Final = 20_000
_BUFFER_BYTES: Final = 1 << 20
# What Arrow raises for a damaged file. Its lack of memory is among them, and is no damage: where
# records would be set aside for it, it goes on as the MemoryError that it is too.
_ERRORS: Final = (pa.ArrowException, OSError)
_PARQUET_TYPES: Final = ("GEOMETRY", "GEOGRAPHY")

BBox = tuple[float, float, float, float]


def inspect(path: Path, options: ReadOptions) -> list[SourceLayer]:
    """The one layer, named as the file is. Raises `UnreadableFile`."""
    with _opened(path) as file:
        geometry = _geometry_column(file)
        scan = _scan(file, geometry, options)
        rows = file.metadata.num_rows
        complete = not options.sample or rows <= _SAMPLE_ROWS
        return [
            SourceLayer(
                name=path.stem,
                kind=Kind.GEOPARQUET,
                driver=_DRIVER,
                member=path.name,
                features=rows,
                columns=_columns(file, geometry),
                geometry_types=dict(scan.types.by_name),
                has_z=scan.types.has_z,
                has_m=scan.types.has_m,
                crs=geometry.crs,
                bbox=geometry.bbox or scan.bbox,
                chunks=_chunks(file, options) if complete else _first_chunk(file),
                notes=geometry.notes + scan.notes,
            )
        ]


def read(path: Path, layer: SourceLayer, chunk: Chunk, options: ReadOptions) -> Iterator[Batch]:
    """The records of a chunk; a row group that is damaged becomes faults from there on."""
    del options
    with _opened(path) as file:
        geometry = _geometry_column(file)
        row, end = chunk.first_row, chunk.first_row + (chunk.rows or 0)
        group = int(chunk.part["group"])
        start = row - int(chunk.part["skip"])
        while row < end:
            in_group = file.metadata.row_group(group).num_rows
            stop = min(end, start + in_group)
            for batch in _read_group(file, group, geometry, layer.columns, start, row, stop):
                row += len(batch)
                yield batch
            group, start = group + 1, start + in_group


# What the file says.


@dataclass(frozen=True, slots=True)
class _Geometry:
    """The geometry column: its name, encoding, CRS and bounds; and columns not to be read."""

    name: str
    encoding: str
    crs: Finding
    bbox: BBox | None
    left_out: frozenset[str]
    notes: list[Note]

    def decode(self, array: pa.Array[Any]) -> Decoded:
        if self.encoding in geoarrow.ENCODINGS:
            return geoarrow.decode(array, self.encoding)
        return wkb.decode(_binary(array))


def _opened(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False)
    except _ERRORS as error:
        raise UnreadableFile(f"{path.name} is no readable Parquet file: {error}") from error


def _geometry_column(file: pq.ParquetFile) -> _Geometry:
    stored = (file.schema_arrow.metadata or {}).get(b"geo")
    if stored is None:
        return _by_parquet_type(file)
    try:
        stated = orjson.loads(stored)
        columns = stated["columns"]
        name = stated.get("primary_column") or next(iter(columns))
        about = columns[name]
        encoding = str(about.get("encoding", "WKB"))
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, StopIteration):
        raise UnreadableFile(
            "The metadata of GeoParquet in the file is not as its specification says."
        ) from None
    if name not in file.schema_arrow.names:
        raise UnreadableFile(
            f"The file says that its geometry is in the column {name!r}, and has no such column."
        )
    if encoding.casefold() not in (*geoarrow.ENCODINGS, "wkb"):
        raise UnreadableFile(f"The geometry is in an encoding that is not read: {encoding}.")
    others = [other for other in columns if other != name and other in file.schema_arrow.names]
    covering = _covering_columns(about)
    return _Geometry(
        name,
        encoding.casefold(),
        _crs(about),
        _bbox(about.get("bbox")),
        frozenset((*others, *covering)),
        _notes(about, others),
    )


def _by_parquet_type(file: pq.ParquetFile) -> _Geometry:
    """The first column that Parquet itself calls a geometry."""
    for number in range(len(file.schema)):
        column = file.schema.column(number)
        logical = orjson.loads(column.logical_type.to_json())
        if str(logical.get("Type", "")).upper() in _PARQUET_TYPES:
            crs = logical.get("crs")
            finding = file_crs.stated_crs(crs) if crs else _default_crs("Parquet's GEOMETRY type")
            return _Geometry(column.path, "wkb", finding, None, frozenset(), [])
    raise UnreadableFile(
        "The Parquet file does not say which column is the geometry: it has no metadata of "
        "GeoParquet."
    )


def _crs(about: Mapping[str, Any]) -> Finding:
    if "crs" not in about:
        return _default_crs("GeoParquet")
    stated = about["crs"]
    if isinstance(stated, dict):
        return file_crs.projjson_crs(stated)
    return file_crs.stated_crs(stated if isinstance(stated, str) else None)


def _default_crs(specification: str) -> Finding:
    return Finding(
        value=_DEFAULT_CRS,
        confidence=0.95,
        source="file",
        evidence=[f"{specification} says that it is {_DEFAULT_CRS} where no CRS is named."],
    )


def _bbox(stated: Any) -> BBox | None:
    """Of four numbers or, with heights, six; a box across the antimeridian is none here."""
    if not isinstance(stated, list) or len(stated) not in (4, 6):
        return None
    half = len(stated) // 2
    try:
        box = tuple(map(float, (*stated[:2], *stated[half : half + 2])))
    except (TypeError, ValueError):
        return None
    xmin, ymin, xmax, ymax = box
    sound = all(map(math.isfinite, box)) and xmin <= xmax and ymin <= ymax
    return (xmin, ymin, xmax, ymax) if sound else None


def _covering_columns(about: Mapping[str, Any]) -> list[str]:
    """The column with each record's bounds, which say nothing that the geometry does not."""
    covering = about.get("covering")
    box = covering.get("bbox") if isinstance(covering, dict) else None
    if not isinstance(box, dict):
        return []
    return sorted({str(path[0]) for path in box.values() if isinstance(path, list) and path})


def _notes(about: Mapping[str, Any], others: list[str]) -> list[Note]:
    notes = []
    if others:
        notes.append(
            Note(
                code="other_geometry_columns",
                message="further geometry columns are left out: " + ", ".join(others),
                count=len(others),
            )
        )
    if about.get("edges") == "spherical":
        notes.append(
            Note(code="spherical_edges", message="Edges are spherical; they are kept as straight.")
        )
    return notes


# Inspecting.


@dataclass(slots=True)
class _Scan:
    types: wkb_types.TypeCounts = field(default_factory=wkb_types.TypeCounts)
    bbox: BBox | None = None
    notes: list[Note] = field(default_factory=list)


def _scan(file: pq.ParquetFile, geometry: _Geometry, options: ReadOptions) -> _Scan:
    """One pass over the geometry column."""
    scan = _Scan()
    rows = 0
    for group in range(file.num_row_groups):
        try:
            for batch in _batches(file, group, [geometry.name], _LARGEST_BATCH):
                _count(batch.column(0), geometry, scan)
                rows += batch.num_rows
                if options.sample and rows >= _SAMPLE_ROWS:
                    return scan
        except MemoryError:
            raise
        except _ERRORS as error:
            message = f"row group {group + 1} of {file.num_row_groups} is damaged: {error}"
            scan.notes.append(Note(code="row_group_damaged", message=message[:300]))
    return scan


def _count(array: pa.Array[Any], geometry: _Geometry, scan: _Scan) -> None:
    native = geoarrow.ENCODINGS.get(geometry.encoding)
    if native is None:
        array = _binary(array)
        scan.types.add(array)
    else:
        scan.types.by_name[native[0]] += len(array) - array.null_count
        if array.null_count:
            scan.types.by_name[wkb_types.NO_GEOMETRY] += array.null_count
        scan.types.has_z |= geoarrow.has_z(array.type)
    if geometry.bbox is None:
        bounds = shapely.total_bounds(geometry.decode(array).geometry)
        if np.isfinite(bounds).all():
            old = scan.bbox or tuple(bounds)
            scan.bbox = (
                float(min(old[0], bounds[0])),
                float(min(old[1], bounds[1])),
                float(max(old[2], bounds[2])),
                float(max(old[3], bounds[3])),
            )


def _columns(file: pq.ParquetFile, geometry: _Geometry) -> list[SourceColumn]:
    fields = _attributes(file, geometry)
    names = [each.name for each in fields]
    first: pa.RecordBatch | None = None
    if names and file.num_row_groups:
        try:
            first = next(_batches(file, 0, names, _OBSERVED_ROWS), None)
        except MemoryError:
            raise
        except _ERRORS:
            first = None  # the scan of the geometries names damaged row groups
    columns = []
    for each in fields:
        wanted = ogr_columns.column_type(each.type)
        arrays = []
        if first is not None:
            array = _plain(first.column(first.schema.get_field_index(each.name)))
            arrays = [ogr_columns.convert(each.name, array, wanted, {})]
        evidence = [f"Parquet declares it as {each.type}"]
        columns.append(ogr_columns.observe(each.name, wanted, arrays, evidence))
    return columns


def _attributes(file: pq.ParquetFile, geometry: _Geometry) -> list[pa.Field[Any]]:
    schema = file.schema_arrow
    if len(set(schema.names)) < len(schema.names):
        raise UnreadableFile("The file has two columns of the same name.")
    return [
        each for each in schema if each.name != geometry.name and each.name not in geometry.left_out
    ]


def _chunks(file: pq.ParquetFile, options: ReadOptions) -> list[Chunk]:
    """Whole row groups together up to the size of a chunk, larger ones cut."""
    total = file.metadata.num_rows
    share = math.ceil(total / options.target_chunks)
    size = options.chunk_rows or min(max(share, _FEWEST_ROWS), _MOST_ROWS)
    chunks: list[Chunk] = []
    start = 0
    for group in range(file.num_row_groups):
        rows = file.metadata.row_group(group).num_rows
        last = chunks[-1] if chunks else None
        if last is not None and (last.rows or 0) + rows <= size:
            last.rows = (last.rows or 0) + rows
        else:
            chunks += [
                Chunk(
                    first_row=start + skip,
                    rows=min(size, rows - skip),
                    part={"group": group, "skip": skip},
                )
                for skip in range(0, rows, size)
            ]
        start += rows
    return chunks


def _first_chunk(file: pq.ParquetFile) -> list[Chunk]:
    rows = min(file.metadata.row_group(0).num_rows, _SAMPLE_ROWS)
    return [Chunk(first_row=0, rows=rows, part={"group": 0, "skip": 0})]


# Reading.


def _read_group(
    file: pq.ParquetFile,
    group: int,
    geometry: _Geometry,
    columns: list[SourceColumn],
    start: int,
    row: int,
    stop: int,
) -> Iterator[Batch]:
    """The records from number `row` up to `stop` of a group whose first one is `start`."""
    at = start
    names = [*(column.name for column in columns), geometry.name]
    try:
        for batch in _batches(file, group, names, _batch_rows(file, group)):
            first, at = at, at + batch.num_rows
            if at <= row:
                continue
            piece = batch.slice(row - first, min(at, stop) - row)
            yield _batch(piece, geometry, columns, row)
            row += piece.num_rows
            if row >= stop:
                return
        detail = "the row group ends early"
    except MemoryError:
        raise
    except _ERRORS as error:
        detail = f"the row group is damaged: {error}"[:300]
    if row < stop:
        yield lost_batch(columns, row, stop - row, detail)


def _batches(
    file: pq.ParquetFile, group: int, names: list[str], rows: int
) -> Iterator[pa.RecordBatch]:
    return iter(
        file.iter_batches(batch_size=rows, row_groups=[group], columns=names, use_threads=False)
    )


def _batch_rows(file: pq.ParquetFile, group: int) -> int:
    about = file.metadata.row_group(group)
    size = about.total_byte_size / max(about.num_rows, 1)
    return int(min(max(_BATCH_BYTES / max(size, 1), _SMALLEST_BATCH), _LARGEST_BATCH))


def _batch(
    piece: pa.RecordBatch, geometry: _Geometry, columns: list[SourceColumn], row: int
) -> Batch:
    faults: ogr_columns.ValueFaults = {}
    values = {}
    for column in columns:
        array = _plain(piece.column(piece.schema.get_field_index(column.name)))
        values[column.name] = ogr_columns.convert(column.name, array, column.type, faults)
    encoded = piece.column(piece.schema.get_field_index(geometry.name))
    decoded = geometry.decode(encoded)
    binary = None if geometry.encoding in geoarrow.ENCODINGS else _binary(encoded)
    return Batch(
        rows=row_numbers(row, piece.num_rows),
        columns=values,
        geometry=decoded.geometry,
        faults=decoded.faults,
        mended=decoded.mended,
        value_faults=faults,
        raw=RawRecord(None, values, binary),
        wkb=decoded.source,
    )


def _plain(array: pa.Array[Any]) -> pa.Array[Any]:
    """Without an extension type (UUID, JSON) and without a dictionary."""
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _binary(array: pa.Array[Any]) -> pa.Array[Any]:
    array = _plain(array)
    known = pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type)
    return array if known else array.cast(pa.large_binary())
