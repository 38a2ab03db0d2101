"""Cancel and resume, and what may be asked of a job in which state."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.errors import Conflict, NotFound
from core.job_definition import JobContext, JsonObject, TaskContext, TaskSpec, tolerate
from core.models.task import TaskStatus
from services.orchestration import control, planning, reconcile, window
from services.orchestration.worker import StageDone
from tests.integration.services.orchestration.conftest import Engine
from tests.support.engine import (
    PATIENCE_SECONDS,
    Job,
    Load,
    define,
    run_messages,
    stage,
    unknown_job,
)


class TestCancel:
    def test_stops_what_has_not_begun_at_once(self, engine: Engine) -> None:
        job = engine.job(stage(max_parallel=3), n=50)
        job.open()
        bodies = engine.mailbox.take(job.job_id, tasks=3)
        assert control.cancel(job.job_id) == [StageDone(job.job_id, 0)]
        assert job.statuses() == ["cancelled"] * 50
        assert run_messages(bodies) == []
        assert job.close() == {"next": "finalize", "error": None}
        assert job.finalize() == "cancelled"
        assert job.stage().status == "cancelled"
        job.check()

    def test_waits_for_running_tasks_and_keeps_their_results(self, engine: Engine) -> None:
        job = engine.job(stage(max_parallel=2), n=5)
        job.open()
        claimed = job.claim(0)
        assert control.cancel(job.job_id) == []
        assert job.close()["next"] == "wait"
        assert job.settle(claimed).done
        assert job.statuses() == ["completed"] + ["cancelled"] * 4
        assert job.close()["next"] == "finalize"
        assert job.finalize() == "cancelled"
        job.check()

    def test_running_handlers_are_told_within_seconds(self, engine: Engine) -> None:
        begun, nap = threading.Event(), threading.Event()

        def work_for_hours(context: TaskContext[Load]) -> None:
            begun.set()
            while not nap.wait(timeout=0.05):
                context.check()

        job = engine.job(stage(handler=work_for_hours, lease_seconds=3600.0), n=1)
        job.open()
        bodies = engine.mailbox.take(job.job_id)
        with ThreadPoolExecutor(1) as threads:
            working = threads.submit(run_messages, bodies)
            assert begun.wait(timeout=60)
            control.cancel(job.job_id)
            assert working.result(timeout=60) == [StageDone(job.job_id, 0)]
        assert job.statuses() == ["cancelled"]
        job.close()
        assert job.finalize() == "cancelled"
        job.check()

    def test_between_submit_and_plan(self, engine: Engine) -> None:
        job = engine.job(n=3)
        assert control.cancel(job.job_id) == []
        assert planning.plan_stage(job.job_id, 0) == {"next": "finalize", "error": None}
        assert job.finalize() == "cancelled"
        assert job.tasks() == []

    def test_between_plan_and_dispatch(self, engine: Engine) -> None:
        job = engine.job(n=3)
        planning.plan_stage(job.job_id, 0)
        assert control.cancel(job.job_id) == [StageDone(job.job_id, 0)]
        assert planning.dispatch_stage(job.job_id, 0) is True
        assert job.statuses() == ["cancelled"] * 3
        job.check()

    def test_while_the_stage_is_planned(self, engine: Engine) -> None:
        """The plan commits after the cancel, and knows nothing of it; the dispatch does."""
        job = engine.job(n=3)
        planning.plan_stage(job.job_id, 0)
        job.query("UPDATE app.jobs SET cancel_requested = true WHERE job_id = %(job_id)s")
        assert planning.dispatch_stage(job.job_id, 0) is True
        assert job.statuses() == ["cancelled"] * 3
        assert engine.mailbox.rest(job.job_id) == []
        job.check()

    def test_between_two_stages(self, engine: Engine) -> None:
        job = engine.job(stage("first"), stage("second"), n=1)
        job.open()
        job.settle(job.claim(0))
        job.close()
        control.cancel(job.job_id)
        assert planning.plan_stage(job.job_id, 1)["next"] == "finalize"
        assert job.finalize() == "cancelled"

    def test_is_finished_by_the_reconciler_if_its_process_dies(self, engine: Engine) -> None:
        job = engine.job(n=3)
        job.open()
        job.query("UPDATE app.job_stages SET stopping = true WHERE job_id = %(job_id)s")
        job.query("UPDATE app.jobs SET cancel_requested = true WHERE job_id = %(job_id)s")
        assert job.claim(0, 1, 2) == []
        assert reconcile.reconcile_stage(job.job_id, 0) is True
        assert job.statuses() == ["cancelled"] * 3
        job.check()

    def test_races_with_the_workers_and_ends_once(self, engine: Engine) -> None:
        job = engine.job(stage(max_parallel=16), n=200)
        job.open()
        started = threading.Event()

        def work(_: int) -> int:
            done = 0
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not job.stage().is_done:
                assert time.monotonic() < deadline, job.stage()
                queued = [i for i, status in enumerate(job.statuses()) if status == "queued"]
                for index in queued[:3]:
                    done += job.settle(job.claim(index)).done
                    started.set()
            return done

        with ThreadPoolExecutor(4) as threads:
            working = [threads.submit(work, number) for number in range(4)]
            assert started.wait(timeout=60)
            told = len(control.cancel(job.job_id))
            assert sum(each.result(timeout=60) for each in working) + told == 1
        assert set(job.statuses()) == {"completed", "cancelled"}
        job.check()
        job.close()
        assert job.finalize() == "cancelled"

    @pytest.mark.parametrize("ending", ["completed", "failed", "cancelled"])
    def test_of_an_ended_job_is_a_conflict(self, engine: Engine, ending: str) -> None:
        job = ended(engine, ending)
        with pytest.raises(Conflict, match=ending) as conflict:
            control.cancel(job.job_id)
        assert conflict.value.error_code == "job_ended"
        assert job.row.status == ending

    def test_of_an_unknown_job_is_not_found(self, engine: Engine) -> None:
        with pytest.raises(NotFound):
            control.cancel(unknown_job())


def ended(engine: Engine, ending: str) -> Job:
    job = engine.job(n=2)
    job.open()
    if ending == "cancelled":
        control.cancel(job.job_id)
    else:
        claimed = job.claim(0, 1)
        status = TaskStatus.FAILED if ending == "failed" else TaskStatus.COMPLETED
        job.settle(claimed[:1], status)
        job.settle(claimed[1:])
    job.close()
    assert job.finalize() == ending
    return job


class TestResume:
    def test_puts_back_only_what_was_not_completed(self, engine: Engine) -> None:
        job = engine.job(stage(max_parallel=3), n=6)
        job.open()
        claimed = job.claim(0, 1, 2)
        job.settle(claimed[:2])
        job.settle(claimed[2:], TaskStatus.FAILED)
        assert job.finalize(job.close()["error"]) == "failed"
        kept = job.tasks()[:2]
        assert control.resume(job.job_id) == 4
        assert job.row.status == "queued"
        assert job.row.error is None
        assert job.statuses() == ["completed"] * 2 + ["pending"] * 4
        job.check()
        assert job.run() == "completed"
        assert job.tasks()[:2] == kept
        assert job.tasks()[2]["attempt"] == 2
        job.check()

    def test_respects_the_window(self, engine: Engine) -> None:
        job = engine.job(stage(max_parallel=3), n=10)
        job.open()
        job.settle(job.claim(1))
        control.cancel(job.job_id)
        job.close()
        job.finalize()
        assert control.resume(job.job_id) == 9
        job.open()
        assert job.statuses()[:5] == ["queued", "completed", "queued", "queued", "pending"]
        job.check()
        job.work_off()
        job.check()

    def test_gives_fresh_attempts_but_never_an_old_number(self, engine: Engine) -> None:
        """Retries count anew; a result of before the resume is still refused."""
        job = engine.job(n=2)
        job.open()
        old = job.claim(0)
        control.cancel(job.job_id)
        assert job.finalize({"code": "given_up", "message": "Given up."}) == "failed"
        assert job.statuses() == ["cancelled"] * 2
        control.resume(job.job_id)
        job.open()
        assert not job.settle(old).done
        assert job.statuses() == ["queued", "queued"]
        [claimed] = job.claim(0)
        assert (claimed.attempt, claimed.tries) == (2, 1)
        job.settle(old)
        assert job.statuses() == ["running", "queued"]
        job.check()

    def test_plans_the_later_stages_anew(self, engine: Engine) -> None:
        """A stage with tolerated failures is completed, so what follows from it changes."""
        broken = {1}

        def first(context: TaskContext[Load]) -> JsonObject:
            if context.task["index"] in broken:
                raise ValueError("broken")
            return {"index": context.task["index"]}

        def plan_second(context: JobContext[Load]) -> Iterator[TaskSpec]:
            return (TaskSpec(each.result) for each in context.results("first"))

        stages = (
            stage("first", first, on_failure=tolerate(0.5)),
            stage("second", planner=plan_second),
        )
        job = engine.submit(define(*stages), n=3)
        assert job.run() == "completed_with_errors"
        assert len(job.tasks(1)) == 2
        broken.clear()
        assert control.resume(job.job_id) == 1
        assert job.tasks(1) == []
        job.check()
        assert job.run() == "completed"
        assert job.statuses(0) == job.statuses(1) == ["completed"] * 3
        job.check()

    def test_after_a_failed_finalizer_runs_no_task_again(self, engine: Engine) -> None:
        faults = [ValueError("not yet")]

        def finalize(context: object) -> JsonObject:
            if faults:
                raise faults.pop()
            return {"fine": True}

        job = engine.submit(define(stage(), finalize=finalize), n=2)
        assert job.run() == "failed"
        before = job.tasks()
        assert control.resume(job.job_id) == 0
        assert job.run() == "completed"
        assert job.row.result == {"fine": True}
        assert job.tasks() == before

    def test_is_not_ended_by_a_finalizer_of_before(self, engine: Engine) -> None:
        """While it finalizes, the job is given up elsewhere, and resumed."""
        overtaken = []

        def finalize(context: JobContext[Load]) -> JsonObject:
            if not overtaken:
                overtaken.append(True)
                job.finalize({"code": "given_up", "message": "Given up."})
                control.resume(job.job_id)
            return {"overtaken": len(overtaken)}

        job = engine.submit(define(stage(), finalize=finalize), n=1)
        assert job.run() == "queued"
        assert job.row.result is None
        assert job.run() == "completed"

    def test_of_a_job_that_was_cancelled_at_its_last_task(self, engine: Engine) -> None:
        job = engine.job(n=1)
        job.open()
        claimed = job.claim(0)
        control.cancel(job.job_id)
        job.settle(claimed)
        job.close()
        assert job.finalize() == "cancelled"
        assert control.resume(job.job_id) == 0
        assert job.run() == "completed"
        job.check()

    def test_and_cancel_before_it_is_planned_leaves_nothing_open(self, engine: Engine) -> None:
        job = ended(engine, "failed")
        assert control.resume(job.job_id) == 1
        assert control.cancel(job.job_id) == []
        assert planning.plan_stage(job.job_id, 0)["next"] == "finalize"
        assert job.finalize() == "cancelled"
        job.check()
        assert control.resume(job.job_id) == 1
        assert job.run() == "completed"
        job.check()

    def test_a_worker_of_before_sends_nothing_of_a_stage_that_is_not_open(
        self, engine: Engine
    ) -> None:
        """Its outcome is refused; that it comes must not fill the window before the dispatch."""
        job = engine.job(stage(max_parallel=2), n=4)
        job.open()
        engine.mailbox.take(job.job_id, tasks=2)
        late = job.claim(0)
        job.finalize({"code": "given_up", "message": "Given up."})
        control.resume(job.job_id)
        assert job.settle(late).to_send == []
        assert job.statuses() == ["pending"] * 4
        assert job.run() == "completed"
        job.check()

    def test_many_times_at_once_resumes_once(self, engine: Engine) -> None:
        job = ended(engine, "failed")
        together = threading.Barrier(6)

        def resume(_: int) -> bool:
            together.wait(timeout=60)
            try:
                control.resume(job.job_id)
            except Conflict:
                return False
            return True

        with ThreadPoolExecutor(6) as threads:
            assert sum(threads.map(resume, range(6))) == 1
        assert len(job.events("job_resumed")) == 1
        assert job.run() == "completed"

    def test_of_a_completed_or_running_job_is_a_conflict(self, engine: Engine) -> None:
        job = engine.job(n=1)
        with pytest.raises(Conflict, match="it is queued"):
            control.resume(job.job_id)
        job.open()
        with pytest.raises(Conflict, match="it is running"):
            control.resume(job.job_id)
        job.work_off()
        job.close()
        assert job.finalize() == "completed"
        with pytest.raises(Conflict, match="it is completed"):
            control.resume(job.job_id)
        with pytest.raises(NotFound):
            control.resume(unknown_job())

    def test_of_a_job_whose_files_are_gone_is_a_conflict(self, engine: Engine) -> None:
        job = ended(engine, "failed")
        job.query("UPDATE app.jobs SET work_removed_at = now() WHERE job_id = %(job_id)s")
        with pytest.raises(Conflict, match="rerun=true"):
            control.resume(job.job_id)
        assert job.row.status == "failed"


def test_stragglers_of_an_ended_job_change_nothing(engine: Engine) -> None:
    """The job failed outside its tasks while a worker was at one of them."""
    job = engine.job(stage(max_parallel=2), n=3)
    job.open()
    late = job.claim(0)
    assert job.finalize({"code": "given_up", "message": "Given up."}) == "failed"
    assert job.statuses() == ["cancelled"] * 3
    before = job.tasks(), job.stage()
    _, settled = window.settle(job.job_id, 0, [])
    assert settled.ended == 0
    assert not job.settle(late).done
    assert job.tasks() == before[0]
    assert job.stage().tasks_cancelled == 3
    job.check()
