"""Outlines of made-up sites: mostly sound, some broken as real ones are, a few beyond repair."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
import numpy.typing as npt
import shapely

from local.standins.dice import Dice, Integers, Mask, Reals

Geometries = npt.NDArray[np.object_]

_FEWEST_VERTICES, _MOST_VERTICES = 12, 600
_SMALLEST_RADIUS, _LARGEST_RADIUS = 0.001, 0.6  # degrees of latitude
_KM_PER_DEGREE = 111.195

# A hole is this much smaller than its shell, so that losing it changes the area by little.
_HOLE = 0.2
_SECOND_PART = 0.4
_WITH_HOLE, _WITH_TWO_PARTS = 0.05, 0.1


class Fault(IntEnum):
    """How an outline can be broken such that it can be repaired."""

    CROSSING = 0
    REPEATED_POINT = 1
    SPIKE = 2
    HOLE_OUTSIDE = 3


@dataclass(frozen=True, slots=True)
class Flaws:
    """The shares of records that are broken: such that they can be repaired, and such that not.

    The latter have no geometry, enclose nothing, or lie beyond a pole.
    """

    repairable: float = 0.02
    unrepairable: float = 0.001


def are_loadable(dice: Dice, flaws: Flaws) -> Mask:
    """Which records can be loaded, after a repair or without."""
    return ~dice.happens("unrepairable", flaws.unrepairable)


@dataclass(frozen=True, slots=True)
class Areas:
    """Polygons in degrees, and how large they are before anything is broken, in km2."""

    geometry: Geometries
    km2: Reals


def areas(
    dice: Dice, longitude: Reals, latitude: Reals, *, scale: Reals, vertices: int, flaws: Flaws
) -> Areas:
    """MultiPolygons about some places, of so many vertices on average, enlarged by a factor."""
    corners = np.exp(dice.normal("vertices", np.log(vertices) - 0.32, 0.8)).astype(np.int64)
    outlines = _Outlines.thrown(dice, np.clip(corners, _FEWEST_VERTICES, _MOST_VERTICES))
    radius = np.exp(dice.normal("radius", np.log(0.03), 1.0))
    radius = np.clip(radius, _SMALLEST_RADIUS, _LARGEST_RADIUS) * scale
    sites = _Sites(longitude, latitude, radius / np.cos(np.radians(latitude)), radius)
    faults = np.where(
        dice.happens("repairable", flaws.repairable), dice.below("fault", len(Fault)), -1
    )
    shells = outlines.copy()
    _break(shells, faults)
    polygons: Geometries = shapely.polygons(sites.rings(shells))

    # A hole has the outline of its shell, so it lies within; or, as a fault, three radii away.
    outside = faults == Fault.HOLE_OUTSIDE
    holed = np.flatnonzero(dice.happens("hole", _WITH_HOLE) & (faults < 0) | outside)
    holes = outlines.of(holed).scaled(_HOLE, east=np.where(outside[holed], 3.0, 0.0))
    polygons[holed] = shapely.polygons(
        shapely.get_exterior_ring(polygons[holed]), sites.of(holed).rings(holes)[:, np.newaxis]
    )
    # A second part is smaller, and to the east.
    two = np.flatnonzero(dice.happens("two parts", _WITH_TWO_PARTS) & (faults < 0))
    second = outlines.of(two).scaled(_SECOND_PART, east=np.full(len(two), 1.8))
    parts = np.concatenate([polygons, shapely.polygons(sites.of(two).rings(second))])
    owners = np.concatenate([np.arange(len(dice)), two])
    order = np.argsort(owners, kind="stable")
    geometry: Geometries = shapely.multipolygons(parts[order], indices=owners[order])
    _spoil(geometry, dice, flaws)
    return Areas(geometry, outlines.area() * radius**2 * _KM_PER_DEGREE**2)


def points(dice: Dice, longitude: Reals, latitude: Reals, *, flaws: Flaws) -> Geometries:
    """MultiPoints at some places; those beyond repair have none, or lie beyond a pole."""
    geometry: Geometries = shapely.multipoints(
        shapely.points(longitude, latitude), indices=np.arange(len(dice))
    )
    for at in np.flatnonzero(~are_loadable(dice, flaws)):
        geometry[at] = None if dice.numbers[at] % 2 else _beyond_a_pole(geometry[at])
    return geometry


def _break(shells: _Outlines, faults: Integers) -> None:
    """Change the vertices of those rings that a fault shall have."""
    for values in (shells.x, shells.y):
        # Neighbours in the wrong order cross the boundary.
        at = shells.starts[faults == Fault.CROSSING]
        values[at + 3], values[at + 4] = values[at + 4], values[at + 3].copy()
        at = shells.starts[faults == Fault.REPEATED_POINT]
        values[at + 5] = values[at + 4]
        # A spike is a detour out and back.
        at = shells.starts[faults == Fault.SPIKE]
        values[at + 7], values[at + 8] = values[at + 6] * 1.3, values[at + 6]


def _spoil(geometry: Geometries, dice: Dice, flaws: Flaws) -> None:
    """Make those that shall be beyond repair so."""
    for at in np.flatnonzero(~are_loadable(dice, flaws)):
        kind = dice.numbers[at] % 3
        if kind == 0:
            geometry[at] = None
        elif kind == 1:
            corner = shapely.get_coordinates(geometry[at])[0]
            geometry[at] = shapely.MultiPolygon([shapely.Polygon([corner] * 4)])
        else:
            geometry[at] = _beyond_a_pole(geometry[at])


def _beyond_a_pole(geometry: shapely.Geometry) -> shapely.Geometry:
    _, _, _, top = geometry.bounds
    return shapely.transform(geometry, lambda at: np.add(at, (0.0, 95.0 - top)))


@dataclass(frozen=True, slots=True)
class _Sites:
    """Where outlines are put, and how far they reach east and north, in degrees."""

    longitude: Reals
    latitude: Reals
    east: Reals
    north: Reals

    def of(self, chosen: Integers) -> _Sites:
        """Some of them."""
        return _Sites(
            self.longitude[chosen], self.latitude[chosen], self.east[chosen], self.north[chosen]
        )

    def rings(self, outlines: _Outlines) -> Geometries:
        """The outlines in place, one each."""
        whose = outlines.ring
        x = self.longitude[whose] + outlines.x * self.east[whose]
        y = self.latitude[whose] + outlines.y * self.north[whose]
        rings: Geometries = shapely.linearrings(np.stack([x, y], axis=1), indices=whose)
        return rings


@dataclass(frozen=True, slots=True)
class _Outlines:
    """Rough star-shaped rings about the origin, the vertices of all in one row.

    `ring` says whose each vertex is, `starts` where a ring begins.
    """

    x: Reals
    y: Reals
    ring: Integers
    starts: Integers
    corners: Integers

    @classmethod
    def thrown(cls, dice: Dice, corners: Integers) -> _Outlines:
        starts = np.cumsum(corners) - corners
        ring = np.repeat(np.arange(len(corners)), corners)
        step = np.arange(len(ring)) - starts[ring]
        each = dice.of_parts(ring, step)
        turn = 2 * np.pi * (step + 0.8 * each.uniform("angle")) / corners[ring]
        lobes = dice.below("lobes", 4) + 2
        swing = dice.uniform("swing", 0.0, 0.3)
        phase = dice.uniform("phase", 0.0, 2 * np.pi)
        reach = 1 + swing[ring] * np.sin(lobes[ring] * turn + phase[ring])
        reach *= each.uniform("roughness", 0.9, 1.0) / 1.3
        return cls(reach * np.cos(turn), reach * np.sin(turn), ring, starts, corners)

    def of(self, chosen: Integers) -> _Outlines:
        """Those of some rings."""
        corners = self.corners[chosen]
        starts = np.cumsum(corners) - corners
        ring = np.repeat(np.arange(len(chosen)), corners)
        vertices = np.arange(len(ring)) - starts[ring] + self.starts[chosen][ring]
        return _Outlines(self.x[vertices], self.y[vertices], ring, starts, corners)

    def copy(self) -> _Outlines:
        """One whose vertices can be changed."""
        return replace(self, x=self.x.copy(), y=self.y.copy())

    def scaled(self, factor: float, *, east: Reals) -> _Outlines:
        """Smaller or larger ones, each moved east by so many radii."""
        return replace(self, x=self.x * factor + east[self.ring], y=self.y * factor)

    def area(self) -> Reals:
        """What each encloses, by the shoelace formula."""
        following = np.arange(len(self.x)) + 1
        following[self.starts + self.corners - 1] = self.starts
        cross = self.x * self.y[following] - self.x[following] * self.y
        return np.bincount(self.ring, weights=cross, minlength=len(self.corners)) / 2
