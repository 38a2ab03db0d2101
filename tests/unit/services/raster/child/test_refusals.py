"""What is told of a failure of GDAL's."""

from __future__ import annotations

from pathlib import Path

import pytest
from rasterio._err import CPLE_AppDefinedError, CPLE_OutOfMemoryError
from rasterio.errors import RasterioIOError

from services.raster.child.refusals import is_out_of_memory, words_of

FILE = Path("/cache/3f/files/dem.tif")


def failure(cause: type[Exception], words: str) -> RasterioIOError:
    error = RasterioIOError("Read failed. See previous exception for details.")
    error.__cause__ = cause(3, 1, words)
    return error


def test_the_words_are_those_of_the_cause_and_name_no_folder() -> None:
    words = f"{FILE}, band 1:\n  IReadBlock failed; {FILE.parent}/dem.tif.ovr is short"
    told = words_of(failure(CPLE_AppDefinedError, words), FILE)
    assert told == "dem.tif, band 1: IReadBlock failed; dem.tif.ovr is short"


@pytest.mark.parametrize(
    ("cause", "expected"), [(CPLE_OutOfMemoryError, True), (CPLE_AppDefinedError, False)]
)
def test_want_of_memory_is_told_from_damage(cause: type[Exception], expected: bool) -> None:
    assert is_out_of_memory(failure(cause, "no")) is expected
