"""Rasters made up for tests: seeded, with the statistics of the real ones, and written small.

The makers return pixels, (rows, columns) or (bands, rows, columns), square with `size` pixels a
side; `write` makes a georeferenced GeoTIFF of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.transform import Affine

Pixels = NDArray[Any]

UTM = Affine(30, 0, 500_000, 0, -30, 5_400_000)
COLOURS = {1: (0, 100, 0), 2: (255, 187, 34), 3: (255, 255, 76), 4: (240, 150, 255),
           5: (250, 0, 0), 6: (0, 100, 200)}  # fmt: skip


def surface(size: int = 256, seed: int = 0, exponent: float = 2.0) -> NDArray[np.float64]:
    """A random surface between 0 and 1 whose spectrum falls with frequency: amplitudes as
    f ** -exponent. 1 is the texture of a picture, 2 that of relief, 3 that of temperatures."""
    random = np.random.default_rng(seed)
    down = np.fft.fftfreq(size)[:, None]
    across = np.fft.rfftfreq(size)[None, :]
    frequency = np.hypot(down, across)
    frequency[0, 0] = 1.0
    phases = np.exp(2j * np.pi * random.random(frequency.shape))
    amplitudes = random.rayleigh(size=frequency.shape) * frequency**-exponent
    amplitudes[0, 0] = 0.0
    field = np.fft.irfft2(amplitudes * phases, (size, size))
    scaled: NDArray[np.float64] = (field - field.min()) / np.ptp(field)
    return scaled


def dem(size: int = 256, seed: int = 0, low: float = 120.0, high: float = 1800.0) -> Pixels:
    """Elevations in metres, float32."""
    return np.asarray(low + (high - low) * surface(size, seed), np.float32)


def landcover(size: int = 256, seed: int = 0, codes: Sequence[int] = (1, 2, 3, 4, 5, 6)) -> Pixels:
    """Areas of classes, uint8: at each pixel the class whose own surface is highest there."""
    surfaces = np.stack([surface(size, seed * 100 + i, 1.7) for i in range(len(codes))])
    classes: Pixels = np.asarray(codes, np.uint8)[surfaces.argmax(axis=0)]
    return classes


def mask(size: int = 256, seed: int = 0) -> Pixels:
    """0 and 1 in areas, uint8."""
    return (surface(size, seed, 2.0) > 0.55).astype(np.uint8)


def flags(size: int = 256, seed: int = 0) -> Pixels:
    """Quality flags as those of Landsat's QA_PIXEL, uint16: one bit for each of several masks."""
    bits = [surface(size, seed * 100 + bit, 2.0) > 0.6 for bit in range(4)]
    return sum(
        (
            plane.astype(np.uint16) << shift
            for plane, shift in zip(bits, (3, 6, 9, 14), strict=True)
        ),
        np.zeros((size, size), np.uint16),
    )


def days(size: int = 256, seed: int = 0) -> Pixels:
    """Snow on each of eight days, a bit for each, uint8: what is covered changes from day to day
    along its edges."""
    season = surface(size, seed * 100, 2.0)
    planes = [season + 0.25 * surface(size, seed * 100 + day, 1.6) > 0.6 for day in range(1, 9)]
    return sum(
        (plane.astype(np.uint8) << bit for bit, plane in enumerate(planes)),
        np.zeros((size, size), np.uint8),
    )


def shades(size: int = 256, seed: int = 0, levels: int = 23, step: float = 8.25) -> Pixels:
    """A grey picture of few levels, uint8, whose contrast was stretched: a level every `step`."""
    light = surface(size, seed, 1.0) + 0.05 * np.random.default_rng(seed).normal(size=(size, size))
    light = (light - light.min()) / np.ptp(light)
    return np.floor(np.floor(light * (levels - 0.01)) * step).astype(np.uint8)


