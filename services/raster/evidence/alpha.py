"""Whether a band is alpha: files tag near infrared as alpha, and leave alpha untagged."""

from __future__ import annotations

import numpy as np

from services.raster.model import Facts
from services.raster.sampling import BandSample, Sample

# An alpha band is opaque or transparent nearly everywhere; half-transparent pixels are those of
# edges, and of shadows in drawings.
_TAGGED = 0.8
_UNTAGGED = 0.995


def find(facts: Facts, sample: Sample) -> int | None:
    """Index of the alpha band: the last of two or four bands, by its tag and its pixels."""
    last = len(facts.bands) - 1
    tagged = facts.bands[last].colour == "alpha"
    if last < 1 or not (tagged or last == 3):
        return None
    extremes = _extremes(sample.bands[last], tagged)
    return last if extremes >= (_TAGGED if tagged else _UNTAGGED) else None


def _extremes(band: BandSample, tagged: bool) -> float:
    """Share of all pixels that are fully transparent or fully opaque.

    What is opaque is the greatest value that is met in a tagged band (255 in one of 16 bits is
    not rare), and that of the data type in another, which must be an integer type and have any.
    """
    pixels = np.concatenate([window.ravel() for window in band.windows])
    if tagged:
        opaque = pixels.max()
    elif np.issubdtype(pixels.dtype, np.integer) and (pixels == np.iinfo(pixels.dtype).max).any():
        opaque = np.iinfo(pixels.dtype).max
    else:
        return 0.0
    return float(((pixels == 0) | (pixels == opaque)).mean())
