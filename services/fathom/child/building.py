"""Make and prove a COG of flood depths, from whatever its pixels come from.

All pixels are read three times, in windows, so that the memory does not grow with the raster:
to find out what they come to, which stands in the COG's header, and to compute overviews; by
GDAL's COG driver; and to compare what it wrote. The first and the last time they are put together
here, and not by the VRT that the driver reads: so a fault in that one shows.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol
from xml.etree.ElementTree import Element, SubElement

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window
from rio_cogeo.cogeo import cog_validate

from core.errors import PermanentTaskError
from services.fathom.child.grids import Grid
from services.fathom.child.overviews import RESAMPLING, Overviews, windows
from services.fathom.child.tally import Tally
from services.fathom.model import BANDS, NODATA, UNIT, Built, Depths
from services.fathom.monotonic import MonotonicCheck
from services.raster.child import vrt
from services.raster.child.encoding import creation_options, write_cog
from services.raster.child.facts import read_facts
from services.raster.child.opening import open_raster
from services.raster.child.refusals import UnreadableRaster, is_out_of_memory, words_of
from services.raster.model import (
    BandStatistics,
    CogPlan,
    Encoded,
    RasterType,
    Subtype,
    Verification,
)

Pixels = NDArray[np.int16]

# How many of a content's sources may be open at a time, by us and by GDAL's VRT.
OPEN_SOURCES = 8
# Of the child's memory, for GDAL's cache of blocks.
_CACHE_SHARE = 4
_INT16 = np.iinfo(np.int16)


class Content(Protocol):
    """What a COG is made of.

    `present` are the places (from 0) of the bands that have a source; `nodata` is the value of
    pixels without data, and `is_declared` whether the sources say so.
    """

    grid: Grid
    area_or_point: str
    present: Sequence[int]
    nodata: int
    is_declared: bool
    seams: int

    def read(self, window: Window) -> Pixels:
        """The pixels (band, row, column) of a window, of all bands."""
        ...

    def add_sources(self, band: Element, place: int) -> None:
        """Say in the description of the band at a place where its pixels are."""
        ...


def build(content: Content, target: str, memory_mb: int, threads: int) -> Built:
    """Write the COG of a content to `target`, in as much memory whatever its size.

    Raises `PermanentTaskError` (cog_failed, verification_failed) and `UnreadableRaster`
    (damaged_pixels).
    """
    began = time.monotonic()
    with _bounded(memory_mb, threads), contextlib.ExitStack() as stack:
        overviews = Overviews(content.grid, content.nodata, target)
        stack.callback(overviews.remove)
        depths = _depths(content, overviews)
        description = _description(content, depths.statistics, overviews.paths)
        dataset = vrt.open_vrt(vrt.opened_text(description, stack), stack)
        write_cog(dataset, target, _options(dataset, threads))
        encoded_at = time.monotonic()
        compared = _prove(content, target)
        with rasterio.open(target, driver="GTiff") as cog:
            facts = read_facts(cog, Path(target).stat().st_size)
    proved_at = time.monotonic()
    return Built(
        facts=facts,
        encoded=Encoded(
            width=facts.width,
            height=facts.height,
            bytes=facts.file_bytes,
            decoded_bytes=facts.decoded_bytes,
            seconds=encoded_at - began,
            overviews=facts.overviews,
        ),
        verification=Verification(
            valid_cog=True,
            compared=compared,
            exact=True,
            largest_difference=0.0,
            mean_difference=0.0,
            bound=0.0,
            seconds=proved_at - encoded_at,
        ),
        depths=depths,
        present=tuple(BANDS[place] for place in content.present),
        nodata=content.nodata,
        nodata_declared=content.is_declared,
        seams=content.seams,
    )


def opened(path: str, name: str, stack: contextlib.ExitStack) -> DatasetReader:
    """A source that its owner knows by `name`, open as long as the stack is.

    Raises `UnreadableRaster` as `open_raster` does, with the name before what it says.
    """
    try:
        return stack.enter_context(open_raster(path))
    except UnreadableRaster as error:
        raise type(error)(f"{name}: {error.message}", code=error.error_code) from error


def nodata_of(value: float | None) -> tuple[int, bool]:
    """The value of pixels without data of a raster that declares this one, and whether that
    holds: it is `NODATA` for one that declares none, or what no pixel of int16 can have."""
    if value is None or not float(value).is_integer() or not _INT16.min <= value <= _INT16.max:
        return NODATA, False
    return int(value), True


def read(dataset: DatasetReader, name: str, bands: int | list[int], window: Window) -> Pixels:
    """Pixels of a source that its owner knows by `name`.

    Raises `UnreadableRaster` (damaged_pixels).
    """
    try:
        pixels: Pixels = dataset.read(bands, window=window)
    except RasterioError as error:
        if is_out_of_memory(error):
            raise MemoryError from error
        raise UnreadableRaster(
            f"{name}: the header can be read, the pixels cannot: the file is damaged or cut off. "
            f"{words_of(error, Path(dataset.name))}",
            code="damaged_pixels",
        ) from error
    return pixels


def _bounded(memory_mb: int, threads: int) -> rasterio.Env:
    return rasterio.Env(
        GDAL_CACHEMAX=(memory_mb << 20) // _CACHE_SHARE,
        GDAL_NUM_THREADS=str(threads),
        # Each that is open holds blocks of its own.
        GDAL_MAX_DATASET_POOL_SIZE=str(OPEN_SOURCES),
    )


def _description(
    content: Content, statistics: Sequence[BandStatistics], overviews: Sequence[Path]
) -> Element:
    """The VRT of a content: a band of each return period, also where there is no source."""
    description = vrt.blank(
        content.grid.width, content.grid.height, content.grid.crs, content.grid.transform
    )
    vrt.add_tags(description, {"AREA_OR_POINT": content.area_or_point})
    for place, name in enumerate(BANDS):
        band = SubElement(description, "VRTRasterBand", dataType="Int16", band=str(place + 1))
        SubElement(band, "Description").text = name
        SubElement(band, "UnitType").text = UNIT
        # Without a source, these are all its pixels.
        SubElement(band, "NoDataValue").text = str(content.nodata)
        vrt.add_tags(band, _tags(statistics[place]))
        for path in overviews:
            overview = SubElement(band, "Overview")
            SubElement(overview, "SourceFilename", relativeToVRT="0").text = str(path)
            SubElement(overview, "SourceBand").text = str(place + 1)
        if place in content.present:
            content.add_sources(band, place)
    return description


def _tags(statistics: BandStatistics) -> dict[str, str]:
    """As GDAL has them: https://gdal.org/en/stable/user/raster_data_model.html#raster-band"""
    if statistics.minimum is None:
        return {}
    return {
        "STATISTICS_MINIMUM": repr(statistics.minimum),
        "STATISTICS_MAXIMUM": repr(statistics.maximum),
        "STATISTICS_MEAN": repr(statistics.mean),
        "STATISTICS_STDDEV": repr(statistics.stdev),
        "STATISTICS_VALID_PERCENT": repr(100 * statistics.valid_share),
    }


