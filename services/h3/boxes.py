"""Boxes of longitude and latitude: made disjoint, grown, and cut into ones of about one size."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

from services.h3.model import Box

EARTH_RADIUS_M = 6_371_007.180918475  # of the sphere whose area is WGS84's, as H3 has it

_POLE, _HALF, _TURN = 90.0, 180.0, 360.0
_METRES_PER_DEGREE = math.radians(EARTH_RADIUS_M)

Span = tuple[float, float]


def partition(bounds: Sequence[Box], resolution: int, side_m: float) -> list[Box]:
    """Disjoint boxes that together cover the same as `bounds`, of about `side_m` metres a side.

    Each of the bounds is cut into bands of latitude, and each band evenly in longitude by its
    length where it is longest. So boxes next to a pole are wide in degrees, and few. No box is
    made narrower than a cell of `resolution`, though bounds may be.
    """
    side = max(side_m, _cell_side_m(resolution))
    return [piece for box in disjoint(bounds) for piece in _cut(box, side)]


def disjoint(bounds: Iterable[Box]) -> list[Box]:
    """Boxes that cover the same and do not overlap, from south to north."""
    boxes = sorted({(b.west, b.south, b.east, b.north) for b in bounds})
    latitudes = sorted({latitude for box in boxes for latitude in (box[1], box[3])})
    found: list[Box] = []
    # Longitudes that are covered up to the latitude that was reached, and since which latitude.
    under_way: dict[Span, float] = {}
    for south, north in itertools.pairwise(latitudes):
        spans = _joined((box[0], box[2]) for box in boxes if box[1] <= south and box[3] >= north)
        found += _boxes({s: since for s, since in under_way.items() if s not in spans}, south)
        under_way = {span: under_way.get(span, south) for span in spans}
    return found + (_boxes(under_way, latitudes[-1]) if latitudes else [])


def grown(bounds: Iterable[Box], degrees: float) -> list[Box]:
    """Boxes that hold every place within so many degrees (of a great circle) of the bounds."""
    return disjoint(piece for box in bounds for piece in _grown(box, degrees))


def common(one: Box, other: Box) -> Box | None:
    """What two boxes have in common, None where that is no more than an edge."""
    west, east = max(one.west, other.west), min(one.east, other.east)
    south, north = max(one.south, other.south), min(one.north, other.north)
    if west >= east or south >= north:
        return None
    return Box(west=west, south=south, east=east, north=north)


def halved(box: Box) -> list[Box]:
    """The two halves of a box, cut across where it is longer in metres."""
    if _parallel_m(box) > (box.north - box.south) * _METRES_PER_DEGREE:
        middle = (box.west + box.east) / 2
        sides = [{"east": middle}, {"west": middle}]
    else:
        middle = (box.south + box.north) / 2
        sides = [{"north": middle}, {"south": middle}]
    return [box.model_copy(update=side) for side in sides]


def longitudes_within(latitude: float, degrees: float) -> float:
    """How many degrees of longitude a circle of a radius in degrees reaches to either side of
    its middle; half a turn where it holds a pole."""
    if abs(latitude) + degrees >= _POLE:
        return _HALF
    return math.degrees(
        math.asin(math.sin(math.radians(degrees)) / math.cos(math.radians(latitude)))
    )


def _grown(box: Box, degrees: float) -> list[Box]:
    south, north = max(-_POLE, box.south - degrees), min(_POLE, box.north + degrees)
    reach = longitudes_within(max(abs(box.south), abs(box.north)), degrees)
    west, east = box.west - reach, box.east + reach
    if east - west >= _TURN:
        return [Box(west=-_HALF, south=south, east=_HALF, north=north)]
    spans = [(max(west, -_HALF), min(east, _HALF))]
    if west < -_HALF:
        spans.append((west + _TURN, _HALF))
    if east > _HALF:
        spans.append((-_HALF, east - _TURN))
    return [Box(west=w, south=south, east=e, north=north) for w, e in spans]


def _cut(box: Box, side: float) -> list[Box]:
    latitudes = _steps(box.south, box.north, (box.north - box.south) * _METRES_PER_DEGREE / side)
    pieces = []
    for south, north in itertools.pairwise(latitudes):
        band = Box(west=box.west, south=south, east=box.east, north=north)
        longitudes = _steps(box.west, box.east, _parallel_m(band) / side)
        pieces += [
            Box(west=west, south=south, east=east, north=north)
            for west, east in itertools.pairwise(longitudes)
        ]
    return pieces


def _parallel_m(box: Box) -> float:
    """Metres along the longest of a box's parallels."""
    nearest = 0.0 if box.south < 0 < box.north else min(abs(box.south), abs(box.north))
    return (box.east - box.west) * math.cos(math.radians(nearest)) * _METRES_PER_DEGREE


def _steps(first: float, last: float, wanted: float) -> list[float]:
    """Values from first to last, both to the digit, as far from each other as makes at least
    the wanted number of steps."""
    count = max(1, math.ceil(wanted - 1e-9))
    between = (first + (last - first) * step / count for step in range(1, count))
    return [first, *(value for value in between if first < value < last), last]


def _joined(spans: Iterable[Span]) -> list[Span]:
    joined: list[Span] = []
    for west, east in sorted(spans):
        if joined and west <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], east))
        else:
            joined.append((west, east))
    return joined


def _boxes(spans: dict[Span, float], north: float) -> list[Box]:
    return [Box(west=w, south=south, east=e, north=north) for (w, e), south in spans.items()]


def _cell_side_m(resolution: int) -> float:
    cells = 2 + 120 * 7**resolution
    return math.sqrt(4 * math.pi / cells) * EARTH_RADIUS_M
