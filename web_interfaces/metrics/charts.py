"""Bar charts of tasks a minute: where bars, marks and labels go. The templates draw them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from core.counting import counted
from core.models.throughput import Span, Throughput
from web_interfaces.pages import formats

HEIGHT = 100
"""Units of the drawing from the axis to the highest mark; a bar is `STEP` units wide."""

STEP = 10
_GAP = 2

# Marks on the axis of time, both ends among them.
_TIMES = 5

_SPAN_WORDS = {
    Span.HOUR: "the last hour",
    Span.DAY: "the last 24 hours",
    Span.WEEK: "the last 7 days",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of the drawing, in its units, and what it stands for."""

    x: int
    y: float
    width: int
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars over time. `marks` are the labels of the rate's axis, from its top to 0."""

    name: str
    width: int
    bars: tuple[Bar, ...]
    marks: tuple[str, str, str]
    times: tuple[str, ...]


def charts(throughput: Throughput) -> tuple[Chart, Chart]:
    """One chart of the tasks that ended, and one, with an axis of its own, of those that failed:
    on the first's axis a few failures would not be seen."""
    points = throughput.points
    ended = [point.ended_per_minute for point in points]
    failed = [point.failed_per_minute for point in points]
    begins = [point.begins for point in points]
    return (
        _chart("Tasks a minute", ended, begins, throughput.span),
        _chart("Failures a minute", failed, begins, throughput.span),
    )


def summary(throughput: Throughput) -> str:
    """What the charts show, in a sentence or two."""
    total, within = throughput.total, _SPAN_WORDS[throughput.span]
    if not total.ended:
        return f"No task ended within {within}."
    text = f"{counted(total.ended, 'task')} ended within {within}"
    if total.failed:
        text += f", {formats.number(total.failed)} of them failed"
        text += f" ({formats.percent(total.failed_pct)})"
    else:
        text += ", none failed"
    if (busiest := throughput.busiest) is not None:
        text += (
            f". Most at {time_label(busiest.begins, throughput.span)} UTC, "
            f"{formats.rate(busiest.ended_per_minute)} a minute"
        )
    return f"{text}."


def time_label(time: datetime, span: Span) -> str:
    """A time as the axis has it, in UTC: '14:05', or 'Mon 14:00' of a week."""
    return time.astimezone(UTC).strftime("%a %H:%M" if span is Span.WEEK else "%H:%M")


def _chart(name: str, values: Sequence[float], begins: Sequence[datetime], span: Span) -> Chart:
    top = _top(max(values, default=0.0))
    bars = tuple(
        Bar(
            x=index * STEP + _GAP // 2,
            y=round(HEIGHT - _height(value, top), 1),
            width=STEP - _GAP,
            height=_height(value, top),
            title=f"{time_label(begins[index], span)}: {formats.rate(value)}",
        )
        for index, value in enumerate(values)
        if value > 0
    )
    return Chart(
        name=name,
        width=max(len(values), 1) * STEP,
        bars=bars,
        marks=(_mark(top), _mark(top / 2), "0"),
        times=_times(begins, span),
    )


def _height(value: float, top: float) -> float:
    """However little it is, that there was something is seen."""
    return max(1.5, round(HEIGHT * value / top, 1))


def _top(highest: float) -> float:
    """The next round number: 1, 2, 4, 6, 8 or 10 times a power of ten, whose half is round too."""
    if highest <= 2:
        return 2.0
    power = 10 ** math.floor(math.log10(highest))
    return float(next(step * power for step in (1, 2, 4, 6, 8, 10) if highest <= step * power))


def _mark(value: float) -> str:
    """12000 -> '12k': the labels have little room."""
    if value >= 1_000_000:
        return f"{value / 1_000_000:g}M"
    return f"{value / 1_000:g}k" if value >= 1_000 else f"{value:g}"


def _times(begins: Sequence[datetime], span: Span) -> tuple[str, ...]:
    if not begins:
        return ()
    last = len(begins) - 1
    return tuple(
        time_label(begins[round(part * last / (_TIMES - 1))], span) for part in range(_TIMES)
    )
