"""The job's files between its stages: what each holds, and how it is written and read.

Each attempt at a task writes under a prefix of its own and names it in its result, which the
ledger fences: what an attempt that lost its lease still writes is never read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from core.job_definition import Workspace
from infrastructure.blob_lookup import BlobVersion
from services.ingest.quarantine import Quarantined

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of a document: the blob that its asset or link at `place` points at.

    `place` is the way to the object that holds the href: ['assets', 'red'] or ['links', 3].
    """

    place: tuple[str, str | int]
    source: BlobVersion

    @property
    def is_asset(self) -> bool:
        return self.place[0] == "assets"


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """An Item (or the Collection) as inventoried, and its files that are to be copied."""

    path: str
    document: JsonObject
    files: tuple[SourceFile, ...] = ()
    external_assets: int = 0

    def as_json(self) -> JsonObject:
        return asdict(self)

    @classmethod
    def from_json(cls, record: JsonObject) -> SourceDocument:
        files = tuple(
            SourceFile(tuple(each["place"]), BlobVersion(**each["source"]))
            for each in record["files"]
        )
        return cls(record["path"], record["document"], files, record["external_assets"])


@dataclass(frozen=True, slots=True)
class InvalidCog:
    """A GeoTIFF that was copied, and is not a valid COG or cannot be read."""

    item_id: str
    asset: str
    path: str
    reasons: list[str]


@dataclass(slots=True)
class CogReport:
    """The COG checks of one copy task. `rasters` counts equal facts of each asset key."""

    checked: int = 0
    valid: int = 0
    invalid: list[InvalidCog] = field(default_factory=list)
    rasters: list[JsonObject] = field(default_factory=list)

    def as_json(self) -> JsonObject:
        return asdict(self)

    @classmethod
    def from_json(cls, record: JsonObject) -> CogReport:
        invalid = [InvalidCog(**each) for each in record["invalid"]]
        return cls(record["checked"], record["valid"], invalid, record["rasters"])


def write_lines(workspace: Workspace, name: str, records: Iterable[JsonObject]) -> None:
    """Write records as newline-delimited JSON."""
    lines = (orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in records)
    workspace.write_bytes(name, b"".join(lines))


def read_lines(workspace: Workspace, name: str) -> Iterator[JsonObject]:
    """The records that `write_lines` wrote."""
    for line in workspace.read_bytes(name).splitlines():
        yield orjson.loads(line)


def write_quarantine(workspace: Workspace, name: str, quarantined: Iterable[Quarantined]) -> None:
    write_lines(workspace, name, (each.as_json() for each in quarantined))


def read_quarantine(workspace: Workspace, name: str) -> Iterator[Quarantined]:
    return (Quarantined.from_json(record) for record in read_lines(workspace, name))
