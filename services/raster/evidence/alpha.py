"""Whether a band is alpha: files tag near infrared as alpha, and leave alpha untagged."""

from __future__ import annotations

import numpy as np

from services.raster.model import Facts
from services.raster.sampling import BandSample, Sample

# An alpha band is opaque or transparent nearly everywhere; half-transparent pixels are those of
# edges, and of shadows in drawings.
_EXTREMES_OF_TAGGED = 0.8
_EXTREMES_OF_UNTAGGED = 0.995


def find(facts: Facts, sample: Sample) -> int | None:
    """Index of the alpha band: the last of two or four bands, by its tag and its pixels."""
    last = len(facts.bands) - 1
    tagged = facts.bands[last].colour == "alpha"
    if last < 1 or not (tagged or last == 3):
        return None
    if not np.issubdtype(sample.bands[last].windows[0].dtype, np.integer):
        return None
    extremes = _extremes(sample.bands[last])
    if extremes is None:
        return last if tagged else None
    return last if extremes >= (_EXTREMES_OF_TAGGED if tagged else _EXTREMES_OF_UNTAGGED) else None


def _extremes(band: BandSample) -> float | None:
    """Share of pixels that are fully transparent or fully opaque, valid or not; 0 where none is
    opaque in a band that is not tagged."""
    pixels = np.concatenate([window.ravel() for window in band.windows])
    if not pixels.size:
        return None
    opaque = np.iinfo(pixels.dtype).max
    return float(((pixels == 0) | (pixels == opaque)).mean()) if (pixels == opaque).any() else 0.0
