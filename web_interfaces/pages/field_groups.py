"""The fields of a long form in groups: what must be said first, the rest by what it is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from web_interfaces.pages.forms import Field

# So few are seen at one look.
_SHORT_FORM = 6

_REST = "More settings"

# Parameters are named alike in all job types; what is not named here goes with the rest.
_TOPICS: dict[str, tuple[str, ...]] = {
    "What is read": (
        "container_name", "blob_name", "blob_names", "prefix", "source_url", "source_container",
        "collection_json_path", "source_collection_id", "layer", "x_column", "y_column",
        "wkt_column", "encoding", "item_id", "asset", "band",
    ),
    "What becomes of it": (
        "table_name", "schema", "mode", "key_columns", "target_container", "collection_id",
        "output_tier", "target_crs", "statistics", "report_container", "h3_theme",
    ),
    "Area and time": (
        "iso3", "bbox", "polygon", "datetime", "acquired", "start_datetime", "end_datetime",
        "flood_types", "defences", "years", "ssps", "from_date", "to_date",
    ),
    "How it is described": (
        "title", "description", "attribution", "license", "licence", "unit", "restricted",
    ),
    "Speed and memory": (
        "max_parallel", "memory_mb", "batch_size", "chunk_rows", "window_gb", "grid_size",
        "block_size",
    ),
}  # fmt: skip
_TOPIC_OF = {name: topic for topic, names in _TOPICS.items() for name in names}

# What is read where nothing is filled in, and what is made where the schema has a default.
_EITHER = "collection_id"

# What a job reads is looked for first, even where none of its ways is required by itself.
_OPEN = "What is read"


@dataclass(frozen=True, slots=True)
class FieldGroup:
    """Fields under a title ("" for the first ones); those that are `folded` can be left alone."""

    title: str
    fields: tuple[Field, ...]
    folded: bool


def grouped(fields: Sequence[Field]) -> list[FieldGroup]:
    """The fields of a form: the required ones, then the others by topic, folded but for what is
    read, and for groups in which something else than the default is filled in.

    A form of few fields is not divided.
    """
    if len(fields) <= _SHORT_FORM:
        return [FieldGroup("", tuple(fields), folded=False)]
    required = tuple(field for field in fields if field.required)
    groups = [FieldGroup("", required, folded=False)] if required else []
    for topic in (*_TOPICS, _REST):
        of_topic = tuple(field for field in fields if not field.required and _topic(field) == topic)
        if of_topic:
            folded = topic != _OPEN and not any(field.is_filled for field in of_topic)
            groups.append(FieldGroup(topic, of_topic, folded))
    return groups


def _topic(field: Field) -> str:
    if field.name == _EITHER and not field.default_json:
        return _OPEN
    return _TOPIC_OF.get(field.name, _REST)
