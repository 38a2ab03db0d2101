"""Schedules, states and gates of curated datasets in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core.schedules import Schedule

# What the badges of the other pages say the same with.
BADGES = {
    "updating": "running",
    "held": "completed_with_errors",
    "failed": "failed",
    "disabled": "idle",
    "never_updated": "queued",
    "current": "completed",
    "started": "running",
    "downloading": "running",
    "processing": "running",
    "completed": "completed",
    "skipped": "idle",
    "cancelled": "idle",
}
STATES = {
    "updating": "An update is under way.",
    "held": "A gate stopped the newest version: it waits for a person's word.",
    "failed": "The last attempt failed. What was published before stays.",
    "disabled": "The scheduler leaves it alone.",
    "never_updated": "Nothing is published yet.",
    "current": "Published, and kept current.",
}
# The same of a dataset that has no schedule.
_BY_HAND = {
    "never_updated": "Nothing is published yet. It is updated by hand only.",
    "current": "Published, and updated by hand only.",
}
GATES = {
    "min_rows": "Rows",
    "row_count_change_pct": "Change of the number of rows",
    "extent_change_pct": "Change of the extent",
    "invalid_pct": "Records set aside",
    "schema_drift": "Columns of the source",
}

_ACTIONS = {"publish": "approval", "rollback": "rollback"}

_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_EVENING, _MORNING = 20, 6


def says(dataset: Mapping[str, Any]) -> str:
    """How a dataset is, in a sentence."""
    state = dataset["state"]
    by_hand = _BY_HAND.get(state) if dataset["source_type"] == "manual" else None
    return dataset["reason"] or by_hand or STATES[state]


def begun_by(entry: Mapping[str, Any]) -> str:
    """What began an attempt: 'schedule', 'hand', 'job', or what it was instead of an update."""
    begun = {"scheduled": "schedule", "manual": "hand", "triggered": "job"}
    return _ACTIONS.get(entry["action"]) or begun[entry["update_type"]]


def asked_for(entry: Mapping[str, Any]) -> str | None:
    """What an attempt read in place of what was new: 'days 2024-01-01 to 2024-12-31', or 'file
    uploads/lakes.zip'."""
    asked = entry["details"].get("asked")
    if not asked:
        return None
    if "blob_name" in asked:
        return f"file {asked['container_name']}/{asked['blob_name']}"
    first, last = asked.get("from_date"), asked.get("to_date")
    if first is None or last is None:
        return f"days up to {last}" if first is None else f"days from {first}"
    return f"the day {first}" if first == last else f"days {first} to {last}"


def schedule(text: str) -> str:
    """'nightly at 02:00 UTC' for '0 2 * * *'; rarer shapes are 'by the schedule ...'.

    What it says is true of the schedule as `Schedule.parse` takes it, or it says nothing.
    """
    words = text.lower().split()
    if len(words) == 6 and words[0] == "0":
        words = words[1:]
    described = _described(*words) if len(words) == 5 else None
    return described or f"by the schedule {text}"


def next_times(parsed: Schedule, after: datetime, count: int = 3) -> list[datetime]:
    """The first due times after a moment."""
    times: list[datetime] = []
    while len(times) < count:
        times.append(parsed.next_after(times[-1] if times else after))
    return times


def _described(minute: str, hour: str, day: str, month: str, weekday: str) -> str | None:
    if day == month == weekday == "*" and (often := _often(minute, hour)):
        return often
    if not (minute.isdigit() and hour.isdigit()):
        return None
    at = f"at {int(hour):02}:{int(minute):02} UTC"
    days = _days(int(hour), day, month, weekday)
    return None if days is None else f"{days} {at}"


def _often(minute: str, hour: str) -> str | None:
    """Shorter intervals than a day, where they are even."""
    each = minute.removeprefix("*/")
    if hour == "*" and minute.startswith("*/") and each.isdigit() and 60 % int(each) == 0:
        return "every minute" if each == "1" else f"every {each} minutes"
    if not minute.isdigit():
        return None
    past = "on the hour" if int(minute) == 0 else f"at {int(minute)} minutes past the hour"
    if hour == "*":
        return f"every hour, {past}"
    each = hour.removeprefix("*/")
    if hour.startswith("*/") and each.isdigit() and 1 < int(each) < 24 and 24 % int(each) == 0:
        return f"every {each} hours, {past}"
    return None


def _days(hour: int, day: str, month: str, weekday: str) -> str | None:
    if month == "*" and day == "*":
        if weekday == "*":
            return "nightly" if hour < _MORNING or hour >= _EVENING else "every day"
        names = [_weekday(each) for each in weekday.split(",")]
        return None if None in names else f"every {_and(names)}"
    if weekday != "*" or not day.isdigit():
        return None
    if month == "*":
        return f"on the {_ordinal(int(day))} of every month"
    months = [_month(each) for each in month.split(",")]
    return None if None in months else f"on {_and([f'{int(day)} {each}' for each in months])}"


def _weekday(word: str) -> str | None:
    if word.isdigit():
        return _DAYS[int(word) % 7]
    return next((name for name in _DAYS if word in (name.lower(), name[:3].lower())), None)


def _month(word: str) -> str | None:
    if word.isdigit():
        return _MONTHS[int(word) - 1]
    return next((name for name in _MONTHS if word in (name.lower(), name[:3].lower())), None)


def _and(names: list[str | None]) -> str:
    words = [str(name) for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _ordinal(number: int) -> str:
    ending = "th" if 10 < number < 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
