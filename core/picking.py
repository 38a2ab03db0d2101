"""What a field of a job's parameters names, so that forms can offer what there is to choose."""

from __future__ import annotations

from typing import Literal

from pydantic import JsonValue

Pickable = Literal[
    "container",
    "blob",
    "dataset",
    "stac_collection",
    "stac_item",
    "table",
    "h3_dataset",
    "country",
]


def picks(what: Pickable, *, of: str | None = None) -> dict[str, JsonValue]:
    """What goes into a field's JSON schema (as `json_schema_extra`). `of` is the field that says
    within what: a blob's container, an item's collection. Other values may be written as well,
    as of things that are not there yet."""
    return {"x-picker": what} if of is None else {"x-picker": what, "x-picker-of": of}
