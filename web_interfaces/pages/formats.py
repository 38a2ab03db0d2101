"""How numbers, times and states read on the pages."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup, escape

NOTHING = "\N{EN DASH}"

_ACRONYMS = {word.lower(): word for word in ("COG", "CRS", "H3", "ID", "JSON", "STAC", "URL")}

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def number(value: float | None) -> str:
    """12345 -> '12,345', 0.25 -> '0.25', None -> a dash."""
    if value is None:
        return NOTHING
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}".rstrip("0").rstrip(".")


def rate(per_minute: float) -> str:
    """Tasks per minute: two figures where it is slow, whole where it is fast."""
    return f"{per_minute:,.1f}" if 0 < per_minute < 10 else f"{per_minute:,.0f}"


def percent(value: float) -> str:
    """99.9 -> '99.9%', 100.0 -> '100%', and a share that is tiny but not nothing '<0.1%'."""
    if 0 < value < 0.1:
        return "<0.1%"
    return f"{value:.1f}".removesuffix(".0") + "%"


def duration(seconds: float | None) -> str:
    """Seconds as people say it, in two units at most: '4.2 s', '3 min 20 s', '2 h 5 min'."""
    if seconds is None:
        return NOTHING
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    for unit, name, smaller, smaller_name in (
        (_DAY, "d", _HOUR, "h"),
        (_HOUR, "h", _MINUTE, "min"),
        (_MINUTE, "min", 1, "s"),
    ):
        if whole >= unit:
            rest = whole % unit // smaller
            return f"{whole // unit} {name}" + (f" {rest} {smaller_name}" if rest else "")
    raise AssertionError("unreachable: a minute and more was handled")


def about(seconds: float) -> str:
    """An estimate, no more exact than it is: 'about 40 s', 'about 12 min', 'about 3 h'."""
    if seconds < 5:
        return "a few seconds"
    if seconds < 90:
        return f"about {math.ceil(seconds / 10) * 10} s"
    if seconds < 90 * _MINUTE:
        return f"about {round(seconds / _MINUTE)} min"
    if seconds < 36 * _HOUR:
        return f"about {round(seconds / _HOUR)} h"
    return f"about {round(seconds / _DAY)} d"


def between(start: datetime | None, end: datetime | None) -> str:
    """How long something took, or has taken so far."""
    if start is None:
        return NOTHING
    return duration(max(0.0, ((end or datetime.now(UTC)) - start).total_seconds()))


def ago(time: datetime | None) -> str:
    """'just now', '40 s ago', '3 min ago', '2 d ago'. In one unit: it is read at a glance."""
    if time is None:
        return NOTHING
    seconds = (datetime.now(UTC) - time).total_seconds()
    if seconds < 5:
        return "just now"
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= unit:
            return f"{int(seconds // unit)} {name} ago"
    return f"{int(seconds)} s ago"


def ahead(time: datetime | None) -> str:
    """'now', 'in 40 s', 'in 3 min', 'in 2 d': as `ago`, of what is to come."""
    if time is None:
        return NOTHING
    seconds = (time - datetime.now(UTC)).total_seconds()
    if seconds < 1:
        return "now"
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= unit:
            return f"in {int(seconds // unit)} {name}"
    return f"in {int(seconds)} s"


def iso(time: datetime | None) -> str:
    """ISO 8601 in UTC, to the second."""
    return "" if time is None else time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def utc(time: datetime | None) -> str:
    """'22 Nov 2026, 23:14:02 UTC'."""
    if time is None:
        return NOTHING
    return time.astimezone(UTC).strftime("%d %b %Y, %H:%M:%S UTC").removeprefix("0")


def utc_minute(time: datetime | None) -> str:
    """'22 Nov 2026, 23:14 UTC', for what is planned to the minute."""
    if time is None:
        return NOTHING
    return time.astimezone(UTC).strftime("%d %b %Y, %H:%M UTC").removeprefix("0")


def words(name: str) -> str:
    """completed_with_errors -> 'completed with errors'."""
    return name.replace("_", " ")


def heading(name: str) -> str:
    """hello_fan_out -> 'Hello fan out', collection_json_path -> 'Collection JSON path'."""
    text = " ".join(_ACRONYMS.get(word, word) for word in name.split("_"))
    return text[:1].upper() + text[1:]


def anchor(name: str) -> str:
    """'Job types' -> 'job-types', to be linked to."""
    return "-".join(name.lower().split())


def with_code(text: str) -> Markup:
    """Words between backticks as code, all else escaped."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # one is left over: they are no pairs
        return escape(text)
    code = Markup("<code>{}</code>")
    return Markup("").join(
        code.format(part) if index % 2 else part for index, part in enumerate(parts)
    )


def brief(value: Any, length: int = 160) -> str:
    """A value in one line, cut where it is long. None is nothing."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"


def pretty(value: Any) -> str:
    """A value as JSON over several lines, to be copied."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def figure(value: Any, name: str) -> str:
    """A figure that a handler shows, read by its name: bytes_copied=183204551102 is '183.2 GB'."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return byte_size(value) if "bytes" in name.split("_") else number(value)
    return brief(value, 60)


def byte_size(size: float) -> str:
    """Bytes in decimal units, as storage is sold: 1500 -> '1.5 kB'."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if abs(size) < 1000 or unit == "TB":
            break
        size /= 1000
    return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:,.1f} {unit}"


def area(square_metres: float | None) -> str:
    """850.0 -> '850 m²', 2500000.0 -> '2.5 km²'."""
    if square_metres is None:
        return NOTHING
    if abs(square_metres) >= 1e5:
        return f"{_figures(square_metres / 1e6)} km²"
    return f"{_figures(square_metres)} m²"


def distance(metres: float | None) -> str:
    """850.0 -> '850 m', 2500.0 -> '2.5 km'."""
    if metres is None:
        return NOTHING
    return f"{_figures(metres / 1000)} km" if abs(metres) >= 1000 else f"{_figures(metres)} m"


def change(share: float | None) -> str:
    """A change as a share: 0.25 -> '+25%', 0 -> 'none'."""
    if share is None:
        return NOTHING
    percent_ = share * 100
    if abs(percent_) < 1e-6:
        return "none"
    sign = "+" if percent_ > 0 else "\N{MINUS SIGN}"
    if abs(percent_) < 0.01:
        return f"{sign}<0.01%"
    return f"{sign}{_figures(abs(percent_))}%"


def _figures(value: float) -> str:
    """Three significant figures at least, and never an exponent: 1234.5 -> '1,235'."""
    if value == 0:
        return "0"
    decimals = max(0, min(12, 2 - math.floor(math.log10(abs(value)))))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def short_first(values: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values before objects, and these before lists: the ledger keeps no order of names."""
    return dict(sorted(values.items(), key=lambda item: _depth(item[1])))


def _depth(value: Any) -> int:
    return 2 if isinstance(value, list) else 1 if isinstance(value, dict) else 0


def columns(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The keys of some objects, in the order in which they first appear."""
    return list(dict.fromkeys(key for row in rows for key in row))


def line(points: Sequence[float], width: int, height: int) -> str:
    """Points of an SVG polyline over the values, from 0 to a little above their maximum."""
    top = max(points, default=0) * 1.15 or 1
    step = width / max(len(points) - 1, 1)
    return " ".join(
        f"{index * step:.1f},{height - 1 - (height - 2) * value / top:.1f}"
        for index, value in enumerate(points)
    )
