"""The style in which a raster of a type is drawn, where nobody says how.

Pictures of 8 bits are shown as they are. Everything else is stretched between the 2nd and the
98th percentile of its sample, so that a few odd pixels do not leave the rest without contrast,
or between the values that its kind has by nature.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from services.raster.model import Band, BandStatistics, Facts, RasterType, Subtype
from services.raster.rendering.bands import data_bands, natural_colour
from services.raster.rendering.model import RenderStyle
from services.raster.rendering.palettes import MASK_COLOURS, distinct_colours

Range = tuple[float, float]

_PICTURES = frozenset({RasterType.RGB, RasterType.RGBA, RasterType.NIR, RasterType.MULTISPECTRAL})
_RAMPS = {
    Subtype.PANCHROMATIC: "gray",
    Subtype.HILLSHADE: "gray",
    Subtype.SAR: "gray",
    Subtype.SLOPE: "ylorbr",
    Subtype.TEMPERATURE: "magma",
    Subtype.DEPTH: "blues",
    Subtype.PRECIPITATION: "ylgnbu",
    Subtype.POPULATION: "ylorrd",
    Subtype.PROBABILITY: "viridis",
    Subtype.VECTOR_FIELD: "viridis",
}
_LAND = "schwarzwald"
_LAND_AND_SEA = "topo"
_SEA = "ice"
_VEGETATION = "rdylgn"
# From bare soil to dense forest; water lies below.
_VEGETATION_RANGE = (-0.2, 0.9)
# Vegetation indices that are stored as integers are stored so many times as large.
_VEGETATION_FACTOR = 10_000.0

# A sea in a DEM has some depth: coasts and errors reach a little below zero.
_SEA_LEVEL_SHARE = 0.05
_MOST_CLASSES = 256
# A picture of 8 bits that uses less than half of them was not meant to be seen as it is.
_DARK = 128


def style_for(
    raster_type: RasterType,
    subtype: Subtype | None,
    statistics: Sequence[BandStatistics],
    facts: Facts,
) -> RenderStyle:
    """How a raster of this type is drawn. `statistics` are those of its bands, in their order.

    It never fails: what is constant, or has no valid pixel at all, is drawn as well.
    """
    bands = data_bands(facts) or facts.bands
    if raster_type in _PICTURES or (raster_type is RasterType.UNKNOWN and len(bands) >= 3):
        if len(bands) >= 3:
            return _picture(bands, statistics, facts)
        return _ramp("Gray", "gray", bands[0], statistics)
    first = bands[0]
    if raster_type is RasterType.CATEGORICAL:
        return _classes(first, subtype, statistics)
    if raster_type is RasterType.DEM:
        return _elevation(first, statistics)
    if raster_type is RasterType.VEGETATION_INDEX:
        bounds = _vegetation_range(first, statistics)
        return _single("Vegetation", first, _VEGETATION, bounds)
    if subtype is Subtype.VECTOR_FIELD and len(bands) >= 2:
        return _magnitude(bands, statistics)
    if subtype is Subtype.PROBABILITY:
        return _single("Probability", first, "viridis", _unit_range(first, statistics))
    if raster_type is RasterType.UNKNOWN:
        return _ramp("Values", "gray", first, statistics)
    name = "viridis" if subtype is None else _RAMPS.get(subtype, "viridis")
    title = "Values" if subtype is None else subtype.value.replace("_", " ").capitalize()
    if name == "gray" and first.dtype == "uint8" and subtype is not Subtype.SAR:
        # A picture in gray is shown as it is.
        return RenderStyle(title=title, bidx=(first.number,))
    return _ramp(title, name, first, statistics)


def stretch(band: Band, statistics: Sequence[BandStatistics]) -> Range:
    """The stored values of a band that are drawn as darkest and brightest; never the same."""
    known = _statistics_of(band, statistics)
    if known is None or known.minimum is None or known.maximum is None:
        return 0.0, 1.0
    low, high = known.percentiles or (known.minimum, known.maximum)
    if not low < high:
        # Most of it is one value, as where it did not rain: what differs still shows.
        low, high = known.minimum, known.maximum
    return _apart(low, high)


def bands_style(
    numbers: Sequence[int],
    style: RenderStyle,
    statistics: Sequence[BandStatistics],
    facts: Facts,
    *,
    always: bool = False,
) -> RenderStyle:
    """The style with other bands, which have the contrast of their own values.

    One band keeps its ramp of colours, three have none. Bands of 8 bits are shown as they are
    unless they `always` are to be stretched.
    """
    bands = [facts.bands[number - 1] for number in numbers]
    as_is = not always and all(band.dtype == "uint8" for band in bands)
    keeps_colours = len(bands) == 1 and len(style.bidx) <= 1 and style.expression is None
    return style.model_copy(
        update={
            "bidx": tuple(numbers),
            "expression": None,
            "rescale": None if as_is else tuple(stretch(band, statistics) for band in bands),
            "colormap": None,
            "colormap_name": style.colormap_name if keeps_colours else None,
        }
    )


def _statistics_of(band: Band, statistics: Sequence[BandStatistics]) -> BandStatistics | None:
    return statistics[band.number - 1] if band.number <= len(statistics) else None


def _apart(low: float, high: float) -> Range:
    """Bounds that are finite and differ, around the one value where there is but one."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return 0.0, 1.0
    if low < high:
        return _brief(low), _brief(high)
    return low - max(0.5, abs(low) * 1e-6), low + max(0.5, abs(low) * 1e-6)


