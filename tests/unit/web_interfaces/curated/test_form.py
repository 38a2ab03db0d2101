"""The fields of the form, and what they begin with."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from core.models.curated import CuratedDataset, CuratedDefinition
from services.curated import views
from web_interfaces.curated import form
from web_interfaces.pages.forms import Field

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def dataset(**fields: Any) -> CuratedDataset:
    return CuratedDataset.model_validate(
        {
            "dataset_id": "rivers",
            "name": "Rivers",
            "target_table_name": "curated_rivers",
            "handler": "vector_file",
            "revision": 3,
            "schedule_from": NOW,
            "source_version": None,
            "rejected_version": None,
            "last_checked_at": None,
            "last_updated_at": None,
            "last_job_id": None,
            "created_at": NOW,
            "updated_at": NOW,
            **fields,
        }
    )


def fields(groups: list[form.Group]) -> dict[str, Field]:
    return {field.name: field for group in groups for field in group.fields}


def test_a_new_dataset_can_be_given_every_field_of_its_definition() -> None:
    groups = form.groups(None)
    assert set(fields(groups)) == {*CuratedDefinition.model_fields, "key_columns"}
    assert [group.folded for group in groups] == [False, False, False, True]


def test_only_what_few_need_is_folded() -> None:
    *_, more = form.groups(None)
    assert not any(field.required for field in more.fields)


def test_one_that_is_registered_keeps_its_id_and_begins_with_what_it_has() -> None:
    known = dataset(
        update_schedule="0 2 1 * *",
        enabled=True,
        source_config={"key_columns": ["river_id", "part"], "layer": "rivers"},
        gates={"row_count_change_pct": None},
    )
    found = fields(form.groups(known.model_dump()))
    assert "dataset_id" not in found
    assert found["update_schedule"].default == "0 2 1 * *"
    assert found["enabled"].is_checked
    assert found["key_columns"].default == "river_id, part"
    assert found["key_columns"].into == "source_config"
    assert found["source_config"].default == '{"layer": "rivers"}'
    assert '"row_count_change_pct": null' in found["gates"].default
    assert found["description"].default == ""


def test_the_entity_tag_is_that_of_the_api() -> None:
    known = dataset()
    assert form.etag(known.model_dump()) == views.etag(known)
