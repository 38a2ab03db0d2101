"""A source that comes in parts: sightings of birds, whose files a test writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from core.models.curated import CuratedDataset, Delivers
from core.models.feature_table import ColumnType
from services.curated.file_store import FileStore
from services.curated.handler import (
    About,
    FetchedPart,
    Field,
    Handler,
    RemoteVersion,
    Run,
)
from services.vector.source_files import SourceRef

HEADER = "sighting,seen_on,species,number,changed,latitude,longitude\n"
_INTEGER, _REAL = ColumnType.INTEGER, ColumnType.REAL
FIELDS = (
    Field("sighting", sources=("sighting",)),
    Field("seen_on", ColumnType.DATE, ("seen_on",)),
    Field("species", sources=("species",)),
    Field("number", _INTEGER, ("number",)),
    Field("changed", _INTEGER, ("changed",)),
    Field("latitude", _REAL, ("latitude",)),
    Field("longitude", _REAL, ("longitude",)),
)


def line(key: str, species: str = "Tern", *, number: str = "1", **changed: Any) -> str:
    """One sighting as a line of a file."""
    values = {
        "seen_on": "2026-02-03",
        "changed": "10",
        "latitude": "1.5",
        "longitude": "30.25",
        **changed,
    }
    return ",".join(
        [key, values["seen_on"], species, number, values["changed"], values["latitude"],
         values["longitude"]]
    ) + "\n"  # fmt: skip


@dataclass
class Sightings(Handler):
    """Offers `parts`: for each the lines of its file without the header, or the keys that were
    deleted as {key: changed}. `on_fetch` is called with the number of a part before it is
    fetched."""

    name: ClassVar[str] = "sightings"
    title: ClassVar[str] = "Sightings"

    parts: Sequence[str | Mapping[str, int]] = ()
    version: str = "v1"
    delivers: Delivers = "increment"
    on_fetch: Callable[[int], None] = lambda _number: None
    header: str = HEADER
    fields: tuple[Field, ...] | None = FIELDS
    fetched: list[int] = field(default_factory=list)

    def check(self, run: Run) -> RemoteVersion:
        parts = [{"number": number} for number in range(len(self.parts))]
        return RemoteVersion(self.version, parts=parts, delivers=self.delivers)

    def fetch(self, run: Run, remote: RemoteVersion, files: FileStore) -> SourceRef:
        raise NotImplementedError

    def fetch_part(
        self, run: Run, remote: RemoteVersion, part: Mapping[str, Any], files: FileStore
    ) -> FetchedPart:
        number = int(part["number"])
        self.on_fetch(number)
        self.fetched.append(number)
        content = self.parts[number]
        source = f"part {number}"
        if isinstance(content, str):
            pieces = [self.header.encode(), content.encode()]
            return FetchedPart(files.ref(files.write(f"s-{number}.csv", pieces, source=source)))
        lines = [f"{key},{changed}\n".encode() for key, changed in content.items()]
        stored = files.write(
            f"deleted-{number}.csv", [b"sighting,changed\n", *lines], source=source
        )
        return FetchedPart(files.ref(stored), "deletions")

    def reading(self, dataset: CuratedDataset) -> Mapping[str, Any]:
        return {"x_column": "longitude", "y_column": "latitude", "source_crs": "EPSG:4326"}

    def describe(self, dataset: CuratedDataset) -> About:
        return About(
            fields=self.fields,
            key_columns=("sighting",),
            geometry="Point",
            delivers="increment",
            newest="changed",
        )
