"""In the child: the tiles of one map and place, one for each return period, as one COG."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import numpy as np
from rasterio.io import DatasetReader
from rasterio.windows import Window

from core.job_definition import JsonObject
from services.fathom.child import building, grids
from services.fathom.child.building import Pixels
from services.fathom.child.grids import Grid
from services.fathom.model import BANDS, DTYPE
from services.raster.child import vrt


def stack(
    files: list[dict[str, str]],
    tile: str,
    bounds: list[float],
    target: str,
    memory_mb: int,
    threads: int,
) -> JsonObject:
    """Write the COG of single-band rasters to `target`; return a `Built`.

    `files` are {band, name, path}: the band that each becomes, among `model.BANDS`, the name
    that its owner knows it by, and where it is. Bands without a file are empty. `bounds` are
    those of the tile in degrees: west, south, east and north. Raises `PermanentTaskError`
    (not_a_depth_raster, grid_differs, tile_misplaced) naming the file, and what
    `building.build` and `open_raster` raise.
    """
    with contextlib.ExitStack() as opened:
        sources = {
            BANDS.index(each["band"]): _Source(
                each["name"], building.opened(each["path"], each["name"], opened)
            )
            for each in files
        }
        for source in sources.values():
            grids.refuse_unusable(source.dataset, source.name, bands=1)
        first, *others = (Grid.of(each.dataset, each.name) for each in sources.values())
        for other in others:
            grids.refuse_differing(first, other)
        grids.refuse_misplaced(first, tile, bounds)
        built = building.build(_Stack(tile, sources), target, memory_mb, threads)
    return built.model_dump(mode="json")


@dataclass(frozen=True, slots=True)
class _Source:
    name: str
    dataset: DatasetReader


class _Stack:
    """Rasters of one grid by the places of their bands."""

    seams = 0

    def __init__(self, tile: str, sources: Mapping[int, _Source]) -> None:
        self._sources = sources
        first = sources[min(sources)].dataset
        self.grid = Grid.of(first, tile)
        self.area_or_point = first.tags().get("AREA_OR_POINT", "Area")
        self.present: Sequence[int] = sorted(sources)
        self.nodata, self.is_declared = building.nodata_of(first.nodata)

    def read(self, window: Window) -> Pixels:
        shape = (len(BANDS), window.height, window.width)
        pixels = np.full(shape, self.nodata, DTYPE)
        for place, source in self._sources.items():
            pixels[place] = building.read(source.dataset, source.name, 1, window)
        return pixels

    def add_sources(self, band: Element, place: int) -> None:
        dataset = self._sources[place].dataset
        vrt.add_source(band, "SimpleSource", dataset.name, "1", vrt.whole(dataset))
