"""The form of a dataset: what everyone fills in, and behind a fold what few need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from core.models.curated import CuratedDataset, CuratedDefinition
from services.curated import views
from web_interfaces.pages.forms import Field, fields, texts

_TITLES = {
    "What it is": ("dataset_id", "name", "description"),
    "Where it comes from": ("source_url", "key_columns"),
    "What becomes of it": ("target_table_name", "update_schedule", "update_strategy", "enabled"),
}
_REST = "More settings"

# Names of the model that say less to a person than these.
_LABELS = {
    "dataset_id": "ID",
    "source_url": "Address",
    "target_table_name": "Table",
    "update_schedule": "Schedule",
    "update_strategy": "Strategy",
    "enabled": "Update it by schedule",
    "source_config": "Settings of the handler",
    "credential_key": "Setting with the credentials",
}
_HELP = {
    "dataset_id": "Its name in addresses: small letters, digits and _, a letter first",
    "source_url": "Where the source is fetched from, beginning with https:// or http://",
    "target_table_name": "What it is published as: curated_, then small letters, digits and _",
}
_PLACEHOLDERS = {
    "name": "e.g. Rivers of Europe",
    "source_url": "e.g. https://example.org/rivers.gpkg",
    "target_table_name": "e.g. curated_rivers",
}
_KEY_COLUMNS = Field(
    name="key_columns",
    label="Key columns",
    help="Columns whose values name a record from version to version, with commas between. "
    "Without them versions are compared by content.",
    kind="list",
    required=False,
    default="",
    placeholder="e.g. river_id",
    choices=(),
    limits="",
    into="source_config",
)


@dataclass(frozen=True, slots=True)
class Group:
    """Fields under a title; those that are `folded` can be left alone."""

    title: str
    fields: list[Field]
    folded: bool


def groups(dataset: Mapping[str, Any] | None) -> list[Group]:
    """The form of a new dataset, or of one that is registered, which keeps its id."""
    given: dict[str, str] = {}
    keys = _KEY_COLUMNS
    if dataset is not None:
        definition = _definition(dataset)
        columns = definition["source_config"].pop("key_columns", [])
        keys = replace(keys, default=", ".join(columns))
        given = texts(definition)
    found = {each.name: each for each in fields(CuratedDefinition.model_json_schema(), given)}
    if dataset is not None:
        del found["dataset_id"]
    all_fields = {
        name: replace(
            field,
            label=_LABELS.get(name, field.label),
            help=_HELP.get(name, field.help),
            placeholder=_PLACEHOLDERS.get(name, field.placeholder),
        )
        for name, field in {**found, keys.name: keys}.items()
    }
    named = {name for names in _TITLES.values() for name in names}
    titled = [
        Group(title, [all_fields[name] for name in names if name in all_fields], folded=False)
        for title, names in _TITLES.items()
    ]
    rest = [field for name, field in all_fields.items() if name not in named]
    return [*(group for group in titled if group.fields), Group(_REST, rest, folded=True)]


def etag(dataset: Mapping[str, Any]) -> str:
    """The entity tag of what the form begins with, which the change is sent with."""
    return views.etag(registered(dataset))


def _definition(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """What a user has said of a dataset, as JSON."""
    return registered(dataset).model_dump(mode="json", include=set(CuratedDefinition.model_fields))


def registered(view: Mapping[str, Any]) -> CuratedDataset:
    """The dataset that a view shows."""
    return CuratedDataset.model_validate({name: view[name] for name in CuratedDataset.model_fields})
