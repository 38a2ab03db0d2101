"""The smallest box of longitude and latitude around cells, also where they lie on both sides of
the antimeridian or around a pole."""

from __future__ import annotations

import numpy as np

from infrastructure.h3_repository import Bounds
from services.h3.model import Cells, Numbers
from services.h3.outlines import outlines

_HALF, _TURN = 180.0, 360.0
_AT_ONCE = 100_000


class Extent:
    """Grows by cells and boxes. What it keeps is the stretches of longitude in which there is
    anything, and how far south and north that goes."""

    def __init__(self) -> None:
        self._west: Numbers = np.empty(0)
        self._east: Numbers = np.empty(0)
        self._south, self._north = np.inf, -np.inf

    def add_cells(self, cells: Cells) -> None:
        """Take in the outlines of cells."""
        for first in range(0, len(cells), _AT_ONCE):
            found = outlines(cells[first : first + _AT_ONCE], -_HALF)
            self._add(found.x.min(axis=1), found.x.max(axis=1))
            self._south = min(self._south, float(found.y.min()))
            self._north = max(self._north, float(found.y.max()))

    def add_bounds(self, bounds: Bounds) -> None:
        """Take in what `bounds` of another extent gave."""
        west, south, east, north = bounds
        spans = [(west, east)] if west <= east else [(west, _HALF), (-_HALF, east)]
        self._add(np.array([span[0] for span in spans]), np.array([span[1] for span in spans]))
        self._south, self._north = min(self._south, south), max(self._north, north)

    def bounds(self) -> Bounds | None:
        """West, south, east, north in degrees; None where nothing was taken in.

        What is left of the circle without its widest gap: west lies beyond east where that gap
        does not hold the antimeridian.
        """
        if not len(self._west):
            return None
        gaps = np.append(self._west[1:], self._west[0] + _TURN) - self._east
        # Of equal gaps that at the antimeridian, which is the last one.
        widest = len(gaps) - 1 - int(np.argmax(gaps[::-1]))
        if gaps[widest] <= 0:
            return -_HALF, self._south, _HALF, self._north
        west = self._west[(widest + 1) % len(gaps)]
        return float(west), self._south, float(self._east[widest]), self._north

    def _add(self, west: Numbers, east: Numbers) -> None:
        """Take in stretches of longitude; those that meet become one."""
        west, east = np.append(self._west, west), np.append(self._east, east)
        order = np.argsort(west)
        west, reach = west[order], np.maximum.accumulate(east[order])
        begins = np.append(True, west[1:] > reach[:-1])
        self._west = west[begins]
        self._east = reach[np.append(begins[1:], True)]
