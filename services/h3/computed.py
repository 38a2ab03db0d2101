"""What the tasks of a job have computed: a file of rows from each, held against the plan."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.counting import counted
from core.errors import NotFound, PermanentTaskError
from core.h3_index import all_cells
from core.job_definition import JsonObject, TaskResult, Workspace
from services.h3.extents import Extent
from services.h3.model import Block, Head

FRACTIONS = "fractions"

_FRACTION = re.compile(r"fraction_-?\d{1,20}")
_CELL_COLUMNS: Final = {
    "h3_index": pa.int64(),
    "pixel_count": pa.float64(),
    "nodata_count": pa.float64(),
}


class Computed:
    """The blocks of a plan that were computed, and those that were not.

    `cells_beyond` of those that were planned no raster has a pixel in: they are not computed.

    `batches` reads the files, and counts while it does: `cells`, of which `cells_with_data` have
    any statistic, `values` (statistics that are numbers), `not_finite` (those that are none, such
    as the mean of infinite pixels, which are left out), `valid_pixels` (weights added up) and
    the `extent` of the cells with data.
    """

    def __init__(self, plan: Head, results: Iterable[TaskResult]) -> None:
        """Raises `PermanentTaskError` (counts_differ) for results that do not fit the plan."""
        self._plan = plan
        self._results = _by_block(plan, results)
        self.missing = [block for block in plan.blocks if block.index not in self._results]
        self.pixels_read = sum(each["pixels_read"] for each in self._results.values())
        self.cells = self.cells_with_data = self.values = self.not_finite = 0
        self.valid_pixels = 0.0
        self.extent = Extent()

    @property
    def cells_computed(self) -> int:
        """The cells of the blocks that were computed, as their tasks have told."""
        return sum(each["cells"] for each in self._results.values())

    @property
    def cells_beyond(self) -> int:
        """The cells of those blocks in which no raster has a pixel."""
        return sum(each["cells_beyond"] for each in self._results.values())

    @property
    def cells_failed(self) -> int:
        """The cells of the blocks that were not computed, as they were planned."""
        return sum(block.cells for block in self.missing)

    def batches(self, workspace: Workspace, check: Callable[[], None]) -> Iterator[pa.RecordBatch]:
        """All rows, a file after the other in memory: h3_index, pixel_count, nodata_count, and
        the statistics, null for a cell that has none.

        Raises `PermanentTaskError` (counts_differ, workspace_file_missing) where a file is not
        what its task has told of it.
        """
        for index, result in sorted(self._results.items()):
            check()
            before = self.cells
            for batch in _read(workspace, index, result["rows_file"]):
                self._check(index, batch)
                yield self._counted(batch)
            if self.cells - before != result["cells"]:
                raise _differs(
                    f"Block {index} has {counted(result['cells'], 'cell')}, and "
                    f"{self.cells - before:,} in its file."
                )

    def _counted(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        columns: dict[str, pa.Array[Any]] = {name: batch.column(name) for name in _CELL_COLUMNS}
        has_data = np.zeros(len(batch), dtype=np.bool_)
        for name in batch.schema.names:
            if name in _CELL_COLUMNS:
                continue
            column = batch.column(name)
            finite = pc.fill_null(pc.is_finite(column), False)
            columns[name] = pc.if_else(finite, column, None)
            is_finite = finite.to_numpy(zero_copy_only=False)
            has_data |= is_finite
            found = int(is_finite.sum())
            self.values += found
            self.not_finite += len(batch) - column.null_count - found
        self.cells += len(batch)
        self.cells_with_data += int(has_data.sum())
        self.valid_pixels += math.fsum(columns["pixel_count"].to_numpy())
        self.extent.add_cells(columns["h3_index"].to_numpy()[has_data].astype(np.uint64))
        return pa.RecordBatch.from_pydict(columns)

    def _check(self, index: int, batch: pa.RecordBatch) -> None:
        """That the batch has the columns of the plan, and cells of its resolution."""
        asked = set(self._plan.statistics)
        missing = (asked - {FRACTIONS} | _CELL_COLUMNS.keys()) - set(batch.schema.names)
        if missing:
            raise _differs(f"The file of block {index} lacks the column {min(missing)!r}.")
        for field in batch.schema:
            is_fraction = FRACTIONS in asked and _FRACTION.fullmatch(field.name)
            is_statistic = is_fraction or field.name in asked - {FRACTIONS}
            wanted = _CELL_COLUMNS.get(field.name, pa.float64() if is_statistic else None)
            if field.type != wanted:
                raise _differs(
                    f"The file of block {index} has a column {field.name!r} of {field.type}, "
                    "which does not belong there."
                )
        if any(batch.column(name).null_count for name in _CELL_COLUMNS):
            raise _differs(f"The file of block {index} has a cell or a count that is null.")
        low, high = all_cells(self._plan.resolution)
        cells = batch.column("h3_index").to_numpy()
        if ((cells < low) | (cells >= high)).any():
            raise _differs(
                f"The file of block {index} has cells that are not of resolution "
                f"{self._plan.resolution}."
            )


def _by_block(plan: Head, results: Iterable[TaskResult]) -> dict[int, JsonObject]:
    blocks = {block.index: block for block in plan.blocks}
    found: dict[int, JsonObject] = {}
    for each in results:
        index = each.result["block"]
        if index not in blocks:
            raise _differs(f"Block {index} was computed, and is not in the plan.")
        if index in found:
            raise _differs(f"Block {index} was computed twice.")
        _check_number(blocks[index], each.result["cells"], each.result["cells_beyond"])
        found[index] = each.result
    return found


def _check_number(block: Block, cells: int, beyond: int) -> None:
    if cells + beyond != block.cells:
        raise _differs(
            f"Block {block.index} was planned with {counted(block.cells, 'cell')}, and computed "
            f"with {cells:,} and {beyond:,} that no raster reaches."
        )


def _read(workspace: Workspace, index: int, name: str) -> Iterator[pa.RecordBatch]:
    try:
        content = workspace.read_bytes(name)
    except NotFound as error:
        raise PermanentTaskError(
            f"The file of block {index} is not among the job's files any more.",
            code="workspace_file_missing",
        ) from error
    with pa.ipc.open_file(pa.BufferReader(content)) as file:
        for number in range(file.num_record_batches):
            yield file.get_batch(number)


def _differs(message: str) -> PermanentTaskError:
    return PermanentTaskError(message, code="counts_differ")
