"""Circular arcs as lines: tables here hold straight segments only."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

Positions = npt.NDArray[np.float64]

# The angle between neighbouring points of a drawn arc; OGR's own default.
STEP: Final = math.radians(4)


def linearise(controls: Positions) -> Positions:
    """The line that follows a circular string.

    `controls` (n, 2 or 3) are the start, a point on the way and the end of each arc, the end
    of one being the start of the next. All control points are kept exactly; heights between
    them are interpolated. Points after the last whole arc are joined by straight segments.
    """
    arcs = (len(controls) - 1) // 2
    pieces = [controls[:1]]
    for number in range(arcs):
        start, middle, end = controls[2 * number : 2 * number + 3]
        pieces.append(_arc(start, middle, end))
    pieces.append(controls[2 * arcs + 1 :])
    return np.concatenate(pieces)


def _arc(start: Positions, middle: Positions, end: Positions) -> Positions:
    """The points after `start` up to and with `end`."""
    if not np.isfinite((start[:2], middle[:2], end[:2])).all():
        return np.stack((middle, end))
    if np.array_equal(start[:2], end[:2]):  # the one way to write a whole circle
        centre = (start[:2] + middle[:2]) / 2
        return np.concatenate(
            (_turn(start, middle, centre, math.pi), _turn(middle, end, centre, math.pi))
        )
    found = _centre(start[:2], middle[:2], end[:2])
    if found is None:
        return np.stack((middle, end))
    first, second, third = (_angle(point, found) for point in (start, middle, end))
    direction = 1 if _is_left(start, middle, end) else -1
    return np.concatenate(
        (
            _turn(start, middle, found, direction * _sweep(first, second, direction)),
            _turn(middle, end, found, direction * _sweep(second, third, direction)),
        )
    )


def _centre(start: Positions, middle: Positions, end: Positions) -> Positions | None:
    """The centre of the circle through three points; None where they are on one line."""
    a, b = middle - start, end - start
    cross = 2 * (a[0] * b[1] - a[1] * b[0])
    scale = float(np.abs((a, b)).max())
    if abs(cross) <= 1e-12 * scale * scale:
        return None
    aa, bb = float(a @ a), float(b @ b)
    offset = np.array([b[1] * aa - a[1] * bb, a[0] * bb - b[0] * aa]) / cross
    return np.asarray(start + offset, dtype=np.float64)


def _angle(point: Positions, centre: Positions) -> float:
    return math.atan2(point[1] - centre[1], point[0] - centre[0])


def _is_left(start: Positions, middle: Positions, end: Positions) -> bool:
    a, b = middle[:2] - start[:2], end[:2] - middle[:2]
    return bool(a[0] * b[1] - a[1] * b[0] > 0)


def _sweep(first: float, second: float, direction: int) -> float:
    """How far it is from one angle to the other, going in the direction."""
    return (direction * (second - first)) % math.tau


def _turn(start: Positions, end: Positions, centre: Positions, sweep: float) -> Positions:
    """From `start` (without it) around the centre to `end`, which is kept exactly."""
    count = max(1, math.ceil(abs(sweep) / STEP))
    share = np.arange(1, count + 1) / count
    angles = _angle(start, centre) + sweep * share
    points = start + share[:, None] * (end - start)
    radius = math.dist(start[:2], centre)
    points[:, 0] = centre[0] + radius * np.cos(angles)
    points[:, 1] = centre[1] + radius * np.sin(angles)
    points[-1] = end
    return points
