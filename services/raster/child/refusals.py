"""Why the child will not go on with a raster."""

from __future__ import annotations

from pathlib import Path

# rasterio has no public name for it.
from rasterio._err import CPLE_OutOfMemoryError

from core.errors import GeoforgeError

_SHOWN = 300


class UnreadableRaster(GeoforgeError):
    """The file cannot be read; the message is a sentence that can be shown to its owner."""

    code = "unreadable_raster"


class RefersElsewhere(UnreadableRaster):
    """The file, or one beside it, names other files or addresses for GDAL to read."""

    code = "refers_elsewhere"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether GDAL failed for want of memory, which says nothing of the file."""
    causes: list[BaseException] = [error]
    while causes[-1].__cause__ is not None:
        causes.append(causes[-1].__cause__)
    return any(isinstance(each, CPLE_OutOfMemoryError) for each in causes)


def words_of(error: BaseException, file: Path) -> str:
    """What GDAL says of a failure, without the paths of this machine. rasterio's own words are
    often only that there was one: GDAL's are its cause."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = str(error).replace(str(file), file.name).replace(f"{file.parent}/", "")
    return " ".join(text.split())[:_SHOWN]
