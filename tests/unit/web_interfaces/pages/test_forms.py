"""A form follows from the parameters' schema, whatever the job."""

from __future__ import annotations

import json
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

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
        "bands": "lines",
        "window": "json",
        "day": "date",
    }


def test_descriptions_limits_defaults_and_examples_are_shown() -> None:
    size = form()["tile_size"]
    assert (size.help, size.limits) == ("Edge of a tile, in pixels", "64 to 4,096")
    assert size.default == "512"
    assert form()["source_url"].placeholder == "e.g. https://a.example/x"
    assert form()["source_url"].label == "Source URL"
    assert form()["bands"].default == "1\n2"
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
    assert filled["bands"].default == "3"
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


Degrees = Annotated[float, Field(ge=-180, le=180)]


class Size(BaseModel):
    model_config = ConfigDict(extra="forbid")

    width: int = 10
    height: int | None = None


class Limits(BaseModel):
    """Where null means something else than the default, an empty input could not say it."""

    model_config = ConfigDict(extra="forbid")

    change: float | None = 20.0


class Rich(JobParameters):
    tiers: list[Tier] | None = None
    days: list[int] = Field(default=[], examples=[[1, 2]])
    columns: dict[str, Literal["text", "real"]] = {}
    tags: dict[str, str | int | bool] | None = None
    bbox: tuple[Degrees, Degrees, Degrees, Degrees] | None = Field(
        default=None, description="West, south, east, north"
    )
    size: Size = Size()
    limits: Limits = Limits()
    at: datetime | None = None
    nodata: float | Literal["nan"] | None = None
    drop: bool | Literal["auto"] = "auto"
    exact: bool | None = None
    notes: str = Field(default="", max_length=4000)
    blob_name: str | None = Field(
        default=None,
        examples=["a/b.tif", "c.tif"],
        json_schema_extra={"x-picker": "blob", "x-picker-of": "container_name"},
    )


def rich(**given: Any) -> dict[str, FormField]:
    told = {name: json.dumps(value) for name, value in given.items()}
    return {field.name: field for field in fields(Rich.model_json_schema(), told)}


def test_lists_maps_boxes_and_choices_have_inputs_of_their_own() -> None:
    assert {name: field.kind for name, field in rich().items()} == {
        "tiers": "checks",
        "days": "lines",
        "columns": "pairs",
        "tags": "pairs",
        "bbox": "tuple",
        "size": "object",
        "limits": "json",
        "at": "datetime",
        "nodata": "scalar",
        "drop": "scalar",
        "exact": "scalar",
        "notes": "text",
        "blob_name": "text",
    }
    assert rich()["tiers"].choices == ("archive", "analysis")
    assert rich()["days"].types == ("integer",)
    assert rich()["tags"].types == ("text", "integer", "boolean")
    assert rich()["columns"].limits == "values: text, real"
    assert rich()["nodata"].types == ("number", "text")
    assert rich()["nodata"].choices == ()
    assert rich()["drop"].choices == ("true", "false", "auto")
    assert rich()["exact"].choices == ("true", "false")
    assert rich()["notes"].is_long


def test_a_box_has_its_sides_and_an_object_its_fields() -> None:
    assert [part.label for part in rich()["bbox"].parts] == ["West", "South", "East", "North"]
    assert [part.default for part in rich(bbox=[1, 2.5, 3, 4])["bbox"].parts] == [
        "1", "2.5", "3", "4",
    ]  # fmt: skip
    assert [part.limits for part in rich()["bbox"].parts] == ["-180 to 180"] * 4
    size = {part.name: part.default for part in rich(size={"height": 7})["size"].parts}
    assert size == {"width": "10", "height": "7"}


def test_what_is_given_is_shown_as_it_is_written() -> None:
    filled = rich(
        tiers=["analysis"],
        days=[1, 2],
        columns={"a:b": "real"},
        at="2024-06-17T02:00:00+02:00",
        nodata=-9999,
    )
    assert filled["tiers"].checked == ("analysis",)
    assert filled["days"].default == "1\n2"
    assert filled["columns"].default == "a:b: real"
    assert rich()["at"].default == ""
    assert filled["nodata"].default == "-9999"


def test_a_time_begins_in_utc() -> None:
    given = texts({"at": "2024-06-17T02:00:00+02:00"})
    found = {field.name: field for field in fields(Rich.model_json_schema(), given)}
    assert found["at"].default == "2024-06-17T00:00:00"


def test_examples_and_pickers_are_those_of_the_schema() -> None:
    blob = rich()["blob_name"]
    assert [(each.json, each.text) for each in blob.examples] == [
        ('"a/b.tif"', "a/b.tif"),
        ('"c.tif"', "c.tif"),
    ]
    assert (blob.picker, blob.picker_of) == ("blob", "container_name")
    assert [each.json for each in rich()["days"].examples] == ["[1, 2]"]


def test_a_field_knows_whether_it_begins_with_its_default() -> None:
    assert not any(field.is_filled for field in rich().values())
    assert rich(drop=True)["drop"].is_filled
    assert rich(bbox=[1, 2, 3, 4])["bbox"].is_filled
    assert rich(size={"width": 11})["size"].is_filled
