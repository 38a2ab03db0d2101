"""Cleaning the geometries of a batch, step by step, in one fixed order.

Every step looks at the whole batch at once and touches only what it finds. What each one does
and counts is told to users in docs/vector-cleaning.md; the order and its reasons:

1.  measures (M) left out, heights left out or completed, axes swapped where that was asked:
    what the coordinates are must be settled before they are judged;
2.  unsupported types, collections taken apart by dimension, empty parts, dimensions that do
    not belong into the table: from here on each geometry is of points, of lines or of polygons;
3.  coordinates that are not finite or not in the CRS's range: no later step could use them;
4.  repeated points;
5.  longitudes that jump over the antimeridian made to run on: before validity, since such a
    polygon, drawn as it is, crosses itself;
6.  validity, and the repair of what is invalid; areas judged;
7.  ring order, where the format has one: after validity, since a ring that crosses itself has
    none;
8.  cut at the antimeridian, of geographic coordinates;
9.  reprojection, with steps 5, 6 and 8 again for what it did;
10. written as WKB, single geometries as multi-geometries.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import shapely

from services.vector import hashing
from services.vector.batch import Batch, Fault, Geometries, Rows
from services.vector.geometry import (
    antimeridian,
    dimensions,
    measures,
    ordinates,
    projection,
    writing,
)
from services.vector.geometry.ledger import Ledger, Place, Repair
from services.vector.geometry.repair import Repaired, repair, repair_all
from services.vector.inference.crs import same_crs
from services.vector.model import CleaningOptions, Reason, RepairKind

__all__ = ["Cleaned", "Repair", "clean"]

# GEOS's number for the dimension of no geometry.
_NO_GEOMETRY = -1
_NAMES = {_NO_GEOMETRY: "no geometry", 0: "points", 1: "lines", 2: "polygons"}


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A batch after cleaning. Every position is in `rows` or in `faults`, and never in both.

    `rows` are the positions of what is to be loaded, in order; one that holds geometries of
    several dimensions is there once for each. `wkb` (in the target CRS, null where there is
    none), `hashes` of its points and `dimension` (0 points, 1 lines, 2 polygons, -1 none) go
    with them.
    `fault_geometry` has, in WGS 84, the geometries of `faults` that can be drawn. `counts`
    says how many geometries each step changed.
    """

    rows: Rows
    wkb: pa.Array[Any]
    hashes: hashing.Hashes
    dimension: npt.NDArray[np.int8]
    repairs: list[Repair]
    faults: dict[int, Fault]
    fault_geometry: dict[int, shapely.Geometry | None]
    counts: dict[str, int]

    @property
    def geometry(self) -> Geometries:
        """What `wkb` says."""
        read: Geometries = shapely.from_wkb(self.wkb.to_numpy(zero_copy_only=False))
        return read


def clean(batch: Batch, options: CleaningOptions) -> Cleaned:
    """Clean the geometries of a batch and bring them into the target CRS.

    Raises ValueError for options that name no CRS.
    """
    # Coordinates that are not numbers are expected here: they become faults, not warnings.
    with np.errstate(invalid="ignore"):
        return _Cleaning(batch, options).run()


