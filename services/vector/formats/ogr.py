"""What all formats that OGR reads have in common: inspecting a layer, reading a chunk of it.

Chunks are ranges of fids where the driver finds these by an index (GeoPackage), else runs of
records to skip to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from services.vector.batch import Batch
from services.vector.formats import ogr_columns, ogr_source, wkb, wkb_types
from services.vector.formats.ogr_access import Access, Fids, Seek, between
from services.vector.formats.ogr_scan import Scan, everything, scan_layer
from services.vector.formats.ogr_source import OGR_ERRORS, Description
from services.vector.formats.reader import UnreadableFile
from services.vector.formats.records import RawRecord, lost_batch, row_numbers
from services.vector.inference import file_crs
from services.vector.model import (
    Chunk,
    Finding,
    Note,
    ReadOptions,
    SourceColumn,
    SourceLayer,
)

_FEWEST_ROWS: Final = 5_000
_MOST_ROWS: Final = 100_000
_BATCH_BYTES: Final = 8 << 20
_SMALLEST_BATCH: Final = 64
_LARGEST_BATCH: Final = 16_384
_OBSERVED_ROWS: Final = 5_000
# How often a chunk is tried again where the driver fails in the middle of it.
_MOST_ATTEMPTS: Final = 500
_NAMED_IN_A_NOTE: Final = 10


def inspect_layers(
    names: Sequence[str], access: Callable[[str], Access], options: ReadOptions
) -> list[SourceLayer]:
    """The layers of these names that have records, with notes on the others.

    A layer that cannot be read is a note on the first that can. A file without any record
    keeps its layers, and a layer that was asked for stays. Raises `UnreadableFile` where
    there is nothing but failures.
    """
    if not names:
        raise UnreadableFile("There is no layer in the file.")
    layers: list[SourceLayer] = []
    failures: list[Note] = []
    for name in names:
        if options.layer not in (None, name):
            continue
        try:
            layers.append(inspect_layer(access(name), options))
        except UnreadableFile as error:
            message = f"layer {name!r} cannot be read: {error.message}"
            failures.append(Note(code="layer_unreadable", message=message))
    if failures and not layers:
        raise UnreadableFile(failures[0].message)
    filled = [layer for layer in layers if layer.chunks]
    if not filled or options.layer is not None:
        filled = layers
    empty = [layer.name for layer in layers if layer not in filled]
    if empty:
        named = ", ".join(empty[:_NAMED_IN_A_NOTE]) + (", ..." if empty[_NAMED_IN_A_NOTE:] else "")
        message = f"layers without a record: {named}"
        failures.append(Note(code="empty_layers", message=message, count=len(empty)))
    if filled:
        filled[0].notes.extend(failures)
    return filled


def inspect_layer(
    access: Access,
    options: ReadOptions,
    *,
    name: str | None = None,
    names: Sequence[str] | None = None,
    encoding: Finding | None = None,
    crs: Finding | None = None,
    promised: int | None = None,
) -> SourceLayer:
    """The layer that `access` leads to. Raises `UnreadableFile`.

    `name` and `names` (of the columns) are used where OGR's own are not right; `promised` is
    how many records the file's header says there are, where that can be trusted.
    """
    about = ogr_source.describe(access.origin)
    scan = scan_layer(access, about, options)
    if about.bbox is None and not options.sample and _has_geometry(scan.types):
        about = ogr_source.describe(access.origin, count=True)
    columns = _columns(access, about, names)
    chunks = _chunks(access, about, scan, options)
    notes = scan.notes
    lost = scan.failure
    if lost is None and promised is not None and scan.complete and scan.records < promised:
        lost = f"the file says that it has {promised:,}"
    if lost is not None:
        detail = f"{scan.records:,} records could be read: {lost}"
        lost_rows = max(1, scan.unreadable)
        chunks.append(Chunk(first_row=scan.records, rows=lost_rows, part={"lost": detail}))
        notes.append(Note(code="cut_short", message=detail))
    return SourceLayer(
        name=name or about.name,
        kind=access.kind,
        driver=about.driver,
        member=access.origin.path.name,
        features=scan.records if scan.complete else about.features,
        columns=columns,
        geometry_types=dict(scan.types.by_name),
        has_z=scan.types.has_z,
        has_m=scan.types.has_m,
        crs=crs or file_crs.stated_crs(about.crs),
        encoding=encoding,
        bbox=_finite(about.bbox),
        chunks=chunks,
        notes=notes,
    )


def read_chunk(access: Access, layer: SourceLayer, chunk: Chunk) -> Iterator[Batch]:
    """The records of a chunk. A record, or a run of them, that makes the driver fail is found
    by halving, and becomes a fault."""
    if "lost" in chunk.part:
        yield lost_batch(layer.columns, chunk.first_row, chunk.rows or 1, str(chunk.part["lost"]))
        return
    batch_rows = _batch_rows(access, layer.features)
    row = chunk.first_row
    for piece in _pieces(access, chunk, batch_rows):
        if isinstance(piece, _Failed):
            yield lost_batch(layer.columns, row, piece.records, piece.detail)
            row += piece.records
        elif piece.num_rows:
            yield _batch(access, layer.columns, piece, row)
            row += piece.num_rows


# Inspecting.


def _has_geometry(types: wkb_types.TypeCounts) -> bool:
    return any(name != wkb_types.NO_GEOMETRY for name in types.by_name)


def _columns(access: Access, about: Description, names: Sequence[str] | None) -> list[SourceColumn]:
    """The fields, with what the first records show of them."""
    unique = ogr_columns.unique_names(names if names is not None else about.fields)
    where = everything(access, about)
    with ogr_source.stream(access.origin, batch_rows=_OBSERVED_ROWS, where=where) as opened:
        try:
            first = next(opened.batches(), None)
        except OGR_ERRORS:
            first = None  # the scan of the geometries says why
        columns = []
        for number, (name, subtype) in enumerate(zip(unique, about.subtypes, strict=True)):
            arrow_type = opened.schema.field(number + 1).type
            wanted = ogr_columns.column_type(arrow_type, subtype)
            arrays = []
            if first is not None:
                values = _text(access, first.column(number + 1))
                arrays = [ogr_columns.convert(name, values, wanted, {})]
            evidence = [f"{about.driver} declares it as {_declared(arrow_type, subtype)}"]
            columns.append(ogr_columns.observe(name, wanted, arrays, evidence))
        return columns


def _declared(arrow_type: pa.DataType, subtype: str) -> str:
    plain = subtype.removeprefix("OFST")
    return str(arrow_type) if plain == "None" else f"{arrow_type} ({plain})"


def _text(access: Access, array: pa.Array[Any]) -> pa.Array[Any]:
    return access.text(array) if pa.types.is_string(array.type) else array


def _chunks(access: Access, about: Description, scan: Scan, options: ReadOptions) -> list[Chunk]:
    fids = scan.fids()
    total = scan.records
    if not total:
        return []
    rows = options.chunk_rows or _rows_in_chunk(access, total, options)
    if access.one_chunk or not scan.complete:
        return [_chunk(access, about, fids, 0, total)]
    return [
        _chunk(access, about, fids, first, min(first + rows, total))
        for first in range(0, total, rows)
    ]


def _rows_in_chunk(access: Access, total: int, options: ReadOptions) -> int:
    share = math.ceil(total / options.target_chunks)
    rows = min(max(share, _FEWEST_ROWS), _MOST_ROWS)
    # Each chunk reads what lies before it as well.
    return max(rows, share) if access.slow_skip else rows


def _chunk(access: Access, about: Description, fids: Fids, first: int, end: int) -> Chunk:
    seek = access.seek
    if seek is Seek.FID_INDEX and not (about.fid_column and bool((np.diff(fids) > 0).all())):
        seek = Seek.PLACE  # a view, in an order of its own
    part: dict[str, int | str] = {"seek": seek.value, "first": first, "last": end - 1}
    if seek is not Seek.PLACE:
        part |= {"first": int(fids[first]), "last": int(fids[end - 1])}
    if seek is Seek.FID_INDEX:
        part["fid"] = about.fid_column
    return Chunk(first_row=first, rows=end - first, part=part)


def _finite(
    bbox: tuple[float, float, float, float] | None,
) -> tuple[float, float, float, float] | None:
    if bbox is None or not all(map(math.isfinite, bbox)):
        return None
    return bbox if bbox[0] <= bbox[2] and bbox[1] <= bbox[3] else None


# Reading.


@dataclass(frozen=True, slots=True)
class _Failed:
    """So many records, one after the other, that the driver could not read."""

    records: int
    detail: str


def _batch_rows(access: Access, features: int | None) -> int:
    size = access.bytes / max(features or 1, 1)
    return int(min(max(_BATCH_BYTES / max(size, 1), _SMALLEST_BATCH), _LARGEST_BATCH))


def _pieces(access: Access, chunk: Chunk, batch_rows: int) -> Iterator[pa.RecordBatch | _Failed]:
    """The batches of a chunk, and so many failed records that all that were scanned are there.

    Where the driver fails, what is left of its span is read in halves.
    """
    expected = chunk.rows or 0
    done = attempts = 0
    failure = "the driver returned fewer records than before"
    spans = [(int(chunk.part["first"]), int(chunk.part["last"]))]
    while spans and attempts < _MOST_ATTEMPTS and done < expected:
        first, last = spans.pop()
        try:
            for batch, reached in _span(access, chunk, first, last, batch_rows):
                batch = batch.slice(0, expected - done)
                done += batch.num_rows
                first = reached + 1
                yield batch
            continue
        except (*OGR_ERRORS, UnreadableFile) as error:
            failure = ogr_source.said(error)
            attempts += 1
        if first < last:
            middle = (first + last) // 2
            spans += [(middle + 1, last), (first, middle)]
        elif done < expected:
            done += 1
            yield _Failed(1, failure)
    if done < expected:
        yield _Failed(expected - done, failure)


def _span(
    access: Access, chunk: Chunk, first: int, last: int, batch_rows: int
) -> Iterator[tuple[pa.RecordBatch, int]]:
    """The batches from one fid, or place in the layer, to another, and how far each reaches."""
    seek = Seek(str(chunk.part["seek"]))
    where, skip = None, first
    if seek is Seek.FID_INDEX:
        where, skip = between(str(chunk.part["fid"]), first, last), 0
    wanted = min(batch_rows, last - first + 1)
    with ogr_source.stream(access.origin, batch_rows=wanted, where=where, skip=skip) as opened:
        for batch in opened.batches():
            if seek is Seek.PLACE:
                piece = batch.slice(0, last - first + 1)
                first += piece.num_rows
                reached = first - 1
            else:
                fids = np.asarray(batch.column(0))
                piece = batch.slice(0, int(np.searchsorted(fids, last, side="right")))
                reached = int(fids[piece.num_rows - 1]) if piece.num_rows else last
            if piece.num_rows:
                yield piece, reached
            if reached >= last or piece.num_rows < batch.num_rows:
                return


def _batch(
    access: Access, columns: Sequence[SourceColumn], piece: pa.RecordBatch, first_row: int
) -> Batch:
    fids: Fids = np.asarray(piece.column(0))
    faults: ogr_columns.ValueFaults = {}
    read = {column.name: piece.column(number) for number, column in enumerate(columns, 1)}
    values: dict[str, pa.Array[Any]] = {}
    for column in columns:
        array = _text(access, read[column.name])
        values[column.name] = ogr_columns.convert(column.name, array, column.type, faults)
    for (name, reason), mask in access.unfit(fids, read).items():
        faults[name, reason] = int(mask.sum())
        nothing = pa.scalar(None, values[name].type)
        values[name] = pc.if_else(pa.array(mask), nothing, values[name])
    batch = Batch(
        rows=row_numbers(first_row, piece.num_rows),
        columns=values,
        geometry=np.full(piece.num_rows, None, dtype=object),
        value_faults=faults,
    )
    at = 1 + len(columns)
    encoded = piece.column(at) if piece.num_columns > at else None
    if encoded is not None:
        decoded = wkb.decode(encoded)
        batch.geometry, batch.faults = decoded.geometry, decoded.faults
        batch.mended, batch.wkb = decoded.mended, decoded.source
        _explain(access, fids, batch)
    batch.raw = RawRecord(fids, values, encoded)
    return batch


def _explain(access: Access, fids: Fids, batch: Batch) -> None:
    """Ask the format about records that came without a geometry and without a fault."""
    missing = [
        position
        for position in np.flatnonzero(shapely.is_missing(batch.geometry)).tolist()
        if position not in batch.faults
    ]
    if not missing:
        return
    reasons = access.explain_missing([int(fids[position]) for position in missing])
    for position in missing:
        fault = reasons.get(int(fids[position]))
        if fault is not None:
            batch.faults[position] = fault
