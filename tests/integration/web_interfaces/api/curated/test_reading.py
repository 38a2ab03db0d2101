"""The registry of curated datasets over HTTP: what is shown of a dataset, and of all of them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from core.models.curated import CuratedDefinition, UpdateStatus, UpdateType
from infrastructure import curated_repository as datasets
from infrastructure import curated_updates_repository as updates_log
from infrastructure import curated_versions_repository as versions
from infrastructure.database import Connection
from services.curated.declaring import SHOWN_ONLY
from services.publishing import publish
from tests.support.curated_api import (
    AT,
    DATASETS,
    LAKES_TABLE,
    log,
    problem,
    put_dataset,
)
from tests.support.curated_datasets import (
    LAKES,
    ONE,
    TWO,
    begin,
    publish_version,
    register,
    stage_version,
)
from tests.support.in_process import BASE, InProcessClient


class TestRead:
    def test_of_an_unknown_one_names_those_like_it(
        self, client: InProcessClient, db: Connection
    ) -> None:
        register(db)
        found = problem(client.get(f"{DATASETS}/lake"), 404, "dataset_not_found")
        assert found["similar"] == ["lakes"]
        problem(client.get(f"{DATASETS}/a%00b"), 404, "dataset_not_found")

    def test_shows_the_definition_and_beside_it_only_what_is_announced(
        self, client: InProcessClient, db: Connection
    ) -> None:
        register(db)
        dataset = client.get(AT).json()
        assert set(dataset) - set(CuratedDefinition.model_fields) == SHOWN_ONLY

    def test_of_one_that_never_ran(self, client: InProcessClient, db: Connection) -> None:
        register(db, enabled=True, update_schedule="0 2 1 * *")
        dataset = client.get(AT).json()
        assert (dataset["state"], dataset["reason"]) == ("never_updated", None)
        assert (dataset["version"], dataset["rows"], dataset["age_seconds"]) == (None, None, None)
        assert (dataset["last_update"], dataset["running_job"], dataset["held"]) == (None,) * 3
        due = datetime.fromisoformat(dataset["next_run"])
        assert (due.day, due.hour, due.utcoffset()) == (1, 2, timedelta())
        assert timedelta() < due - datetime.now(UTC) < timedelta(days=32)
        links = dataset["links"]
        assert links["history"] == f"{BASE}{AT}/history"
        assert links["page"] == f"{BASE}/api/interface/curated/lakes"
        assert [links[name] for name in ("table", "features", "tiles", "style")] == [None] * 4

    def test_of_a_published_one(self, client: InProcessClient, db: Connection) -> None:
        publish_version(db, register(db, enabled=True), ONE)
        publish_version(db, datasets.get(db, "lakes"), TWO, source_version="2026-02")
        dataset = client.get(AT).json()
        assert (dataset["state"], dataset["version"], dataset["rows"]) == ("current", 2, 2)
        assert dataset["source_version"] == "2026-02"
        assert dataset["bbox"] == [-4.5, 54.4, -2.9, 57.3]
        assert 0 <= dataset["age_seconds"] < 600
        assert dataset["links"]["table"] == f"{BASE}/api/vector/tables/geo.curated_lakes"
        assert dataset["links"]["features"].endswith("/collections/curated_lakes/items")

    def test_after_a_rollback_is_as_old_as_what_is_published(
        self, client: InProcessClient, db: Connection
    ) -> None:
        lakes = register(db, enabled=True)
        publish_version(db, lakes, ONE)
        publish_version(db, lakes, TWO, source_version="2026-02")
        db.execute(
            "UPDATE app.curated_versions SET published_at = now() - interval '3 days'"
            " WHERE source_version = '2026-01'"
        )
        with db.transaction():
            publish.rollback(db, LAKES_TABLE)
        dataset = client.get(AT).json()
        assert (dataset["version"], dataset["rows"]) == (3, 1)
        assert 3 * 86400 <= dataset["age_seconds"] < 3 * 86400 + 600

    def test_of_one_that_is_being_updated(self, client: InProcessClient, db: Connection) -> None:
        publish_version(db, register(db, enabled=True))
        job_id = begin(db, "lakes")
        log_id = log(db, job_id)
        # A rollback meanwhile is the newer entry, and not what is under way.
        updates_log.record(
            db, "lakes", UpdateType.MANUAL, UpdateStatus.COMPLETED, action="rollback"
        )
        dataset = client.get(AT).json()
        assert dataset["state"] == "updating"
        assert dataset["last_update"]["log_id"] == log_id
        assert dataset["running_job"]["job_id"] == job_id
        assert dataset["running_job"]["links"]["page"] == f"{BASE}/api/interface/jobs/{job_id}"
        assert dataset["running_job"]["progress_pct"] is not None

    def test_of_one_whose_last_update_failed(self, client: InProcessClient, db: Connection) -> None:
        publish_version(db, register(db, enabled=True))
        job_id = begin(db, "lakes", status="failed")
        log(db, job_id)
        updates_log.finish(
            db,
            job_id,
            UpdateStatus.FAILED,
            error_code="source_gone",
            error_message="The source answered 404.",
        )
        dataset = client.get(AT).json()
        assert (dataset["state"], dataset["reason"]) == ("failed", "The source answered 404.")
        assert (dataset["version"], dataset["rows"]) == (1, 1)
        assert dataset["last_update"]["error_code"] == "source_gone"

        # A dry run that fails or a cancelled update tells nothing of the dataset.
        retry = begin(db, "lakes", status="completed")
        log(db, retry)
        updates_log.finish(db, retry, UpdateStatus.SKIPPED)
        for status, dry_run in ((UpdateStatus.FAILED, True), (UpdateStatus.CANCELLED, False)):
            job_id = begin(db, "lakes", status="failed")
            log(db, job_id, dry_run=dry_run)
            updates_log.finish(db, job_id, status)
        assert client.get(AT).json()["state"] == "current"

    def test_of_one_with_a_version_that_a_gate_stopped(
        self, client: InProcessClient, db: Connection
    ) -> None:
        lakes = register(db, enabled=True)
        publish_version(db, lakes)
        job_id = begin(db, "lakes", status="failed")
        log(db, job_id)
        staged = stage_version(db, lakes, job_id, TWO, source_version="2026-02")
        gates = [
            {"gate": "min_rows", "passed": True, "message": "2 rows."},
            {"gate": "row_count_change_pct", "passed": False, "message": "100 % more rows."},
        ]
        versions.hold(db, staged.version_id, {"added": 1}, gates)
        updates_log.finish(
            db, job_id, UpdateStatus.FAILED, error_code="gate_failed", error_message="Gates failed."
        )
        dataset = client.get(AT).json()
        assert (dataset["state"], dataset["reason"]) == ("held", "100 % more rows.")
        assert dataset["held"] == {
            "version_id": staged.version_id,
            "source_version": "2026-02",
            "gates": gates,
        }

    def test_of_one_that_waits_for_credentials(
        self, client: InProcessClient, db: Connection
    ) -> None:
        register(db, credential_key="LAKES_KEY")
        dataset = client.get(AT).json()
        assert dataset["state"] == "disabled"
        assert "LAKES_KEY" in dataset["reason"]
        assert dataset["credentials"] == {"names": ["LAKES_KEY"], "missing": ["LAKES_KEY"]}
        assert dataset["next_run"] is None

    def test_of_one_whose_handler_is_not_here(
        self, client: InProcessClient, db: Connection
    ) -> None:
        register(db, handler="oracle", credential_key="ACLED_USERNAME")
        dataset = client.get(AT).json()
        assert (dataset["state"], dataset["handler_known"]) == ("disabled", False)
        assert "no handler 'oracle'" in dataset["reason"]
        assert dataset["credentials"]["names"] == ["ACLED_USERNAME"]

    def test_a_manual_one_is_not_called_disabled(
        self, client: InProcessClient, db: Connection
    ) -> None:
        lakes = register(db, source_type="manual")
        assert client.get(AT).json()["state"] == "never_updated"
        publish_version(db, lakes)
        assert client.get(AT).json()["state"] == "current"


class TestList:
    def test_an_enabled_manual_one_is_said_to_have_no_schedule(
        self, client: InProcessClient, db: Connection
    ) -> None:
        by_hand = {**LAKES, "source_type": "manual"}
        for answer in (
            client.post(DATASETS, {**by_hand, "enabled": True}),
            put_dataset(client, {**by_hand, "enabled": True}),
            client.call("POST", f"{AT}/enable"),
        ):
            dataset = answer.json()
            assert (dataset["enabled"], dataset["next_run"]) == (True, None)
            assert "updated by hand only" in dataset["reason"]
        assert client.call("POST", f"{AT}/disable").json()["reason"] is None

    def test_is_paged_and_can_be_of_the_enabled_ones(
        self, client: InProcessClient, db: Connection
    ) -> None:
        for name in ("rivers", "lakes", "ponds"):
            table = f"curated_{name}"
            register(db, dataset_id=name, target_table_name=table, enabled=name != "lakes")
        page = client.get(f"{DATASETS}?limit=2").json()
        assert [each["dataset_id"] for each in page["datasets"]] == ["lakes", "ponds"]
        rest = client.get(f"{DATASETS}?limit=2&cursor={page['next']}").json()
        assert [each["dataset_id"] for each in rest["datasets"]] == ["rivers"]
        assert rest["next"] is None
        enabled = client.get(f"{DATASETS}?enabled_only=true").json()["datasets"]
        assert [each["dataset_id"] for each in enabled] == ["ponds", "rivers"]

    def test_shows_each_as_it_is_shown_alone(self, client: InProcessClient, db: Connection) -> None:
        publish_version(db, register(db))
        register(db, dataset_id="ponds", target_table_name="curated_ponds")
        job_id = begin(db, "lakes")
        log(db, job_id)
        for shown in client.get(DATASETS).json()["datasets"]:
            alone = client.get(shown["links"]["self"]).json()
            assert {**shown, "age_seconds": None} == {**alone, "age_seconds": None}

    def test_takes_as_many_queries_for_many_as_for_one(
        self, client: InProcessClient, db: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[object] = []
        execute = psycopg.Connection.execute

        def counted(self: Connection, query: Any, *args: Any, **options: Any) -> Any:
            asked.append(query)
            return execute(self, query, *args, **options)

        register(db)
        monkeypatch.setattr(psycopg.Connection, "execute", counted)
        client.get(DATASETS)
        for_one = len(asked)
        for number in range(40):
            register(db, dataset_id=f"d{number}", target_table_name=f"curated_d{number}")
        asked.clear()
        assert len(client.get(DATASETS).json()["datasets"]) == 41
        assert len(asked) == for_one

    def test_holds_while_datasets_come_and_go(
        self, client: InProcessClient, db: Connection
    ) -> None:
        done = threading.Event()

        def come_and_go() -> None:
            while not done.is_set():
                client.post(DATASETS, LAKES)
                client.call("DELETE", f"{AT}?confirm=yes")

        with ThreadPoolExecutor(1) as thread:
            others = thread.submit(come_and_go)
            try:
                statuses = {client.get(DATASETS).status for _ in range(100)}
                alone = {client.get(AT).status for _ in range(100)}
            finally:
                done.set()
            others.result(60)
        assert statuses == {200}
        assert alone <= {200, 404}

    @pytest.mark.parametrize("query", ["limit=0", "limit=x", "cursor=!", "cursor=QQ", "nope=1"])
    def test_refuses_what_it_cannot_read(self, client: InProcessClient, query: str) -> None:
        problem(client.get(f"{DATASETS}?{query}"), 422)
