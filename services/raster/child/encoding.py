"""Make a COG, in the sandboxed child, by GDAL's COG driver."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from core.errors import PermanentTaskError
from services.raster.child import header_statistics
from services.raster.child.wrapping import wrapped
from services.raster.cog_plan import overview_count
from services.raster.model import CogPlan, Encoded

# Of the child's memory: the rest is for the tiles that threads compress, the rows that overviews
# are computed from, and the warper.
_CACHE_SHARE = 4

# What is added to the target's name for the file of the warped pixels.
WARPED = "warped.tmp"


def encode(
    source: str,
    target: str,
    plan: dict[str, Any],
    memory_mb: int,
    threads: int,
    statistics: bool = False,
) -> dict[str, Any]:
    """Write the COG of `source` to `target` and return it as an `Encoded`.

    With `statistics` there are places for them in its header, which `verifying.verify` fills.
    Beside the target there is, for as long as this runs, a file of overviews of a third of its
    size. Raises `PermanentTaskError` with the code `cog_failed` where GDAL cannot make it.
    """
    began = time.monotonic()
    cog_plan = CogPlan.model_validate(plan)
    tags = header_statistics.reserved if statistics else None
    with (
        bounded(memory_mb, threads),
        wrapped(source, cog_plan, tags) as dataset,
        _readable(dataset, target, cog_plan) as pixels,
    ):
        options = creation_options(cog_plan, dataset.width, dataset.height, threads)
        write_cog(pixels, target, options)
        return _encoded(dataset, target, began).model_dump(mode="json")


def bounded(memory_mb: int, threads: int) -> rasterio.Env:
    """GDAL kept to its share of the memory that the child may take."""
    return rasterio.Env(
        GDAL_CACHEMAX=(memory_mb << 20) // _CACHE_SHARE, GDAL_NUM_THREADS=str(threads)
    )


@contextmanager
def _readable(dataset: DatasetReader, target: str, plan: CogPlan) -> Iterator[DatasetReader]:
    """A dataset whose pixels cost little to read: those of a warp are computed once and kept
    beside the target, as overviews would have them computed again and again."""
    if plan.warp_to is None:
        yield dataset
        return
    warped = Path(f"{target}.{WARPED}")
    try:
        _copy(dataset, str(warped), driver="GTiff", TILED="YES", COMPRESS="ZSTD", ZSTD_LEVEL="1",
              BIGTIFF="IF_SAFER", NUM_THREADS="ALL_CPUS")  # fmt: skip
        with rasterio.open(warped, driver="GTiff") as kept:
            yield kept
    finally:
        warped.unlink(missing_ok=True)
        Path(f"{warped}.aux.xml").unlink(missing_ok=True)


def write_cog(dataset: DatasetReader, target: str, options: Mapping[str, str]) -> None:
    """Have GDAL's COG driver write a dataset, and nothing beside it.

    Raises `PermanentTaskError` with the code `cog_failed`.
    """
    _copy(dataset, target, driver="COG", **options)
    # Names of categories and attribute tables do not fit in a GeoTIFF; GDAL puts them beside it,
    # where no reader of the published COG would look.
    Path(f"{target}.aux.xml").unlink(missing_ok=True)


def _copy(dataset: DatasetReader, target: str, **options: str) -> None:
    try:
        rasterio.shutil.copy(dataset, target, strict=False, **options)
    except (RasterioError, CPLE_BaseError) as error:
        # GDAL says what it could not read by the name that the source has in memory.
        text = re.sub(r"[\w./-]*\.vrt(, band \d+)?: ", "", str(error)).replace(target, "the COG")
        raise PermanentTaskError(
            f"The COG cannot be made, most often because the raster is damaged or cut off: {text}",
            code="cog_failed",
        ) from error


def creation_options(plan: CogPlan, width: int, height: int, threads: int) -> dict[str, str]:
    """The options of GDAL's COG driver: https://gdal.org/en/stable/drivers/raster/cog.html

    No tile is left out, not even where nothing is: some readers know no sparse files. The
    overviews of the source are not taken over: nobody knows how they were made.
    """
    resampling = plan.overview_resampling.upper()
    options: dict[str, str] = {
        "COMPRESS": plan.compression,
        "BLOCKSIZE": str(plan.block_size),
        "OVERVIEWS": "IGNORE_EXISTING",
        "OVERVIEW_COUNT": str(overview_count(width, height, plan.block_size)),
        "OVERVIEW_RESAMPLING": resampling,
        "BIGTIFF": "IF_SAFER",
        "SPARSE_OK": "FALSE",
        "NUM_THREADS": str(threads),
    }
    if plan.predictor != "NO":
        options["PREDICTOR"] = plan.predictor
    if plan.level is not None:
        options["LEVEL"] = str(plan.level)
    if plan.quality is not None:
        options["QUALITY"] = options["OVERVIEW_QUALITY"] = str(plan.quality)
    if plan.max_z_error is not None:
        options["MAX_Z_ERROR"] = repr(plan.max_z_error)
    return options


def _encoded(dataset: DatasetReader, target: str, began: float) -> Encoded:
    with rasterio.open(target, driver="GTiff") as cog:
        factors = tuple(cog.overviews(1))
    return Encoded(
        width=dataset.width,
        height=dataset.height,
        bytes=Path(target).stat().st_size,
        decoded_bytes=dataset.width * dataset.height * _pixel_bytes(dataset),
        seconds=time.monotonic() - began,
        overviews=factors,
    )


def _pixel_bytes(dataset: DatasetReader) -> int:
    """Bytes of one pixel of all bands."""
    sizes = {"complex_int16": 4}  # which numpy has no name for
    return sum(sizes.get(dtype) or np.dtype(dtype).itemsize for dtype in dataset.dtypes)
