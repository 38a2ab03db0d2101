"""Long forms are divided by what their fields are about."""

from __future__ import annotations

from typing import Any

import pytest

from core.job_definition import JobDefinition
from jobs.h3_raster_aggregation import JOB as AGGREGATION
from jobs.hello_fan_out import JOB as HELLO
from jobs.ingest_collection import JOB as INGEST
from jobs.process_fathom_merge import JOB as MERGE
from jobs.process_raster import JOB as RASTER
from jobs.process_raster_collection import JOB as RASTERS
from jobs.process_vector import JOB as VECTOR
from web_interfaces.pages.field_groups import grouped
from web_interfaces.pages.forms import fields

JOBS = (AGGREGATION, HELLO, INGEST, MERGE, RASTER, RASTERS, VECTOR)


def groups_of(job: JobDefinition[Any], **given: str) -> dict[str, tuple[list[str], bool]]:
    schema = job.parameters.model_json_schema()
    return {
        group.title: ([field.name for field in group.fields], group.folded)
        for group in grouped(fields(schema, given))
    }


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_every_field_is_in_one_group_and_none_that_is_required_is_folded(
    job: JobDefinition[Any],
) -> None:
    schema = job.parameters.model_json_schema()
    groups = grouped(fields(schema, {}))
    names = [field.name for group in groups for field in group.fields]
    assert sorted(names) == sorted(schema["properties"])
    assert not any(field.required for group in groups if group.folded for field in group.fields)


def test_a_short_form_is_not_divided() -> None:
    assert groups_of(HELLO) == {"": (["n", "sleep_ms", "failure_rate"], False)}


def test_what_is_read_is_open_and_what_can_be_left_alone_is_folded() -> None:
    groups = groups_of(VECTOR)
    assert groups["What is read"][0][:3] == ["container_name", "blob_name", "source_url"]
    assert [title for title, (_, folded) in groups.items() if not folded] == ["What is read"]


def test_a_group_in_which_something_is_filled_in_is_open() -> None:
    assert not groups_of(VECTOR, max_parallel="9")["Speed and memory"][1]


def test_a_collection_is_read_or_made() -> None:
    assert "collection_id" in groups_of(AGGREGATION)["What is read"][0]
    assert "collection_id" in groups_of(RASTER)["What becomes of it"][0]
