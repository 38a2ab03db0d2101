"""Making an invalid line or polygon valid, and saying what was done.

Nothing here looks at valid geometries: it is called for the few that GEOS calls invalid.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import shapely

from core.counting import counted
from services.vector.batch import Fault
from services.vector.geometry.dimensions import joined, single_parts
from services.vector.geometry.faults import describe
from services.vector.model import Reason, RepairKind

Points = npt.NDArray[np.float64]
Method = Literal["structure", "linework", "none"]

_RING_POINTS = 4


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
    at: tuple[float, float] | None = None
    fault: Fault | None = None
    rebuilt: bool = False

    def note(self, kind: RepairKind, detail: str, at: tuple[float, float] | None) -> None:
        """Record a change, and its place where it is the first that has one."""
        if kind not in self.kinds:
            self.kinds.append(kind)
        if detail not in self.details:
            self.details.append(detail)
        self.at = self.at or at


def repair(geometry: shapely.Geometry, method: Method) -> Repaired:
    """Repair a geometry that is invalid, of lines or polygons.

    Lines lose the parts that have no length. Polygons first lose spikes, rings without area
    and parts that repeat another one; where that is not enough, GEOS's MakeValid builds them
    anew, by `structure` (rings are made valid, shells merged, holes subtracted) or `linework`
    (all rings are noded and areas assigned by the even-odd rule). What is left of lower
    dimension is dropped. With `none` an invalid geometry is a fault.
    """
    if method == "none":
        found = describe(geometry)
        return Repaired(
            None,
            geometry,
            at=found.at,
            fault=Fault(Reason.INVALID_GEOMETRY, f"{found.text}{_place(found.at)}."),
        )
    if shapely.get_dimensions(geometry) == 1:
        return _repair_lines(geometry)
    return _repair_polygons(geometry, method)


def _repair_lines(geometry: shapely.Geometry) -> Repaired:
    lines = single_parts(geometry)
    long_enough = shapely.is_valid(lines)
    result = Repaired(None, geometry)
    if not long_enough.any():
        place = _first_point(lines[0])
        result.at = place
        result.fault = Fault(
            Reason.TOO_FEW_POINTS,
            f"The line has no length: all its points are one{_place(place)}.",
        )
        return result
    dropped = lines[~long_enough]
    result.note(
        RepairKind.ZERO_AREA_PART,
        f"Left out {counted(len(dropped), 'part')} without length.",
        _first_point(dropped[0]),
    )
    result.geometry = joined(lines[long_enough])
    return result


def _repair_polygons(
    geometry: shapely.Geometry, method: Literal["structure", "linework"]
) -> Repaired:
    result = Repaired(None, geometry)
    polygons = [
        polygon for part in single_parts(geometry) if (polygon := _tidied(part, result)) is not None
    ]
    if not polygons:
        result.fault = _nothing_left(geometry)
        result.at = result.at or _first_point(geometry)
        return result
    candidate = _multi(_without_repeats(polygons, result))
    result.reference = candidate
    if shapely.is_valid(candidate):
        result.geometry = candidate
        return result
    found = describe(candidate)
    result.note(found.kind, f"{found.text}{_place(found.at)}.", found.at)
    return _made_valid(candidate, method, result)


def _made_valid(
    geometry: shapely.Geometry, method: Literal["structure", "linework"], result: Repaired
) -> Repaired:
    try:
        if method == "structure":
            valid = shapely.make_valid(geometry, method="structure", keep_collapsed=False)
        else:
            valid = shapely.make_valid(geometry, method="linework")
    except shapely.GEOSException as error:
        result.fault = Fault(
            Reason.NOT_REPAIRABLE, f"{' '.join(result.details)} GEOS cannot repair it: {error}."
        )
        return result
    parts = single_parts(valid)
    areas = shapely.get_dimensions(parts) == 2
    if not areas.any():
        result.fault = Fault(
            Reason.NOT_REPAIRABLE, f"{' '.join(result.details)} No area is left by the repair."
        )
        return result
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
        return result
    result.geometry = repaired
    result.rebuilt = True
    return result


def _tidied(polygon: shapely.Polygon, result: Repaired) -> shapely.Polygon | None:
    """A polygon without spikes and without rings that enclose nothing; None if its shell does."""
    if shapely.is_valid(polygon):
        return polygon
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
    if len(without) < _RING_POINTS:
        result.note(RepairKind.ZERO_AREA_PART, f"Left out a {role} without area.", _xy(points[0]))
        return None
    if spike is not None:
        result.note(RepairKind.SPIKE, f"Removed a spike{_place(spike)}.", spike)
    return without


def without_spikes(ring: Points) -> tuple[Points, tuple[float, float] | None]:
    """A closed ring without the points at which it turns back exactly onto itself.

    Returns the ring, and the tip of its first spike. Less than four points are left of a ring
    that encloses nothing.
    """
    if not _turns_back(ring):
        return ring, None
    tip: tuple[float, float] | None = None
    kept: list[Points] = []
    for point in ring[:-1]:
        kept.append(point)
        while len(kept) >= 3 and (turn := _is_spike(kept[-3], kept[-2], kept[-1])):
            tip = tip or _tip(turn, kept[-2])
            del kept[-2]
            if _equal(kept[-1], kept[-2]):
                kept.pop()
    # The ring's end meets its beginning, where a spike may have its tip too.
    while len(kept) >= 3:
        if turn := _is_spike(kept[-2], kept[-1], kept[0]):
            tip = tip or _tip(turn, kept[-1])
            kept.pop()
            if _equal(kept[-1], kept[0]):
                kept.pop()
        elif turn := _is_spike(kept[-1], kept[0], kept[1]):
            tip = tip or _tip(turn, kept[0])
            del kept[0]
            if _equal(kept[-1], kept[0]):
                kept.pop()
        else:
            break
    if len(kept) < 3:
        return ring[:0], tip
    return np.array([*kept, kept[0]]), tip


def _turns_back(ring: Points) -> bool:
    if len(ring) < _RING_POINTS:
        return True
    step_x, step_y = np.diff(ring[:, 0]), np.diff(ring[:, 1])
    next_x, next_y = np.append(step_x[1:], step_x[0]), np.append(step_y[1:], step_y[0])
    collinear = step_x * next_y == step_y * next_x
    return bool((collinear & (step_x * next_x + step_y * next_y <= 0)).any())


def _is_spike(a: Points, b: Points, c: Points) -> Literal["turn", "stop"] | None:
    """Whether the way from a over b to c turns back on itself; "stop" where it stands still."""
    in_x, in_y, out_x, out_y = b[0] - a[0], b[1] - a[1], c[0] - b[0], c[1] - b[1]
    if in_x * out_y != in_y * out_x:
        return None
    along = in_x * out_x + in_y * out_y
    if along < 0:
        return "turn"
    # Equal points have no direction; only those are left of a product that is zero here.
    return "stop" if along == 0 else None


def _tip(turn: Literal["turn", "stop"], point: Points) -> tuple[float, float] | None:
    return _xy(point) if turn == "turn" else None


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


def _equal(one: Points, other: Points) -> bool:
    return bool(one[0] == other[0] and one[1] == other[1])


def _xy(point: Points) -> tuple[float, float]:
    return float(point[0]), float(point[1])


def _first_point(geometry: shapely.Geometry) -> tuple[float, float] | None:
    points = shapely.get_coordinates(geometry)
    return _xy(points[0]) if len(points) else None


def _place(at: tuple[float, float] | None) -> str:
    return "" if at is None else f" at {at[0]:.10g} {at[1]:.10g}"
