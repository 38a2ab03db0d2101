"""The form that asks for an update: what every source takes, and what some can do beside that."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote, urlsplit

from core.job_definition import JsonObject
from services.curated.asking import UpdateRequest
from services.curated.handler import Option
from web_interfaces.pages.forms import Field, fields

_LABELS = {
    "force_update": "Read all of the source again",
    "from_date": "First day",
    "to_date": "Last day",
    "container_name": "Container",
    "blob_name": "Path of the file",
}
_HELP = {
    "force_update": "Also what is published already, or was rolled back. It takes as long as the "
    "first update did; the gates stay shut.",
    "from_date": "Empty: from the first one on",
    "to_date": "Empty: up to now",
    "container_name": "Where you have put the file",
    "blob_name": "Inside the container",
}
_ALWAYS = ("force_update",)
_OF_OPTIONS: Mapping[Option, tuple[str, str]] = {
    "days": ("from_date", "to_date"),
    "file": ("container_name", "blob_name"),
}
_ANY_FILE = "data.zip"


@dataclass(frozen=True, slots=True)
class UpdateForm:
    """The fields with the texts to begin with, and what was wrong with an earlier answer.

    `errors` are by the names of their fields, `problem` is about the whole, and `job_id` names the
    job that is in the way. `request_id` makes a form that is sent twice one update.
    """

    always: Sequence[Field]
    days: Sequence[Field]
    file: Sequence[Field]
    request_id: str
    errors: Mapping[str, str]
    problem: str | None = None
    job_id: str | None = None

    @property
    def first_at_fault(self) -> str | None:
        """The field that a person looks at first."""
        shown = (*self.always, *self.days, *self.file)
        return next((field.name for field in shown if field.name in self.errors), None)


def of(
    dataset: Mapping[str, Any],
    given: Mapping[str, str],
    *,
    request_id: str,
    errors: Mapping[str, str] | None = None,
    problem: str | None = None,
    job_id: str | None = None,
) -> UpdateForm:
    """The form for a dataset, as far as its handler can be asked, with the texts that are given.

    An error of a field that the form does not have is told with the problem.
    """
    found = {field.name: field for field in fields(UpdateRequest.model_json_schema(), given)}

    def named(names: Sequence[str]) -> list[Field]:
        return [replace(found[name], label=_LABELS[name], help=_HELP[name]) for name in names]

    def of_option(option: Option) -> list[Field]:
        return named(_OF_OPTIONS[option]) if option in dataset["options"] else []

    form = UpdateForm(
        always=named(_ALWAYS),
        days=of_option("days"),
        file=of_option("file"),
        request_id=request_id,
        errors=errors or {},
        problem=problem,
        job_id=job_id,
    )
    shown = {field.name for field in (*form.always, *form.days, *form.file)}
    elsewhere = [f"{name}: {text}" for name, text in form.errors.items() if name not in shown]
    if not elsewhere:
        return form
    return replace(form, problem=" ".join([*filter(None, [problem]), *elsewhere]))


def asked(texts: Mapping[str, str]) -> JsonObject:
    """What the texts of a sent form ask for, as the API has it: an empty one asks for nothing."""
    properties = UpdateRequest.model_json_schema()["properties"]
    filled = {name: text.strip() for name, text in texts.items() if text.strip()}
    return {
        name: text == "true" if properties.get(name, {}).get("type") == "boolean" else text
        for name, text in filled.items()
    }


def file_name(dataset: Mapping[str, Any]) -> str:
    """What the file is called that an operator uploads: as at the source's address."""
    path = unquote(urlsplit(dataset["source_url"] or "").path)
    return posixpath.basename(path) or _ANY_FILE
