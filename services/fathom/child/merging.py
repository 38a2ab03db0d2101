"""In the child: the stacks of neighbouring tiles as one COG, band by band.

Members share a grid of pixels. Where some lie over each other, as tiles do that share their
edges, the first that has data in a pixel and band decides; pixels in which they differ are
counted. What no member covers has no data.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
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
    with contextlib.ExitStack() as stack:
        opened = [
            (each["name"], building.opened(each["path"], each["name"], stack)) for each in members
        ]
        for name, dataset in opened:
            grids.refuse_unusable(dataset, name, bands=len(BANDS))
        content = _Mosaic(opened, missing)
        if content.width * content.height * len(BANDS) > most_values():
            raise PermanentTaskError(
                f"Merged they would have {content.width:,} x {content.height:,} pixels in "
                f"{len(BANDS)} bands, more than a raster may have ({MAX_PIXELS}): give a smaller "
                "grid_size.",
                code="raster_too_large",
            )
        built = building.build(content, target, memory_mb, threads)
    return built.model_dump(mode="json")


@dataclass(frozen=True, slots=True)
class _Member:
    """A stack, and where in the merged raster it lies."""

    name: str
    dataset: DatasetReader
    window: Window


class _Mosaic:
    """Members on one grid; the first that has data in a pixel decides."""

    def __init__(self, opened: Sequence[tuple[str, DatasetReader]], missing: Sequence[str]) -> None:
        whole, windows = grids.placed(opened)
        self._members = [
            _Member(name, dataset, window)
            for (name, dataset), window in zip(opened, windows, strict=True)
        ]
        first = opened[0][1]
        self.width, self.height = whole.width, whole.height
        self.crs = first.crs
        a, b, c, d, e, f = first.transform[:6]
        self.transform = Affine(a, b, c + a * whole.col_off, d, e, f + e * whole.row_off)
        self.area_or_point = first.tags().get("AREA_OR_POINT", "Area")
        self.present: Sequence[int] = [
            place for place, name in enumerate(BANDS) if name not in missing
        ]
        self.nodata, self.is_declared = building.nodata_of(first)
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
            source = vrt.add_source(
                band, kind, member.dataset.name, str(place + 1), vrt.whole(member.dataset),
                member.window,
            )  # fmt: skip
            if not self._are_apart:
                SubElement(source, "NODATA").text = str(self.nodata)

    def _read(self, member: _Member, part: Window) -> Pixels:
        own = Window(
            part.col_off - member.window.col_off,
            part.row_off - member.window.row_off,
            part.width,
            part.height,
        )
        return building.read(member.dataset, member.name, list(member.dataset.indexes), own)

    def _differing(self) -> int:
        """In how many pixels of a band members that have data there do not agree."""
        count = 0
        for one, two in combinations(self._members, 2):
            for part in _strips(_part(one.window, two.window)):
                ours, theirs = self._read(one, part), self._read(two, part)
                both = (ours != self.nodata) & (theirs != self.nodata)
                count += int(np.count_nonzero(both & (ours != theirs)))
        return count


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
