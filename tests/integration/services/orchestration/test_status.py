"""Views of jobs: their shape, and paging through lists that grow meanwhile."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest

from core.errors import InvalidParameters, NotFound
from infrastructure import database, metrics_repository
from services.orchestration import metrics, report, status
from services.orchestration.task_views import TaskQuery
from tests.support.ledger import Stage, Task, add_job

DONE = Stage("inventory", "completed", total=1, completed=1, began=30, ended=20)
HALF = Stage("copy", total=10, completed=4, failed=1, began=20)
LATER = Stage("register", "pending", total=None, began=None)


def test_a_job_has_the_shape_of_the_contract(ledger: database.Connection) -> None:
    job_id = add_job(ledger, DONE, HALF, LATER, current=1, parameters={"n": 3})
    job = status.job_view(job_id, base_url="https://geo.example")
    assert set(job) >= {
        "job_id", "job_type", "status", "stage", "total_stages", "stages", "progress_pct",
        "rates", "parameters", "result", "error", "created_at", "updated_at", "finished_at",
    }  # fmt: skip
    assert (job["status"], job["stage"], job["total_stages"]) == ("running", 1, 3)
    assert job["progress_pct"] == 50.0
    assert job["parameters"] == {"n": 3}
    assert job["links"]["self"] == f"https://geo.example/api/jobs/{job_id}"
    assert [stage["index"] for stage in job["stages"]] == [0, 1, 2]
    copy = job["stages"][job["stage"]]
    assert set(copy) >= {
        "index", "name", "status", "tasks_total", "tasks_completed", "tasks_failed",
        "started_at", "finished_at",
    }  # fmt: skip
    assert (copy["name"], copy["tasks_total"]) == ("copy", 10)
    assert (copy["tasks_completed"], copy["tasks_failed"]) == (4, 1)
    assert set(job["rates"]) == {
        "tasks_per_minute", "error_rate_pct", "elapsed_seconds", "eta_seconds",
    }  # fmt: skip
    assert job["rates"]["tasks_per_minute"] == pytest.approx(15, rel=0.1)


def test_the_rate_of_a_long_stage_is_that_of_the_last_minute(
    ledger: database.Connection,
) -> None:
    job_id = add_job(ledger, Stage(total=10_000, completed=5000, began=3600))
    ledger.execute(
        'INSERT INTO app.job_metrics (job_id, "timestamp", metric_type, payload) VALUES'
        " (%(id)s, now() - interval '10 min', 'snapshot', %(old)s),"
        " (%(id)s, now() - interval '30 s', 'snapshot', %(recent)s)",
        {
            "id": job_id,
            "old": '{"progress": {"stage": 0, "tasks_completed": 1, "tasks_failed": 0}}',
            "recent": '{"progress": {"stage": 0, "tasks_completed": 4900, "tasks_failed": 0}}',
        },
    )
    rates = status.job_view(job_id)["rates"]
    assert rates["tasks_per_minute"] == pytest.approx(200, rel=0.1)
    assert rates["eta_seconds"] == pytest.approx(1500, rel=0.1)


@pytest.mark.parametrize("job_id", ["f" * 64, "nope", "", "F" * 64, "f" * 63 + "\x00"])
def test_an_unknown_job_is_not_found(ledger: database.Connection, job_id: str) -> None:
    for look in (status.job_view, status.list_tasks, metrics.job_metrics, report.job_report):
        with pytest.raises(NotFound) as raised:
            look(job_id)
        assert raised.value.error_code == "unknown_job"


class TestListOfJobs:
    def test_pages_hold_every_job_once_newest_first(self, ledger: database.Connection) -> None:
        # Two of them at the same moment: the id decides.
        ids = [add_job(ledger, created=age, parameters={"n": n})
               for n, age in enumerate([50, 40, 40, 30, 20])]  # fmt: skip
        ledger.execute("UPDATE app.jobs SET created_at = date_trunc('minute', created_at)")
        seen, cursor = [], None
        for _ in range(4):
            page = status.list_jobs(limit=2, cursor=cursor)
            seen += page["jobs"]
            cursor = page["next"]
            # A job that comes meanwhile does not shift the pages.
            add_job(ledger, created=-60, parameters={"n": 100 + len(seen)})
            if cursor is None:
                break
        assert sorted(job["job_id"] for job in seen) == sorted(ids)
        keys = [(job["created_at"], job["job_id"]) for job in seen]
        assert keys == sorted(keys, reverse=True)

    def test_the_last_page_has_no_next(self, ledger: database.Connection) -> None:
        add_job(ledger)
        add_job(ledger)
        assert status.list_jobs(limit=2)["next"] is None

    def test_filters(self, ledger: database.Connection) -> None:
        failed = add_job(ledger, status="failed")
        other = add_job(ledger, job_type="ingest_collection")
        assert [j["job_id"] for j in status.list_jobs(status="failed")["jobs"]] == [failed]
        named = status.list_jobs(job_type="ingest_collection")["jobs"]
        assert [j["job_id"] for j in named] == [other]
        assert status.list_jobs(status="failed", job_type="ingest_collection")["jobs"] == []

    @pytest.mark.parametrize(
        "cursor",
        ["", "x", "====", "a" * 500, "ü", base64.b64encode(b"1|2").decode(),
         base64.b64encode(b"2026-05-01|" + b"a" * 64).decode(),
         base64.b64encode(b"0001-01-01T00:00:00+23:59|" + b"a" * 64).decode()],
    )  # fmt: skip
    def test_a_cursor_that_no_page_gave_is_refused(
        self, ledger: database.Connection, cursor: str
    ) -> None:
        with pytest.raises(InvalidParameters) as raised:
            status.list_jobs(cursor=cursor)
        assert raised.value.errors[0]["loc"] == ["query", "cursor"]

    def test_an_unknown_status_is_refused_and_the_known_ones_named(
        self, ledger: database.Connection
    ) -> None:
        with pytest.raises(InvalidParameters, match="completed_with_errors"):
            status.list_jobs(status="done")

    def test_the_number_of_queries_does_not_grow_with_the_page(
        self, ledger: database.Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[int] = []
        execute = database.Connection.execute

        def counting(self, *args, **kwargs):  # type: ignore[no-untyped-def]
            asked.append(1)
            return execute(self, *args, **kwargs)

        for n in range(5):
            add_job(ledger, DONE, HALF, current=1, parameters={"n": n})
        monkeypatch.setattr("psycopg.Connection.execute", counting)
        counts = []
        for look in (lambda: status.list_jobs(limit=1), lambda: status.list_jobs(limit=5)):
            asked.clear()
            look()
            counts.append(len(asked))
        assert counts[0] == counts[1] <= 5


class TestListOfTasks:
    def test_pages_go_through_all_stages_in_order(self, ledger: database.Connection) -> None:
        tasks = (Task(0), *(Task(n, stage=1, status="running") for n in range(4)))
        job_id = add_job(ledger, DONE, HALF, current=1, tasks=tasks)
        seen, cursor = [], None
        while True:
            page = status.list_tasks(job_id, limit=2, cursor=cursor)
            seen += [(task["stage"], task["task_index"]) for task in page["tasks"]]
            cursor = page["next"]
            if cursor is None:
                break
        assert seen == [(0, 0), (1, 0), (1, 1), (1, 2), (1, 3)]

    def test_filters_by_status_and_stage(self, ledger: database.Connection) -> None:
        error = {"code": "blob_not_found", "message": "There is no blob."}
        tasks = (Task(0), Task(0, stage=1), Task(1, stage=1, status="failed", error=error))
        job_id = add_job(ledger, DONE, HALF, current=1, tasks=tasks)
        [failed] = status.list_tasks(job_id, status="failed")["tasks"]
        assert (failed["stage_name"], failed["task_index"]) == ("copy", 1)
        assert failed["error"] == error
        assert len(status.list_tasks(job_id, stage=0)["tasks"]) == 1
        assert len(status.list_tasks(job_id, stage=1, status="completed")["tasks"]) == 1

    @pytest.mark.parametrize("key", ["4611686018427387904|0", "0|2147483648", "-1|0", "0", "0|0|0"])
    def test_a_cursor_that_no_page_gave_is_refused(
        self, ledger: database.Connection, key: str
    ) -> None:
        job_id = add_job(ledger, DONE, tasks=(Task(0),))
        with pytest.raises(InvalidParameters) as raised:
            status.list_tasks(job_id, cursor=base64.b64encode(key.encode()).decode())
        assert raised.value.errors[0]["loc"] == ["query", "cursor"]

    def test_the_furthest_cursor_has_nothing_behind_it(self, ledger: database.Connection) -> None:
        job_id = add_job(ledger, DONE, tasks=(Task(0),))
        cursor = base64.b64encode(b"2147483647|2147483647").decode()
        assert status.list_tasks(job_id, cursor=cursor) == {
            "tasks": [],
            "next": None,
            "searched": None,
        }

    @pytest.mark.parametrize("wanted", ["pending", "queued", "running"])
    def test_finds_tasks_that_have_not_ended(
        self, ledger: database.Connection, wanted: str
    ) -> None:
        job_id = add_job(ledger, HALF, tasks=(Task(0), Task(1, status=wanted)))
        assert [t["task_index"] for t in status.list_tasks(job_id, status=wanted)["tasks"]] == [1]

    def test_a_task_whose_message_is_to_be_sent_again_can_be_read(
        self, ledger: database.Connection
    ) -> None:
        job_id = add_job(ledger, HALF, tasks=(Task(0, status="queued"),))
        ledger.execute("UPDATE app.tasks SET queued_at = '-infinity'")
        assert status.list_tasks(job_id)["tasks"][0]["queued_at"] is None

    def test_a_stage_that_the_job_does_not_have_is_refused(
        self, ledger: database.Connection
    ) -> None:
        job_id = add_job(ledger)
        for stage in (-1, 1):
            with pytest.raises(InvalidParameters, match="stage"):
                status.list_tasks(job_id, stage=stage)


class TestMetricsOfAJob:
    def test_pages_newest_first_by_type_and_time(self, ledger: database.Connection) -> None:
        job_id = add_job(ledger)
        for n in range(5):
            kind = "error" if n == 3 else "event"
            ledger.execute(
                'INSERT INTO app.job_metrics (job_id, "timestamp", metric_type, payload)'
                " VALUES (%s, %s, %s, %s)",
                (job_id, datetime(2026, 5, 1, n, tzinfo=UTC), kind, f'{{"kind": "k{n}"}}'),
            )
        first = metrics.job_metrics(job_id, limit=3)
        rest = metrics.job_metrics(job_id, limit=3, cursor=first["next"])
        kinds = [row["payload"]["kind"] for row in (*first["metrics"], *rest["metrics"])]
        assert kinds == ["k4", "k3", "k2", "k1", "k0"]
        assert rest["next"] is None
        [error] = metrics.job_metrics(job_id, metric_type="error")["metrics"]
        assert error["payload"]["kind"] == "k3"
        # As a "+" arrives that was not escaped in the query string.
        late = metrics.job_metrics(job_id, since="2026-05-01T03:30:00 01:00")["metrics"]
        assert [row["payload"]["kind"] for row in late] == ["k4", "k3"]

    @pytest.mark.parametrize(
        ("parameter", "value"),
        [
            ("since", "yesterday"),
            ("metric_type", "gossip"),
            ("cursor", "x"),
            ("cursor", base64.b64encode(b"9223372036854775808").decode()),
        ],
    )
    def test_bad_queries_are_refused(
        self, ledger: database.Connection, parameter: str, value: str
    ) -> None:
        job_id = add_job(ledger)
        with pytest.raises(InvalidParameters):
            metrics.job_metrics(job_id, **{parameter: value})


def test_the_summary_counts_what_is_active_and_what_ended_within_a_day(
    ledger: database.Connection,
) -> None:
    add_job(ledger, Stage(total=100, completed=30, began=30))
    add_job(ledger, status="queued")
    add_job(ledger, status="completed", ended=60)
    add_job(ledger, status="completed_with_errors", ended=60)
    add_job(ledger, status="failed", created=200_000, ended=25 * 3600)
    told = metrics.summary()
    assert told["tasks_per_minute"] == pytest.approx(60, rel=0.1)
    nothing = {"events": 0, "snapshots": 0, "figures": 0}
    assert told["not_written"] == nothing
    assert told["not_written_here"].keys() == nothing.keys()
    others = ("tasks_per_minute", "not_written", "not_written_here")
    counted = {name: told[name] for name in told if name not in others}
    assert counted == {
        "running": 1,
        "queued": 1,
        "completed": 1,
        "completed_with_errors": 1,
        "failed": 0,
        "cancelled": 0,
    }


def test_a_report_tells_the_causes_of_failures_and_a_page_of_tasks(
    ledger: database.Connection,
) -> None:
    lost = {"code": "lost", "message": "The worker died."}
    gone = {"code": "gone", "message": "There is no blob."}
    errors = [lost, lost, gone, lost]
    failed = (Task(n, status="failed", error=error) for n, error in enumerate(errors))
    tasks = (*failed, Task(4))
    stage = Stage("copy", total=5, completed=1, failed=4)
    told = report.job_report(add_job(ledger, stage, tasks=tasks), TaskQuery(limit=2))
    assert told["tasks_failed"] == 4
    assert told["causes_total"] == 2
    causes = [(each["code"], each["count"], each["example"]) for each in told["causes"]]
    assert causes == [
        ("lost", 3, {"task_index": 0, "parameters": {}}),
        ("gone", 1, {"task_index": 2, "parameters": {}}),
    ]
    assert len(told["tasks"]["tasks"]) == 2
    assert told["tasks"]["next"] is not None


def test_looking_takes_no_lock(ledger: database.Connection) -> None:
    """A page can be read while a worker settles tasks of the same stage."""
    job_id = add_job(ledger, HALF, tasks=(Task(0, status="running"),))
    with database.connect() as worker:
        worker.execute("SELECT FROM app.job_stages WHERE job_id = %s FOR UPDATE", (job_id,))
        worker.execute("SELECT FROM app.jobs WHERE job_id = %s FOR UPDATE", (job_id,))
        metrics_repository.transact(lambda c: c.execute("SET LOCAL lock_timeout = '1s'"))
        assert report.job_report(job_id)["status"] == "running"
        worker.rollback()
