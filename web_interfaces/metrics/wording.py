"""How the dashboard says what it knows only about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infrastructure.looked_up import Finding
from web_interfaces.pages import formats

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def spread(eta: float | None, within: Mapping[str, Any] | None) -> str:
    """What goes behind "about 12 min": '10 to 15', or '10 or more' where there is no end in sight.

    Empty where there is nothing to say, as where both ends are the estimate itself.
    """
    if eta is None or eta < 5 or within is None:
        return ""
    step = _step(eta)
    unit = 1 if step == 10 else step
    low = max(1, round(within["low"] / step)) * step // unit
    if within["high"] is None:
        return f"{low} or more"
    high = max(1, round(within["high"] / step)) * step // unit
    return f"{low} to {high}" if high > low else ""


def _step(seconds: float) -> int:
    """What an estimate is rounded to, as `formats.about` does."""
    if seconds < 90:
        return 10
    if seconds < 90 * _MINUTE:
        return _MINUTE
    return _HOUR if seconds < 36 * _HOUR else _DAY


def age(finding: Finding[Any]) -> str:
    """How old a figure is, where that matters; why there is none, or why it is old."""
    if finding.age_seconds is None:
        return finding.problem or "Not known yet: it is being looked up."
    if finding.problem:
        return f"{formats.duration(round(finding.age_seconds))} old: {finding.problem}"
    if finding.age_seconds >= 30:
        return f"{formats.duration(round(finding.age_seconds))} old"
    return ""
