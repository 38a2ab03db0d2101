"""The registry of curated datasets over HTTP: what is accepted, and what is refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from infrastructure import curated_repository as datasets
from infrastructure.database import Connection
from infrastructure.locks import Space, lock
from services.curated import registry
from tests.support.curated_api import (
    AT,
    DATASETS,
    LAKES_ROWS,
    LAKES_TABLE,
    LOCHS_TABLE,
    faults,
    log,
    problem,
    put_dataset,
)
from tests.support.curated_datasets import LAKES, ONE, TWO, begin, publish_version, register
from tests.support.in_process import BASE, InProcessClient
from tests.support.published import connect, contents, put
from tests.support.settings import app_settings


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