def rgb(size: int = 256, seed: int = 0) -> Pixels:
    """A picture in red, green and blue, uint8: one brightness with a little colour."""
    light = surface(size, seed, 1.2)
    bands = [0.85 * light + 0.15 * surface(size, seed * 100 + i + 1, 1.2) for i in range(3)]
    return (20 + 220 * np.stack(bands)).astype(np.uint8)


def rgba(size: int = 256, seed: int = 0) -> Pixels:
    """A picture that is transparent along its left edge, uint8."""
    alpha = np.full((1, size, size), 255, np.uint8)
    alpha[:, :, : size // 4] = 0
    return np.concatenate((rgb(size, seed) * (alpha > 0), alpha))


def nir(size: int = 256, seed: int = 0) -> Pixels:
    """Red, green, blue and near infrared, uint8: bright where plants are, dark on water."""
    plants = surface(size, seed + 7_000, 1.6)
    visible = rgb(size, seed).astype(np.float64) - 60 * plants
    infrared = 40 + 180 * plants + 20 * surface(size, seed + 8_000, 1.2)
    return np.clip(np.concatenate((visible, infrared[None])), 1, 254).astype(np.uint8)


def multispectral(size: int = 256, seed: int = 0, bands: int = 6) -> Pixels:
    """Reflectances times 10000, uint16."""
    common, plants = surface(size, seed, 1.3), surface(size, seed + 7_000, 1.5)
    shares = np.linspace(0, 1, bands)[:, None, None]
    own = np.stack([surface(size, seed * 100 + i + 1, 1.2) for i in range(bands)])
    return (300 + 3000 * (common * (1 - shares) + plants * shares + 0.1 * own)).astype(np.uint16)


def ndvi(size: int = 256, seed: int = 0) -> Pixels:
    """A vegetation index between -0.3 and 0.9, float32."""
    return (1.2 * surface(size, seed, 1.4) - 0.3).astype(np.float32)


def sar(size: int = 256, seed: int = 0) -> Pixels:
    """Radar amplitudes with speckle, uint16."""
    speckle = np.random.default_rng(seed).gamma(2.0, 0.5, (size, size))
    return (400 * surface(size, seed, 1.5) * speckle + 20).astype(np.uint16)


def temperature(size: int = 256, seed: int = 0) -> Pixels:
    """Kelvin, float32, smooth."""
    return (265 + 40 * surface(size, seed, 3.0)).astype(np.float32)


def population(size: int = 256, seed: int = 0) -> Pixels:
    """People in each pixel, float32: none in most, many in few."""
    settled = np.maximum(surface(size, seed, 1.5) - 0.5, 0)
    random = np.random.default_rng(seed)
    return (settled**2 * 2000 * random.lognormal(0, 0.5, (size, size))).astype(np.float32)


def write(
    path: Path,
    pixels: Pixels,
    *,
    crs: str | None = "EPSG:32633",
    transform: Affine = UTM,
    colours: Sequence[ColorInterp] | None = None,
    descriptions: Sequence[str] | None = None,
    palette: Mapping[int, tuple[int, int, int]] | None = None,
    tags: Mapping[str, str] | None = None,
    **profile: Any,
) -> Path:
    """Write a GeoTIFF. `profile` is what rasterio takes: nodata, tiled, compress, ..."""
    stack = pixels if pixels.ndim == 3 else pixels[None]
    count, height, width = stack.shape
    with rasterio.open(
        path, "w", driver="GTiff", count=count, height=height, width=width, dtype=stack.dtype,
        crs=crs, transform=transform, **profile,
    ) as dataset:  # fmt: skip
        # Before the pixels: what comes after them is written to a file beside.
        if colours is not None:
            dataset.colorinterp = colours
        if palette is not None:
            dataset.write_colormap(1, dict(palette))
        if tags is not None:
            dataset.update_tags(**tags)
        for number, description in enumerate(descriptions or (), 1):
            dataset.set_band_description(number, description)
        dataset.write(stack)
    return path
