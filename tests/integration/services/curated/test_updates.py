"""Beginning updates, and a log that says what is true of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.errors import Conflict, InvalidParameters, NotFound
from core.models.curated import UpdateStatus, UpdateType
from infrastructure import curated_repository, database, job_repository
from infrastructure import curated_updates_repository as updates_log
from infrastructure.curated_updates_repository import Counts
from infrastructure.database import Connection, Row
from services.curated import updates
from services.curated.parameters import CuratedPublish, CuratedUpdate
from services.orchestration import closing, control, submission
from services.orchestration.submission import Submission
from tests.support.curated import JOB_TYPE, Context, add_dataset, forget_datasets, register_job_type

MANUAL, SCHEDULED = UpdateType.MANUAL, UpdateType.SCHEDULED


@pytest.fixture(autouse=True)
def registry_of_datasets(
    ledger: Connection, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Connection]:
    """One dataset, `lakes`, and a job type that updates it."""
    register_job_type(monkeypatch)
    forget_datasets(ledger)
    add_dataset(ledger)
    return ledger


def rows(connection: Connection, dataset_id: str = "lakes") -> list[Row]:
    """The log of a dataset, oldest first."""
    return connection.execute(
        "SELECT * FROM app.curated_update_log WHERE dataset_id = %s ORDER BY log_id",
        (dataset_id,),
    ).fetchall()


def row_of(connection: Connection, job: Submission) -> Row:
    found = updates_log.of_job(connection, job.job_id)
    assert found is not None
    return found


def end(job: Submission, error: dict[str, Any] | None = None) -> str:
    """End a job as its orchestrator does: failed with the error, else cancelled."""
    with database.transaction() as connection:
        resumes = job_repository.get(connection, job.job_id).resumes
    return closing.finalize_job(job.job_id, error, resumes)


FAILURE = {"code": "source_unreachable", "message": "The source does not answer."}


class TestStart:
    def test_makes_job_and_log_together(self, ledger: Connection) -> None:
        job = updates.start("lakes", MANUAL, force=True, dry_run=True, actor="key:default")
        assert job.created
        assert job.job_type == JOB_TYPE
        [row] = rows(ledger)
        expected = {
            "job_id": job.job_id,
            "update_type": "manual",
            "action": "update",
            "actor": "key:default",
            "status": "started",
            "forced": True,
            "dry_run": True,
            "due_at": None,
            "completed_at": None,
        }
        assert {name: row[name] for name in expected} == expected
        parameters = job_repository.get(ledger, job.job_id).parameters
        assert CuratedUpdate.model_validate(parameters).force_update
        assert curated_repository.get(ledger, "lakes").last_job_id == job.job_id

    def test_of_an_unknown_dataset_is_refused(self, ledger: Connection) -> None:
        with pytest.raises(NotFound) as refusal:
            updates.start("lake", MANUAL)
        assert refusal.value.error_code == "dataset_not_found"
        assert refusal.value.details["similar"] == ["lakes"]

    def test_of_a_disabled_dataset_by_hand_is_allowed(self, ledger: Connection) -> None:
        add_dataset(ledger, "rivers", enabled=False)
        assert updates.start("rivers", MANUAL).created

    def test_without_credentials_is_refused_and_nothing_is_written(
        self, ledger: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("LAKES_KEY", raising=False)
        add_dataset(ledger, "rivers", credential_key="LAKES_KEY")
        with pytest.raises(Conflict, match="LAKES_KEY") as refusal:
            updates.start("rivers", MANUAL)
        assert refusal.value.error_code == "credentials_missing"
        assert ledger.execute("SELECT FROM app.jobs").fetchall() == []
        assert rows(ledger, "rivers") == []

    def test_without_its_handler_is_refused(self, ledger: Connection) -> None:
        add_dataset(ledger, "rivers", handler="oracle")
        with pytest.raises(Conflict, match="'oracle'") as refusal:
            updates.start("rivers", MANUAL)
        assert refusal.value.error_code == "handler_missing"

    def test_a_second_one_is_refused_naming_the_first(self, ledger: Connection) -> None:
        first = updates.start("lakes", MANUAL)
        with pytest.raises(Conflict, match=first.job_id) as refusal:
            updates.start("lakes", MANUAL)
        assert refusal.value.error_code == "update_under_way"
        assert refusal.value.details["job_id"] == first.job_id
        assert len(rows(ledger)) == 1
        assert len(ledger.execute("SELECT FROM app.jobs").fetchall()) == 1

    def test_the_same_request_again_is_the_same_job(self, ledger: Connection) -> None:
        first = updates.start("lakes", MANUAL, request_id="r1")
        again = updates.start("lakes", MANUAL, request_id="r1")
        assert (again.job_id, again.created) == (first.job_id, False)
        end(first, FAILURE)
        assert updates.start("lakes", MANUAL, request_id="r1").status == "failed"
        assert len(rows(ledger)) == 1
        assert updates.start("lakes", MANUAL, request_id="r2").created

    def test_ten_at_once_are_one(self, ledger: Connection) -> None:
        barrier = threading.Barrier(10)

        def begin() -> Submission | str:
            barrier.wait()
            try:
                return updates.start("lakes", MANUAL)
            except Conflict as refusal:
                return refusal.error_code

        with ThreadPoolExecutor(10) as threads:
            came = [each.result() for each in [threads.submit(begin) for _ in range(10)]]
        assert (
            sorted(str(each) for each in came if isinstance(each, str)) == ["update_under_way"] * 9
        )
        assert len(rows(ledger)) == 1
        assert len(ledger.execute("SELECT FROM app.jobs").fetchall()) == 1

    def test_a_crash_before_the_commit_leaves_nothing(
        self, ledger: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def crash(*_: Any) -> None:
            raise RuntimeError("killed")

        with monkeypatch.context() as patched:
            patched.setattr(curated_repository, "set_last_job", crash)
            with pytest.raises(RuntimeError, match="killed"):
                updates.start("lakes", MANUAL)
        assert ledger.execute("SELECT FROM app.jobs").fetchall() == []
        assert rows(ledger) == []
        assert updates.start("lakes", MANUAL).created


class TestScheduled:
    BORN = datetime(2026, 3, 1, 12, tzinfo=UTC)
    DUE = datetime(2026, 3, 2, 2, tzinfo=UTC)

    @pytest.fixture(autouse=True)
    def born(self, ledger: Connection) -> None:
        ledger.execute("UPDATE app.curated_datasets SET schedule_from = %s", (self.BORN,))

    def test_is_one_job_for_its_due_time(self, ledger: Connection) -> None:
        job = updates.start("lakes", SCHEDULED, due_at=self.DUE)
        assert row_of(ledger, job)["due_at"] == self.DUE
        end(job, FAILURE)
        with pytest.raises(Conflict, match="2026-03-02 02:00:00 UTC") as refusal:
            updates.start("lakes", SCHEDULED, due_at=self.DUE)
        assert refusal.value.error_code == "due_already"
        assert updates.start("lakes", SCHEDULED, due_at=self.DUE + timedelta(days=1)).created

    def test_its_identity_is_dataset_and_due_time(self, ledger: Connection) -> None:
        job = updates.start("lakes", SCHEDULED, due_at=self.DUE)
        end(job, FAILURE)
        ledger.execute("TRUNCATE app.curated_update_log")
        assert updates.start("lakes", SCHEDULED, due_at=self.DUE).job_id == job.job_id

    @pytest.mark.parametrize(
        "moment", [DUE + timedelta(minutes=1), BORN, datetime(2026, 3, 1, 2, tzinfo=UTC)]
    )
    def test_at_another_time_it_is_not_due(self, ledger: Connection, moment: datetime) -> None:
        with pytest.raises(Conflict) as refusal:
            updates.start("lakes", SCHEDULED, due_at=moment)
        assert refusal.value.error_code == "not_due"

    def test_disabled_meanwhile_it_is_not_due(self, ledger: Connection) -> None:
        curated_repository.set_enabled(ledger, "lakes", False)
        with pytest.raises(Conflict) as refusal:
            updates.start("lakes", SCHEDULED, due_at=self.DUE)
        assert refusal.value.error_code == "not_due"
        assert rows(ledger) == []

    def test_a_due_time_belongs_to_it_alone(self) -> None:
        with pytest.raises(ValueError, match="due time"):
            updates.start("lakes", SCHEDULED)
        with pytest.raises(ValueError, match="due time"):
            updates.start("lakes", MANUAL, due_at=self.DUE)

    def test_the_same_job_submitted_by_hand_is_it(self, ledger: Connection) -> None:
        """Somebody posts the parameters of a scheduled run themselves, before it is due."""
        job = submission.submit(
            JOB_TYPE,
            {
                "dataset_id": "lakes",
                "update_type": "scheduled",
                "due_at": self.DUE.isoformat(),
            },
        )
        updates.opened(ledger, Context(job.job_id, CuratedUpdate(dataset_id="lakes")))
        assert row_of(ledger, job)["update_type"] == "triggered"
        end(job, FAILURE)
        again = updates.start("lakes", SCHEDULED, due_at=self.DUE)
        assert (again.job_id, again.created) == (job.job_id, False)
        row = row_of(ledger, job)
        assert (row["update_type"], row["due_at"], row["status"]) == (
            "scheduled",
            self.DUE,
            "failed",
        )
        assert len(rows(ledger)) == 1


class TestOpened:
    def test_finds_the_row_that_start_made(self, ledger: Connection) -> None:
        job = updates.start("lakes", MANUAL)
        context = Context(job.job_id, CuratedUpdate(dataset_id="lakes"))
        assert updates.opened(ledger, context) == row_of(ledger, job)["log_id"]
        assert len(rows(ledger)) == 1

    def test_opens_one_for_a_job_that_was_submitted_as_such(self, ledger: Connection) -> None:
        parameters = {"dataset_id": "lakes", "dry_run": True, "force_update": True}
        job = submission.submit(JOB_TYPE, parameters)
        context = Context(job.job_id, CuratedUpdate(**parameters))
        assert updates.opened(ledger, context) == updates.opened(ledger, context)
        [row] = rows(ledger)
        assert (row["update_type"], row["dry_run"], row["forced"]) == ("triggered", True, True)
        assert curated_repository.get(ledger, "lakes").last_job_id == job.job_id

    def test_opens_the_row_again_of_one_that_skipped_and_lost_its_worker(
        self, ledger: Connection
    ) -> None:
        job = updates.start("lakes", MANUAL)
        updates_log.finish(ledger, job.job_id, UpdateStatus.SKIPPED)
        context = Context(job.job_id, CuratedUpdate(dataset_id="lakes"))
        assert updates.opened(ledger, context) == row_of(ledger, job)["log_id"]
        assert row_of(ledger, job)["status"] == "started"

    def test_knows_a_publish_by_its_parameters(self, ledger: Connection) -> None:
        context = Context("a" * 64, CuratedPublish(dataset_id="lakes", version_id=3))
        updates.opened(ledger, context)
        assert rows(ledger)[0]["action"] == "publish"

    def test_is_refused_while_another_is_open(self, ledger: Connection) -> None:
        first = updates.start("lakes", MANUAL)
        second = submission.submit(JOB_TYPE, {"dataset_id": "lakes"})
        with pytest.raises(Conflict, match=first.job_id) as refusal:
            updates.opened(ledger, Context(second.job_id, CuratedUpdate(dataset_id="lakes")))
        assert refusal.value.error_code == "update_under_way"
        end(second, refusal.value.as_record())
        mine, other = rows(ledger)
        assert (mine["job_id"], mine["status"]) == (first.job_id, "started")
        assert (other["job_id"], other["status"]) == (second.job_id, "failed")
        assert first.job_id in other["error_message"]
        assert other["completed_at"] >= other["started_at"]


class TestTheEndOfTheJob:
    def test_closes_the_row_of_one_that_failed(self, ledger: Connection) -> None:
        job = updates.start("lakes", MANUAL)
        end(job, {**FAILURE, "stage_name": "fetch_data"})
        row = row_of(ledger, job)
        assert (row["status"], row["error_code"], row["error_message"]) == (
            "failed",
            "source_unreachable",
            "The source does not answer.",
        )
        assert row["details"]["error"]["stage_name"] == "fetch_data"
        assert row["duration_seconds"] >= 0
        assert updates.start("lakes", MANUAL).created

    def test_closes_the_row_of_one_that_was_cancelled(self, ledger: Connection) -> None:
        job = updates.start("lakes", MANUAL)
        control.cancel(job.job_id)
        assert row_of(ledger, job)["status"] == "started"  # it is at work until it has ended
        assert end(job) == "cancelled"
        assert row_of(ledger, job)["status"] == "cancelled"

    def test_closes_the_row_of_one_that_forgot_to(
        self, ledger: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job = updates.start("lakes", MANUAL)
        ledger.execute("UPDATE app.job_stages SET status = 'completed'")
        monkeypatch.setattr(closing, "remove_work", lambda job_id: None)
        assert end(job) == "completed"
        assert row_of(ledger, job)["status"] == "completed"

    def test_shows_what_jsonb_cannot_hold(self, ledger: Connection) -> None:
        job = updates.start("lakes", MANUAL)
        found = {"name": "caf\udce9\x00", "share": float("nan")}
        updates_log.mark(ledger, job.job_id, UpdateStatus.STARTED, details={"remote": found})
        updates_log.finish(ledger, job.job_id, UpdateStatus.FAILED, details={"error": found})
        shown = {"name": "caf\\udce9\\0", "share": "nan"}
        assert row_of(ledger, job)["details"] == {"remote": shown, "error": shown}

    def test_leaves_a_row_that_is_closed_as_it_is(self, ledger: Connection) -> None:
        job = updates.start("lakes", MANUAL)
        updates_log.finish(
            ledger,
            job.job_id,
            UpdateStatus.COMPLETED,
            published_version=4,
            counts=Counts(added=3, updated=2, deleted=1, unchanged=10, total=15, quarantined=0),
            details={"gates": []},
        )
        before = row_of(ledger, job)
        assert (before["records_added"], before["records_total"]) == (3, 15)
        control.cancel(job.job_id)
        assert end(job) == "cancelled"
        assert row_of(ledger, job) == before

    def test_writes_the_row_of_one_that_never_had_any(self, ledger: Connection) -> None:
        job = submission.submit(JOB_TYPE, {"dataset_id": "oceans", "dry_run": True})
        control.cancel(job.job_id)
        end(job)
        [row] = rows(ledger, "oceans")
        created = job_repository.get(ledger, job.job_id).created_at
        assert (row["status"], row["update_type"], row["dry_run"], row["started_at"]) == (
            "cancelled",
            "triggered",
            True,
            created,
        )


class TestResume:
    def test_opens_the_row_again(self, ledger: Connection) -> None:
        job = updates.start("lakes", MANUAL)
        updates_log.mark(ledger, job.job_id, UpdateStatus.DOWNLOADING, source_version="May 2026")
        end(job, FAILURE)
        control.resume(job.job_id)
        [row] = rows(ledger)
        assert (row["status"], row["completed_at"], row["error_message"]) == (
            "started",
            None,
            None,
        )
        assert row["source_version"] == "May 2026"
        with pytest.raises(Conflict, match=job.job_id):
            updates.start("lakes", MANUAL)
        end(job, FAILURE)
        assert rows(ledger)[0]["status"] == "failed"

    def test_is_refused_while_another_is_under_way(self, ledger: Connection) -> None:
        first = updates.start("lakes", MANUAL)
        end(first, FAILURE)
        second = updates.start("lakes", MANUAL)
        with pytest.raises(Conflict, match=second.job_id) as refusal:
            control.resume(first.job_id)
        assert refusal.value.error_code == "update_under_way"
        assert job_repository.get(ledger, first.job_id).status == "failed"
        assert row_of(ledger, first)["status"] == "failed"

    def test_leaves_the_row_of_a_publish_that_was_done(self, ledger: Connection) -> None:
        job = updates.start("lakes", MANUAL)
        updates_log.finish(ledger, job.job_id, UpdateStatus.COMPLETED)
        end(job, FAILURE)
        control.resume(job.job_id)
        assert row_of(ledger, job)["status"] == "completed"


class TestMark:
    def test_says_how_far_it_is_and_keeps_what_is_known(self, ledger: Connection) -> None:
        job = updates.start("lakes", MANUAL)
        marked = updates_log.mark(
            ledger,
            job.job_id,
            UpdateStatus.DOWNLOADING,
            source_version="May 2026",
            details={"remote": {"size": 7}},
        )
        assert marked
        updates_log.mark(
            ledger, job.job_id, UpdateStatus.PROCESSING, source_bytes=7, details={"files": 1}
        )
        row = row_of(ledger, job)
        assert (row["status"], row["source_version"], row["source_bytes"]) == (
            "processing",
            "May 2026",
            7,
        )
        assert row["details"] == {"remote": {"size": 7}, "files": 1}

    def test_reopens_nothing_that_has_ended(self, ledger: Connection) -> None:
        job = updates.start("lakes", MANUAL)
        assert updates_log.finish(ledger, job.job_id, UpdateStatus.SKIPPED)
        before = row_of(ledger, job)
        assert not updates_log.mark(ledger, job.job_id, UpdateStatus.PROCESSING)
        assert not updates_log.finish(ledger, job.job_id, UpdateStatus.COMPLETED)
        assert row_of(ledger, job) == before


class TestHistory:
    def test_is_paged_newest_first(self, ledger: Connection) -> None:
        jobs = []
        for _ in range(5):
            jobs.append(updates.start("lakes", MANUAL).job_id)
            updates_log.finish(ledger, jobs[-1], UpdateStatus.SKIPPED)
        seen, cursor = [], None
        for size in (2, 2, 1):
            page = updates.history("lakes", limit=2, cursor=cursor)
            assert len(page["history"]) == size
            seen += [entry["job_id"] for entry in page["history"]]
            cursor = page["next"]
        assert cursor is None
        assert seen == jobs[::-1]

    def test_by_how_attempts_ended(self, ledger: Connection) -> None:
        failed = updates.start("lakes", MANUAL)
        end(failed, FAILURE)
        updates.start("lakes", MANUAL)
        page = updates.history("lakes", statuses=[UpdateStatus.FAILED])
        assert [entry["job_id"] for entry in page["history"]] == [failed.job_id]

    def test_links_to_the_job_and_to_its_report_once_there_is_one(self, ledger: Connection) -> None:
        job = updates.start("lakes", MANUAL)
        [entry] = updates.history("lakes", base_url="http://host")["history"]
        assert entry["links"] == {
            "job": f"http://host/api/jobs/{job.job_id}",
            "job_page": f"http://host/api/interface/jobs/{job.job_id}",
        }
        ledger.execute(
            "INSERT INTO app.vector_reports (job_id, source, inference) VALUES (%s, '{}', '{}')",
            (job.job_id,),
        )
        [entry] = updates.history("lakes", base_url="http://host")["history"]
        assert entry["links"]["report"] == f"http://host/api/vector/reports/{job.job_id}"
        assert "has_report" not in entry

    def test_of_what_had_no_job_links_nowhere(self, ledger: Connection) -> None:
        updates_log.record(
            ledger, "lakes", MANUAL, UpdateStatus.COMPLETED, action="rollback", actor="key:default"
        )
        [entry] = updates.history("lakes")["history"]
        assert (entry["action"], entry["job_id"], entry["links"]) == ("rollback", None, {})

    def test_stays_when_the_dataset_goes(self, ledger: Connection) -> None:
        end(updates.start("lakes", MANUAL), FAILURE)
        curated_repository.delete(ledger, "lakes")
        assert len(updates.history("lakes")["history"]) == 1
        with pytest.raises(NotFound):
            updates.history("seas")

    def test_of_a_cursor_that_is_none(self) -> None:
        with pytest.raises(InvalidParameters):
            updates.history("lakes", cursor="nonsense")
