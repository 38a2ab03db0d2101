"""What kinds of geometries raw coordinates describe, without building them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np

from services.vector.geometry.building import RawGeometry, build
from services.vector.geometry.ragged import DEPTHS

BBox = tuple[float, float, float, float]


@dataclass(slots=True)
class Survey:
    """The numbers of geometries by type (`None`: there is none), whether any has heights, and
    the extent, as far as the first positions of points, lines and rings tell it.
    """

    types: Counter[str] = field(default_factory=Counter)
    has_z: bool = False
    bbox: BBox | None = None

    def add(self, raws: Sequence[RawGeometry | None]) -> None:
        """Look at a batch. Those that cannot be built count as None."""
        groups: dict[str, list[Any]] = {}
        others: list[RawGeometry] = []
        for raw in raws:
            if raw is None:
                self.types["None"] += 1
                continue
            kind = raw.get("type") if isinstance(raw, dict) else None
            if isinstance(kind, str) and kind in DEPTHS and raw.get("coordinates"):
                groups.setdefault(kind, []).append(raw)
            else:
                others.append(raw)
        for kind, alike in groups.items():
            if not self._add_alike(kind, alike):
                for raw in alike:
                    if not self._add_alike(kind, [raw]):
                        others.append(raw)
        for raw in others:
            self._add_built(raw)

    def _add_alike(self, kind: str, raws: list[RawGeometry]) -> bool:
        """Count geometries of one type; False where some are not what they are said to be."""
        level: list[Any] = [raw["coordinates"] for raw in raws]
        for _ in range(DEPTHS[kind] - 2):
            if not _are_lists(level):
                return False
            level = list(chain.from_iterable(level))
        # Now a list of lists of positions, or for points of positions.
        if not _are_lists(level) or not all(level):
            return False
        positions = level if kind == "Point" else list(chain.from_iterable(level))
        firsts = level if kind == "Point" else [each[0] for each in level]
        if not _are_lists(positions) or not all(positions):
            return False
        try:
            places = np.array([(first[0], first[1]) for first in firsts], dtype=np.float64)
        except (TypeError, ValueError, IndexError, OverflowError):
            return False
        if places.ndim != 2 or not np.isfinite(places).all():
            return False
        self.types[kind] += len(raws)
        self.has_z |= max(map(len, positions)) > 2
        self._extend((*places.min(axis=0).tolist(), *places.max(axis=0).tolist()))
        return True

    def _add_built(self, raw: RawGeometry) -> None:
        geometry = build(raw).geometry
        if geometry is None:
            self.types["None"] += 1
            return
        self.types[geometry.geom_type] += 1
        self.has_z |= bool(geometry.has_z)
        self._extend(geometry.bounds)

    def _extend(self, bbox: tuple[float, ...]) -> None:
        if self.bbox is not None:
            west, south, east, north = self.bbox
            bbox = (
                min(west, bbox[0]),
                min(south, bbox[1]),
                max(east, bbox[2]),
                max(north, bbox[3]),
            )
        self.bbox = (bbox[0], bbox[1], bbox[2], bbox[3])


def _are_lists(values: list[Any]) -> bool:
    return set(map(type, values)) <= {list, tuple}
