"""What an update would change, or a version that is held: counts, and some of the rows by key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from core.models.curated import UpdateStatus


@dataclass(frozen=True, slots=True)
class Sample:
    """Some of the rows that are added, updated or deleted, as one text each."""

    title: str
    count: int
    rows: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        return len(self.rows) == self.count


def last_dry_run(history: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The newest dry run that came to its end; None where something was published since."""
    for entry in history:
        if entry["status"] == UpdateStatus.COMPLETED:
            return entry if entry["dry_run"] else None
    return None


def samples(changes: Mapping[str, Any]) -> list[Sample]:
    """What is added, updated and deleted, where anything is.

    A sample's rows are {key: {column: value}} with the `columns` that differ.
    """
    found = [
        Sample(
            title,
            changes.get(kind) or 0,
            tuple(_row(row) for row in changes.get(f"{kind}_sample") or ()),
        )
        for kind, title in (("added", "Added"), ("updated", "Changed"), ("deleted", "Removed"))
    ]
    return [sample for sample in found if sample.count]


def _row(row: Mapping[str, Any]) -> str:
    key = ", ".join(f"{name} {value}" for name, value in (row.get("key") or {}).items())
    columns = row.get("columns")
    return f"{key}: {', '.join(columns)}" if columns else key
