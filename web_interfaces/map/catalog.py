"""What can be laid on the map: found by a text, or the first of each kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from core.models.feature_table import TableName
from services import pickers
from services.features.links import collection_id
from services.pickers import Picker
from services.raster.rendering import browsing
from web_interfaces.map.refs import Kind, Ref

# Of each kind, unless more are asked for.
_LISTED: Final = 10
_MOST: Final = 200


_PICKERS: Final = {Kind.VECTOR: Picker.TABLE, Kind.CELLS: Picker.H3_DATASET}


@dataclass(frozen=True, slots=True)
class Entry:
    """A layer to choose."""

    ref: Ref
    title: str
    note: str | None


@dataclass(frozen=True, slots=True)
class Group:
    """The layers of a kind: what people call them, and which jobs make more of them."""

    kind: Kind
    title: str
    empty: str
    job_types: Sequence[str]
    entries: Sequence[Entry]
    has_more: bool


_GROUPS: Final = (
    (
        Kind.VECTOR,
        "Vector data",
        "No table is published yet.",
        ("process_vector", "curated_update"),
    ),
    (
        Kind.ITEMS,
        "Outlines of rasters and other items",
        "No collection is in the catalog yet.",
        ("process_raster", "process_raster_collection", "ingest_collection"),
    ),
    (
        Kind.CELLS,
        "H3 statistics",
        "No statistics by H3 cells are there yet.",
        ("h3_raster_aggregation",),
    ),
)


def groups(text: str, more: Kind | None = None) -> list[Group]:
    """What holds the text in its name or title; of one kind more of it."""
    found = []
    for kind, title, empty, job_types in _GROUPS:
        entries = _found(kind, text[: pickers.MAX_TEXT], _MOST if kind is more else _LISTED)
        found.append(Group(kind, title, empty, job_types, *entries))
    return found


def _found(kind: Kind, text: str, limit: int) -> tuple[list[Entry], bool]:
    """The first that hold the text, and whether there are more."""
    if kind is Kind.ITEMS:
        return _with_items(text.lower(), limit)
    options = pickers.options(_PICKERS[kind], text, limit=limit)
    entries = [
        Entry(Ref(kind, _name(kind, each["value"])), each["label"], each["note"])
        for each in options["options"]
    ]
    return entries, options["more"]


def _with_items(text: str, limit: int) -> tuple[list[Entry], bool]:
    """Collections without an item, as those of tables, have no outlines."""
    found = [
        Entry(Ref(Kind.ITEMS, name), title, None)
        for name, title in browsing.collections()
        if text in f"{name} {title}".lower()
    ]
    return found[:limit], len(found) > limit


def _name(kind: Kind, value: str) -> str:
    """The collection of a table: those of the schema geo are called by the table alone."""
    if kind is not Kind.VECTOR:
        return value
    schema, _, table = value.partition(".")
    return collection_id(TableName(schema_name=schema, table_name=table))
