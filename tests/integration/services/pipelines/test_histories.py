"""Random histories of a run: whatever happens in whatever order, what must hold holds.

Hypothesis makes up a pipeline and plays its jobs, the people who look after it, and the clock;
tables and engine are the real ones. After each turn the rows are held against what must hold at
any moment; at the end everything goes well again, or the run is cancelled, and it must end.

GEOFORGE_TEST_HISTORIES sets the number of histories (default 20), for a longer search.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from core.errors import Conflict
from core.job_definition import JobDefinition
from core.models.job import JobStatus
from core.models.pipeline import RunStatus, StepStatus
from core.models.pipeline_run import ChildJob
from services.orchestration import control as jobs_control
from services.pipelines import control, deciding, runs
from tests.support.engine import Load
from tests.support.pipeline_runs import Run, end_job, expression, gate, job, saved

HISTORIES = int(os.environ.get("GEOFORGE_TEST_HISTORIES", "20"))
STEPS = 25

# How often all may go well at the end before a history counts as stuck.
ROUNDS = 60

_ids = "abcde"
_load: list[JobDefinition[Load]] = []


@st.composite
def documents(draw: st.DrawFn) -> list[dict[str, Any]]:
    """The steps of a pipeline; each depends on some of those before it."""
    steps = []
    for index in range(draw(st.integers(1, len(_ids)))):
        common = {
            "after": draw(
                st.lists(st.sampled_from(_ids[:index]), unique=True) if index else st.just([])
            ),
            "needs": draw(st.sampled_from(["success", "success", "end"])),
            "on_failure": draw(st.sampled_from(["stop", "continue"])),
            **draw(st.sampled_from([{}, {}, {}, {"when": "length([1]) > 1"}])),
        }
        kind = draw(st.sampled_from(["items", "items", "job", "gate"]))
        if kind == "gate":
            steps.append(gate(_ids[index], timeout_hours=draw(st.sampled_from([1, 100])), **common))
        elif kind == "job":
            steps.append(job(_ids[index], _load[0], **common))
        else:
            items = list(range(draw(st.integers(0, 4))))
            steps.append(
                job(
                    _ids[index],
                    _load[0],
                    for_each="[0, 1, 2, 3]" if not items else f"{items}",
                    parameters={"n": expression("item")},
                    max_parallel=draw(st.sampled_from([4, 2, 1])),
                    max_failed_share=draw(st.sampled_from([1.0, 0.5, 0.0])),
                    **common,
                )
            )
    return steps


class Histories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        # What has completed, as it was then.
        self.completed: dict[str, Any] = {}
        self.ended: RunStatus | None = None
        self.ends = 0

    @initialize(steps=documents(), is_abandoned=st.booleans())
    def begin(self, steps: list[dict[str, Any]], is_abandoned: bool) -> None:
        self.is_abandoned = is_abandoned
        self.run = Run(runs.start(saved(*steps), {}).run_id)
        self.look()

    # -- the run

    @rule()
    def turn(self) -> None:
        self.look()

    def look(self) -> None:
        """Take a turn, do what it asks for, and hold the rows against what must hold."""
        turn = self.run.turn()
        for job_id in turn.to_cancel:
            jobs_control.cancel(job_id)
        self.run.check()
        status, steps = self.run.row.status, self.run.steps
        assert turn.verdict["next"] == ("end" if status.is_terminal else "wait")
        if self.ended is not None:
            assert status is self.ended, "a run has one end"
        elif status.is_terminal:
            self.ended = status
        for step_id, state in steps.items():
            known = self.completed.get(step_id)
            if known is not None:
                # Jobs of it that somebody resumes by hand are no concern of the run's any more.
                assert (state.status, state.outputs, len(state.jobs)) == known, "done twice"
            elif state.status.is_success:
                self.completed[step_id] = (state.status, state.outputs, len(state.jobs))
                if self.run.row.cancel_requested:
                    of_items = deciding.jobs_of(state)
                    assert all(each.status is not JobStatus.CANCELLED for each in of_items), (
                        "what was cancelled with its run counts as a success"
                    )
            made = self.run.query(
                "SELECT item_index, count(*) AS n FROM app.pipeline_step_jobs"
                " WHERE run_id = %(run_id)s AND step_id = %(step_id)s GROUP BY item_index",
                step_id=step_id,
            )
            # Parameters never change here, and every job can be resumed.
            assert all(row["n"] == 1 for row in made), "a job beside one that could go on"

    # -- jobs

    def jobs(self) -> list[ChildJob]:
        return [each for state in self.run.steps.values() for each in state.jobs]

    @rule(data=st.data())
    def job_ends(self, data: st.DataObject) -> None:
        open_jobs = [each for each in self.jobs() if each.is_open]
        if open_jobs:
            ending = data.draw(st.sampled_from(open_jobs))
            ends = [JobStatus.COMPLETED, JobStatus.COMPLETED, JobStatus.FAILED]
            if ending.cancel_requested:
                ends = [JobStatus.CANCELLED, JobStatus.COMPLETED]
            end_job(ending.job_id, data.draw(st.sampled_from(ends)))

    @rule(data=st.data())
    def job_is_cancelled_by_hand(self, data: st.DataObject) -> None:
        open_jobs = [each for each in self.jobs() if each.is_open]
        if open_jobs:
            jobs_control.cancel(data.draw(st.sampled_from(open_jobs)).job_id)

    @rule(data=st.data())
    def job_is_resumed_by_hand(self, data: st.DataObject) -> None:
        bad = [each for each in self.jobs() if not each.is_open and not each.is_success]
        if bad:
            jobs_control.resume(data.draw(st.sampled_from(bad)).job_id)

    # -- people

    @rule(data=st.data(), decision=st.sampled_from(["approved", "approved", "rejected"]))
    def gate_is_decided(self, data: st.DataObject, decision: Any) -> None:
        gates = [
            step_id
            for step_id, state in self.run.steps.items()
            if state.status is StepStatus.AWAITING_APPROVAL
        ]
        if gates:
            # One whose time is over, or whose run is being cancelled, is decided no more.
            with suppress(Conflict):
                control.decide(self.run.run_id, data.draw(st.sampled_from(gates)), decision)

    @rule()
    def hours_pass(self) -> None:
        self.run.hours_pass(2)

    @precondition(lambda self: self.ends < 3)
    @rule()
    def run_is_cancelled(self) -> None:
        self.ends += 1
        try:
            control.cancel(self.run.run_id)
        except Conflict:
            assert self.run.row.status.is_terminal

    @rule()
    def run_is_resumed(self) -> None:
        status = self.run.row.status
        try:
            control.resume(self.run.run_id)
        except Conflict:
            assert status not in (RunStatus.FAILED, RunStatus.CANCELLED)
            return
        assert status.is_terminal
        assert status is not RunStatus.COMPLETED
        self.ended = None

    # -- the end

    def teardown(self) -> None:
        if not hasattr(self, "run"):
            return
        if self.is_abandoned:
            self.run_is_cancelled()
        for _ in range(ROUNDS):
            self.look()
            if self.run.row.status.is_terminal:
                return
            for each in self.jobs():
                if each.is_open:
                    end = JobStatus.CANCELLED if each.cancel_requested else JobStatus.COMPLETED
                    end_job(each.job_id, end)
            # What nobody decides is rejected when its time is over.
            self.run.hours_pass(200)
        raise AssertionError(f"the run does not end: {self.run.statuses}")


def test_whatever_happens(load: JobDefinition[Load], pipelines: Any) -> None:
    _load[:] = [load]
    run_state_machine_as_test(
        Histories,
        settings=hypothesis_settings(
            max_examples=HISTORIES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=[
                HealthCheck.too_slow,
                HealthCheck.filter_too_much,
                HealthCheck.function_scoped_fixture,
            ],
        ),
    )
