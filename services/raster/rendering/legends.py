"""What the colours of a picture mean: classes, or a ramp between two values."""

from __future__ import annotations

from services.raster.model import Band, Facts, RasterModel
from services.raster.rendering import ramps
from services.raster.rendering.model import RenderStyle

# More classes than these are not a legend that anybody reads.
MOST_CLASSES = 64
_GRAY = ("#000000", "#ffffff")
_CHANNELS = ("Red", "Green", "Blue")


class LegendClass(RasterModel):
    """A value, its colour (#rrggbb or #rrggbbaa) and what it stands for."""

    value: int
    colour: str
    label: str


class Legend(RasterModel):
    """`ramp` holds colours at equal distances from `low` to `high`, which are in `unit`: values
    as they are meant, with scale and offset applied. `channels` says which band is which colour of
    a picture. `more_classes` counts those that are left out."""

    title: str
    ramp: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    unit: str | None = None
    classes: tuple[LegendClass, ...] = ()
    more_classes: int = 0
    channels: tuple[str, ...] = ()


def legend(
    style: RenderStyle,
    facts: Facts,
    palette: dict[int, str] | None,
    names: dict[int, str] | None = None,
) -> Legend:
    """The legend of a raster in a style. `palette` are the file's own colours, `names` those of
    its classes."""
    if style.expression is None and len(style.bidx) >= 3:
        channels = tuple(
            f"{colour}: {_band_name(facts, number)}"
            for colour, number in zip(_CHANNELS, style.bidx, strict=False)
        )
        return Legend(title=style.title, channels=channels)
    band = _band(facts, style.bidx[0] if style.bidx else 1)
    colours = style.colormap or (palette if style.colormap_name is None else None)
    if colours and style.rescale is None:
        return _of_classes(style.title, colours, band, names or {})
    return _of_ramp(style, band)


def _of_classes(title: str, colours: dict[int, str], band: Band, names: dict[int, str]) -> Legend:
    named = {number: name for number, name in enumerate(band.categories) if name.strip()} | names
    # A palette has all 256 entries; those that are named, or have a colour, are meant.
    shown = [value for value in sorted(colours) if value in named] or [
        value
        for value in sorted(colours)
        if colours[value].lower() not in ("#000000", "#000000ff") and colours[value][7:] != "00"
    ]
    entries = tuple(
        LegendClass(value=value, colour=colours[value], label=named.get(value, str(value)))
        for value in shown[:MOST_CLASSES]
    )
    return Legend(title=title, classes=entries, more_classes=max(0, len(shown) - MOST_CLASSES))


def _of_ramp(style: RenderStyle, band: Band) -> Legend:
    stops = _GRAY if style.colormap_name is None else ramps.colours(style.colormap_name) or ()
    low, high = style.rescale[0] if style.rescale else (0.0, 255.0)
    if style.expression is None:
        low, high = (value * band.scale + band.offset for value in (low, high))
    return Legend(title=style.title, ramp=stops, low=low, high=high, unit=band.unit)


def _band(facts: Facts, number: int) -> Band:
    return facts.bands[min(number, len(facts.bands)) - 1]


def _band_name(facts: Facts, number: int) -> str:
    description = _band(facts, number).description
    return f"band {number} ({description})" if description else f"band {number}"
