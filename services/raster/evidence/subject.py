"""The raster that is looked at, with all that several kinds of evidence need of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import CRSError

from services.raster.evidence import alpha, undeclared
from services.raster.evidence.measures import Measures, measure
from services.raster.model import Facts
from services.raster.sampling import BandSample, Sample

# Of rasters with very many bands the first ones speak for all.
_MEASURED_BANDS = 16
_EARTH_RADIUS = 6_371_000.0


@dataclass(frozen=True)
class Subject:
    """`name` is that of the file, without folders."""

    facts: Facts
    sample: Sample
    name: str

    @cached_property
    def alpha(self) -> int | None:
        """Index of the band that says how opaque the others are, whatever it is tagged as."""
        return alpha.find(self.facts, self.sample)

    @cached_property
    def undeclared(self) -> tuple[float | None, ...]:
        """For each band the value that seems to stand for missing data, undeclared."""
        return tuple(
            undeclared.find(band) if i != self.alpha else None
            for i, band in enumerate(self.sample.bands)
        )

    @cached_property
    def data(self) -> tuple[BandSample, ...]:
        """The first bands that are not alpha, valid where they are opaque and hold data."""
        opacity = None if self.alpha is None else self.sample.bands[self.alpha]
        found = []
        for i, band in enumerate(self.sample.bands):
            if i == self.alpha:
                continue
            missing = self.undeclared[i]
            if missing is not None:
                band = replace(band, valid=tuple(
                    v & (w != missing) for w, v in zip(band.windows, band.valid, strict=True)
                ))  # fmt: skip
            if opacity is not None:
                band = replace(band, valid=tuple(
                    v & (a > 0) for a, v in zip(opacity.windows, band.valid, strict=True)
                ))  # fmt: skip
            found.append(band)
            if len(found) == _MEASURED_BANDS:
                break
        return tuple(found)

    @cached_property
    def measures(self) -> tuple[Measures | None, ...]:
        """Those of `data`; None for a band without a valid pixel in the sample."""
        return tuple(measure(band) for band in self.data)

    @cached_property
    def measured(self) -> tuple[Measures, ...]:
        """Those of the bands that have any."""
        return tuple(measures for measures in self.measures if measures is not None)

    @property
    def data_bands(self) -> int:
        """How many bands the file has, without alpha."""
        return len(self.facts.bands) - (self.alpha is not None)

    @cached_property
    def dtype(self) -> str:
        """Of the first band, as the file declares it."""
        return self.facts.bands[0].dtype

    @property
    def floating(self) -> bool:
        return self.dtype.startswith("float")

    @property
    def complex(self) -> bool:
        return any(band.dtype.startswith("complex") for band in self.facts.bands)

    @cached_property
    def crs(self) -> CRS | None:
        """The CRS that the file declares; None where it has none, or one that PROJ cannot read."""
        if self.facts.crs is None:
            return None
        try:
            return CRS.from_user_input(self.facts.crs)
        except CRSError:
            return None

    @cached_property
    def pixel_metres(self) -> float | None:
        """Height of a pixel on the ground; None where grid or CRS do not tell it."""
        if self.facts.transform is None or self.crs is None or not self.crs.axis_info:
            return None
        height = math.hypot(self.facts.transform[1], self.facts.transform[4])
        factor = self.crs.axis_info[0].unit_conversion_factor
        if self.crs.is_geographic:
            return height * factor * _EARTH_RADIUS
        return height * factor if self.crs.is_projected else None

    @cached_property
    def whole_earth(self) -> bool:
        """Whether it shows the Earth from west to east and nearly from pole to pole."""
        if self.facts.transform is None or self.crs is None or not self.crs.is_geographic:
            return False
        degrees_east = abs(self.facts.transform[0]) * self.facts.width
        degrees_north = abs(self.facts.transform[4]) * self.facts.height
        return 300 <= degrees_east <= 361 and 120 <= degrees_north <= 181

    @cached_property
    def together(self) -> NDArray[np.float64] | None:
        """Pixels valid in all of `data`, (bands, pixels); None where there are none."""
        if not self.data:
            return None
        joint = [
            np.logical_and.reduce(masks)
            for masks in zip(*(band.valid for band in self.data), strict=True)
        ]
        stacked = np.stack([
            np.concatenate([w[v] for w, v in zip(band.windows, joint, strict=True)])
            for band in self.data
        ]).astype(np.float64)  # fmt: skip
        return stacked if stacked.shape[1] else None
