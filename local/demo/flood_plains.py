"""A made-up land and its floods, so that flood maps can be had where no licensed ones are.

Heights, rivers, hollows and the coast are functions of longitude and latitude: tiles made apart,
and in any size, fit each other at their edges. Floods rise with the return period by a growth
curve as rivers and rain have it (a constant and a logarithm), so that none is shallower than a
more frequent one. The same seed gives the same floods.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from services.fathom.names import FathomMap

Field = NDArray[np.float64]

# Metres of water level at one year, and for each e-fold of the return period.
_GROWTH = {"fluvial": (0.4, 0.75), "pluvial": (0.25, 0.12), "coastal": (0.8, 0.35)}
# A defended flood plain stays dry up to this return period, in years.
_PROTECTED_TO = 50
# Metres that drains and pumps take from a defended town's rain.
_DRAINED = 0.08
_PRESENT = 2020


@dataclass(frozen=True)
class Plain:
    """A window of the land, (rows, columns), all in metres but for the masks.

    Attributes:
        height: above the sea, below 0 in it.
        above_river: of the land over the water of the nearest river.
        above_hollow: over the bottom of the nearest hollow.
        river: what is under water at all times.
        protected: what lies behind defences.
    """

    height: Field
    above_river: Field
    above_hollow: Field
    river: NDArray[np.bool_]
    protected: NDArray[np.bool_]

    @property
    def sea(self) -> NDArray[np.bool_]:
        """Where there is no land."""
        return self.height < 0

    def depth(self, of: FathomMap, return_period: int) -> Field:
        """Metres of water on the land in the flood of so many years, 0 where it is dry."""
        level, growth = _GROWTH[of.flood_type]
        water = (level + growth * math.log(return_period)) * (1 + _climate(of))
        ground = {
            "fluvial": self.above_river,
            "pluvial": self.above_hollow,
            "coastal": self.height,
        }[of.flood_type]
        depth: Field = np.maximum(water - ground, 0)
        if of.defence == "undefended":
            return depth
        if of.flood_type == "pluvial":
            return np.where(self.protected, np.maximum(depth - _DRAINED, 0), depth)
        if return_period > _PROTECTED_TO:
            return depth
        return np.where(self.protected, 0, depth)


@lru_cache(maxsize=2)
def plain(west: float, north: float, degrees: float, pixels: int, seed: int) -> Plain:
    """The land of a square whose upper left corner is given, at the centres of its pixels."""
    steps = (np.arange(pixels) + 0.5) * degrees / pixels
    longitudes, latitudes = west + steps, north - steps

    def noise(wavelength: float, octaves: int, salt: int) -> Field:
        return _fractal(latitudes, longitudes, wavelength, octaves, seed * 1000 + salt)

    valley = np.abs(noise(0.6, 5, 1))
    return Plain(
        height=400 * (noise(5.0, 7, 2) + 0.15),
        above_river=120 * valley,
        above_hollow=1.2 * (1 + noise(0.05, 3, 3)),
        river=valley < 0.004,
        protected=noise(0.4, 2, 4) > 0.1,
    )


def _climate(of: FathomMap) -> float:
    """By which share water rises until the map's year: more in scenarios of more forcing."""
    if of.ssp is None:
        return 0.0
    forcing = float(of.ssp.partition("_")[2])  # watts per square metre in 2100
    return 0.3 * forcing / 8.5 * (of.year - _PRESENT) / 80


def _fractal(
    latitudes: Field, longitudes: Field, wavelength: float, octaves: int, seed: int
) -> Field:
    """Noise between -1 and 1 of several wavelengths (degrees), each half of the one before."""
    total = np.zeros((len(latitudes), len(longitudes)))
    strength = 0.0
    for octave in range(octaves):
        share = 0.5**octave
        total += share * _noise(latitudes, longitudes, wavelength * share, seed * 16 + octave)
        strength += share
    return total / strength


def _noise(latitudes: Field, longitudes: Field, wavelength: float, seed: int) -> Field:
    """Values of a random lattice over the Earth, smooth between its nodes."""
    rows, row_weights = _between(latitudes / wavelength)
    columns, column_weights = _between(longitudes / wavelength)
    smooth: Field = row_weights @ _lattice(rows, columns, seed) @ column_weights.T
    return smooth


def _between(positions: Field) -> tuple[NDArray[np.int64], Field]:
    """The nodes around positions along one axis, and the weight of each node at each position."""
    below = np.floor(positions).astype(np.int64)
    nodes = np.arange(below.min(), below.max() + 2)
    share = positions - below
    share = share * share * (3 - 2 * share)
    weights = np.zeros((len(positions), len(nodes)))
    places = np.arange(len(positions))
    weights[places, below - nodes[0]] = 1 - share
    weights[places, below - nodes[0] + 1] = share
    return nodes, weights


def _lattice(rows: NDArray[np.int64], columns: NDArray[np.int64], seed: int) -> Field:
    """A number between -1 and 1 for each node, by hashing its place (the mixer of splitmix64)."""
    with np.errstate(over="ignore"):
        state = (
            rows.astype(np.uint64)[:, None] * np.uint64(0x9E3779B97F4A7C15)
            + columns.astype(np.uint64)[None, :] * np.uint64(0xC2B2AE3D27D4EB4F)
            + np.uint64(seed % 2**64) * np.uint64(0x165667B19E3779F9)
        )
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            state = (state ^ (state >> np.uint64(shift))) * np.uint64(factor)
        state ^= state >> np.uint64(31)
    lattice: Field = (state >> np.uint64(11)).astype(np.float64) / 2.0**52 - 1
    return lattice