class _Cleaning:
    """One batch on its way through the steps.

    `geometry` holds what is worked on, `position` where each comes from in the batch;
    `source` the batch's geometries as they were before anything was judged, by position.
    """

    def __init__(self, batch: Batch, options: CleaningOptions) -> None:
        self._batch = batch
        self._options = options
        self._ledger = Ledger(batch)
        self._counts: Counter[str] = Counter()
        self.source = self._settled(batch.geometry)
        geometry, self.position = self._single_dimensions(self.source)
        self.geometry = geometry.copy()

    def run(self) -> Cleaned:
        self._keep_dimensions()
        self._keep_finite()
        self._keep_in_range()
        self._leave_out_repeated_points()
        if self._is_geographic(self._options.source_crs):
            self._unwrap()
        self._make_valid()
        if self._options.orient_rings:
            self._orient_rings()
        if self._is_geographic(self._options.source_crs):
            self._cut()
        self._reproject()
        return self._result()

    # 1. What the coordinates are.

    def _settled(self, geometry: Geometries) -> Geometries:
        self._counts["geometries"] += int((~shapely.is_missing(geometry)).sum())
        if self._ledger.faults:
            geometry = geometry.copy()
            geometry[list(self._ledger.faults)] = None
        geometry, self._counts["measures_left_out"] = dimensions.without_measures(geometry)
        if self._options.drop_z:
            geometry, self._counts["heights_left_out"] = dimensions.without_heights(geometry)
        elif self._options.add_z:
            geometry, self._counts["heights_added"] = dimensions.with_heights(geometry)
        if self._options.swap_axes:
            geometry = ordinates.swapped(geometry)
            self._counts["axes_swapped"] = int((~shapely.is_missing(geometry)).sum())
        return geometry

    # 2. One dimension each.

    def _single_dimensions(self, geometry: Geometries) -> tuple[Geometries, Rows]:
        unsupported = np.flatnonzero(dimensions.unsupported(geometry))
        empty = shapely.is_empty(geometry)
        if len(unsupported) or empty.any():
            geometry = geometry.copy()
            for position in unsupported:
                self._ledger.set_aside(
                    int(position),
                    Reason.UNSUPPORTED_GEOMETRY,
                    f"A table cannot hold a {geometry[position].geom_type}.",
                )
            geometry[unsupported] = None
            geometry[empty] = None
            self._counts["empty"] += int(empty.sum())
        geometry, positions, collections = dimensions.by_dimension(geometry)
        self._counts["collections_split"] += collections
        geometry, thinned = dimensions.without_empty_parts(geometry)
        for item in thinned:
            self._ledger.change(
                int(positions[item]), [RepairKind.EMPTY_PART], "Left out empty parts."
            )
        self._counts["empty_parts"] += len(thinned)
        return geometry, positions

    def _keep_dimensions(self) -> None:
        """Set aside what does not belong into the one table that takes the whole layer."""
        wanted = self._options.dimensions
        if wanted is None:
            return
        accepted = [_NO_GEOMETRY if each is None else each for each in wanted]
        found = shapely.get_dimensions(self.geometry)
        belongs = ", ".join(_NAMES[each] for each in accepted)
        for item in np.flatnonzero(~np.isin(found, accepted)):
            self._reject(
                item,
                Reason.WRONG_DIMENSION,
                f"Consists of {_NAMES[found[item]]}; what belongs here: {belongs}.",
            )
        # The items of a record follow each other.
        again = np.flatnonzero(np.diff(self.position) == 0)
        for item in np.union1d(again, again + 1):
            self._reject(
                item,
                Reason.WRONG_DIMENSION,
                "Holds geometries of several dimensions, which are not one row of a table.",
            )

    # 3. Coordinates.

    def _keep_finite(self) -> None:
        for item in ordinates.not_finite(self.geometry):
            points = shapely.get_coordinates(self.geometry[item])
            number = int(np.flatnonzero(~np.isfinite(points).all(axis=1))[0])
            x, y = points[number]
            self._reject(
                item,
                Reason.BAD_COORDINATE,
                f"Point {number + 1} has coordinates that are not finite numbers: {x} {y}.",
            )

    def _keep_in_range(self) -> None:
        source = self._options.source_crs
        if source is None:
            return
        allowed = projection.range_of(source)
        if allowed.degrees:
            ranged = ordinates.in_degrees(self.geometry)
            self.geometry = ranged.geometry
            for item in ranged.clamped:
                self._change_item(
                    item,
                    RepairKind.CLAMPED,
                    "Brought back to 180 or 90 degrees what was beyond it by rounding.",
                )
            self._counts["clamped"] += len(ranged.clamped)
            limit = "beyond 360 degrees of longitude or 90 of latitude"
            outside = ranged.outside
        elif allowed.limits is not None and not self._options.elsewhere:
            outside = ordinates.outside(self.geometry, allowed.limits)
            limit = "far beyond where its CRS is used"
        else:
            return
        for item in outside:
            self._reject(
                item,
                Reason.OUT_OF_RANGE,
                f"Reaches {limit}: {_extent(self.geometry[item])}.",
            )

    # 4. Repeated points.

    def _leave_out_repeated_points(self) -> None:
        found = ordinates.without_repeated_points(self.geometry)
        self.geometry = found.geometry
        self._counts["repeated_points"] += len(found.positions)
        for item, at in zip(found.positions, found.first, strict=True):
            self._change_item(
                item,
                RepairKind.REPEATED_POINTS,
                "Left out repeated points.",
                at=(float(at[0]), float(at[1])),
            )

    # 5. and 8. The antimeridian.

    @staticmethod
    def _is_geographic(crs: str | None) -> bool:
        return crs is not None and projection.range_of(crs).degrees

    def _unwrap(self) -> None:
        for item in antimeridian.crossing(self.geometry):
            self.geometry[item] = antimeridian.unwrap(self.geometry[item])

    def _cut(self) -> None:
        west, _, east, _ = shapely.bounds(self.geometry).T
        for item in np.flatnonzero((west < -180) | (east > 180)):
            before = self.geometry[item]
            cut, turns = antimeridian.cut(before)
            self.geometry[item] = cut
            if turns == 1:
                kind, detail = RepairKind.LONGITUDE_WRAPPED, "Brought longitudes into -180 to 180."
                self._counts["longitudes_wrapped"] += 1
            else:
                kind, detail = RepairKind.ANTIMERIDIAN_CUT, "Cut at the antimeridian."
                self._counts["antimeridian_cut"] += 1
            self._change_item(item, kind, detail)
            if not shapely.is_valid(cut):
                self._mend(item, kind, detail)

    # 6. Validity.

    def _make_valid(self) -> None:
        """Repair what is invalid; GEOS looks at all, and Python only at what it finds."""
        invalid = np.flatnonzero(
            ~shapely.is_valid(self.geometry) & ~shapely.is_missing(self.geometry)
        )
        self._counts["invalid"] += len(invalid)
        repaired = repair_all(self.geometry[invalid], self._options.repair)
        outcomes = dict(zip(invalid, repaired, strict=True))
        for item, outcome in outcomes.items():
            self._take(item, outcome)
        self._judge_areas(
            {item: outcome for item, outcome in outcomes.items() if outcome.geometry is not None}
        )

    def _take(self, item: np.int64, outcome: Repaired) -> None:
        if outcome.fault is not None:
            self._reject(item, outcome.fault.reason, outcome.fault.detail)
            return
        self._ledger.change(
            int(self.position[item]), outcome.kinds, " ".join(outcome.details), outcome.at
        )
        self.geometry[item] = outcome.geometry

    def _judge_areas(self, outcomes: dict[np.int64, Repaired]) -> None:
        """Set aside what a repair changed by more than the share that is allowed.

        Without a CRS there are no square metres, but there is still a share.
        """
        items = np.array(
            [item for item, o in outcomes.items() if shapely.get_dimensions(o.reference) == 2],
            dtype=np.int64,
        )
        before = dimensions.as_array(outcomes[item].reference for item in items)
        after = self.geometry[items]
        drawn, drawn_after = self._on_map(before), self._on_map(after)
        on_map = ~(shapely.is_missing(drawn) | shapely.is_missing(drawn_after))
        self._judge(items[on_map], drawn[on_map], drawn_after[on_map], outcomes, measures.areas)
        self._judge(
            items[~on_map], before[~on_map], after[~on_map], outcomes, measures.planar_areas
        )

    def _judge(
        self,
        items: Rows,
        before: Geometries,
        after: Geometries,
        outcomes: dict[np.int64, Repaired],
        measure: measures.Measure,
    ) -> None:
        new = measure(after)
        old = new.copy()
        rebuilt = np.array([outcomes[item].rebuilt for item in items], dtype=bool)
        old[rebuilt] = measures.areas_before(before[rebuilt], after[rebuilt], new[rebuilt], measure)
        if measure is measures.areas:
            for item, area_before, area_after in zip(items, old, new, strict=True):
                self._ledger.judged(int(self.position[item]), float(area_before), float(area_after))
        changes = measures.share_changed(old, new)
        allowed = self._options.max_area_change
        for index in np.flatnonzero(changes > allowed + measures.ROUNDING):
            self._reject(
                items[index],
                Reason.REPAIR_CHANGES_AREA,
                f"The repair changes the area by {changes[index]:.3%}, more than the "
                f"{allowed:.3%} that max_area_change allows: from {old[index]:,.6g} to "
                f"{new[index]:,.6g}{' m²' if measure is measures.areas else ''}. "
                + " ".join(outcomes[items[index]].details),
            )

    def _mend(self, item: np.int64, kind: RepairKind, detail: str) -> None:
        """Make valid again what a step of ours made invalid."""
        outcome = repair(self.geometry[item], "structure")
        if outcome.fault is not None:
            self._reject(item, outcome.fault.reason, outcome.fault.detail)
            return
        self.geometry[item] = outcome.geometry
        self._change_item(item, kind, detail)

    # 7. Ring order.

    def _orient_rings(self) -> None:
        """Exterior rings counterclockwise, holes clockwise (RFC 7946, section 3.1.6)."""
        polygons = np.flatnonzero(shapely.get_dimensions(self.geometry) == 2)
        oriented = shapely.orient_polygons(self.geometry[polygons], exterior_cw=False)
        changed = ~shapely.equals_identical(self.geometry[polygons], oriented)
        self.geometry[polygons] = oriented
        for item in polygons[changed]:
            # MakeValid leaves rings in an order of its own: that was no fault of the source.
            if not self._ledger.is_reshaped(int(self.position[item])):
                self._change_item(
                    item, RepairKind.RING_ORDER, "Turned rings that went the wrong way."
                )
                self._counts["ring_order"] += 1

    # 9. Reprojection.

    def _reproject(self) -> None:
        source, target = self._options.source_crs, self._options.target_crs
        if source is None or same_crs(source, target):
            return
        self.geometry, failed = projection.project(self.geometry, source, target)
        limits = projection.range_of(target).limits
        if limits is not None:
            # Near a pole web mercator gives numbers, but no places.
            failed = np.union1d(failed, ordinates.outside(self.geometry, limits))
        for item in failed:
            self._reject(
                item,
                Reason.PROJECTION_FAILED,
                f"Has no place in {target}: {_extent(self.geometry[item])}.",
            )
        self._counts["reprojected"] += int((~shapely.is_missing(self.geometry)).sum())
        if self._is_geographic(target):
            self._unwrap()
        invalid = ~shapely.is_valid(self.geometry) & ~shapely.is_missing(self.geometry)
        for item in np.flatnonzero(invalid):
            self._mend(
                item, RepairKind.SELF_INTERSECTION, "The reprojection made it invalid: repaired."
            )
            self._counts["invalid_after_reprojection"] += 1
        if self._is_geographic(target):
            self._cut()

    # Keeping account.

    def _change_item(
        self, item: np.int64, kind: RepairKind, detail: str, at: Place | None = None
    ) -> None:
        self._ledger.change(int(self.position[item]), [kind], detail, at)

    def _reject(self, item: np.int64, reason: Reason, detail: str) -> None:
        self._ledger.set_aside(int(self.position[item]), reason, detail)
        self.geometry[item] = None

    def _on_map(self, geometry: Geometries) -> Geometries:
        return projection.to_wgs84(geometry, self._options.source_crs)

    def _result(self) -> Cleaned:
        chosen = self._ledger.loadable(self.position)
        rows = self.position[chosen]
        geometry = ordinates.without_negative_zeros(self.geometry[chosen])
        self._ledger.check(rows)
        wkb, self._counts["promoted"] = writing.promoted(
            writing.written(self._batch, rows, geometry),
            geometry,
            points=self._options.promote_points,
            others=self._options.promote_to_multi,
        )
        source_crs, target_crs = self._options.source_crs, self._options.target_crs
        repairs = self._ledger.repairs(self.source, source_crs, rows, geometry, target_crs)
        self._counts["repaired"] += len(repairs)
        points, owners = shapely.get_coordinates(geometry, return_index=True)
        return Cleaned(
            rows=rows,
            wkb=wkb,
            hashes=hashing.of_points(points, owners, len(geometry)),
            dimension=shapely.get_dimensions(geometry).astype(np.int8),
            repairs=repairs,
            faults=self._ledger.faults,
            fault_geometry=self._ledger.drawn_faults(self.source, source_crs),
            counts={step: count for step, count in self._counts.items() if count},
        )


def _extent(geometry: shapely.Geometry) -> str:
    west, south, east, north = shapely.bounds(geometry)
    if west == east and south == north:
        return f"{west:.10g} {south:.10g}"
    return f"x {west:.10g} to {east:.10g}, y {south:.10g} to {north:.10g}"
