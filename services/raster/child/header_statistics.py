"""Write statistics into the header of a COG whose pixels are already there.

Statistics are known once all pixels were read, but a COG's metadata stand before its pixels, and
rewriting them the usual way would append a second header and end the file's being a COG. So the
encoder is given tags of the right length and no meaning, and they are filled in afterwards, in
place. The tag of the TIFF keeps its length: what the numbers leave is filled with blanks behind
the XML, which no reader looks at.

The tags are GDAL's: https://gdal.org/en/stable/user/raster_data_model.html#raster-band
They stand in the XML of TIFF tag 42112: https://gdal.org/en/stable/drivers/raster/gtiff.html#metadata
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import BinaryIO

from services.raster.child import tiff_tiles
from services.raster.model import BandStatistics

_NAMES = ("MINIMUM", "MAXIMUM", "MEAN", "STDDEV", "VALID_PERCENT")
# As many characters as the longest text of a double, -1.7976931348623157e+308, has.
_WIDTH = 24


def reserved(band: int) -> dict[str, str]:
    """The tags of a band (from 1), each with a text that stands where its number will."""
    return {f"STATISTICS_{name}": _placeholder(band, place) for place, name in enumerate(_NAMES)}


def fill(path: str, statistics: Sequence[BandStatistics]) -> None:
    """Put the numbers of each band in the places that `reserved` made in the COG at `path`.

    The tags of a band without a valid pixel are removed. Raises ValueError for a file that has
    no such places.
    """
    with open(path, "r+b") as file:
        begin, text = _metadata(file)
        length = len(text)
        for band, values in enumerate(statistics, start=1):
            for place, number in enumerate(_numbers(values)):
                text = _filled(text, band, place, number)
        file.seek(begin)
        file.write(text.ljust(length))


def _metadata(file: BinaryIO) -> tuple[int, bytes]:
    """Where GDAL's metadata begin in a TIFF, and their XML; empty where there are none."""
    begin, length = tiff_tiles.place_of(file, tiff_tiles.GDAL_METADATA) or (0, 0)
    file.seek(begin)
    return begin, file.read(length).rstrip(b"\0")


def _placeholder(band: int, place: int) -> str:
    return f"[{band}.{place}]".center(_WIDTH, "#")


def _numbers(values: BandStatistics) -> list[float | None]:
    return [
        values.minimum,
        values.maximum,
        values.mean,
        values.stdev,
        None if values.minimum is None else 100 * values.valid_share,
    ]


def _filled(text: bytes, band: int, place: int, number: float | None) -> bytes:
    name, placeholder = _NAMES[place], _placeholder(band, place)
    # By its name as well: somebody's tag may have the same text.
    item = re.compile(
        rf'(\s*<Item name="STATISTICS_{name}"[^<>]*>){re.escape(placeholder)}(</Item>)'.encode()
    )
    filling = b"" if number is None else rb"\g<1>" + repr(number).encode() + rb"\g<2>"
    filled, found = item.subn(filling, text, count=1)
    if not found:
        raise ValueError(f"there is no place for STATISTICS_{name} of band {band}")
    return filled
