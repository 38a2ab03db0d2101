"""Open a raster of somebody's: by one driver, and only if what it declares can be worked on.

GDAL is told which driver to use, so that no other gets to see the file. What else GDAL would
open on its behalf is looked at first: overviews and masks beside the raster must be TIFFs, and
none may name a further file. What the header declares is measured against limits before a block
is read.
"""

from __future__ import annotations

import os
import resource
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import rasterio
from rasterio import DatasetReader
from rasterio.abc import FileContainer
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from infrastructure.one_file import OneFile
from services.raster.child import formats
from services.raster.child.refusals import RefersElsewhere, UnreadableRaster, words_of

# Set by `services.raster.children` from the app's settings.
MAX_PIXELS = "GEOFORGE_MAX_RASTER_PIXELS"
_DEFAULT_MAX_PIXELS = 200_000_000_000
_MAX_BANDS = 4096
# Of the memory that a child has left, what one block may take: it is held several times, packed
# and unpacked, by GDAL and by whoever works on it.
_BLOCK_SHARE = 4
_IN_RANGES = "raster"
_TIFFS_BESIDE = (".ovr", ".msk")
# GDAL's documents do not say so: a dataset whose metadata have this item has its overviews read
# from the file or address that it names (GDALDefaultOverviews::OverviewScan).
_OVERVIEWS = ("OVERVIEWS", "OVERVIEW_FILE")


def most_values() -> int:
    """How many values, pixels times bands, a raster may have."""
    return int(os.environ.get(MAX_PIXELS, _DEFAULT_MAX_PIXELS))


@contextmanager
def open_raster(path: str) -> Iterator[DatasetReader]:
    """The raster in a local file, to be read; what lies beside it under its name is used.

    Raises `UnreadableRaster`: driver_not_allowed for a file of none of the formats that are
    read, refers_elsewhere where it or a file beside it names other files, raster_too_large,
    block_too_large and unreadable_raster.
    """
    file = Path(path)
    with file.open("rb") as stream:
        head = formats.head_of(stream)
    driver = formats.driver_for(head, file.name, file.stat().st_size)
    for beside in _tiffs_beside(file):
        _check_tiff_beside(beside)
    with _opened(file, driver) as dataset:
        _check(dataset)
        _stay_at_home(dataset, file.parent)
        yield dataset


@contextmanager
def open_ranges(raster: BinaryIO, name: str, size: int) -> Iterator[DatasetReader]:
    """The raster that the parent reads in ranges. Nothing beside it is used.

    Raises `UnreadableRaster`, as `open_raster` does.
    """
    driver = formats.driver_for(formats.head_of(raster), name, size)
    FileContainer.register(OneFile)
    # rasterio would take some names for addresses; the one driver that goes by names has its own.
    name = name if driver == "SRTMHGT" else _IN_RANGES
    with _opened(name, driver, OneFile(raster, size, name)) as dataset:
        _check(dataset)
        yield dataset


@contextmanager
def _opened(
    file: Path | str, driver: str, opener: OneFile | None = None
) -> Iterator[DatasetReader]:
    options = {} if opener is None else {"opener": opener}
    try:
        with warnings.catch_warnings():
            # `Facts` say it, and refusals do.
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            dataset = rasterio.open(file, driver=driver, **options)
    except RasterioError as error:
        raise UnreadableRaster(
            f"The file begins as {driver} does but cannot be read as that: it is damaged, or of a "
            f"kind that is not read. {words_of(error, Path(file))}"
        ) from error
    with dataset:
        yield dataset


def _check(dataset: DatasetReader) -> None:
    """Refuse what nobody can work on, before anything but the header is read."""
    width, height, bands = dataset.width, dataset.height, dataset.count
    if not bands:
        raise UnreadableRaster("There is no band in the file.", code="no_bands")
    size = f"{width:,} x {height:,} pixels in {bands:,} band{'s' if bands > 1 else ''}"
    limit = most_values()
    if bands > _MAX_BANDS:
        raise UnreadableRaster(
            f"The file declares {size}, more than {_MAX_BANDS:,} bands.", code="raster_too_large"
        )
    if width * height * bands > limit:
        raise UnreadableRaster(
            f"The file declares {size}, more than the {limit:,} values that a raster may have "
            f"({MAX_PIXELS}).",
            code="raster_too_large",
        )
    _check_blocks(dataset)
    _refuse_overviews_elsewhere(dataset)


def _check_blocks(dataset: DatasetReader) -> None:
    rows, columns = max(dataset.block_shapes, key=lambda shape: shape[0] * shape[1])
    together = (
        dataset.count if dataset.tags(ns="IMAGE_STRUCTURE").get("INTERLEAVE") == "PIXEL" else 1
    )
    block = rows * columns * together * max(_bytes_of(dtype) for dtype in dataset.dtypes)
    available = _memory_left()
    if available is not None and block > available // _BLOCK_SHARE:
        raise UnreadableRaster(
            f"The file is stored in blocks of {columns:,} x {rows:,} pixels, which take "
            f"{block >> 20:,} MiB each: more than a quarter of the {available >> 20:,} MiB that "
            "there are for it. Raise memory_mb, or write the file in tiles.",
            code="block_too_large",
        )


def _bytes_of(dtype: str) -> int:
    return 4 if dtype == "complex_int16" else np.dtype(dtype).itemsize


def _memory_left() -> int | None:
    """Bytes that this process may still take; None where nothing limits it."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return None
    with open("/proc/self/statm") as statm:
        held = int(statm.read().split()[0]) * resource.getpagesize()
    return max(limit - held, 0)


def _tiffs_beside(file: Path) -> list[Path]:
    return sorted(
        each
        for each in file.parent.iterdir()
        if each != file and each.suffix.lower() in _TIFFS_BESIDE
    )


def _check_tiff_beside(file: Path) -> None:
    """GDAL opens it by whatever driver claims it: so it must be what only GTiff claims."""
    with file.open("rb") as stream:
        head = formats.head_of(stream)
    if not formats.is_tiff(head):
        raise RefersElsewhere(
            f"{file.name} beside the raster is no TIFF, as overviews and masks are: remove it."
        )
    with _opened(file, "GTiff") as dataset:
        _refuse_overviews_elsewhere(dataset)


def _refuse_overviews_elsewhere(dataset: DatasetReader) -> None:
    domain, item = _OVERVIEWS
    if dataset.get_tag_item(item, domain) is not None:
        raise RefersElsewhere(
            f"The metadata of {Path(dataset.name).name} name another file as its overviews "
            f"({item}), which is not followed: remove the item."
        )


def _stay_at_home(dataset: DatasetReader, folder: Path) -> None:
    """Refuse a raster of which a part lies outside of its folder."""
    home = folder.resolve()
    for name in dataset.files:
        if not Path(name).resolve().is_relative_to(home):
            raise RefersElsewhere(
                "The file names a part of itself that lies elsewhere, which is not followed."
            )
