"""A stage's life: planned once, dispatched once, done once, judged once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.errors import PermanentTaskError, Unavailable
from core.job_definition import JobContext, TaskContext, TaskSpec, tolerate
from core.models.task import TaskOutcome, TaskStatus
from services.orchestration import planning, window
from tests.integration.services.orchestration.conftest import Engine
from tests.support.engine import PATIENCE_SECONDS, Load, define, stage

TOLERATE_ALL = tolerate(1.0)


def test_planning_twice_changes_nothing(engine: Engine) -> None:
    job = engine.job(stage(max_parallel=2), n=5)
    for _ in range(2):
        assert planning.plan_stage(job.job_id, 0) == {"next": "dispatch", "error": None}
        assert job.statuses() == ["pending"] * 5
        assert job.stage().tasks_total == 5
    planning.dispatch_stage(job.job_id, 0)
    before = job.tasks()
    assert planning.plan_stage(job.job_id, 0) == {"next": "dispatch", "error": None}
    assert job.tasks() == before
    job.check()


def test_many_planners_at_once_write_one_plan(engine: Engine) -> None:
    job = engine.job(n=50)
    with ThreadPoolExecutor(6) as threads:
        verdicts = list(threads.map(planning.plan_stage, [job.job_id] * 6, [0] * 6))
    assert verdicts == [{"next": "dispatch", "error": None}] * 6
    assert [task["task_index"] for task in job.tasks()] == list(range(50))
    job.check()


@pytest.mark.parametrize(
    ("name", "kept"), [("a\0b.tif", "a\\0b.tif"), ("\udce9.tif", "\\udce9.tif")]
)
def test_a_file_with_an_odd_name_does_not_cost_the_plan(
    engine: Engine, name: str, kept: str
) -> None:
    def list_files(context: JobContext[Load]) -> Iterator[TaskSpec]:
        return (TaskSpec({"index": index, "file": name}) for index in range(2))

    job = engine.job(stage(planner=list_files))
    assert planning.plan_stage(job.job_id, 0) == {"next": "dispatch", "error": None}
    rows = job.query(
        "SELECT parameters FROM app.tasks WHERE job_id = %(job_id)s ORDER BY task_index"
    )
    assert [row["parameters"] for row in rows] == [{"index": n, "file": kept} for n in range(2)]


def test_a_planner_that_breaks_off_leaves_no_task(engine: Engine) -> None:
    def break_off(context: JobContext[Load]) -> Iterator[TaskSpec]:
        yield TaskSpec()
        raise PermanentTaskError("The list of tiles ends in the middle.", code="bad_list")

    job = engine.job(stage(planner=break_off))
    verdict = planning.plan_stage(job.job_id, 0)
    assert verdict["next"] == "finalize"
    assert verdict["error"] == {
        "code": "bad_list",
        "message": "The list of tiles ends in the middle.",
        "stage": 0,
    }
    assert job.tasks() == []
    assert job.finalize(verdict["error"]) == "failed"
    assert job.row.error == verdict["error"]
    job.check()


def test_a_planner_in_passing_trouble_is_tried_again(engine: Engine) -> None:
    trouble = [Unavailable("The catalogue does not answer.")]

    def plan(context: JobContext[Load]) -> Iterator[TaskSpec]:
        if trouble:
            raise trouble.pop()
        yield TaskSpec({"index": 0})

    job = engine.job(stage(planner=plan))
    with pytest.raises(Unavailable):
        planning.plan_stage(job.job_id, 0)
    assert job.run() == "completed"


def test_an_empty_stage_completes(engine: Engine) -> None:
    job = engine.job(stage("first"), stage("second"), n=0)
    assert job.open(0) is True
    job.check()
    assert job.close(0) == {"next": "continue", "error": None}
    assert job.run() == "completed"
    assert [job.stage(index).tasks_total for index in (0, 1)] == [0, 0]


def test_dispatching_twice_sends_nothing_more(engine: Engine) -> None:
    job = engine.job(stage(max_parallel=3, tasks_per_message=2), n=7)
    assert job.open() is False
    assert job.statuses() == ["queued"] * 3 + ["pending"] * 4
    assert len(engine.mailbox.take(job.job_id, tasks=3)) == 2
    assert planning.dispatch_stage(job.job_id, 0) is False
    assert engine.mailbox.rest(job.job_id) == []
    assert job.statuses() == ["queued"] * 3 + ["pending"] * 4
    job.check()


def test_many_dispatches_at_once_fill_the_window_once(engine: Engine) -> None:
    job = engine.job(stage(max_parallel=4), n=20)
    planning.plan_stage(job.job_id, 0)
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(planning.dispatch_stage, [job.job_id] * 6, [0] * 6))
    assert job.statuses().count("queued") == 4
    assert len(engine.mailbox.rest(job.job_id)) == 4
    job.check()


def test_a_completion_sends_the_next_task(engine: Engine) -> None:
    job = engine.job(stage(max_parallel=2), n=5)
    job.open()
    engine.mailbox.take(job.job_id, tasks=2)
    progress = job.settle(job.claim(0))
    assert (progress.to_send, progress.done) == ([2], False)
    progress.send()
    assert len(engine.mailbox.take(job.job_id)) == 1
    assert job.statuses() == ["completed", "queued", "queued", "pending", "pending"]
    job.check()


def test_the_window_holds_whoever_settles(engine: Engine) -> None:
    """Six workers settle task by task; after each commit the window is looked at."""
    job = engine.job(stage(max_parallel=7), n=120)
    job.open()
    over: list[int] = []
    finished = threading.Event()

    def watch() -> None:
        while not finished.is_set():
            held = job.statuses()
            over.append(held.count("queued") + held.count("running"))

    def work(worker: int) -> int:
        done = 0
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not job.stage().is_done:
            assert time.monotonic() < deadline, job.stage()
            queued = [i for i, status in enumerate(job.statuses()) if status == "queued"]
            if queued:
                claimed = job.claim(*queued[:2])
                done += job.settle(claimed).done if claimed else 0
        return done

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with ThreadPoolExecutor(6) as threads:
            done = sum(threads.map(work, range(6)))
    finally:
        finished.set()
        watcher.join()
    assert done == 1
    assert max(over) <= 7
    assert job.statuses() == ["completed"] * 120
    job.check()


@pytest.mark.parametrize("workers", [2, 12])
def test_a_stage_is_done_exactly_once(engine: Engine, workers: int) -> None:
    """All workers settle their last task at the same moment; one of them is the last."""
    job = engine.job(stage(max_parallel=workers), n=workers)
    job.open()
    claims = [job.claim(index) for index in range(workers)]
    together = threading.Barrier(workers)

    def settle(index: int) -> bool:
        together.wait(timeout=60)
        return job.settle(claims[index]).done

    with ThreadPoolExecutor(workers) as threads:
        done = list(threads.map(settle, range(workers)))
    assert sum(done) == 1
    assert job.stage().is_done
    job.check()


def test_settling_again_does_not_end_the_stage_again(engine: Engine) -> None:
    job = engine.job(n=2)
    job.open()
    claimed = job.claim(0, 1)
    assert job.settle(claimed).done
    assert not job.settle(claimed).done
    assert not window.settle(job.job_id, 0, [])[0].done
    job.check()


def test_a_waiting_retry_keeps_the_stage_open(engine: Engine) -> None:
    """The siblings finish while one task waits for its retry: the stage is not done yet."""
    job = engine.job(stage(max_parallel=3), n=3)
    job.open()
    claimed = job.claim(0, 1, 2)
    assert not job.settle(claimed[:1], TaskStatus.PENDING, retry_in=1000).done
    assert not job.settle(claimed[1:]).done
    assert job.close() == {"next": "wait", "error": None}
    job.check()
    job.hours_pass()
    assert job.settle(job.claim(0)).done
    assert job.close() == {"next": "continue", "error": None}
    job.check()


def test_waiting_retries_keep_their_places_in_the_window(engine: Engine) -> None:
    job = engine.job(stage(max_parallel=2), n=10)
    job.open()
    progress = job.settle(job.claim(0, 1), TaskStatus.PENDING, retry_in=1000)
    assert progress.to_send == []
    assert progress.retries == [(0, 1000), (1, 1000)]
    assert job.statuses() == ["pending"] * 10
    assert job.stage().in_flight == 2
    job.check()


def test_outcomes_of_one_transaction_are_counted_each(engine: Engine) -> None:
    job = engine.job(stage(max_parallel=4, on_failure=TOLERATE_ALL), n=4)
    job.open()
    claimed = job.claim(0, 1, 2, 3)
    outcomes = [
        TaskOutcome(0, claimed[0].attempt, TaskStatus.COMPLETED, result={"a": 1}),
        TaskOutcome(1, claimed[1].attempt, TaskStatus.FAILED, error={"code": "x"}),
        TaskOutcome(2, claimed[2].attempt, TaskStatus.PENDING, retry_in=5),
        TaskOutcome(3, claimed[3].attempt + 1, TaskStatus.COMPLETED),
    ]
    _, settled = window.settle(job.job_id, 0, outcomes)
    assert (settled.completed, settled.failed, settled.retries) == (1, 1, [(2, 5.0)])
    assert job.statuses() == ["completed", "failed", "pending", "running"]
    job.check()


def test_closing_waits_for_the_last_task(engine: Engine) -> None:
    job = engine.job(n=2)
    job.open()
    job.settle(job.claim(0))
    assert job.close()["next"] == "wait"
    job.settle(job.claim(1))
    assert job.close()["next"] == "continue"


def test_closing_twice_gives_one_verdict(engine: Engine) -> None:
    job = engine.job(n=1)
    job.open()
    job.settle(job.claim(0), TaskStatus.FAILED)
    verdict = job.close()
    assert verdict["next"] == "finalize"
    assert job.close() == verdict
    assert job.stage().status == "failed"


def test_a_counter_that_lies_is_found_out(engine: Engine) -> None:
    job = engine.job(n=2)
    job.open()
    job.settle(job.claim(0, 1))
    job.query("UPDATE app.tasks SET status = 'failed' WHERE job_id = %(job_id)s AND task_index = 1")
    with pytest.raises(RuntimeError, match="counters"):
        job.close()


def test_a_job_reaches_one_terminal_state(engine: Engine) -> None:
    """Many finalizers at once, of two minds: one of them ends the job."""
    job = engine.job(n=1)
    job.open()
    job.settle(job.claim(0))
    job.close()
    errors = [None, {"code": "late", "message": "Too late."}] * 4
    with ThreadPoolExecutor(8) as threads:
        statuses = set(threads.map(job.finalize, errors))
    ended = job.row
    assert ended.status.value in statuses
    endings = [*job.events("job_completed"), *job.events("job_failed")]
    assert len(endings) == 1
    assert job.finalize({"code": "later", "message": "Later still."}) == ended.status
    assert job.row == ended
    job.check()


def test_a_finalizer_that_was_overtaken_changes_nothing(engine: Engine) -> None:
    """Two orchestrations of one job, for a moment: one gives up while the other finalizes."""

    def finalize(context: JobContext[Load]) -> dict[str, bool]:
        assert job.finalize({"code": "given_up", "message": "Given up."}) == "failed"
        return {"late": True}

    job = engine.submit(define(stage(), finalize=finalize), n=1)
    assert job.run() == "failed"
    assert job.row.status == "failed"
    assert job.row.result is None
    assert job.events("job_completed") == []
    job.check()


def test_a_completed_job_is_never_reopened_by_an_error(engine: Engine) -> None:
    job = engine.job(n=1)
    assert job.run() == "completed"
    assert job.finalize({"code": "late", "message": "Too late."}) == "completed"
    assert job.row.error is None


def test_results_reach_the_next_planner_in_order(engine: Engine) -> None:
    def double(context: TaskContext[Load]) -> dict[str, int]:
        return {"value": 2 * context.task["index"]}

    def plan_from_results(context: JobContext[Load]) -> Iterator[TaskSpec]:
        for each in context.results("first"):
            yield TaskSpec({"index": each.task_index, "value": each.result["value"]})

    def total(context: JobContext[Load]) -> dict[str, int]:
        return {"sum": sum(each.parameters["value"] for each in context.results("second"))}

    stages = (
        stage("first", double, max_parallel=2000, tasks_per_message=500),
        stage("second", planner=plan_from_results, max_parallel=2000, tasks_per_message=500),
    )
    # More than a page of results.
    job = engine.submit(define(*stages, finalize=total), n=1500)
    assert job.run() == "completed"
    assert job.row.result == {"sum": 2 * sum(range(1500))}
    assert [task["task_index"] for task in job.tasks(1)] == list(range(1500))
    job.check()


def test_a_finalizer_that_fails_fails_the_job(engine: Engine) -> None:
    def finalize(context: JobContext[Load]) -> None:
        raise PermanentTaskError("The summary does not add up.", code="bad_sum")

    job = engine.submit(define(stage(), finalize=finalize), n=1)
    assert job.run() == "failed"
    assert job.row.error == {
        "code": "bad_sum",
        "message": "The summary does not add up.",
        "stage_name": "finalize",
    }
