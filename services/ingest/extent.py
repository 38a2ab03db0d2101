"""The extent of a collection, from the bounding boxes and times of its items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Interval = tuple[float, float]


@dataclass(slots=True)
class Extent:
    """Grows with each item: west, south, east, north in degrees (WGS84), and times in UTC."""

    south: float = 90.0
    north: float = -90.0
    start: datetime | None = None
    end: datetime | None = None
    _longitudes: set[Interval] = field(default_factory=set)

    def add_item(self, item: Mapping[str, Any]) -> None:
        """Take in a valid Item. One without a geometry has no place, only a time."""
        if item.get("bbox"):
            self.add_bbox(item["bbox"])
        properties = item["properties"]
        first = properties.get("start_datetime") or properties.get("datetime")
        last = properties.get("end_datetime") or properties.get("datetime")
        self.add_times(first, last)

    def add_bbox(self, bbox: list[float]) -> None:
        """Take in a box of 4 or 6 numbers. West beyond east means across the antimeridian."""
        half = len(bbox) // 2
        west, south, east, north = bbox[0], bbox[1], bbox[half], bbox[half + 1]
        self.south, self.north = min(self.south, south), max(self.north, north)
        self._longitudes.add((west, east))

    def add_times(self, first: str | None, last: str | None) -> None:
        """Take in a range of RFC 3339 times; None is open and changes nothing."""
        if first is not None:
            start = datetime.fromisoformat(first).astimezone(UTC)
            self.start = start if self.start is None else min(self.start, start)
        if last is not None:
            end = datetime.fromisoformat(last).astimezone(UTC)
            self.end = end if self.end is None else max(self.end, end)

    def add_declared(self, extent: Mapping[str, Any]) -> None:
        """Take in the extent of a Collection document."""
        self.add_bbox(extent["spatial"]["bbox"][0])
        self.add_times(*extent["temporal"]["interval"][0])

    def as_stac(self, declared: Mapping[str, Any]) -> dict[str, Any]:
        """The extent object. Where no item had a place, or a time, the declared one stays."""
        spatial, temporal = declared["spatial"], declared["temporal"]
        if self._longitudes:
            west, east = _cover(self._longitudes)
            spatial = {"bbox": [[west, self.south, east, self.north]]}
        if self.start is not None or self.end is not None:
            temporal = {"interval": [[_rfc3339(self.start), _rfc3339(self.end)]]}
        return {"spatial": spatial, "temporal": temporal}


def _cover(longitudes: Iterable[Interval]) -> Interval:
    """West and east of what covers all intervals.

    The plain minimum and maximum, unless an interval crosses the antimeridian: then what is
    left when the widest gap around the globe is taken out, or the whole circle.
    """
    intervals = sorted(longitudes)
    if all(west <= east for west, east in intervals):
        return intervals[0][0], max(east for _, east in intervals)
    # On a circle cut at 180 degrees, a crossing interval is two.
    cut = sorted(
        part
        for west, east in intervals
        for part in ([(west, east)] if west <= east else [(-180.0, east), (west, 180.0)])
    )
    reach, gap, found = cut[0][1], 0.0, (-180.0, 180.0)
    for west, east in cut[1:]:
        if west - reach > gap:
            gap, found = west - reach, (west, reach)
        reach = max(reach, east)
    return found


def _rfc3339(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
