"""What a job has read, and what it has published: things that people know by their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from core.addresses import bare

ThingKind = Literal[
    "blob",
    "url",
    "table",
    "stac_collection",
    "stac_item",
    "h3_dataset",
    "curated_dataset",
    "report",
]


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing that was read or published.

    `name` is, by kind: the path of a blob in the container `part_of`, where `*` at the end stands
    for all that begin so; an address without what may be a secret in it; a table as schema.name;
    the id of a collection, a dataset or, in the collection `part_of`, an item; of a report the id
    of its job, or its path in the container `part_of`.
    """

    kind: ThingKind
    name: str
    part_of: str | None = None

    @classmethod
    def blob(cls, container: str, path: str) -> Self:
        return cls("blob", path, container)

    @classmethod
    def url(cls, address: str) -> Self:
        """A file at an address, whose user, password and query nobody is shown."""
        return cls("url", bare(address))

    @classmethod
    def table(cls, name: str) -> Self:
        return cls("table", name)

    @classmethod
    def stac_collection(cls, collection_id: str) -> Self:
        return cls("stac_collection", collection_id)

    @classmethod
    def stac_item(cls, collection_id: str, item_id: str) -> Self:
        return cls("stac_item", item_id, collection_id)

    @classmethod
    def h3_dataset(cls, dataset_id: str) -> Self:
        return cls("h3_dataset", dataset_id)

    @classmethod
    def curated_dataset(cls, dataset_id: str) -> Self:
        return cls("curated_dataset", dataset_id)

    @classmethod
    def quality_report(cls, address: str) -> Self:
        """The report of a job's records, by its path in the API, which ends in the job's id."""
        return cls("report", address.rpartition("/")[2])

    @classmethod
    def report_file(cls, place: Mapping[str, Any]) -> Self:
        """A report that is a blob, by its place in a job's result: {container, path}."""
        return cls("report", place["path"], place["container"])

    @classmethod
    def file(cls, container: str | None, path: str | None, address: str | None) -> Self | None:
        """The one file that a job is given: a blob, or what is at an address; None for none."""
        if address is not None:
            return cls.url(address)
        return None if container is None or path is None else cls.blob(container, path)


@dataclass(frozen=True, slots=True)
class Lineage:
    """What was read and what was published, the main thing first. Of many alike only some are
    named: `MOST_ALIKE`."""

    read: tuple[Thing, ...] = ()
    published: tuple[Thing, ...] = ()


MOST_ALIKE = 20


def of(*things: Thing | None) -> tuple[Thing, ...]:
    """Those that there are, each once."""
    return tuple(dict.fromkeys(thing for thing in things if thing is not None))