def _brief(value: float) -> float:
    """Six digits are more than a colour can show."""
    return float(f"{value:.6g}")


def _single(title: str, band: Band, ramp: str, bounds: Range) -> RenderStyle:
    return RenderStyle(title=title, bidx=(band.number,), rescale=(bounds,), colormap_name=ramp)


def _ramp(title: str, ramp: str, band: Band, statistics: Sequence[BandStatistics]) -> RenderStyle:
    return _single(title, band, ramp, stretch(band, statistics))


def _picture(
    bands: Sequence[Band], statistics: Sequence[BandStatistics], facts: Facts
) -> RenderStyle:
    chosen = natural_colour(facts)
    by_number = {band.number: band for band in bands}
    title = "Natural colour" if len(bands) > 3 else "Colour"
    if all(by_number[number].dtype == "uint8" for number in chosen):
        brightest = _brightest([by_number[number] for number in chosen], statistics)
        dark = ((0.0, brightest),) if 0 < brightest < _DARK else None
        return RenderStyle(title=title, bidx=chosen, rescale=dark)
    rescale = tuple(stretch(by_number[number], statistics) for number in chosen)
    return RenderStyle(title=title, bidx=chosen, rescale=rescale)


def _brightest(bands: Sequence[Band], statistics: Sequence[BandStatistics]) -> float:
    """The greatest value of the bands, 0 where none is known."""
    known = [_statistics_of(band, statistics) for band in bands]
    return max((each.maximum or 0.0) for each in known if each is not None) if any(known) else 0.0


def _classes(
    band: Band, subtype: Subtype | None, statistics: Sequence[BandStatistics]
) -> RenderStyle:
    """The file's palette where it has one; else a colour for each value that there may be."""
    style = RenderStyle(title="Classes", bidx=(band.number,), resampling="nearest")
    if band.palette_entries:
        return style
    known = _statistics_of(band, statistics)
    if known is None or known.minimum is None or known.maximum is None:
        return style.model_copy(update={"rescale": ((0.0, 1.0),)})
    low, high = math.floor(known.minimum), math.ceil(known.maximum)
    if subtype is Subtype.MASK and low < high:
        colours = {low: MASK_COLOURS[0], high: MASK_COLOURS[1]}
        return style.model_copy(update={"colormap": colours})
    if high - low < _MOST_CLASSES:
        return style.model_copy(update={"colormap": distinct_colours(low, high)})
    return style.model_copy(update={"rescale": (_apart(low, high),), "colormap_name": "turbo"})


def _elevation(band: Band, statistics: Sequence[BandStatistics]) -> RenderStyle:
    low, high = stretch(band, statistics)
    if (
        band.scale > 0
        and band.offset == 0
        and low < 0 < high
        and (-low > _SEA_LEVEL_SHARE * (high - low))
    ):
        # Land and sea: the ramp turns from the one to the other in its middle.
        reach = max(-low, high)
        return _single("Elevation", band, _LAND_AND_SEA, (-reach, reach))
    if high <= 0 and band.offset == 0:
        return _single("Elevation", band, _SEA, (low, high))
    return _single("Elevation", band, _LAND, (low, high))


def _vegetation_range(band: Band, statistics: Sequence[BandStatistics]) -> Range:
    low, high = _VEGETATION_RANGE
    if (band.scale, band.offset) != (1.0, 0.0) and band.scale > 0:
        return _apart((low - band.offset) / band.scale, (high - band.offset) / band.scale)
    known = _statistics_of(band, statistics)
    if known is None or known.minimum is None or known.maximum is None:
        return low, high
    if known.minimum >= -1.5 and known.maximum <= 1.5:
        return low, high
    if known.maximum > 255 and known.maximum <= 1.5 * _VEGETATION_FACTOR:
        return low * _VEGETATION_FACTOR, high * _VEGETATION_FACTOR
    return stretch(band, statistics)


def _unit_range(band: Band, statistics: Sequence[BandStatistics]) -> Range:
    """0 to 1, or to 100 where it is in per cent."""
    known = _statistics_of(band, statistics)
    if known is not None and known.minimum is not None and known.maximum is not None:
        for top in (1.0, 100.0):
            if known.minimum >= 0 and known.maximum <= top:
                return 0.0, top
    return stretch(band, statistics)


def _magnitude(bands: Sequence[Band], statistics: Sequence[BandStatistics]) -> RenderStyle:
    """The length of the vectors whose parts are the first two bands."""
    first, second = bands[0], bands[1]
    greatest = [max(abs(bound) for bound in stretch(band, statistics)) for band in (first, second)]
    return RenderStyle(
        title="Magnitude",
        expression=f"sqrt(b{first.number}**2+b{second.number}**2)",
        rescale=(_apart(0.0, math.hypot(*greatest)),),
        colormap_name="viridis",
    )
