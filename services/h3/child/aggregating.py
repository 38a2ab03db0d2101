"""In the child: the statistics of the cells of one block, of all pixels that lie in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np
import orjson
import pyarrow as pa
import rasterio

from core.job_definition import JsonObject
from services.h3 import areas, coverage
from services.h3.cells import in_box
from services.h3.child import centres, windows
from services.h3.child.pieces import Pieces, pieces_of
from services.h3.child.reading import Files, MosaicReader, Pixels
from services.h3.child.work import Work, file_name
from services.h3.coverage import Window
from services.h3.model import Cells, Mosaic, Numbers
from services.h3.planes import Plane
from services.h3.statistics import SMALLEST_WEIGHT, Accumulator
from services.h3.tally import limit_of

Emit = Callable[[str, bytes | memoryview], None]

ROWS, PROGRESS = "rows", "progress"
INDEX, PIXEL_COUNT, NODATA_COUNT = "h3_index", "pixel_count", "nodata_count"

# Bytes of memory for each pixel of a window: its values, its shares in cells, and copies of these.
_BYTES_A_PIXEL = 256
_MOST_PIXELS = 1 << 22
# Of the memory, GDAL's cache of decoded blocks.
_CACHE_SHARE = 8
# Pixels whose cells are looked up together.
_AT_ONCE = 1 << 20


def aggregate(work: JsonObject, emit: Emit, **files: BinaryIO) -> JsonObject:
    """Compute a `Work`. `files` are the rasters, by `work.file_name`.

    Emits an Arrow IPC file to the sink rows: h3_index (int64), pixel_count, nodata_count, and a
    column of float64 for each statistic, null where a cell has none; a row for each wanted cell
    that a pixel counts in, valid or not, ascending. Emits lines of JSON {cells} to the sink
    progress: as many cells as the share of the windows that are done comes to.

    Returns {cells, cells_with_data, cells_beyond, values, pixels_read, valid}: of cells_beyond no
    raster has a pixel, values are those of all cells and statistics, valid is the sum of
    pixel_count. Raises `UnreadableRaster` and
    `PermanentTaskError` (cells_not_in_crs, and those of `Accumulator`).
    """
    wanted = Work.model_validate(work)
    area = None if wanted.area is None else areas.from_geojson(wanted.area)
    cells = in_box(wanted.box, wanted.resolution, area)
    accumulator = Accumulator(len(cells), wanted.statistics, most_values=limit_of(wanted.memory_mb))
    sources = {number: files[file_name(number)] for number in wanted.rasters}
    with (
        rasterio.Env(GDAL_CACHEMAX=(wanted.memory_mb << 20) // _CACHE_SHARE),
        Files(wanted.rasters, sources) as opened,
    ):
        add = _add_exact if wanted.weighting == "exact" else _add_centroid
        mosaics = wanted.mosaics if len(cells) else ()
        for number, mosaic in enumerate(mosaics):
            for share in add(accumulator, cells, mosaic, opened, wanted):
                done = (number + share) / len(mosaics)
                emit(PROGRESS, orjson.dumps({"cells": int(done * len(cells))}) + b"\n")
        pixels_read = opened.pixels_read
    wanted_cells = len(cells)
    cells, columns = _reached(cells, accumulator.result())
    _emit_rows(cells, columns, emit)
    count = columns[PIXEL_COUNT]
    return {
        "cells": len(cells),
        "cells_with_data": int((count > 0).sum()),
        "cells_beyond": wanted_cells - len(cells),
        "values": sum(
            int(np.isfinite(column).sum())
            for name, column in columns.items()
            if name not in (PIXEL_COUNT, NODATA_COUNT)
        ),
        "pixels_read": pixels_read,
        "valid": float(count.sum()),
    }


def _add_exact(
    accumulator: Accumulator, cells: Cells, mosaic: Mosaic, files: Files, work: Work
) -> Iterator[float]:
    """Add each pixel to the cells over it, by the share of it that lies in each. Yields the share
    of the windows that is done."""
    reader = MosaicReader(mosaic, files)
    name = work.rasters[mosaic.members[0].raster].name
    groups = pieces_of(cells, Plane(mosaic.grid), name)
    if not groups:
        return
    reach = np.concatenate([pieces.reach for pieces in groups])
    strips = list(windows.over(reach, reader.blocks, _most_pixels(work)))
    for done, window in enumerate(strips, 1):
        pixels = reader.read(window)
        for pieces in groups:
            _add_shares(accumulator, pieces, pixels, window)
        yield done / len(strips)


def _add_shares(accumulator: Accumulator, pieces: Pieces, pixels: Pixels, window: Window) -> None:
    touching = (pieces.reach[:, 0] < window.row + window.rows) & (pieces.reach[:, 2] > window.row)
    touching &= pieces.reach[:, 1] < window.column + window.columns
    touching &= pieces.reach[:, 3] > window.column
    cell = pieces.cell[touching]
    for part in coverage.shares(
        pieces.x[touching], pieces.y[touching], pieces.vertices[touching], window
    ):
        at = part.row - window.row, part.column - window.column
        valid, nodata = pixels.valid[at], pixels.nodata[at]
        owner = cell[part.piece]
        if valid.all():
            accumulator.add(owner, pixels.values[at], part.weight)
            continue
        accumulator.add(owner[valid], pixels.values[at][valid], part.weight[valid])
        accumulator.add_nodata(owner[nodata], part.weight[nodata])


def _add_centroid(
    accumulator: Accumulator, cells: Cells, mosaic: Mosaic, files: Files, work: Work
) -> Iterator[float]:
    """Add each pixel to the cell that its centre lies in. Yields the share of the windows that is
    done."""
    reader, plane = MosaicReader(mosaic, files), Plane(mosaic.grid)
    wanted = centres.around(cells, work.resolution)
    near = centres.near(mosaic.grid, wanted)
    if not len(near):
        return
    strips = list(windows.over(near, reader.blocks, _most_pixels(work)))
    for done, window in enumerate(strips, 1):
        pixels = reader.read(window)
        for rows, part in _parts(window):
            owner = centres.owners(plane, part, cells, work.resolution, wanted)
            valid = pixels.valid[rows] & (owner >= 0)
            accumulator.add(owner[valid], pixels.values[rows][valid])
            nodata = pixels.nodata[rows] & (owner >= 0)
            accumulator.add_nodata(owner[nodata])
        yield done / len(strips)


def _parts(window: Window) -> Iterator[tuple[slice, Window]]:
    """A window's rows, some at a time: where they are in it, and they as a window."""
    step = max(1, _AT_ONCE // window.columns)
    for first in range(0, window.rows, step):
        rows = min(step, window.rows - first)
        yield slice(first, first + rows), window._replace(row=window.row + first, rows=rows)


def _most_pixels(work: Work) -> int:
    return min(_MOST_PIXELS, (work.memory_mb << 20) // _BYTES_A_PIXEL)


def _reached(cells: Cells, columns: dict[str, Numbers]) -> tuple[Cells, dict[str, Numbers]]:
    """The cells in which a pixel counts, with data or without. Of the others nothing is known:
    another job may have computed them from other rasters."""
    reached = columns[PIXEL_COUNT] + columns[NODATA_COUNT] >= SMALLEST_WEIGHT
    return cells[reached], {name: column[reached] for name, column in columns.items()}


def _emit_rows(cells: Cells, columns: dict[str, Numbers], emit: Emit) -> None:
    arrays: dict[str, Any] = {INDEX: pa.array(cells.view(np.int64))}
    for name, column in columns.items():
        arrays[name] = pa.array(column, mask=np.isnan(column))
    table = pa.table(arrays)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    emit(ROWS, memoryview(sink.getvalue()))
