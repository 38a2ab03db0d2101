"""The account of a batch: what was changed in which record, and which are set aside."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely

from services.vector.batch import Batch, Fault, Geometries, Rows
from services.vector.geometry import antimeridian, measures
from services.vector.geometry.dimensions import as_array
from services.vector.geometry.projection import to_wgs84
from services.vector.model import Reason, RepairKind

Place = tuple[float, float]

# Repairs that may change the shape: what they did is measured and drawn.
_RESHAPING = frozenset(
    {
        RepairKind.SPIKE,
        RepairKind.SELF_INTERSECTION,
        RepairKind.NESTED_SHELLS,
        RepairKind.NESTED_HOLES,
        RepairKind.HOLE_OUTSIDE_SHELL,
        RepairKind.REPEATED_PART,
        RepairKind.ZERO_AREA_PART,
        RepairKind.ANTIMERIDIAN_CUT,
    }
)


@dataclass(frozen=True, slots=True)
class Repair:
    """What was changed in the geometry of a record.

    `position` is the record's in its batch. `fault` is the place of the first thing that was
    wrong; it and the geometries are in WGS 84. Areas are square metres, lengths (perimeters
    of polygons) metres. The numbers and geometries are there where the shape was touched and
    its CRS is known, else None.
    """

    position: int
    kinds: list[RepairKind]
    detail: str | None = None
    fault: shapely.Point | None = None
    area_before: float | None = None
    area_after: float | None = None
    length_before: float | None = None
    length_after: float | None = None
    before: shapely.Geometry | None = None
    after: shapely.Geometry | None = None


@dataclass(slots=True)
class _Changes:
    """What was changed so far in a record. The place is in the source's CRS; areas, in square
    metres, are those that the repairs of its polygons were judged by."""

    kinds: list[RepairKind] = field(default_factory=list)
    details: list[str] = field(default_factory=list)
    at: Place | None = None
    area_before: float = 0.0
    area_after: float = 0.0


class Ledger:
    """Changes and faults, by position in the batch.

    It begins with what the reader mended and could not read. The first fault of a record is
    the one that counts.
    """

    def __init__(self, batch: Batch) -> None:
        self.faults: dict[int, Fault] = dict(batch.faults)
        self._records = len(batch)
        self._changes: dict[int, _Changes] = {}
        for position, kinds in batch.mended.items():
            self.change(position, kinds)

    def change(
        self,
        position: int,
        kinds: Iterable[RepairKind],
        detail: str | None = None,
        at: Place | None = None,
    ) -> None:
        """Note what was changed in a record, and its place unless an earlier change had one."""
        changes = self._changes.setdefault(position, _Changes())
        changes.kinds.extend(kind for kind in kinds if kind not in changes.kinds)
        if detail and detail not in changes.details:
            changes.details.append(detail)
        changes.at = changes.at or at

    def judged(self, position: int, area_before: float, area_after: float) -> None:
        """Note the areas, in square metres, of a repaired polygon of a record."""
        changes = self._changes.setdefault(position, _Changes())
        changes.area_before += area_before
        changes.area_after += area_after

    def set_aside(self, position: int, reason: Reason, detail: str) -> None:
        """Note why a record cannot be loaded."""
        self.faults.setdefault(position, Fault(reason, detail))

    def is_reshaped(self, position: int) -> bool:
        """Whether a change to the record may have changed its shape."""
        changes = self._changes.get(position)
        return changes is not None and not _RESHAPING.isdisjoint(changes.kinds)

    def loadable(self, positions: Rows) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which of some positions are not set aside."""
        kept = np.ones(self._records, dtype=bool)
        kept[list(self.faults)] = False
        return kept[positions]

    def check(self, rows: Rows) -> None:
        """Every record is loaded or set aside, and not both: anything else is a bug of ours."""
        seen = np.zeros(self._records, dtype=np.int8)
        seen[rows] = 1
        seen[list(self.faults)] += 2
        if not ((seen == 1) | (seen == 2)).all():
            raise RuntimeError("Cleaning lost a record, or both kept and rejected it.")

    def drawn_faults(
        self, source: Geometries, crs: str | None
    ) -> dict[int, shapely.Geometry | None]:
        """In WGS 84, what is set aside and has a place on the map."""
        positions = sorted(self.faults)
        drawn = to_wgs84(source[positions], crs)
        return {
            position: None if self.faults[position].reason is Reason.OUT_OF_RANGE else geometry
            for position, geometry in zip(positions, drawn, strict=True)
        }

    def repairs(
        self,
        source: Geometries,
        source_crs: str | None,
        rows: Rows,
        geometry: Geometries,
        target_crs: str,
    ) -> list[Repair]:
        """What is told of the records that were changed and are loaded.

        `source` holds the batch's geometries by position, `geometry` what became of them, the
        position of each being in `rows`.
        """
        loaded = set(rows.tolist())
        changed = sorted(p for p, c in self._changes.items() if c.kinds and p in loaded)
        reshaped = [position for position in changed if self.is_reshaped(position)]
        measured = self._measured(reshaped, source, source_crs, rows, geometry, target_crs)
        points = [_point(self._changes[position].at) for position in changed]
        places = to_wgs84(as_array(points), source_crs)
        return [
            Repair(
                position=position,
                kinds=self._changes[position].kinds,
                detail=" ".join(self._changes[position].details) or None,
                fault=place,
                **measured.get(position, {}),
            )
            for position, place in zip(changed, places, strict=True)
        ]

    def _measured(
        self,
        positions: list[int],
        source: Geometries,
        source_crs: str | None,
        rows: Rows,
        geometry: Geometries,
        target_crs: str,
    ) -> dict[int, dict[str, Any]]:
        """The measures and drawings of repairs, of those that have a place on the map."""
        if source_crs is None or not positions:
            return {}
        before = to_wgs84(source[positions], source_crs)
        after = _drawn_results(positions, rows, geometry, target_crs)
        known = np.flatnonzero(~(shapely.is_missing(before) | shapely.is_missing(after)))
        before, after = before[known], after[known]
        running_on = before.copy()
        for index in antimeridian.crossing(before):
            running_on[index] = antimeridian.unwrap(before[index])
        areas = [measures.areas(running_on), measures.areas(after)]
        lengths = [measures.lengths(before), measures.lengths(after)]
        measured: dict[int, dict[str, Any]] = {}
        for index, place in enumerate(known.tolist()):
            changes = self._changes[positions[place]]
            found: dict[str, Any] = {"before": before[index], "after": after[index]}
            found["length_before"], found["length_after"] = (float(x[index]) for x in lengths)
            if changes.area_before > 0:
                found["area_before"], found["area_after"] = changes.area_before, changes.area_after
            elif shapely.get_dimensions(after[index]) == 2:
                found["area_before"], found["area_after"] = (float(x[index]) for x in areas)
            measured[positions[place]] = found
        return measured


def _drawn_results(positions: list[int], rows: Rows, geometry: Geometries, crs: str) -> Geometries:
    """What records became, in WGS 84: of several rows a collection."""
    chosen = np.flatnonzero(np.isin(rows, positions))
    parts: dict[int, list[shapely.Geometry]] = {}
    for position, drawn in zip(rows[chosen].tolist(), to_wgs84(geometry[chosen], crs), strict=True):
        if drawn is not None:
            parts.setdefault(position, []).append(drawn)
    return as_array(_together(parts.get(position, [])) for position in positions)


def _together(parts: list[shapely.Geometry]) -> shapely.Geometry | None:
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else shapely.GeometryCollection(parts)


def _point(at: Place | None) -> shapely.Point | None:
    return None if at is None else shapely.Point(at)
