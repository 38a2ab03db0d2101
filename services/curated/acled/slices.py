"""The days of a query cut into slices of about as many events each.

A slice is fetched by a task of its own, in a handful of requests. What falls on which day is not
asked for day by day: a year's events are counted, and taken to be spread evenly over the year.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from services.curated.handler import Days

# Four pages of ACLED's API, and some twenty megabytes.
TARGET_EVENTS = 20_000
# With which ACLED's events begin: what is dated before is in the first slice all the same.
FIRST_YEAR = 1997

_DAY = timedelta(days=1)

# How many events have their date in these days; None where the source does not say.
Count = Callable[[Days], int | None]


@dataclass(frozen=True, slots=True)
class _Piece:
    first: date
    last: date
    events: int


def cut(days: Days, total: int | None, count: Count, *, today: date, target: int) -> list[Days]:
    """`days` as slices without gaps, in order, which are open where `days` is.

    A slice is to have `target` events at most. `total` is the number of events in all of them; no
    slice is counted where that is few enough. Where the source does not say how many there are,
    each year is a slice.
    """
    if total is not None and total <= target:
        return [days]
    joined = _joined(_pieces(days, count, today, target), target)
    inner = [piece.last for piece in joined[:-1]]
    firsts = [days.first, *(last + _DAY for last in inner)]
    return [Days(first, last) for first, last in zip(firsts, [*inner, days.last], strict=True)]


def _pieces(days: Days, count: Count, today: date, target: int) -> Iterator[_Piece]:
    """Each year, cut into equal pieces where it has more events than a slice shall have. Years
    before the first and after today's are not gone through, whatever `days` says: what there
    were of them is in the first piece and the last."""
    beginning = date(FIRST_YEAR, 1, 1)
    first, last = max(days.first or beginning, beginning), min(days.last or today, today)
    if first > last:
        return
    for year in range(first.year, last.year + 1):
        begin, end = max(date(year, 1, 1), first), min(date(year, 12, 31), last)
        events = count(
            Days(
                days.first if year == first.year else begin,
                days.last if year == last.year else end,
            )
        )
        yield from _equal(begin, end, target if events is None else events, target)


def _equal(first: date, last: date, events: int, target: int) -> Iterator[_Piece]:
    length = (last - first).days + 1
    pieces = max(1, min(-(-events // target), length))
    edges = [first + timedelta(days=length * number // pieces) for number in range(pieces + 1)]
    for begin, end in pairwise(edges):
        yield _Piece(begin, end - _DAY, -(-events // pieces))


def _joined(pieces: Iterable[_Piece], target: int) -> list[_Piece]:
    """Neighbours put together as long as they are not too many."""
    joined: list[_Piece] = []
    for piece in pieces:
        before = joined[-1] if joined else None
        if before is not None and before.events + piece.events <= target:
            joined[-1] = _Piece(before.first, piece.last, before.events + piece.events)
        else:
            joined.append(piece)
    return joined
