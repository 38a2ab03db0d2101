"""Tasks that ended, over time: the bins that charts are drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)

# Of a bin that has just begun nothing can be said yet.
_LEAST_SECONDS = 30.0


class Span(StrEnum):
    """How far back a chart goes."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"

    @property
    def length(self) -> timedelta:
        return {
            Span.HOUR: timedelta(hours=1),
            Span.DAY: timedelta(days=1),
            Span.WEEK: timedelta(days=7),
        }[self]

    @property
    def bin_seconds(self) -> int:
        """How much time one bin holds: 60 to 168 of them make up the span."""
        return {Span.HOUR: 60, Span.DAY: 900, Span.WEEK: 3600}[self]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How many tasks completed, and how many failed."""

    completed: int = 0
    failed: int = 0

    @property
    def ended(self) -> int:
        return self.completed + self.failed

    @property
    def failed_pct(self) -> float:
        return round(100 * self.failed / self.ended, 2) if self.ended else 0.0

    def __add__(self, other: Outcomes) -> Outcomes:
        return Outcomes(self.completed + other.completed, self.failed + other.failed)


@dataclass(frozen=True, slots=True)
class Bin:
    """What ended within a stretch of time that begins at `begins`."""

    begins: datetime
    outcomes: Outcomes


@dataclass(frozen=True, slots=True)
class Point:
    """A bin as charts show it: tasks a minute. The bin may be one that goes on."""

    begins: datetime
    ended_per_minute: float
    failed_per_minute: float


@dataclass(frozen=True, slots=True)
class Throughput:
    """Tasks that ended within a span until `read_at`: a point for every bin of it, oldest first."""

    span: Span
    points: tuple[Point, ...]
    total: Outcomes
    read_at: datetime

    @property
    def busiest(self) -> Point | None:
        """The point with the highest rate; None where nothing ended.

        Not of a bin that goes on: what it comes to is not known yet.
        """
        width = timedelta(seconds=self.span.bin_seconds)
        whole = (point for point in self.points if point.begins + width <= self.read_at)
        best = max(whole, key=lambda point: point.ended_per_minute, default=None)
        return best if best is not None and best.ended_per_minute > 0 else None


def first_bin(span: Span, now: datetime) -> datetime:
    """When the first bin of a span begins that is drawn at `now`."""
    return _bin_of(now - span.length, span) + timedelta(seconds=span.bin_seconds)


def throughput(span: Span, bins: Sequence[Bin], now: datetime) -> Throughput:
    """Points for all bins of the span up to `now`, from the bins in which something ended."""
    found = {each.begins: each.outcomes for each in bins}
    width, begins, points = timedelta(seconds=span.bin_seconds), first_bin(span, now), []
    total = Outcomes()
    while begins <= now:
        outcomes = found.get(begins, Outcomes())
        total += outcomes
        seconds = min((now - begins).total_seconds(), span.bin_seconds)
        if seconds >= _LEAST_SECONDS:
            points.append(
                Point(
                    begins,
                    round(60 * outcomes.ended / seconds, 2),
                    round(60 * outcomes.failed / seconds, 2),
                )
            )
        begins += width
    return Throughput(span, tuple(points), total, now)


def _bin_of(time: datetime, span: Span) -> datetime:
    width = timedelta(seconds=span.bin_seconds)
    return _EPOCH + (time - _EPOCH) // width * width
