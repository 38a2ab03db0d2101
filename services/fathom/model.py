"""What the child tells of a COG of flood depths, and the words that it shares with the parent.

Depths are whole centimetres, `DTYPE`, one band for each return period in the order of
`names.RETURN_PERIODS`.
"""

from __future__ import annotations

from services.fathom.names import RETURN_PERIODS
from services.raster.model import BandStatistics, Encoded, Facts, RasterModel, Verification

DTYPE = "int16"
UNIT = "cm"
NODATA = -32768
"""No data, in files that do not declare another value."""

WATER = -32767
"""A second value that is no depth: some deliveries mark permanent water by it. It stays in the
pixels, and is counted, but is taken for no depth."""


def band_name(years: int) -> str:
    """The name of the band of a return period: 1in100."""
    return f"1in{years}"


BANDS = tuple(map(band_name, RETURN_PERIODS))


class Shallower(RasterModel):
    """Pixels in which the flood of a longer return period is shallower than that of the shorter
    one before it, which is no flood that there can be; `largest` is the most by which, in cm."""

    shorter: str
    longer: str
    pixels: int
    largest: int


class Depths(RasterModel):
    """What all pixels of a COG come to: of each band, and of the bands with each other.

    `statistics` are those of depths, `NODATA` and `WATER` left out; `water` counts the pixels of
    the latter in each band. `shallower` has one entry for each pair of neighbouring bands that
    have data, also where it counts none.
    """

    statistics: tuple[BandStatistics, ...]
    water: tuple[int, ...]
    shallower: tuple[Shallower, ...]
    pixels: int


class Built(RasterModel):
    """A COG of flood depths that the child has made and proved.

    `present` are the bands with a source, `seams` counts the pixels in which members that lie
    over each other differ (of the first of which the pixel is).
    """

    facts: Facts
    encoded: Encoded
    verification: Verification
    depths: Depths
    present: tuple[str, ...]
    nodata: int
    nodata_declared: bool
    seams: int = 0
