"""The registry's rows: revisions, what the scheduler counts from, and what geoforge finds out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from core.errors import NotFound
from core.models.curated import CuratedDataset, CuratedDefinition, Drift, Gates, SourceType
from infrastructure import curated_repository as datasets
from infrastructure import database
from infrastructure.database import Connection
from tests.support.curated_datasets import LAKES, forget_all, register
from tests.support.published import connect
from tests.support.settings import app_settings


@pytest.fixture
def db(ledger_url: str) -> Iterator[Connection]:
    with app_settings(DATABASE_URL=ledger_url), database.connect(autocommit=True) as connection:
        forget_all(connection)
        yield connection


def put_again(db: Connection, **fields: Any) -> CuratedDataset:
    definition = CuratedDefinition.model_validate({**LAKES, **fields})
    return datasets.replace(db, definition, definition.handler or "vector_file")


def test_a_dataset_comes_back_as_it_was_defined(db: Connection) -> None:
    definition = CuratedDefinition.model_validate(
        {
            **LAKES,
            "description": "Standing water",
            "source_config": {"layer": "lakes", "key_columns": ["id"]},
            "update_schedule": "0 3 * * 1",
            "credential_key": "LAKES_KEY",
            "restricted": True,
            "enabled": True,
            "gates": {"extent_change_pct": None, "refused_drift": ["new"]},
            "keep_versions": 5,
            "licence": "CC-BY",
            "attribution": "The lake office",
        }
    )
    dataset = datasets.insert(db, definition, "vector_file")

    assert dataset == datasets.get(db, "lakes")
    assert dataset is not None
    fields = set(CuratedDefinition.model_fields) - {"handler"}
    assert dataset.model_dump(include=fields) == definition.model_dump(include=fields)
    assert dataset.handler == "vector_file"
    assert dataset.gates == Gates(extent_change_pct=None, refused_drift=(Drift.NEW,))
    assert (dataset.revision, dataset.source_version, dataset.last_job_id) == (1, None, None)
    assert dataset.schedule_from == dataset.created_at


def test_an_id_is_taken_once(db: Connection) -> None:
    register(db)
    other = CuratedDefinition.model_validate({**LAKES, "target_table_name": "curated_ponds"})
    assert datasets.insert(db, other, "vector_file") is None
    assert datasets.get(db, "lakes").target_table_name == "curated_lakes"


def test_an_unknown_one_is_refused_naming_those_like_it(db: Connection) -> None:
    register(db)
    register(db, dataset_id="wdpa", target_table_name="curated_wdpa")
    with pytest.raises(NotFound, match="Did you mean lakes") as unknown:
        datasets.get(db, "lake")
    assert unknown.value.error_code == "dataset_not_found"
    with pytest.raises(NotFound, match="GET /api/curated/datasets lists them"):
        datasets.get(db, "zzz")
    assert datasets.find(db, "lake") is None


def test_the_list_is_by_id_and_can_go_on_after_one(db: Connection) -> None:
    for name in ("rivers", "lakes", "ponds"):
        register(db, dataset_id=name, target_table_name=f"curated_{name}", enabled=name != "lakes")
    assert [each.dataset_id for each in datasets.all_datasets(db)] == ["lakes", "ponds", "rivers"]
    enabled = datasets.all_datasets(db, enabled_only=True)
    assert [each.dataset_id for each in enabled] == ["ponds", "rivers"]
    page = datasets.all_datasets(db, limit=1, after="lakes")
    assert [each.dataset_id for each in page] == ["ponds"]


class TestReplace:
    def test_makes_the_next_revision(self, db: Connection) -> None:
        before = register(db)
        after = put_again(db, name="Lakes and ponds", source_type="manual")
        assert (after.revision, after.name) == (2, "Lakes and ponds")
        assert after.source_type is SourceType.MANUAL
        assert after.created_at == before.created_at
        assert after.updated_at > before.updated_at

    def test_keeps_what_geoforge_found_out(self, db: Connection) -> None:
        register(db)
        datasets.checked(db, "lakes")
        datasets.updated(db, "lakes", "2026-01")
        datasets.set_last_job(db, "lakes", "j1")
        before = datasets.get(db, "lakes")
        after = put_again(db, name="Ponds")
        found = ("source_version", "last_checked_at", "last_updated_at", "last_job_id")
        assert [getattr(after, name) for name in found] == [getattr(before, name) for name in found]

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ({"update_schedule": "0 2 * * *"}, {"update_schedule": "0 3 * * *"}),
            ({}, {"update_schedule": "0 3 * * *"}),
            ({"update_schedule": "0 3 * * *"}, {}),
            ({"source_type": "manual"}, {}),
            ({}, {"enabled": True}),
        ],
    )
    def test_counts_what_is_due_from_a_change_of_the_schedule_on(
        self, db: Connection, before: dict[str, Any], after: dict[str, Any]
    ) -> None:
        first = register(db, **before)
        assert put_again(db, **after).schedule_from > first.schedule_from

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ({}, {"name": "Ponds"}),
            ({"enabled": True}, {}),
            ({"enabled": True}, {"enabled": True, "keep_versions": 9}),
            ({"update_schedule": "0 3 * * *"}, {"update_schedule": "0 3 * * *"}),
        ],
    )
    def test_of_anything_else_leaves_what_is_due(
        self, db: Connection, before: dict[str, Any], after: dict[str, Any]
    ) -> None:
        first = register(db, **before)
        assert put_again(db, **after).schedule_from == first.schedule_from

    def test_of_an_unknown_one_is_refused(self, db: Connection) -> None:
        with pytest.raises(NotFound):
            put_again(db)


class TestEnable:
    def test_is_a_revision_and_begins_the_schedule(self, db: Connection) -> None:
        before = register(db)
        after = datasets.set_enabled(db, "lakes", True)
        assert (after.enabled, after.revision) == (True, 2)
        assert after.schedule_from > before.schedule_from

    def test_again_changes_nothing(self, db: Connection) -> None:
        before = register(db, enabled=True)
        assert datasets.set_enabled(db, "lakes", True) == before

    def test_not_to_be_leaves_the_schedule(self, db: Connection) -> None:
        before = register(db, enabled=True)
        after = datasets.set_enabled(db, "lakes", False)
        assert (after.enabled, after.revision) == (False, 2)
        assert after.schedule_from == before.schedule_from

    def test_of_an_unknown_one_is_refused(self, db: Connection) -> None:
        with pytest.raises(NotFound):
            datasets.set_enabled(db, "lakes", True)


class TestFindings:
    def test_are_no_revisions(self, db: Connection) -> None:
        register(db)
        datasets.checked(db, "lakes")
        datasets.set_rejected(db, "lakes", "2025-12")
        assert datasets.get(db, "lakes").rejected_version == "2025-12"
        datasets.updated(db, "lakes", "2026-01")
        datasets.set_last_job(db, "lakes", "j1")
        found = datasets.get(db, "lakes")
        assert found.revision == 1
        assert (found.source_version, found.last_job_id) == ("2026-01", "j1")
        assert found.last_checked_at is not None
        assert found.last_updated_at is not None

    def test_what_was_rejected_is_forgotten_when_another_version_is_published(
        self, db: Connection
    ) -> None:
        register(db)
        datasets.set_rejected(db, "lakes", "2025-12")
        datasets.updated(db, "lakes", "2026-01")
        assert datasets.get(db, "lakes").rejected_version is None


def test_a_deleted_one_is_gone(db: Connection) -> None:
    register(db)
    datasets.delete(db, "lakes")
    assert datasets.find(db, "lakes") is None
    with pytest.raises(NotFound):
        datasets.delete(db, "lakes")


def test_reading_for_update_holds_off_others_to_the_end(db: Connection, ledger_url: str) -> None:
    register(db)
    with connect(ledger_url) as holder, connect(ledger_url, autocommit=True) as other:
        datasets.get(holder, "lakes", for_update=True)
        locked = "SELECT dataset_id FROM app.curated_datasets FOR UPDATE SKIP LOCKED"
        assert other.execute(locked).fetchall() == []
        holder.rollback()
        assert len(other.execute(locked).fetchall()) == 1
