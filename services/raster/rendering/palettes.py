"""Colours for classes, of which nobody has said what colour they have."""

from __future__ import annotations

import colorsys

# Outside of and inside of a mask: for every eye, in print, and on the maps' land.
MASK_COLOURS = ("#e3dfd3", "#1b5f8c")

# Next hues lie a golden angle apart, so that neighbouring classes differ most; saturation and
# lightness take turns, so that the later ones differ from the earlier.
_GOLDEN_ANGLE = 0.381966
_FIRST_HUE = 0.58
_TONES = ((0.62, 0.62), (0.45, 0.78), (0.80, 0.42))


def distinct_colours(low: int, high: int) -> dict[int, str]:
    """A colour for each integer of a range, both ends included; always the same one."""
    return {value: _colour(value) for value in range(low, high + 1)}


def _colour(number: int) -> str:
    """A colour as #rrggbb by the number of a class."""
    hue = (_FIRST_HUE + number * _GOLDEN_ANGLE) % 1.0
    saturation, lightness = _TONES[number % len(_TONES)]
    parts = colorsys.hls_to_rgb(hue, lightness, saturation)
    return "#" + "".join(f"{round(part * 255):02x}" for part in parts)
