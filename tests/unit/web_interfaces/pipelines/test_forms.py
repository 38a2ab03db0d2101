"""What the builder offers, and what the dialog of a run asks for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import jobs
from core.models.pipeline import Pipeline
from core.registry import registry
from tests.support.settings import app_settings
from web_interfaces.pages.forms import fields
from web_interfaces.pipelines import palette
from web_interfaces.pipelines.inputs_form import schema_of


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    """Modules of triggers read the names of their queues when they are imported."""
    with app_settings():
        yield


def test_every_job_type_is_offered_once() -> None:
    jobs.discover()
    offered = [job.name for group in palette.groups(registry) for job in group.job_types]
    assert sorted(offered) == sorted(job.name for job in registry)


def test_job_types_stand_with_their_kind() -> None:
    jobs.discover()
    titles = {
        job.name: group.title for group in palette.groups(registry) for job in group.job_types
    }
    assert titles["process_vector"] == "Load and publish"
    assert titles["h3_raster_aggregation"] == "Count and summarise"
    assert titles["curated_update"] == "Keep data current"
    assert titles["hello_fan_out"] == "Try and other"


def test_inputs_are_fields_with_their_choices_defaults_and_pickers() -> None:
    pipeline = Pipeline.model_validate(
        {
            "name": "asked",
            "inputs": {
                "bucket": {"type": "string", "picker": "container"},
                "files": {
                    "type": "list",
                    "items": "string",
                    "description": "Paths",
                    "picker": "blob",
                },
                "level": {"type": "integer", "required": False, "default": 6},
                "mode": {"type": "string", "choices": ["append", "replace"]},
                "strict": {"type": "boolean", "required": False, "default": True},
            },
        }
    )
    found = {field.name: field for field in fields(schema_of(pipeline), {})}
    assert found["files"].kind == "lines"
    assert (found["files"].picker, found["files"].picker_of) == ("blob", "bucket")
    assert found["files"].help == "Paths"
    assert (found["level"].kind, found["level"].default) == ("integer", "6")
    assert not found["level"].required
    assert found["mode"].choices == ("append", "replace")
    assert found["mode"].required
    assert found["strict"].is_checked
    assert found["bucket"].picker_of == ""
