"""Pixels to a picture: stretched, coloured, encoded as PNG. Runs inside of the sandbox."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from rio_tiler.colormap import cmap, make_lut, parse_color
from rio_tiler.models import ImageData
from rio_tiler.utils import render

from services.raster.rendering.model import RenderStyle

Pixels = NDArray[Any]
Colours = dict[int, tuple[int, int, int, int]]

# Of zlib's nine levels: the higher ones take twice as long, for a twentieth of the size.
_PNG_LEVEL = 4


def png(image: ImageData, style: RenderStyle, palette: Colours | None = None) -> bytes:
    """The image as a PNG in the style; pixels that are not valid are transparent.

    `image` holds the bands that the style draws, `palette` the colours that the file has for its
    one band, which hold where the style names no others.
    """
    values = np.abs(image.data) if np.iscomplexobj(image.data) else image.data
    valid = _opacity(image)
    if values.dtype.kind == "f":
        valid = np.where(np.isfinite(values).all(axis=0), valid, 0).astype(np.uint8)
    colours = _colours(style) or palette or None  # a palette may be without colours
    if style.rescale is None and colours is not None and len(values) == 1:
        picture, alpha = _classes(values[0], colours)
        return _encoded(picture, np.minimum(valid, alpha))
    picture = _stretched(values, style, valid)
    if style.colormap_name is not None and len(picture) == 1:
        ramp = make_lut(cast(Colours, cmap.get(style.colormap_name)))
        coloured = np.moveaxis(ramp[picture[0]], -1, 0)
        return _encoded(coloured[:3], np.minimum(valid, coloured[3]))
    return _encoded(picture if len(picture) in (1, 3) else picture[:1], valid)


def transparent(size: int) -> bytes:
    """A square PNG of nothing, of `size` pixels along its side."""
    nothing = np.zeros((1, size, size), np.uint8)
    return _encoded(nothing, nothing[0])


def _opacity(image: ImageData) -> Pixels:
    """0 where no band is valid, 255 where one is, and what an alpha band says in between."""
    if image.alpha_mask is not None and image.alpha_mask.dtype == np.uint8:
        return np.asarray(image.alpha_mask)
    seen = ~np.ma.getmaskarray(image.array).all(axis=0)
    if image.alpha_mask is not None:
        seen = image.alpha_mask > 0
    return np.where(seen, 255, 0).astype(np.uint8)


def _colours(style: RenderStyle) -> Colours | None:
    if style.colormap is None:
        return None
    return {value: parse_color(colour) for value, colour in style.colormap.items()}


def _stretched(values: Pixels, style: RenderStyle, valid: Pixels) -> Pixels:
    """The values as 0 to 255 between the bounds of their bands."""
    if style.rescale is None:
        if values.dtype == np.uint8:
            return values
        ranges = [_bounds(band, valid) for band in values]
    else:
        ranges = list(style.rescale)
    if len(ranges) != len(values):
        ranges = ranges[:1] * len(values)
    result = np.zeros(values.shape, np.uint8)
    for band, (low, high), into in zip(values, ranges, result, strict=True):
        share = (band.astype(np.float64) - low) / ((high - low) or 1.0)
        into[:] = np.where(valid > 0, np.clip(np.nan_to_num(share), 0.0, 1.0) * 255.0 + 0.5, 0)
    return result


def _bounds(band: Pixels, valid: Pixels) -> tuple[float, float]:
    """Of what is computed by an expression, for which nobody has named any: its pixels' here.

    Bands come with bounds of theirs, which hold for the whole raster.
    """
    seen = band[valid > 0]
    return (float(seen.min()), float(seen.max())) if seen.size else (0.0, 1.0)


def _classes(values: Pixels, colours: Colours) -> tuple[Pixels, Pixels]:
    """(red, green, blue) and opacity of each pixel; a value that has no colour is transparent."""
    known = np.array(sorted(colours), np.int64)
    table = np.array([colours[int(value)] for value in known], np.uint8)
    # Twice the work of a search is one that meets an infinity: classes are whole numbers.
    whole = np.nan_to_num(values, nan=known[0] - 1).astype(np.int64)
    places = np.clip(np.searchsorted(known, whole), 0, len(known) - 1)
    drawn = table[places]
    drawn[(known[places] != whole) | (whole != values)] = 0
    parts = np.moveaxis(drawn, -1, 0)
    return parts[:3], parts[3]


def _encoded(picture: Pixels, alpha: Pixels) -> bytes:
    """A PNG of one band or three, with an alpha band where something is transparent."""
    mask = None if alpha.min() == 255 else alpha
    return bytes(render(np.ascontiguousarray(picture), mask, img_format="PNG", ZLEVEL=_PNG_LEVEL))
