"""Making an invalid line or polygon valid, and saying what was done.

Nothing here looks at valid geometries: it is called for the few that GEOS calls invalid, with
all of a batch at once. GEOS looks at arrays of them; Python only at those that are more than
crossed.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import shapely
from shapely import GeometryType

from core.counting import counted
from services.vector.batch import Fault, Geometries
from services.vector.geometry.dimensions import as_array, joined, parts_of, single_parts
from services.vector.geometry.faults import describe, describe_all
from services.vector.geometry.spikes import (
    RING_POINTS,
    Mask,
    Point,
    Points,
    turn_back,
    without_spikes,
)
from services.vector.model import Reason, RepairKind

Method = Literal["structure", "linework", "none"]


@dataclass(slots=True)
class Repaired:
    """What became of an invalid geometry: a valid one, or a fault.

    `kinds` and `details` say what was wrong and changed; `at` is x, y of the first thing that
    was. `reference` is the geometry as it came, without what has no area and without parts that
    are there twice; what was `rebuilt` from it may have another area.
    """

    geometry: shapely.Geometry | None
    reference: shapely.Geometry
    kinds: list[RepairKind] = field(default_factory=list)
    details: list[str] = field(default_factory=list)
    at: Point | None = None
    fault: Fault | None = None
    rebuilt: bool = False

    def note(self, kind: RepairKind, detail: str, at: Point | None) -> None:
        """Record a change, and its place where it is the first that has one."""
        if kind not in self.kinds:
            self.kinds.append(kind)
        if detail not in self.details:
            self.details.append(detail)
        self.at = self.at or at


def repair(geometry: shapely.Geometry, method: Method) -> Repaired:
    """As `repair_all`, for one geometry."""
    (repaired,) = repair_all(as_array([geometry]), method)
    return repaired


def repair_all(geometry: Geometries, method: Method) -> list[Repaired]:
    """Repair geometries that are invalid, each of lines or of polygons.

    Lines lose the parts that have no length. Polygons first lose spikes, rings without area
    and parts that repeat another one; where that is not enough, GEOS's MakeValid builds them
    anew, by `structure` (rings are made valid, shells merged, holes subtracted) or `linework`
    (all rings are noded and areas assigned by the even-odd rule). What is left of lower
    dimension is dropped. With `none` an invalid geometry is a fault.
    """
    if method == "none":
        return [_refused(each) for each in geometry]
    results = [Repaired(None, each) for each in geometry]
    lines = shapely.get_dimensions(geometry) == 1
    for position in np.flatnonzero(lines):
        _repair_lines(results[position])
    polygonal = [results[position] for position in np.flatnonzero(~lines)]
    _rebuild(_tidy(polygonal), method)
    return results


def _refused(geometry: shapely.Geometry) -> Repaired:
    found = describe(geometry)
    fault = Fault(Reason.INVALID_GEOMETRY, f"{found.text}{_place(found.at)}.")
    return Repaired(None, geometry, at=found.at, fault=fault)


def _repair_lines(result: Repaired) -> None:
    lines = single_parts(result.reference)
    long_enough = shapely.is_valid(lines)
    if not long_enough.any():
        place = _first_point(lines[0])
        result.at = place
        result.fault = Fault(
            Reason.TOO_FEW_POINTS,
            f"The line has no length: all its points are one{_place(place)}.",
        )
        return
    dropped = lines[~long_enough]
    result.note(
        RepairKind.ZERO_AREA_PART,
        f"Left out {counted(len(dropped), 'part')} without length.",
        _first_point(dropped[0]),
    )
    result.geometry = joined(lines[long_enough])


def _tidy(results: list[Repaired]) -> list[Repaired]:
    """Take out spikes, rings without area and repeated parts. Returns those still invalid.

    The reference of each becomes what is left of it.
    """
    parts, owners = parts_of(as_array(result.reference for result in results))
    present = ~shapely.is_empty(parts)
    parts, owners = parts[present], owners[present]
    invalid = np.flatnonzero(~shapely.is_valid(parts))
    kept: list[list[shapely.Polygon]] = [[] for _ in results]
    untidy = set(invalid[_is_untidy(parts[invalid])].tolist())
    for index, (part, owner) in enumerate(zip(parts, owners.tolist(), strict=True)):
        tidied = _tidied(part, results[owner]) if index in untidy else part
        if tidied is not None:
            kept[owner].append(tidied)
    remaining = []
    for result, polygons in zip(results, kept, strict=True):
        if polygons:
            result.reference = _multi(_without_repeats(polygons, result))
            remaining.append(result)
        else:
            result.fault = _nothing_left(result.reference)
            result.at = result.at or _first_point(result.reference)
    valid = shapely.is_valid(as_array(result.reference for result in remaining))
    for result in itertools.compress(remaining, valid):
        result.geometry = result.reference
    return list(itertools.compress(remaining, ~valid))


def _rebuild(results: list[Repaired], method: Literal["structure", "linework"]) -> None:
    """Build anew, by MakeValid, what no leaving out made valid."""
    invalid = as_array(result.reference for result in results)
    for result, found in zip(results, describe_all(invalid), strict=True):
        result.note(found.kind, f"{found.text}{_place(found.at)}.", found.at)
    try:
        made = _made_valid(invalid, method)
    except shapely.GEOSException:
        made = as_array(_made_valid_alone(result, method) for result in results)
    # Two polygons or more: of a multipolygon of one the polygon is taken.
    areas = (shapely.get_type_id(made) == GeometryType.POLYGON) | (
        (shapely.get_type_id(made) == GeometryType.MULTIPOLYGON)
        & (shapely.get_num_geometries(made) > 1)
    )
    sound = areas & ~shapely.is_empty(made) & shapely.is_valid(made)
    for result, geometry, is_sound in zip(results, made, sound, strict=True):
        if is_sound:
            result.geometry = geometry
            result.rebuilt = True
        elif geometry is not None:
            _take_areas(result, geometry)


def _made_valid(geometry: Geometries, method: Literal["structure", "linework"]) -> Geometries:
    if method == "structure":
        made: Geometries = shapely.make_valid(geometry, method=method, keep_collapsed=False)
    else:
        made = shapely.make_valid(geometry, method=method)
    return made


def _made_valid_alone(
    result: Repaired, method: Literal["structure", "linework"]
) -> shapely.Geometry | None:
    try:
        (made,) = _made_valid(as_array([result.reference]), method)
    except shapely.GEOSException as error:
        result.fault = Fault(
            Reason.NOT_REPAIRABLE, f"{' '.join(result.details)} GEOS cannot repair it: {error}."
        )
        return None
    return made


def _take_areas(result: Repaired, made: shapely.Geometry) -> None:
    """Keep of what MakeValid built its areas, if they are valid together."""
    parts = single_parts(made)
    areas = shapely.get_dimensions(parts) == 2
    if not areas.any():
        result.fault = Fault(
            Reason.NOT_REPAIRABLE, f"{' '.join(result.details)} No area is left by the repair."
        )
        return
    if not areas.all():
        result.details.append(
            f"Left out {counted(int((~areas).sum()), 'line or point', 'lines and points')} "
            "that the repair produced."
        )
    repaired = joined(parts[areas])
    if not shapely.is_valid(repaired):
        result.fault = Fault(
            Reason.NOT_REPAIRABLE,
            f"{' '.join(result.details)} The repair is invalid itself: "
            f"{shapely.is_valid_reason(repaired)}.",
        )
        return
    result.geometry = repaired
    result.rebuilt = True


def _is_untidy(polygons: Geometries) -> Mask:
    """Which polygons have a ring to tidy, or holes that may be there twice."""
    rings, owners = shapely.get_rings(polygons, return_index=True)
    untidy: Mask = shapely.get_num_interior_rings(polygons) > 1
    points = shapely.get_coordinates(rings)
    ends = np.cumsum(shapely.get_num_coordinates(rings))
    untidy[owners[turn_back(points, ends)]] = True
    return untidy


def _tidied(polygon: shapely.Polygon, result: Repaired) -> shapely.Polygon | None:
    """A polygon without spikes and without rings that enclose nothing; None if its shell does."""
    shell = _tidy_ring(polygon.exterior, "shell", result)
    if shell is None:
        return None
    holes: list[Points] = []
    for ring in polygon.interiors:
        hole = _tidy_ring(ring, "hole", result)
        if hole is None:
            continue
        if any(_same_ring(hole, other) for other in holes):
            result.note(
                RepairKind.REPEATED_PART,
                "Left out a hole that is there twice.",
                _xy(hole[0]),
            )
            continue
        holes.append(hole)
    return shapely.Polygon(shell, holes)


def _tidy_ring(ring: shapely.LinearRing, role: str, result: Repaired) -> Points | None:
    points = shapely.get_coordinates(ring, include_z=bool(shapely.has_z(ring)))
    without, spike = without_spikes(points)
    if len(without) < RING_POINTS:
        result.note(RepairKind.ZERO_AREA_PART, f"Left out a {role} without area.", _xy(points[0]))
        return None
    if spike is not None:
        result.note(RepairKind.SPIKE, f"Removed a spike{_place(spike)}.", spike)
    return without


def _without_repeats(polygons: list[shapely.Polygon], result: Repaired) -> list[shapely.Polygon]:
    """The polygons without those that are the same as an earlier one, however they are drawn."""
    seen: set[bytes] = set()
    distinct = []
    for polygon in polygons:
        key = shapely.to_wkb(shapely.normalize(polygon))
        if key in seen:
            result.note(
                RepairKind.REPEATED_PART,
                "Left out a part that is there twice.",
                _first_point(polygon),
            )
            continue
        seen.add(key)
        distinct.append(polygon)
    return distinct


def _nothing_left(geometry: shapely.Geometry) -> Fault:
    points = shapely.get_coordinates(geometry)
    place = _place(_xy(points[0]))
    if len(np.unique(points, axis=0)) < 3:
        return Fault(
            Reason.TOO_FEW_POINTS,
            f"The polygon has fewer than three different points{place}.",
        )
    return Fault(Reason.NOT_REPAIRABLE, f"The polygon encloses no area{place}.")


def _multi(polygons: list[shapely.Polygon]) -> shapely.Geometry:
    return polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)


def _same_ring(one: Points, other: Points) -> bool:
    if len(one) != len(other):
        return False
    rings = shapely.normalize(np.array([shapely.LinearRing(one), shapely.LinearRing(other)]))
    return bool(shapely.equals_exact(rings[0], rings[1], tolerance=0.0))


def _xy(point: Points) -> Point:
    return float(point[0]), float(point[1])


def _first_point(geometry: shapely.Geometry) -> Point | None:
    points = shapely.get_coordinates(geometry)
    return _xy(points[0]) if len(points) else None


def _place(at: Point | None) -> str:
    return "" if at is None else f" at {at[0]:.10g} {at[1]:.10g}"
