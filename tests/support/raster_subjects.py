"""Rasters in memory, as the inference is given them: facts and a sample, without a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.raster.evidence.subject import Subject
from services.raster.model import Band, Facts
from services.raster.sampling import BandSample, Sample
from tests.support.rasters import UTM


def facts(pixels: NDArray[Any], *, bands: Sequence[dict[str, Any]] = (), **known: Any) -> Facts:
    """Facts of a GeoTIFF of such pixels; `bands` are more words for the first bands."""
    stack = pixels if pixels.ndim == 3 else pixels[None]
    words = [*bands, *({} for _ in stack)]
    given: dict[str, Any] = {
        "driver": "GTiff",
        "crs": "EPSG:32633",
        "transform": (UTM.a, UTM.b, UTM.c, UTM.d, UTM.e, UTM.f),
        **known,
    }
    return Facts(
        width=stack.shape[2],
        height=stack.shape[1],
        bands=tuple(
            Band(**{"number": i + 1, "dtype": str(stack.dtype), **words[i]})
            for i in range(len(stack))
        ),
        **given,
    )


def sample(
    pixels: NDArray[Any],
    valid: NDArray[np.bool_] | None = None,
    palette: NDArray[np.uint8] | None = None,
) -> Sample:
    """All pixels as one window. Those that are not finite are not valid."""
    stack = pixels if pixels.ndim == 3 else pixels[None]
    magnitudes = np.abs(stack) if np.iscomplexobj(stack) else stack
    sound = np.isfinite(magnitudes) if valid is None else np.broadcast_to(valid, stack.shape)
    return Sample(
        bands=tuple(
            BandSample((band,), (mask,), palette)
            for band, mask in zip(magnitudes, sound, strict=True)
        ),
        whole=True,
    )


def subject(
    pixels: NDArray[Any],
    *,
    name: str = "raster.tif",
    valid: NDArray[np.bool_] | None = None,
    palette: NDArray[np.uint8] | None = None,
    bands: Sequence[dict[str, Any]] = (),
    **known: Any,
) -> Subject:
    """What evidence is looked for in."""
    return Subject(facts(pixels, bands=bands, **known), sample(pixels, valid, palette), name)
