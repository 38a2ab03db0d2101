"""Write statistics into the header of a COG whose pixels are already there.

Statistics are known once all pixels were read, but a COG's metadata stand before its pixels, and
rewriting them the usual way would append a second header and end the file's being a COG. So the
encoder is given tags of the right length and no meaning, and they are filled in afterwards, in
place. The tag of the TIFF keeps its length: what the numbers leave is filled with blanks behind
the XML, which no reader looks at.

The tags are GDAL's: https://gdal.org/en/stable/user/raster_data_model.html#raster-band
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import BinaryIO

from services.raster.model import BandStatistics

_NAMES = ("MINIMUM", "MAXIMUM", "MEAN", "STDDEV", "VALID_PERCENT")
# As many characters as the longest text of a double, -1.7976931348623157e+308, has.
_WIDTH = 24
# A COG begins with all that is said of its pixels: where each tile of some 10^11 pixels lies takes
# 6 MB of it, before the metadata.
_HEADER_BYTES = 32 << 20
_BEGIN, _END = b"<GDALMetadata>", b"</GDALMetadata>"


def reserved(band: int) -> dict[str, str]:
    """The tags of a band (from 1), each with a text that stands where its number will."""
    return {f"STATISTICS_{name}": _placeholder(band, place) for place, name in enumerate(_NAMES)}


def has_places(path: str) -> bool:
    """Whether the COG at `path` was made with places for statistics that are still empty."""
    with open(path, "rb") as file:
        _, text = _metadata(file)
    return _placeholder(1, 0).encode() in text


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
                text = _filled(text, _placeholder(band, place).encode(), number)
        file.seek(begin)
        file.write(text.ljust(length))


def _metadata(file: BinaryIO) -> tuple[int, bytes]:
    """Where GDAL's metadata begin in a TIFF, and their XML; empty where there are none."""
    header = file.read(_HEADER_BYTES)
    begin = header.find(_BEGIN)
    end = header.find(_END, max(begin, 0))
    return (0, b"") if begin < 0 or end < 0 else (begin, header[begin : end + len(_END)])


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


def _filled(text: bytes, placeholder: bytes, number: float | None) -> bytes:
    if placeholder not in text:
        raise ValueError(f"there is no place for the statistics {placeholder.decode()}")
    if number is not None:
        return text.replace(placeholder, repr(number).encode(), 1)
    item = rb"\s*<Item [^<>]*>" + re.escape(placeholder) + rb"</Item>"
    return re.sub(item, b"", text, count=1)
