"""Curated datasets over HTTP: deleting, updating, going back, and the log of it."""

from __future__ import annotations

from typing import Any

import pytest

from config import get_settings
from core.models.curated import UpdateStatus
from infrastructure import blob_storage
from infrastructure import curated_repository as datasets
from infrastructure import curated_updates_repository as updates_log
from infrastructure import curated_versions_repository as versions
from infrastructure.database import Connection
from services.publishing import staging
from tests.support.curated_api import (
    AT,
    DATASETS,
    LAKES_ROWS,
    LAKES_TABLE,
    faults,
    log,
    problem,
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
from tests.support.in_process import InProcessClient
from tests.support.published import contents, put


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
            "Version 2026-02 of the source was rolled back or discarded: it is not fetched again "
            "by itself."
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
