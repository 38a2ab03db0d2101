"""In the child: the stacks of neighbouring tiles as one COG, band by band.

Members share a grid of pixels. Where some lie over each other, as tiles do that share their
edges, the first that has data in a pixel and band decides; pixels in which they differ are
counted. What no member covers has no data.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement

import numpy as np
from affine import Affine
from rasterio.io import DatasetReader
from rasterio.windows import Window, intersect
from rasterio.windows import intersection as shared

from core.errors import PermanentTaskError
from core.job_definition import JsonObject
from services.fathom.child import building, grids
from services.fathom.child.building import Pixels
from services.fathom.child.grids import Grid
from services.fathom.model import BANDS, DTYPE
from services.raster.child import vrt
from services.raster.child.opening import MAX_PIXELS, most_values

_STRIP_ROWS = 256


def merge(
    members: list[dict[str, str]],
    missing: list[str],
    target: str,
    memory_mb: int,
    threads: int,
) -> JsonObject:
    """Write the COG of stacks to `target`; return a `Built`.

    `members` are {name, path}, `missing` the bands (of `model.BANDS`) that none of them has.
    Raises `PermanentTaskError` (not_a_depth_raster, misaligned, raster_too_large) naming the
    members, and what `building.build` and `open_raster` raise.
    """
    with contextlib.closing(_Readers()) as readers:
        content = _Mosaic(members, missing, readers)
        grid = content.grid
        if grid.width * grid.height * len(BANDS) > most_values():
            raise PermanentTaskError(
                f"Merged they would have {grid.width:,} x {grid.height:,} pixels in {len(BANDS)} "
                f"bands, more than a raster may have ({MAX_PIXELS}): give a smaller "
                "grid_size.",
                code="raster_too_large",
            )
        built = building.build(content, target, memory_mb, threads)
    return built.model_dump(mode="json")


@dataclass(frozen=True, slots=True)
class _Member:
    """A stack, and where in the merged raster it lies. `block` is the side of its tiles."""

    path: str
    grid: Grid
    block: int
    window: Window


class _Mosaic:
    """Members on one grid; the first that has data in a pixel decides."""

    def __init__(
        self,
        members: Sequence[Mapping[str, str]],
        missing: Sequence[str],
        readers: _Readers,
    ) -> None:
        looked_at = [_look(each["path"], each["name"]) for each in members]
        first, self.area_or_point = looked_at[0].grid, looked_at[0].area_or_point
        whole, windows = grids.placed([each.grid for each in looked_at])
        self._members = [
            _Member(each["path"], look.grid, look.block, window)
            for each, look, window in zip(members, looked_at, windows, strict=True)
        ]
        a, b, c, d, e, f = first.transform[:6]
        corner = Affine(a, b, c + a * whole.col_off, d, e, f + e * whole.row_off)
        self.grid = replace(
            first, name="", width=whole.width, height=whole.height, transform=corner
        )
        self.present: Sequence[int] = [
            place for place, name in enumerate(BANDS) if name not in missing
        ]
        self.nodata, self.is_declared = building.nodata_of(first.nodata)
        self._readers = readers
        self._are_apart = not any(intersect(one, two) for one, two in combinations(windows, 2))
        self.seams = 0 if self._are_apart else self._differing()

    def read(self, window: Window) -> Pixels:
        pixels = np.full((len(BANDS), window.height, window.width), self.nodata, DTYPE)
        # The first is drawn last.
        for member in reversed(self._members):
            part = _part(member.window, window)
            if part is None:
                continue
            found = self._read(member, part)
            into = pixels[:, *_slices(part, window)]
            if self._are_apart:
                into[:] = found
            else:
                np.copyto(into, found, where=found != self.nodata)
        return pixels

    def add_sources(self, band: Element, place: int) -> None:
        kind = "SimpleSource" if self._are_apart else "ComplexSource"
        # Each is drawn over the ones before it, but for where it has no data.
        for member in reversed(self._members):
            size = (member.grid.width, member.grid.height)
            read = Window(0, 0, *size)
            source = vrt.add_source(band, kind, member.path, str(place + 1), read, member.window)
            vrt.add_properties(source, size, "Int16", member.block)
            if not self._are_apart:
                SubElement(source, "NODATA").text = str(self.nodata)

    def _read(self, member: _Member, part: Window) -> Pixels:
        own = Window(
            part.col_off - member.window.col_off,
            part.row_off - member.window.row_off,
            part.width,
            part.height,
        )
        dataset = self._readers.dataset(member.path, member.grid.name)
        return building.read(dataset, member.grid.name, list(dataset.indexes), own)

    def _differing(self) -> int:
        """In how many pixels of a band members that have data there do not agree."""
        count = 0
        for one, two in combinations(self._members, 2):
            for part in _strips(_part(one.window, two.window)):
                ours, theirs = self._read(one, part), self._read(two, part)
                both = (ours != self.nodata) & (theirs != self.nodata)
                count += int(np.count_nonzero(both & (ours != theirs)))
        return count


class _Readers:
    """A few open files, those that were read last: each that is open holds memory."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, tuple[DatasetReader, contextlib.ExitStack]] = OrderedDict()

    def dataset(self, path: str, name: str) -> DatasetReader:
        """The open file. The one that was read longest ago is closed where there are too many."""
        if path not in self._open:
            if len(self._open) == building.OPEN_SOURCES:
                _, (_, oldest) = self._open.popitem(last=False)
                oldest.close()
            stack = contextlib.ExitStack()
            self._open[path] = building.opened(path, name, stack), stack
        self._open.move_to_end(path)
        return self._open[path][0]

    def close(self) -> None:
        for _, stack in self._open.values():
            stack.close()


class _Look(NamedTuple):
    """What there is to know of a member before its pixels are read."""

    grid: Grid
    block: int
    area_or_point: str


def _look(path: str, name: str) -> _Look:
    with contextlib.ExitStack() as stack:
        dataset = building.opened(path, name, stack)
        grids.refuse_unusable(dataset, name, bands=len(BANDS))
        area_or_point = dataset.tags().get("AREA_OR_POINT", "Area")
        return _Look(Grid.of(dataset, name), dataset.block_shapes[0][0], area_or_point)


def _part(one: Window, two: Window) -> Window | None:
    """What two windows share, in whole pixels; None for nothing."""
    if not intersect(one, two):
        return None
    part = shared(one, two)
    return Window(int(part.col_off), int(part.row_off), int(part.width), int(part.height))


def _strips(part: Window | None) -> Iterator[Window]:
    """A window in strips of so few rows that one fits into memory."""
    if part is None:
        return
    bottom = part.row_off + part.height
    for top in range(part.row_off, bottom, _STRIP_ROWS):
        yield Window(part.col_off, top, part.width, min(_STRIP_ROWS, bottom - top))


def _slices(part: Window, window: Window) -> tuple[slice, slice]:
    """Where in an array of a window a part of it lies: its rows and columns."""
    top, left = part.row_off - window.row_off, part.col_off - window.col_off
    return slice(top, top + part.height), slice(left, left + part.width)
