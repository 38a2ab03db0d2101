"""Spikes: points at which a ring turns back exactly onto itself."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Point = tuple[float, float]

RING_POINTS = 4

# x, y and what else a position has.
_Position = list[Any]


def turn_back(points: Points, ends: npt.NDArray[np.int64]) -> Mask:
    """Which closed rings turn back at some point, or have too few points to be a ring.

    The points of all rings are one after the other; `ends` says where each ring ends.
    """
    starts = np.concatenate([[0], ends[:-1]])
    result: Mask = ends - starts < RING_POINTS
    lines = ends - starts > 1
    x_steps, y_steps = np.diff(points[:, 0]), np.diff(points[:, 1])
    # A step leads from every point of a ring but its last, which is its first again.
    leaving = np.ones(len(points), dtype=bool)
    leaving[ends[ends > starts] - 1] = False
    steps = np.flatnonzero(leaving)
    following = np.arange(1, len(points) + 1)
    following[ends[lines] - 2] = starts[lines]
    in_x, in_y = x_steps[steps], y_steps[steps]
    out_x, out_y = x_steps[following[steps]], y_steps[following[steps]]
    turning = (in_x * out_y == in_y * out_x) & (in_x * out_x + in_y * out_y <= 0)
    ring_of_point = np.repeat(np.arange(len(ends)), ends - starts)
    result[ring_of_point[steps[turning]]] = True
    return result


def without_spikes(ring: Points) -> tuple[Points, Point | None]:
    """A closed ring without the points at which it turns back exactly onto itself.

    Returns the ring, and the tip of its first spike. Less than four points are left of a ring
    that encloses nothing.
    """
    if not turn_back(ring, np.array([len(ring)])).any():
        return ring, None
    tip: Point | None = None
    # As plain numbers: one at a time, numpy's take ten times as long.
    points: list[_Position] = ring.tolist()
    kept: list[_Position] = []
    for point in points[:-1]:
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


def _is_spike(a: _Position, b: _Position, c: _Position) -> Literal["turn", "stop"] | None:
    """Whether the way from a over b to c turns back on itself; "stop" where it stands still."""
    in_x, in_y, out_x, out_y = b[0] - a[0], b[1] - a[1], c[0] - b[0], c[1] - b[1]
    if in_x * out_y != in_y * out_x:
        return None
    along = in_x * out_x + in_y * out_y
    if along < 0:
        return "turn"
    # Equal points have no direction; only those are left of a product that is zero here.
    return "stop" if along == 0 else None


def _tip(turn: Literal["turn", "stop"], point: _Position) -> Point | None:
    return (point[0], point[1]) if turn == "turn" else None


def _equal(one: _Position, other: _Position) -> bool:
    return bool(one[0] == other[0] and one[1] == other[1])
