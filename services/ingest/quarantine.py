"""Items that are not registered, each with its reason. Nothing is dropped without one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Reason(StrEnum):
    """Why an item is not registered."""

    MISSING_SIDECAR = "missing_sidecar"
    UNREADABLE_SIDECAR = "unreadable_sidecar"
    INVALID_ITEM = "invalid_item"
    NO_ASSETS = "no_assets"
    MISSING_ASSET = "missing_asset"
    DUPLICATE_ID = "duplicate_id"
    OTHER_COLLECTION = "other_collection"
    OUTSIDE_CONTAINER = "outside_container"
    TARGET_EXISTS = "target_exists"
    SOURCE_CHANGED = "source_changed"
    COPY_FAILED = "copy_failed"


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One item that was found but not registered. `href` is where it was found, or its link."""

    href: str
    item_id: str | None
    reason: Reason
    message: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Quarantined:
        return cls(**{**record, "reason": Reason(record["reason"])})

    def __str__(self) -> str:
        return f"{self.item_id or self.href}: {self.message}"


def first_few(quarantined: Iterable[Quarantined], shown: int = 5) -> str:
    """The first of them in one line, for an error message."""
    listed = list(quarantined)
    more = f" (and {len(listed) - shown:,} more)" if len(listed) > shown else ""
    return "; ".join(str(each) for each in listed[:shown]) + more
