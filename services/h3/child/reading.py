"""In the child: pixels of mosaics, read in windows, with what is known of each.

A raster is opened when a window first touches it, and closed again where many others were needed
since.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from rasterio import DatasetReader
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import RasterioError
from rasterio.windows import Window as RasterWindow

from services.h3.coverage import Window
from services.h3.model import Mosaic, Numbers, SourceRaster
from services.raster.child.opening import open_ranges
from services.raster.child.refusals import UnreadableRaster, is_out_of_memory, words_of

_MOST_OPEN = 32

Mask = npt.NDArray[np.bool_]


class Pixels(NamedTuple):
    """A window of a mosaic; arrays of (rows, columns).

    Attributes:
        values: physical values, where a pixel is valid.
        valid: pixels that count.
        nodata: pixels of which a raster says that there is nothing, and no other says more.
    """

    values: Numbers
    valid: Mask
    nodata: Mask


class Blocks(NamedTuple):
    """How a raster's file is stored: blocks of so many rows and columns, the first of which
    begins at this row and column of the mosaic."""

    rows: int
    columns: int
    first_row: int
    first_column: int


class Files:
    """The rasters of a task, opened as they are needed::

    with Files(rasters, files) as opened:
        values, valid = opened.band(3).read(window)
    """

    def __init__(self, rasters: Mapping[int, SourceRaster], files: Mapping[int, BinaryIO]) -> None:
        self._rasters = rasters
        self._files = files
        self._open: OrderedDict[int, tuple[ExitStack, _Band]] = OrderedDict()
        self.pixels_read = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        while self._open:
            self._close_oldest()

    def raster(self, number: int) -> SourceRaster:
        return self._rasters[number]

    def blocks(self, number: int) -> tuple[int, int]:
        """Rows and columns of the blocks in which a raster is stored."""
        return self._band(number).blocks

    def read(self, number: int, window: Window) -> tuple[Numbers, Mask]:
        """Physical values of a raster's pixels, and which of them are valid.

        Raises `UnreadableRaster` (raster_failed), naming it.
        """
        band = self._band(number)
        self.pixels_read += window.rows * window.columns
        try:
            return band.read(window)
        except RasterioError as error:
            if is_out_of_memory(error):
                raise MemoryError from error
            raise UnreadableRaster(
                f"{band.raster.name} cannot be read: the file is damaged or cut off. "
                f"{words_of(error, Path(band.raster.path))}",
                code="raster_failed",
            ) from error

    def _band(self, number: int) -> _Band:
        if number in self._open:
            self._open.move_to_end(number)
            return self._open[number][1]
        while len(self._open) >= _MOST_OPEN:
            self._close_oldest()
        raster = self._rasters[number]
        stack = ExitStack()
        name = raster.path.rsplit("/", 1)[-1]
        try:
            dataset = stack.enter_context(open_ranges(self._files[number], name, raster.size))
        except UnreadableRaster as error:
            raise UnreadableRaster(
                f"{raster.name}: {error.message}", code=error.error_code
            ) from error
        band = _Band.of(raster, dataset)
        self._open[number] = stack, band
        return band

    def _close_oldest(self) -> None:
        _, (stack, _) = self._open.popitem(last=False)
        stack.close()


@dataclass(frozen=True, slots=True)
class _Band:
    """One band of an open raster. `alpha` is the number of the band that says which pixels are
    there; `has_mask` that the file has a mask beside its bands."""

    raster: SourceRaster
    dataset: DatasetReader
    alpha: int | None
    has_mask: bool

    @classmethod
    def of(cls, raster: SourceRaster, dataset: DatasetReader) -> _Band:
        flags = dataset.mask_flag_enums[raster.band - 1]
        alpha = next(
            (
                number
                for number, colour in zip(dataset.indexes, dataset.colorinterp, strict=True)
                if colour is ColorInterp.alpha and number != raster.band
            ),
            None,
        )
        has_mask = MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags
        return cls(raster, dataset, alpha, has_mask)

    @property
    def blocks(self) -> tuple[int, int]:
        rows, columns = self.dataset.block_shapes[self.raster.band - 1]
        return int(rows), int(columns)

    def read(self, window: Window) -> tuple[Numbers, Mask]:
        number = self.raster.band
        where = RasterWindow(window.column, window.row, window.columns, window.rows)
        stored = self.dataset.read(number, window=where)
        valid: Mask = np.isfinite(stored) if stored.dtype.kind == "f" else _all(stored)
        nodata = self.raster.nodata
        if nodata is not None and np.isfinite(nodata):
            valid &= ~_equal(stored, nodata)
        for value in self.raster.excluded:
            valid &= ~_equal(stored, value)
        if self.has_mask:
            valid &= self.dataset.read_masks(number, window=where) > 0
        if self.alpha is not None:
            valid &= self.dataset.read(self.alpha, window=where) > 0
        values = stored.astype(np.float64)
        if (self.raster.scale, self.raster.offset) != (1.0, 0.0):
            values = values * self.raster.scale + self.raster.offset
        return values, valid


class MosaicReader:
    """Reads windows of a mosaic, out of those of its members that they touch."""

    def __init__(self, mosaic: Mosaic, files: Files) -> None:
        self._mosaic = mosaic
        self._files = files
        places = [
            (
                member.row,
                member.column,
                member.row + files.raster(member.raster).grid.height,
                member.column + files.raster(member.raster).grid.width,
            )
            for member in mosaic.members
        ]
        self._top, self._left, self._bottom, self._right = np.array(places, np.int64).T

    @property
    def blocks(self) -> Blocks:
        """The blocks of the first member, which stand for those of all."""
        first = self._mosaic.members[0]
        return Blocks(*self._files.blocks(first.raster), first.row, first.column)

    def read(self, window: Window) -> Pixels:
        """The pixels of a window: of each the first member's that has a valid one there."""
        shape = window.rows, window.columns
        values = np.zeros(shape)
        valid, nodata = np.zeros(shape, bool), np.zeros(shape, bool)
        for member in self._touching(window):
            part = self._part(member, window)
            inside = (
                slice(part.row - window.row, part.row - window.row + part.rows),
                slice(part.column - window.column, part.column - window.column + part.columns),
            )
            if valid[inside].all():
                continue
            there = self._mosaic.members[member]
            found, found_valid = self._files.read(
                there.raster,
                part._replace(row=part.row - there.row, column=part.column - there.column),
            )
            new = found_valid & ~valid[inside]
            values[inside][new] = found[new]
            valid[inside] |= found_valid
            nodata[inside] |= ~found_valid
        return Pixels(values, valid, nodata & ~valid)

    def _touching(self, window: Window) -> list[int]:
        touching = (self._top < window.row + window.rows) & (self._bottom > window.row)
        touching &= (self._left < window.column + window.columns) & (self._right > window.column)
        members: list[int] = np.flatnonzero(touching).tolist()
        return members

    def _part(self, member: int, window: Window) -> Window:
        """What a window has in common with a member."""
        top = max(window.row, int(self._top[member]))
        left = max(window.column, int(self._left[member]))
        bottom = min(window.row + window.rows, int(self._bottom[member]))
        right = min(window.column + window.columns, int(self._right[member]))
        return Window(top, left, bottom - top, right - left)


def _all(stored: npt.NDArray[Any]) -> Mask:
    return np.ones(stored.shape, bool)


def _equal(stored: npt.NDArray[Any], nodata: float) -> Mask:
    """Where a value is stored, which a file declares as a double: as its own type has it."""
    if stored.dtype.kind == "f":
        with np.errstate(over="ignore"):
            return np.asarray(stored == stored.dtype.type(nodata))
    limits = np.iinfo(stored.dtype)
    if nodata != int(nodata) or not limits.min <= int(nodata) <= limits.max:
        return np.zeros(stored.shape, bool)
    return np.asarray(stored == stored.dtype.type(int(nodata)))
