"""Write statistics into the header of a COG whose pixels are already there.

Statistics are known once all pixels were read, but a COG's metadata stand before its pixels, and
rewriting them the usual way would append a second header and end the file's being a COG. So the
encoder is given tags of the right length and no meaning, and they are filled in afterwards, in
place. The tag of the TIFF keeps its length: what the numbers leave is filled with blanks behind
the XML, which no reader looks at.

The tags are GDAL's: https://gdal.org/en/stable/user/raster_data_model.html#raster-band
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Sequence

from services.raster.model import BandStatistics

_NAMES = ("MINIMUM", "MAXIMUM", "MEAN", "STDDEV", "VALID_PERCENT")
# As many characters as the longest text of a double, -1.7976931348623157e+308, has.
_WIDTH = 24
_BEGIN, _END = b"<GDALMetadata>", b"</GDALMetadata>"


def reserved(band: int) -> dict[str, str]:
    """The tags of a band (from 1), each with a text that stands where its number will."""
    return {f"STATISTICS_{name}": _placeholder(band, place) for place, name in enumerate(_NAMES)}


def has_places(path: str) -> bool:
    """Whether the COG at `path` was made with places for statistics that are still empty."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        begin = data.find(_BEGIN)
        return begin >= 0 and data.find(_placeholder(1, 0).encode(), begin, data.find(_END)) >= 0


def fill(path: str, statistics: Sequence[BandStatistics]) -> None:
    """Put the numbers of each band in the places that `reserved` made in the COG at `path`.

    The tags of a band without a valid pixel are removed. Raises ValueError for a file that has
    no such places.
    """
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as data:
        begin = data.find(_BEGIN)
        end = data.find(_END, begin)
        if begin < 0 or end < 0:
            raise ValueError(f"{path} has no metadata to fill in")
        length = end + len(_END) - begin
        text = data[begin : begin + length]
        for band, values in enumerate(statistics, start=1):
            for place, number in enumerate(_numbers(values)):
                text = _filled(text, _placeholder(band, place).encode(), number)
        data[begin : begin + length] = text.ljust(length)


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
