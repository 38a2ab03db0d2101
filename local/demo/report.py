"""What the demo shows: lines for people, which need no terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.counting import counted

Job = dict[str, Any]
"""A job as the API gives it."""


def standing(job: Job) -> tuple[Any, ...]:
    """What makes a new progress line worth showing: time and rates alone do not."""
    counts = [
        (stage["status"], stage["tasks_completed"], stage["tasks_failed"])
        for stage in job["stages"]
    ]
    return (job["status"], job["stage"], *counts)


def progress(job: Job, seconds: float) -> str:
    """One line on where a job stands.

    Args:
        job: as the API gives it.
        seconds: since it was submitted.
    """
    stages = job["stages"]
    running = [stage for stage in stages if stage["status"] == "running"]
    stage = running[0] if running else None
    line = f"{seconds:7.1f} s  {job['status']:<10}"
    if stage is None:
        return line.rstrip()
    done, total = stage["tasks_completed"], stage["tasks_total"]
    counts = f"{done}/{total}" if total else ""
    line += f" {stage['index'] + 1}/{job['total_stages']} {stage['name']:<20} {counts:>9}"
    if stage["tasks_failed"]:
        line += f", {stage['tasks_failed']} failed"
    rate = job["rates"].get("tasks_per_minute")
    if rate:
        line += f"  {rate:.0f} tasks/min"
    return line.rstrip()


def result_lines(result: Any) -> list[str]:
    """A job's result, one figure a line: its message first, lists as their length."""
    if not isinstance(result, dict):
        return [] if result is None else [f"  {result}"]
    shown = {key: _shown(value) for key, value in result.items() if key != "message"}
    width = max((len(key) for key in shown), default=0)
    lines = [f"  {result['message']}"] if "message" in result else []
    for key, text in shown.items():
        if text:
            lines.append(f"  {key.replace('_', ' '):<{width}}  {text}")
    return lines


def _shown(value: Any) -> str:
    """A value in a few words; of a group its counts, and nothing where it has none."""
    if isinstance(value, dict):
        counts = {key: number for key, number in value.items() if type(number) is int}
        return ", ".join(f"{number} {key.replace('_', ' ')}" for key, number in counts.items())
    if isinstance(value, list):
        return str(len(value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def table(items: Sequence[dict[str, Any]], limit: int = 15) -> list[str]:
    """What was published, one item a line.

    Args:
        items: STAC items.
        limit: show so many, and say how many more there are.
    """
    shown = items[:limit]
    width = max([len(item["id"]) for item in shown] + [len("item")])
    lines = [f"  {'item':<{width}}  assets  west, south, east, north"]
    for item in shown:
        bbox = ", ".join(f"{degrees:.3f}" for degrees in item["bbox"])
        lines.append(f"  {item['id']:<{width}}  {len(item['assets']):>6}  {bbox}")
    if len(items) > limit:
        lines.append(f"  ... and {len(items) - limit} more")
    assets = sum(len(item["assets"]) for item in items)
    lines.append(f"  {counted(len(items), 'item')}, {counted(assets, 'asset')}")
    return lines
