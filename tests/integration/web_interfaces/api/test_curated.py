"""The registry of curated datasets over HTTP: what is accepted, what is refused, what is shown."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

import jobs
from config import get_settings
from core.models.curated import CuratedDefinition, UpdateStatus, UpdateType
from core.models.feature_table import TableName
from infrastructure import blob_storage, database
from infrastructure import curated_repository as datasets
from infrastructure import curated_updates_repository as updates_log
from infrastructure import curated_versions_repository as versions
from infrastructure.database import Connection
from infrastructure.locks import Space, lock
from services.curated import registry
from services.curated.declaring import SHOWN_ONLY
from services.publishing import publish, staging
from tests.support.curated_datasets import (
    LAKES,
    ONE,
    TWO,
    begin,
    forget_all,
    publish_version,
    register,
    stage_version,
)
from tests.support.in_process import BASE, InProcessClient, Response
from tests.support.published import connect, contents, put
from tests.support.settings import app_settings
from web_interfaces.api.curated import bp

DATASETS = "/api/curated/datasets"
AT = f"{DATASETS}/lakes"
LAKES_TABLE = TableName(table_name="curated_lakes")
LOCHS_TABLE = TableName(table_name="curated_lochs")
LAKES_ROWS = "SELECT code, name FROM geo.curated_lakes"


@pytest.fixture
def db(ledger_url: str) -> Iterator[Connection]:
    with app_settings(DATABASE_URL=ledger_url), database.connect(autocommit=True) as connection:
        jobs.discover()
        forget_all(connection)
        yield connection


@pytest.fixture
def storage(db: Connection, ledger_url: str, blob_connection_string: str) -> Iterator[None]:
    """The app's blob storage, with a container of curated files of the test's own."""
    with app_settings(
        DATABASE_URL=ledger_url,
        AZURE_STORAGE_CONNECTION_STRING=blob_connection_string,
        GEOFORGE_CURATED_CONTAINER=f"curated-{uuid.uuid4().hex[:12]}",
    ):
        yield


@pytest.fixture
def client(db: Connection) -> InProcessClient:
    return InProcessClient(bp)


def put_dataset(
    client: InProcessClient, body: dict[str, Any], at: str = AT, **headers: str
) -> Response:
    return client.call(
        "PUT",
        at,
        json.dumps(body).encode(),
        {name.replace("_", "-"): text for name, text in headers.items()},
    )


def problem(answer: Response, status: int, code: str | None = None) -> dict[str, Any]:
    assert answer.status == status, answer.text
    assert answer.media_type == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert code is None or found["code"] == code
    return found


def faults(answer: Response) -> dict[str, str]:
    errors = problem(answer, 422)["errors"]
    return {".".join(map(str, fault["loc"])): fault["msg"] for fault in errors}


def log(db: Connection, job_id: str, **options: Any) -> int:
    return updates_log.begin(db, "lakes", job_id, UpdateType.MANUAL, **options)


class TestCreate:
    def test_registers_a_dataset(self, client: InProcessClient, db: Connection) -> None:
        answer = client.post(DATASETS, LAKES)
        assert answer.status == 201, answer.text
        dataset = answer.json()
        assert answer.headers["Location"] == dataset["links"]["self"] == BASE + AT
        assert answer.headers["ETag"] == dataset["etag"]
        assert (dataset["dataset_id"], dataset["handler"]) == ("lakes", "vector_file")
        assert (dataset["revision"], dataset["enabled"]) == (1, False)
        assert client.get(AT).json() == {**dataset, "age_seconds": None}
        assert datasets.get(db, "lakes").name == "Lakes"

    def test_gives_it_the_handler_of_its_name(self, client: InProcessClient) -> None:
        body = {"dataset_id": "wdpa", "name": "WDPA", "target_table_name": "curated_wdpa"}
        assert client.post(DATASETS, body).json()["handler"] == "wdpa"

    def test_names_every_field_at_fault(self, client: InProcessClient, db: Connection) -> None:
        body = {**LAKES, "dataset_id": "Lakes!", "update_schedule": "61 * * * *", "colour": 1}
        assert set(faults(client.post(DATASETS, body))) == {
            "dataset_id",
            "update_schedule",
            "colour",
        }
        assert datasets.all_datasets(db) == []

    def test_asks_the_handler_whether_it_can_serve_it(
        self, client: InProcessClient, db: Connection
    ) -> None:
        nowhere = {name: value for name, value in LAKES.items() if name != "source_url"}
        assert "source_url" in faults(client.post(DATASETS, nowhere))
        config = {"key_columns": "id"}
        named = faults(client.post(DATASETS, {**LAKES, "source_config": config}))
        assert list(named) == ["source_config.key_columns"]
        assert datasets.all_datasets(db) == []

    def test_refuses_an_unknown_handler_naming_the_known_ones(
        self, client: InProcessClient
    ) -> None:
        named = faults(client.post(DATASETS, {**LAKES, "handler": "crystal_ball"}))
        assert "vector_file, wdpa" in named["handler"]

    def test_of_a_job_type_that_updates_nothing_is_refused(self, client: InProcessClient) -> None:
        for job_type in ("no_such_type", "hello_fan_out"):
            named = faults(client.post(DATASETS, {**LAKES, "job_type": job_type}))
            assert "curated_update can" in named["job_type"]

    def test_of_the_same_id_is_refused(self, client: InProcessClient) -> None:
        client.post(DATASETS, LAKES)
        other = {**LAKES, "target_table_name": "curated_ponds"}
        assert problem(client.post(DATASETS, other), 409, "dataset_exists")["dataset_id"] == "lakes"

    def test_of_a_table_that_another_dataset_has_is_refused(self, client: InProcessClient) -> None:
        client.post(DATASETS, LAKES)
        answer = client.post(DATASETS, {**LAKES, "dataset_id": "ponds"})
        assert "the dataset 'lakes'" in problem(answer, 409, "table_taken")["detail"]

    def test_of_a_table_that_a_job_published_is_refused(
        self, client: InProcessClient, db: Connection
    ) -> None:
        put(db, ONE, target=LAKES_TABLE)
        detail = problem(client.post(DATASETS, LAKES), 409, "table_taken")["detail"]
        assert "geo.curated_lakes was published by the job" in detail
        assert contents(db, LAKES_ROWS) == [(1, "Loch Ness")]

    def test_of_a_table_that_geoforge_did_not_make_is_refused(
        self, client: InProcessClient, db: Connection
    ) -> None:
        db.execute("CREATE TABLE geo.curated_lakes (id integer)")
        detail = problem(client.post(DATASETS, LAKES), 409, "table_taken")["detail"]
        assert "geoforge did not make it" in detail

    def test_of_an_enabled_one_wants_its_credentials(
        self, client: InProcessClient, db: Connection
    ) -> None:
        body = {**LAKES, "enabled": True, "credential_key": "LAKES_KEY"}
        found = problem(client.post(DATASETS, body), 409, "credentials_missing")
        assert found["missing"] == ["LAKES_KEY"]
        assert datasets.all_datasets(db) == []

    def test_twenty_times_at_once_is_one_dataset(
        self, client: InProcessClient, db: Connection
    ) -> None:
        def create(number: int) -> int:
            return client.post(DATASETS, {**LAKES, "dataset_id": f"lakes_{number % 2}"}).status

        with ThreadPoolExecutor(8) as threads:
            statuses = list(threads.map(create, range(20)))
        assert sorted(statuses) == [201] + [409] * 19
        assert len(datasets.all_datasets(db)) == 1

    @pytest.mark.parametrize(
        ("body", "status"), [(b"[]", 400), (b"{", 400), (b"x" * 2_000_000, 413)]
    )
    def test_of_what_is_no_object_is_refused(
        self, client: InProcessClient, body: bytes, status: int
    ) -> None:
        problem(client.call("POST", DATASETS, body), status)

    def test_again_after_a_delete_finds_the_table_that_was_kept(
        self, client: InProcessClient, db: Connection
    ) -> None:
        publish_version(db, register(db), TWO, source_version="2026-02")
        assert client.call("DELETE", f"{AT}?confirm=yes").json()["table_dropped"] is False
        again = {**LAKES, "name": "Lochs", "restricted": True}
        dataset = client.post(DATASETS, again).json()
        assert (dataset["source_version"], dataset["version"], dataset["rows"]) == ("2026-02", 1, 2)
        assert dataset["last_updated_at"] is not None
        # What is said of it now counts for the rows that are there.
        assert db.execute("SELECT title, restricted FROM app.published_tables").fetchall() == [
            {"title": "Lochs", "restricted": True}
        ]

    def test_again_waits_for_who_publishes_the_table_that_was_kept(
        self,
        client: InProcessClient,
        db: Connection,
        ledger_url: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        publish_version(db, register(db))
        client.call("DELETE", f"{AT}?confirm=yes")
        monkeypatch.setattr(registry, "_PATIENCE_SECONDS", 0.1)
        with connect(ledger_url) as publishing:
            lock(publishing, Space.DATASET, LAKES_TABLE.schema_name, LAKES_TABLE.table_name)
            problem(client.post(DATASETS, LAKES), 503, "table_busy")
        assert datasets.find(db, "lakes") is None

    def test_under_another_id_does_not_take_such_a_table(
        self, client: InProcessClient, db: Connection
    ) -> None:
        publish_version(db, register(db))
        client.call("DELETE", f"{AT}?confirm=yes")
        answer = client.post(DATASETS, {**LAKES, "dataset_id": "ponds"})
        assert "a dataset that was called 'lakes'" in problem(answer, 409, "table_taken")["detail"]


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


class TestReplace:
    def test_puts_a_whole_definition_in_place(
        self, client: InProcessClient, db: Connection
    ) -> None:
        register(db, description="Standing water", keep_versions=7)
        answer = put_dataset(client, {**LAKES, "name": "Lochs"})
        dataset = answer.json()
        assert answer.status == 200, answer.text
        assert (dataset["name"], dataset["description"], dataset["keep_versions"]) == (
            "Lochs",
            None,
            2,
        )
        assert dataset["revision"] == 2
        assert answer.headers["ETag"] == dataset["etag"]

    def test_takes_what_was_read(self, client: InProcessClient, db: Connection) -> None:
        register(db, update_schedule="0 4 * * *", gates={"min_rows": 3})
        read = client.get(AT).json()
        after = put_dataset(client, {**read, "name": "Lochs"}).json()
        changed = {name for name in after if after[name] != read[name]}
        assert changed == {"name", "revision", "etag", "updated_at"}

    def test_with_a_stale_etag_is_refused(self, client: InProcessClient, db: Connection) -> None:
        register(db)
        stale = client.get(AT).headers["ETag"]
        assert put_dataset(client, {**LAKES, "name": "Lochs"}, If_Match=stale).status == 200
        answer = put_dataset(client, {**LAKES, "name": "Loughs"}, If_Match=stale)
        found = problem(answer, 412, "precondition_failed")
        assert found["revision"] == 2
        assert found["title"] == "Precondition failed"
        assert datasets.get(db, "lakes").name == "Lochs"
        again = put_dataset(client, {**LAKES, "name": "Loughs"}, If_Match=f'"x", {found["etag"]}')
        assert again.json()["name"] == "Loughs"

    def test_with_the_etag_of_a_former_dataset_is_refused(
        self, client: InProcessClient, db: Connection
    ) -> None:
        stale = client.post(DATASETS, LAKES).headers["ETag"]
        client.call("DELETE", f"{AT}?confirm=yes")
        client.post(DATASETS, LAKES)
        problem(put_dataset(client, LAKES, If_Match=stale), 412)

    def test_the_id_of_the_body_must_be_that_of_the_address(
        self, client: InProcessClient, db: Connection
    ) -> None:
        register(db)
        assert "dataset_id" in faults(put_dataset(client, {**LAKES, "dataset_id": "ponds"}))
        without = {name: value for name, value in LAKES.items() if name != "dataset_id"}
        assert put_dataset(client, without).status == 200

    def test_of_an_unknown_one_is_refused(self, client: InProcessClient) -> None:
        problem(put_dataset(client, LAKES), 404, "dataset_not_found")

    def test_the_table_can_be_another_one_until_it_is_published(
        self, client: InProcessClient, db: Connection
    ) -> None:
        lakes = register(db)
        moved = {**LAKES, "target_table_name": "curated_lochs"}
        assert put_dataset(client, moved).json()["target_table_name"] == "curated_lochs"
        assert put_dataset(client, LAKES).status == 200
        publish_version(db, lakes)
        found = problem(put_dataset(client, moved), 409, "table_is_published")
        assert found["table"] == "geo.curated_lakes"
        register(db, dataset_id="ponds", target_table_name="curated_ponds")
        taken = {**LAKES, "dataset_id": "ponds", "target_table_name": "curated_lakes"}
        problem(put_dataset(client, taken, f"{DATASETS}/ponds"), 409, "table_taken")

    def test_the_table_can_become_one_that_was_kept(
        self, client: InProcessClient, db: Connection
    ) -> None:
        publish_version(db, register(db), source_version="2026-02")
        client.call("DELETE", f"{AT}?confirm=yes")
        client.post(DATASETS, {**LAKES, "target_table_name": "curated_lochs", "restricted": True})
        dataset = put_dataset(client, {**LAKES, "restricted": True}).json()
        assert (dataset["source_version"], dataset["version"]) == ("2026-02", 1)
        assert db.execute("SELECT restricted FROM app.published_tables").fetchall() == [
            {"restricted": True}
        ]

    def test_the_table_cannot_become_one_that_a_job_published(
        self, client: InProcessClient, db: Connection
    ) -> None:
        register(db)
        put(db, ONE, target=LOCHS_TABLE)
        moved = {**LAKES, "target_table_name": "curated_lochs"}
        detail = problem(put_dataset(client, moved), 409, "table_taken")["detail"]
        assert "geo.curated_lochs was published by the job" in detail

    def test_what_an_update_reads_stays_while_one_is_under_way(
        self, client: InProcessClient, db: Connection
    ) -> None:
        register(db)
        job_id = begin(db, "lakes")
        log(db, job_id)
        elsewhere = {**LAKES, "source_url": "https://data.example.org/lakes.zip"}
        found = problem(put_dataset(client, elsewhere), 409, "update_under_way")
        assert found["job_id"] == job_id
        assert "source_url" in found["detail"]
        assert datasets.get(db, "lakes").revision == 1
        assert put_dataset(client, {**LAKES, "name": "Lochs"}).status == 200

    def test_what_people_are_told_of_the_table_counts_at_once(
        self, client: InProcessClient, db: Connection
    ) -> None:
        publish_version(db, register(db))
        put_dataset(client, {**LAKES, "name": "Lochs", "restricted": True, "attribution": "OS"})
        told = db.execute(
            "SELECT title, description, restricted, attribution FROM app.published_tables"
        ).fetchone()
        assert told == {
            "title": "Lochs",
            "description": None,
            "restricted": True,
            "attribution": "OS",
        }

    def test_what_people_are_told_waits_for_who_publishes_the_table(
        self,
        client: InProcessClient,
        db: Connection,
        ledger_url: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        publish_version(db, register(db))
        secret = {**LAKES, "restricted": True}
        with connect(ledger_url) as publishing:
            lock(publishing, Space.DATASET, LAKES_TABLE.schema_name, LAKES_TABLE.table_name)
            # Nobody is told of this, so that it need not wait.
            assert put_dataset(client, {**LAKES, "keep_versions": 5}).status == 200
            with monkeypatch.context() as impatient:
                impatient.setattr(registry, "_PATIENCE_SECONDS", 0.1)
                problem(put_dataset(client, secret), 503, "table_busy")
            assert datasets.get(db, "lakes").restricted is False
            with ThreadPoolExecutor(1) as thread:
                waiting = thread.submit(put_dataset, client, secret)
                with pytest.raises(TimeoutError):
                    waiting.result(0.5)
                publishing.rollback()
                assert waiting.result(60).status == 200
        told = db.execute("SELECT restricted FROM app.published_tables").fetchall()
        assert told == [{"restricted": True}]

    def test_says_nothing_of_a_table_that_another_job_published(
        self, client: InProcessClient, db: Connection
    ) -> None:
        register(db)
        put(db, ONE, target=LAKES_TABLE)
        put_dataset(client, {**LAKES, "restricted": True})
        assert db.execute("SELECT restricted FROM app.published_tables").fetchall() == [
            {"restricted": False}
        ]

    def test_to_enable_it_wants_its_credentials(
        self, client: InProcessClient, db: Connection
    ) -> None:
        register(db)
        body = {**LAKES, "enabled": True, "credential_key": "LAKES_KEY"}
        problem(put_dataset(client, body), 409, "credentials_missing")
        assert datasets.get(db, "lakes").revision == 1

    def test_a_handler_that_is_not_here_yet_can_stay(
        self, client: InProcessClient, db: Connection
    ) -> None:
        register(db, handler="oracle")
        assert put_dataset(client, {**LAKES, "handler": "oracle"}).json()["handler"] == "oracle"
        assert "handler" in faults(put_dataset(client, {**LAKES, "handler": "crystal_ball"}))


class TestEnable:
    def test_lets_the_scheduler_update_it(self, client: InProcessClient, db: Connection) -> None:
        before = register(db)
        answer = client.post(f"{AT}/enable", {})
        assert (answer.status, answer.json()["enabled"]) == (200, True)
        assert answer.json()["next_run"] is not None
        assert datasets.get(db, "lakes").schedule_from > before.schedule_from
        assert client.post(f"{AT}/enable", {}).headers["ETag"] == answer.headers["ETag"]
        assert client.post(f"{AT}/disable", {}).json()["enabled"] is False
        assert datasets.get(db, "lakes").revision == 3

    def test_wants_the_credentials(self, client: InProcessClient, db: Connection) -> None:
        register(db, handler="wdpa", source_url=None)
        found = problem(client.post(f"{AT}/enable", {}), 409, "credentials_missing")
        assert found["missing"] == ["IBAT_AUTH_KEY", "IBAT_AUTH_TOKEN"]
        assert "IBAT_AUTH_KEY and IBAT_AUTH_TOKEN are missing" in found["detail"]
        assert datasets.get(db, "lakes").enabled is False

    def test_is_possible_when_they_are_there(
        self, client: InProcessClient, db: Connection, ledger_url: str
    ) -> None:
        register(db, handler="wdpa", source_url=None)
        keys = {"IBAT_AUTH_KEY": "key", "IBAT_AUTH_TOKEN": "token"}
        with app_settings(DATABASE_URL=ledger_url, **keys):
            dataset = client.post(f"{AT}/enable", {}).json()
        assert dataset["credentials"] == {"names": list(keys), "missing": []}
        assert dataset["enabled"] is True

    def test_wants_the_handler(self, client: InProcessClient, db: Connection) -> None:
        register(db, handler="oracle")
        found = problem(client.post(f"{AT}/enable", {}), 409, "handler_missing")
        assert "vector_file" in found["known_handlers"]

    def test_heeds_if_match(self, client: InProcessClient, db: Connection) -> None:
        register(db)
        problem(client.call("POST", f"{AT}/enable", b"{}", {"If-Match": '"1"'}), 412)
        assert datasets.get(db, "lakes").enabled is False

    def test_of_an_unknown_one_is_refused(self, client: InProcessClient) -> None:
        problem(client.post(f"{AT}/enable", {}), 404)
        problem(client.post(f"{AT}/disable", {}), 404)


class TestDelete:
    def test_wants_to_be_confirmed(self, client: InProcessClient, db: Connection) -> None:
        register(db)
        for query in ("", "?confirm=no", "?drop=yes"):
            found = problem(client.call("DELETE", AT + query), 400, "confirmation_missing")
            assert "confirm=yes" in found["detail"]
        assert datasets.find(db, "lakes") is not None

    def test_keeps_the_table_and_the_log(self, client: InProcessClient, db: Connection) -> None:
        publish_version(db, register(db))
        job_id = begin(db, "lakes", status="completed")
        log(db, job_id)
        updates_log.finish(db, job_id, UpdateStatus.COMPLETED)
        answer = client.call("DELETE", f"{AT}?confirm=yes")
        assert answer.json() == {
            "dataset_id": "lakes",
            "deleted": True,
            "table": "geo.curated_lakes",
            "table_dropped": False,
        }
        assert datasets.find(db, "lakes") is None
        assert contents(db, LAKES_ROWS) == [(1, "Loch Ness")]
        assert len(updates_log.page(db, "lakes", limit=10)) == 1

    def test_with_drop_leaves_nothing_but_the_log(
        self, client: InProcessClient, db: Connection, storage: None
    ) -> None:
        container = get_settings().curated_container
        blob_storage.ensure_container(container)
        for path in ("lakes/2026-01-1a2b3c4d/lakes.gpkg", "ponds/2026-01-1a2b3c4d/ponds.gpkg"):
            blob_storage.write_bytes(container, path, b"a file")
        lakes = register(db)
        publish_version(db, lakes, ONE)
        publish_version(db, lakes, TWO, source_version="2026-02")
        job_id = begin(db, "lakes", status="failed")
        held = stage_version(db, lakes, job_id, TWO, source_version="2026-03")
        versions.hold(db, held.version_id, {}, [])
        log(db, job_id)
        updates_log.finish(db, job_id, UpdateStatus.FAILED)
        db.execute(
            "INSERT INTO geo.feature_collection_styles (collection_id, style_id, style_spec)"
            " VALUES ('curated_lakes', 'plain', '{}'), ('curated_ponds', 'plain', '{}')"
        )
        answer = client.call("DELETE", f"{AT}?confirm=yes&drop=yes")
        assert answer.json()["table_dropped"] is True, answer.text
        left = db.execute(
            "SELECT schemaname || '.' || tablename AS name FROM pg_tables"
            " WHERE tablename LIKE '%lakes%' OR schemaname = 'geo_staging'"
        ).fetchall()
        assert left == []
        assert staging.set_apart_tables(db) == []
        files = blob_storage.container_client(container).list_blob_names()
        assert list(files) == ["ponds/2026-01-1a2b3c4d/ponds.gpkg"]
        assert versions.held(db, "lakes") == []
        assert len(updates_log.page(db, "lakes", limit=10)) == 1
        styles = db.execute("SELECT collection_id FROM geo.feature_collection_styles").fetchall()
        assert [row["collection_id"] for row in styles] == ["curated_ponds"]
        assert client.post(DATASETS, LAKES).json()["version"] is None

    def test_with_drop_of_one_that_published_nothing(
        self, client: InProcessClient, db: Connection, storage: None
    ) -> None:
        register(db)
        answer = client.call("DELETE", f"{AT}?confirm=yes&drop=yes")
        assert answer.json()["table_dropped"] is False

    def test_with_drop_spares_a_table_that_others_depend_on(
        self, client: InProcessClient, db: Connection
    ) -> None:
        publish_version(db, register(db))
        db.execute("CREATE VIEW geo.deep_lakes AS SELECT * FROM geo.curated_lakes")
        found = problem(client.call("DELETE", f"{AT}?confirm=yes&drop=yes"), 409, "table_in_use")
        assert "deep_lakes" in found["detail"]
        assert datasets.find(db, "lakes") is not None
        assert contents(db, LAKES_ROWS) == [(1, "Loch Ness")]

    def test_with_drop_spares_a_table_that_another_job_published_since(
        self, client: InProcessClient, db: Connection
    ) -> None:
        publish_version(db, register(db))
        put(db, TWO, target=LAKES_TABLE)
        found = problem(client.call("DELETE", f"{AT}?confirm=yes&drop=yes"), 409, "table_taken")
        assert "Leave out drop=yes" in found["detail"]
        assert len(contents(db, LAKES_ROWS)) == 2

    def test_waits_for_no_update(self, client: InProcessClient, db: Connection) -> None:
        register(db)
        job_id = begin(db, "lakes")
        log(db, job_id)
        found = problem(client.call("DELETE", f"{AT}?confirm=yes"), 409, "update_under_way")
        assert found["job_id"] == job_id
        assert datasets.find(db, "lakes") is not None

    def test_heeds_if_match(self, client: InProcessClient, db: Connection) -> None:
        register(db)
        address = f"{AT}?confirm=yes"
        problem(client.call("DELETE", address, headers={"If-Match": '"1"'}), 412)
        tag = client.get(AT).headers["ETag"]
        assert client.call("DELETE", address, headers={"If-Match": tag}).status == 200

    def test_of_an_unknown_one_is_refused(self, client: InProcessClient) -> None:
        problem(client.call("DELETE", f"{AT}?confirm=yes"), 404)


class TestUpdate:
    def test_begins_a_job_of_a_disabled_dataset_too(
        self, client: InProcessClient, db: Connection
    ) -> None:
        register(db)
        answer = client.post(f"{AT}/update", {"dry_run": True})
        job = answer.json()
        assert answer.status == 202, answer.text
        assert (job["job_type"], job["status"], job["created"]) == (
            "curated_update",
            "queued",
            True,
        )
        assert answer.headers["Location"] == job["links"]["self"]
        assert client.orchestrations.started == [job["job_id"]]
        entry = client.get(f"{AT}/history").json()["history"][0]
        assert (entry["log_id"], entry["job_id"]) == (job["log_id"], job["job_id"])
        assert (entry["update_type"], entry["dry_run"], entry["forced"]) == ("manual", True, False)
        assert client.get(AT).json()["state"] == "updating"

    def test_while_one_is_under_way_names_its_job(
        self, client: InProcessClient, db: Connection
    ) -> None:
        register(db)
        first = client.post(f"{AT}/update", {}).json()
        found = problem(client.post(f"{AT}/update", {}), 409, "update_under_way")
        assert found["job_id"] == first["job_id"]
        assert client.orchestrations.started == [first["job_id"]]

    def test_with_the_same_request_id_is_the_same_job(
        self, client: InProcessClient, db: Connection
    ) -> None:
        register(db)
        first = client.post(f"{AT}/update", {"request_id": "r1"})
        again = client.post(f"{AT}/update", {"request_id": "r1"})
        assert (first.status, again.status) == (202, 200)
        assert again.json() == {**first.json(), "created": False}
        assert client.orchestrations.started == [first.json()["job_id"]]

    def test_wants_the_credentials(self, client: InProcessClient, db: Connection) -> None:
        register(db, credential_key="LAKES_KEY")
        found = problem(client.post(f"{AT}/update", {}), 409, "credentials_missing")
        assert found["missing"] == ["LAKES_KEY"]
        assert client.get(f"{AT}/history").json()["history"] == []

    @pytest.mark.parametrize("body", [{"force": True}, {"dry_run": "yes"}, {"request_id": ""}])
    def test_refuses_what_it_does_not_know(
        self, client: InProcessClient, db: Connection, body: dict[str, Any]
    ) -> None:
        register(db)
        assert list(faults(client.post(f"{AT}/update", body))) == list(body)

    def test_of_an_unknown_one_is_refused(self, client: InProcessClient) -> None:
        problem(client.post(f"{AT}/update", {}), 404, "dataset_not_found")


class TestHistory:
    def test_is_newest_first_and_paged(self, client: InProcessClient, db: Connection) -> None:
        register(db)
        ids = []
        for number in range(3):
            job_id = begin(db, "lakes", status="completed")
            ids.append(log(db, job_id))
            updates_log.finish(
                db, job_id, UpdateStatus.FAILED if number == 1 else UpdateStatus.SKIPPED
            )
        page = client.get(f"{AT}/history?limit=2").json()
        assert [entry["log_id"] for entry in page["history"]] == ids[:0:-1]
        rest = client.get(f"{AT}/history?limit=2&cursor={page['next']}").json()
        assert [entry["log_id"] for entry in rest["history"]] == ids[:1]
        failed = client.get(f"{AT}/history?status=failed").json()["history"]
        assert [entry["log_id"] for entry in failed] == ids[1:2]
        problem(client.get(f"{AT}/history?status=lost"), 422)

    def test_of_an_unknown_one_is_refused(self, client: InProcessClient) -> None:
        problem(client.get(f"{AT}/history"), 404, "dataset_not_found")


class TestVersions:
    def test_are_shown_with_what_can_be_brought_back(
        self, client: InProcessClient, db: Connection
    ) -> None:
        lakes = register(db)
        publish_version(db, lakes, ONE)
        publish_version(db, lakes, TWO, source_version="2026-02")
        page = client.get(f"{AT}/versions?limit=1").json()
        assert page["current"] == 2
        assert [(each["version"], each["current"]) for each in page["versions"]] == [(2, True)]
        rest = client.get(f"{AT}/versions?limit=1&cursor={page['next']}").json()
        assert [(each["version"], each["restorable"]) for each in rest["versions"]] == [(1, True)]
        problem(client.get(f"{DATASETS}/nothing/versions"), 404, "dataset_not_found")

    def test_an_earlier_one_is_brought_back(self, client: InProcessClient, db: Connection) -> None:
        lakes = register(db)
        publish_version(db, lakes, ONE)
        publish_version(db, lakes, TWO, source_version="2026-02")
        answer = client.post(f"{AT}/rollback", {"to_version": 1})
        assert (answer.status, answer.json()["version"]) == (200, 3), answer.text
        assert contents(db, LAKES_ROWS) == [(1, "Loch Ness")]
        dataset = client.get(AT).json()
        assert (dataset["source_version"], dataset["rejected_version"]) == ("2026-01", "2026-02")
        assert dataset["last_update"]["action"] == "rollback"
        assert (dataset["state"], dataset["reason"]) == ("disabled", None)
        enabled = client.call("POST", f"{AT}/enable").json()
        assert enabled["state"] == "current"
        assert enabled["reason"] == (
            "Version 2026-02 of the source was rolled back or discarded; a newer one is awaited."
        )

    def test_a_rollback_to_what_never_was_is_refused(
        self, client: InProcessClient, db: Connection
    ) -> None:
        publish_version(db, register(db))
        problem(client.post(f"{AT}/rollback", {"to_version": 9}), 404, "unknown_version")
        problem(client.post(f"{AT}/rollback", {}), 409, "version_not_kept")
        assert "to_version" in faults(client.post(f"{AT}/rollback", {"to_version": "1"}))
        assert "version" in faults(client.post(f"{AT}/rollback", {"version": 1}))

    def held(self, db: Connection) -> int:
        lakes = register(db)
        job_id = begin(db, "lakes", status="failed")
        staged = stage_version(db, lakes, job_id, TWO)
        versions.hold(db, staged.version_id, {}, [])
        return staged.version_id

    def test_a_held_one_is_published_by_a_job(
        self, client: InProcessClient, db: Connection
    ) -> None:
        version_id = self.held(db)
        answer = client.post(f"{AT}/publish", {})
        job = answer.json()
        assert (answer.status, job["job_type"]) == (202, "curated_publish"), answer.text
        assert client.orchestrations.started == [job["job_id"]]
        entry = client.get(f"{AT}/history").json()["history"][0]
        assert (entry["log_id"], entry["action"]) == (job["log_id"], "publish")
        again = client.post(f"{AT}/publish", {"version_id": version_id})
        assert problem(again, 409, "update_under_way")["job_id"] == job["job_id"]

    def test_a_held_one_is_discarded(self, client: InProcessClient, db: Connection) -> None:
        version_id = self.held(db)
        assert "version_id" in faults(client.post(f"{AT}/discard", {}))
        answer = client.post(f"{AT}/discard", {"version_id": version_id})
        assert (answer.status, answer.json()["state"]) == (200, "discarded"), answer.text
        assert client.get(f"{AT}/versions").json()["held"] == []
        problem(client.post(f"{AT}/publish", {}), 409, "version_not_held")
