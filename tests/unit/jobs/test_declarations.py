"""What all job types declare: what they result in, and what their parameters name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any, get_args

import pytest

import jobs
from core.job_definition import JobDefinition, JsonObject
from core.picking import Pickable
from services.pickers import Picker

# The other modules of jobs/ hold triggers, and need the app's settings.
_NAMES = [
    module.name
    for module in pkgutil.iter_modules(jobs.__path__)
    if module.name.startswith(("curated_publish", "curated_update", "h3_", "hello_", "ingest_",
                               "inventory_", "process_"))
]  # fmt: skip

_CONTAINERS = ("container_name", "source_container", "target_container", "report_container")


@pytest.fixture(params=_NAMES)
def definition(request: pytest.FixtureRequest) -> JobDefinition[Any]:
    definition = importlib.import_module(f"jobs.{request.param}").JOB
    assert isinstance(definition, JobDefinition)
    return definition


def objects_of(schema: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """The objects with named fields of a schema, by their titles."""
    for each in (schema, *schema.get("$defs", {}).values()):
        if "properties" in each:
            yield each["title"], each


def test_the_types_are_found() -> None:
    assert {"hello_fan_out", "process_raster", "curated_update"} <= set(_NAMES)
    assert len(_NAMES) == 11


def test_what_it_results_in_is_declared(definition: JobDefinition[Any]) -> None:
    schema = definition.outputs_schema()
    assert schema is not None
    for title, each in objects_of(schema):
        assert each["additionalProperties"] is False, title
        for name, field in each["properties"].items():
            # A reference to a field that is left out now and then would fail now and then.
            assert name in each["required"] or "default" in field, f"{title}.{name}"


def test_the_fields_of_its_result_are_described(definition: JobDefinition[Any]) -> None:
    schema = definition.outputs_schema()
    assert schema is not None
    for name, field in schema["properties"].items():
        assert field.get("description"), name


def test_its_parameters_are_described(definition: JobDefinition[Any]) -> None:
    for name, field in definition.parameters.model_json_schema()["properties"].items():
        assert field.get("description"), name


def test_whatever_is_picked_is_picked_within_something(definition: JobDefinition[Any]) -> None:
    properties = definition.parameters.model_json_schema()["properties"]
    for name, field in properties.items():
        if name in _CONTAINERS:
            assert field["x-picker"] == "container"
        if field.get("x-picker") in ("blob", "stac_item"):
            within = {"blob": "container", "stac_item": "stac_collection"}[field["x-picker"]]
            assert properties[field["x-picker-of"]]["x-picker"] == within


def test_what_can_be_picked_is_what_is_offered() -> None:
    assert set(get_args(Pickable)) == {each.value for each in Picker}
