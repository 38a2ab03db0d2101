"""How well colours can be told apart, whatever the colour vision, and stand out from the map."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Colour = npt.NDArray[np.float64]

# Machado, Oliveira, Fernandes: A Physiologically-based Model for Simulation of Color Vision
# Deficiency (2009), severity 1, on linear RGB.
VISION = {
    "normal": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
# A difference of 0.02 in OKLab is about the least that is seen side by side.
LEAST_SEEN = 0.02


def linear(colour: str) -> Colour:
    """#rrggbb as linear RGB from 0 to 1."""
    channels = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def oklab(rgb: Colour) -> Colour:
    """Linear RGB in Ottosson's OKLab, where distances are about as large as they look."""
    cones = np.cbrt(
        np.array(
            [
                [0.4122214708, 0.5363325363, 0.0514459929],
                [0.2119034982, 0.6806995451, 0.1073969566],
                [0.0883024619, 0.2817188376, 0.6299787005],
            ]
        )
        @ rgb
    )
    lab: Colour = (
        np.array(
            [
                [0.2104542553, 0.7936177850, -0.0040720468],
                [1.9779984951, -2.4285922050, 0.4505937099],
                [0.0259040371, 0.7827717662, -0.8086757660],
            ]
        )
        @ cones
    )
    return lab


def on_white(colour: str, opacity: float) -> Colour:
    """A fill as the map shows it: mixed with white, as browsers do it, channel by channel."""
    channels = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    mixed = [round(opacity * channel + (1 - opacity) * 255) for channel in channels]
    return linear("#" + "".join(f"{channel:02x}" for channel in mixed))


def least_distance(colours: Sequence[Colour], vision: str) -> float:
    """In OKLab, of those two that are most alike."""
    seen = [oklab(np.clip(np.array(VISION[vision]) @ colour, 0, 1)) for colour in colours]
    return min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(seen, 2))


def contrast_with_white(colour: str) -> float:
    """WCAG's ratio."""
    luminance = float(linear(colour) @ np.array([0.2126, 0.7152, 0.0722]))
    return 1.05 / (luminance + 0.05)
