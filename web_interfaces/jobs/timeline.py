"""When the stages of a job waited and ran, as bars over one scale."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

# Units of the drawing's width. Its height is that of one row.
WIDTH = 1000
HEIGHT = 24

# Less than this cannot be seen.
_THINNEST, _SHORTEST = 4, 3


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the scale, in units of WIDTH."""

    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A stage. `waited` is the time from the end of the stage before (or the submission) until
    it began, `ran` that of its tasks. `thickness` grows with how many of them ran side by side.
    """

    stage: Mapping[str, Any]
    plan: Mapping[str, Any]
    waited: Span | None
    ran: Span | None
    waited_seconds: float | None
    ran_seconds: float | None
    starts_after_seconds: float | None
    thickness: float

    @property
    def y(self) -> float:
        return (HEIGHT - self.thickness) / 2


@dataclass(frozen=True, slots=True)
class Timeline:
    """The stages of a job over the time from its submission to its end, or to now."""

    bars: list[Bar]
    seconds: float


def timeline(job: Mapping[str, Any], now: datetime) -> Timeline:
    """The timeline of a job's report (`services.orchestration.report`)."""
    begins, ends = job["created_at"], job["finished_at"] or now
    seconds = max((ends - begins).total_seconds(), 0.001)
    plans = {plan["stage"]: plan for plan in job["stage_plans"]}
    widest = max((plan["max_parallel"] for plan in plans.values()), default=1)

    def span(start: datetime, end: datetime) -> Span:
        left = min(max((start - begins).total_seconds() / seconds, 0), 1) * WIDTH
        right = min(max((end - begins).total_seconds() / seconds, 0), 1) * WIDTH
        width = max(right - left, _SHORTEST)
        return Span(round(min(left, WIDTH - width), 1), round(width, 1))

    bars = []
    before = begins
    for stage in job["stages"]:
        plan = plans[stage["index"]]
        started, ended = stage["started_at"], stage["finished_at"]
        still = ended or ends
        bars.append(
            Bar(
                stage=stage,
                plan=plan,
                waited=span(before, started) if started and started > before else None,
                ran=span(started, still) if started else None,
                waited_seconds=(started - before).total_seconds() if started else None,
                ran_seconds=max((still - started).total_seconds(), 0) if started else None,
                starts_after_seconds=(started - begins).total_seconds() if started else None,
                thickness=_thickness(plan["max_parallel"], widest),
            )
        )
        before = ended or before
    return Timeline(bars, seconds)


def _thickness(parallel: int, widest: int) -> float:
    """By the logarithm: one task at a time is to be seen beside a thousand."""
    if widest <= 1:
        return HEIGHT / 2
    share = math.log(parallel) / math.log(widest)
    return round(_THINNEST + (HEIGHT - _THINNEST) * share, 1)


def ticks(seconds: float, count: int = 4) -> Sequence[float]:
    """Times on the scale, in seconds from its beginning, the first 0 and the last all of it."""
    return [seconds * index / count for index in range(count + 1)]
