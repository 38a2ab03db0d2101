"""A form follows from the parameters' schema, whatever the job."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, Field

from core.job_definition import JobParameters
from web_interfaces.pages.forms import Field as FormField
from web_interfaces.pages.forms import fields, texts


class Tier(StrEnum):
    ARCHIVE = "archive"
    ANALYSIS = "analysis"


class Window(BaseModel):
    width: int


class Parameters(JobParameters):
    tile_size: int = Field(default=512, ge=64, le=4096, description="Edge of a tile, in pixels")
    source_url: str = Field(description="Where the raster is", examples=["https://a.example/x"])
    scale: float | None = Field(default=None, gt=0, description="Metres per pixel")
    tier: Tier = Tier.ANALYSIS
    method: Literal["mode", "mean"] = "mode"
    overwrite: bool = False
    keep: bool = True
    bands: list[int] = [1, 2]
    window: Window | None = None
    day: date | None = None


def form(**given: str) -> dict[str, FormField]:
    return {field.name: field for field in fields(Parameters.model_json_schema(), given)}


def test_required_fields_come_first() -> None:
    assert list(form())[:2] == ["source_url", "tile_size"]
    assert form()["source_url"].required
    assert not form()["tile_size"].required


def test_each_type_has_its_input() -> None:
    kinds = {name: field.kind for name, field in form().items()}
    assert kinds == {
        "source_url": "text",
        "tile_size": "integer",
        "scale": "number",
        "tier": "text",
        "method": "text",
        "overwrite": "boolean",
        "keep": "boolean",
        "bands": "json",
        "window": "json",
        "day": "date",
    }


def test_descriptions_limits_defaults_and_examples_are_shown() -> None:
    size = form()["tile_size"]
    assert (size.help, size.limits) == ("Edge of a tile, in pixels", "64 to 4,096")
    assert size.default == "512"
    assert form()["source_url"].placeholder == "e.g. https://a.example/x"
    assert form()["source_url"].label == "Source URL"
    assert form()["bands"].default == "[1, 2]"
    assert form()["scale"].default == ""
    assert form()["scale"].limits == "more than 0"
    assert form()["source_url"].limits == ""


def test_choices_come_from_enumerations_and_literals() -> None:
    assert form()["tier"].choices == ("archive", "analysis")
    assert form()["tier"].default == "analysis"
    assert form()["method"].choices == ("mode", "mean")


def test_a_checkbox_begins_as_its_default() -> None:
    assert not form()["overwrite"].is_checked
    assert form()["keep"].is_checked


def test_a_similar_job_fills_the_form_with_the_parameters_of_this_one() -> None:
    parameters = Parameters(source_url="https://b.example", overwrite=True, bands=[3])
    filled = form(**texts(parameters.model_dump(mode="json")))
    assert filled["source_url"].default == "https://b.example"
    assert filled["overwrite"].is_checked
    assert filled["bands"].default == "[3]"
    assert filled["scale"].default == ""


def test_choices_keep_their_type() -> None:
    class Choices(JobParameters):
        only: Literal["one"] = "one"
        zoom: Literal[4, 8] = 4

    only, zoom = fields(Choices.model_json_schema(), {})
    assert (only.kind, only.choices) == ("text", ("one",))
    assert (zoom.kind, zoom.choices, zoom.default) == ("integer", ("4", "8"), "4")


def test_limits_are_not_said_twice() -> None:
    class Share(JobParameters):
        share: float = Field(ge=0, le=1, description="Share that may fail, 0 to 1")

    [field] = fields(Share.model_json_schema(), {})
    assert field.limits == ""