def _depths(content: Content, overviews: Overviews) -> Depths:
    """Count all pixels, and compute the overviews on the way."""
    tallies = [Tally(content.nodata) for _ in BANDS]
    check = MonotonicCheck(content.present, content.nodata)
    for window in windows(content.grid.width, content.grid.height):
        pixels = content.read(window)
        for tally, band in zip(tallies, pixels, strict=True):
            tally.add(band)
        check.add(pixels)
        overviews.add(pixels, window)
    overviews.finish()
    return Depths(
        statistics=tuple(each.statistics() for each in tallies),
        water=tuple(each.water for each in tallies),
        shallower=check.result(),
        pixels=content.grid.width * content.grid.height,
    )


def _options(dataset: DatasetReader, threads: int) -> dict[str, str]:
    """The COG driver's options for depths, which takes the overviews as they are."""
    plan = CogPlan(
        type=RasterType.CONTINUOUS,
        subtype=Subtype.DEPTH,
        tier="analysis",
        compression="DEFLATE",
        predictor="STANDARD",
        overview_resampling=RESAMPLING,
        resampling="nearest",
        lossless=True,
    )
    options = creation_options(plan, dataset.width, dataset.height, threads)
    del options["OVERVIEW_COUNT"]
    return {**options, "OVERVIEWS": "AUTO" if dataset.overviews(1) else "NONE"}


def _prove(content: Content, target: str) -> int:
    """Compare all pixels; how many of each band they are."""
    with rasterio.open(target, driver="GTiff") as cog:
        if (cog.width, cog.height) != (content.grid.width, content.grid.height):
            raise _failed("its size is another one")
        if cog.descriptions != BANDS or set(cog.nodatavals) != {content.nodata}:
            raise _failed("its bands are not named, or their nodata is not declared, as planned")
        if not cog.transform.almost_equals(content.grid.transform, precision=1e-12):
            raise _failed(f"its transform became {tuple(cog.transform)[:6]}")
        for window in windows(cog.width, cog.height):
            found, wanted = cog.read(window=window), content.read(window)
            if not np.array_equal(found, wanted):
                band, row, column = np.argwhere(found != wanted)[0]
                raise _failed(
                    f"band {BANDS[band]} has {found[band, row, column]} in place of "
                    f"{wanted[band, row, column]} at column {window.col_off + column}, row "
                    f"{window.row_off + row}"
                )
        pixels: int = cog.width * cog.height
    valid, errors, _ = cog_validate(target, strict=content.grid.width > 1, quiet=True)
    if not valid:
        raise _failed(f"it is no valid COG: {'; '.join(errors)}")
    return pixels


def _failed(difference: str) -> PermanentTaskError:
    return PermanentTaskError(
        f"The COG is not what its sources are: {difference}.", code="verification_failed"
    )
