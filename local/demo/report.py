"""What the demo shows: lines for people, which need no terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from local.demo.api import Job


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
    """The figures of a job's result, one a line; longer things are counted."""
    if not isinstance(result, dict):
        return [] if result is None else [str(result)]
    lines = []
    for key, value in result.items():
        shown = f"{len(value)}" if isinstance(value, (list, dict)) else str(value)
        lines.append(f"  {key.replace('_', ' '):<28} {shown}")
    return lines


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
    lines.append(f"  {len(items)} items, {assets} assets")
    return lines
