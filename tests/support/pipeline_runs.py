"""Runs of pipelines as tests drive them: a real ledger, and child jobs that end as a test says.

A test takes the run's turns (`Run.turn`) and plays its jobs: `Run.end` ends one, such as the
engine would. `Run.check` holds the rows against what must hold at any moment.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from core.job_definition import JobDefinition
from core.models.job import JobStatus
from core.models.pipeline import Pipeline, RunStatus, StepStatus
from core.models.pipeline_run import ChildJob, RunRecord, StepRecord
from core.pipelines import graph
from infrastructure import database, job_repository, pipelines_repository
from infrastructure import pipeline_runs_repository as pipeline_runs
from infrastructure.database import Row
from services.pipelines import advancing, control, runs
from services.pipelines.advancing import Turn
from tests.support.engine import Load, define

_names = itertools.count(1)

_STEPS = """
    SELECT step_id, status, reason, items, items_total, outputs, error, decision, deadline
    FROM app.pipeline_steps WHERE run_id = %(run_id)s ORDER BY position"""
_JOBS = """
    SELECT DISTINCT ON (s.step_id, s.item_index)
           s.step_id, s.item_index, s.attempt, s.job_id, s.seen, s.round,
           j.status, j.cancel_requested, j.submission_key
    FROM app.pipeline_step_jobs s JOIN app.jobs j USING (job_id)
    WHERE s.run_id = %(run_id)s
    ORDER BY s.step_id, s.item_index, s.attempt DESC"""


class Table(BaseModel):
    """What the jobs of these tests result in."""

    table: str
    rows: list[int]


def job_type(**options: Any) -> JobDefinition[Load]:
    """Register a job type that results in a `Table`."""
    return define(outputs=Table, **options)


def job(step_id: str, of: JobDefinition[Load], **fields: Any) -> dict[str, Any]:
    """A step that is a job, or with for_each several."""
    return {"id": step_id, "kind": "job", "job": of.name, **fields}


def gate(step_id: str, **fields: Any) -> dict[str, Any]:
    """A step at which somebody decides."""
    return {"id": step_id, "kind": "gate", "message": "Is it good?", **fields}


def expression(text: str) -> dict[str, str]:
    return {"$expr": text}


def saved(*steps: Mapping[str, Any], problems: int = 0, **fields: Any) -> str:
    """Keep a pipeline of these steps, under a name that no other test has."""
    name = f"pipeline_{next(_names)}"
    document = {"format": "geoforge.pipeline/1", "name": name, "steps": list(steps), **fields}
    with database.transaction() as connection:
        pipelines_repository.create(
            connection, name, document, problems=[{"loc": [], "msg": "no"}] * problems
        )
    return name


class Run:
    """A run of a test."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id

    @classmethod
    def start(cls, *steps: Mapping[str, Any], given: Any = None, **fields: Any) -> Run:
        """A run of a new pipeline, which has taken its first turn."""
        run = cls(runs.start(saved(*steps, **fields), given or {}).run_id)
        run.turn()
        return run

    # -- what there is

    @property
    def row(self) -> RunRecord:
        with database.transaction() as connection:
            return pipeline_runs.get(connection, self.run_id)

    @property
    def status(self) -> str:
        return self.row.status.value

    @property
    def steps(self) -> dict[str, StepRecord]:
        """All that there is of the steps, also what the run itself does not read any more."""
        jobs: dict[str, list[ChildJob]] = {}
        for row in self.query(_JOBS):
            step_id = row.pop("step_id")
            seen = None if row["seen"] is None else JobStatus(row["seen"])
            child = ChildJob(**{**row, "status": JobStatus(row["status"]), "seen": seen})
            jobs.setdefault(step_id, []).append(child)
        return {
            row["step_id"]: StepRecord(
                **{**row, "status": StepStatus(row["status"])},
                jobs=tuple(jobs.get(row["step_id"], ())),
            )
            for row in self.query(_STEPS)
        }

    @property
    def statuses(self) -> dict[str, str]:
        return {step_id: state.status.value for step_id, state in self.steps.items()}

    @property
    def pipeline(self) -> Pipeline:
        row = self.row
        with database.transaction() as connection:
            return Pipeline.model_validate(
                pipeline_runs.document(connection, row.name, row.version)
            )

    def jobs(self, step_id: str) -> list[ChildJob]:
        return list(self.steps[step_id].jobs)

    def job_row(self, step_id: str, index: int = 0) -> Any:
        [job] = [each for each in self.jobs(step_id) if each.item_index == index]
        with database.transaction() as connection:
            return job_repository.get(connection, job.job_id)

    def query(self, text: str, **parameters: Any) -> list[Row]:
        """Rows of a statement in which %(run_id)s is this run."""
        with database.transaction() as connection:
            cursor = connection.execute(text, {"run_id": self.run_id, **parameters})
            return cursor.fetchall() if cursor.description else []

    # -- what happens

    def turn(self) -> Turn:
        return advancing.advance(self.run_id)

    def end(
        self,
        step_id: str,
        status: JobStatus = JobStatus.COMPLETED,
        *,
        index: int = 0,
        result: Mapping[str, Any] | None = None,
    ) -> None:
        """End a job of a step, and take the turn that follows."""
        end_job(self.job_row(step_id, index).job_id, status, result)
        self.turn()

    def decide(self, step_id: str, decision: Any = "approved", **more: Any) -> None:
        control.decide(self.run_id, step_id, decision, **more)
        self.turn()

    def cancel(self) -> Turn:
        control.cancel(self.run_id)
        return self.turn()

    def resume(self) -> None:
        control.resume(self.run_id)
        self.turn()

    def hours_pass(self, hours: int = 1) -> None:
        """Move what the run waits for into the past."""
        self.query(
            "UPDATE app.pipeline_steps SET deadline = deadline - make_interval(hours => %(h)s)"
            " WHERE run_id = %(run_id)s",
            h=hours,
        )
        self.query(
            "UPDATE app.pipeline_runs SET updated_at = updated_at - make_interval(hours => %(h)s),"
            " checked_at = checked_at - make_interval(hours => %(h)s) WHERE run_id = %(run_id)s",
            h=hours,
        )
        self.query(
            "UPDATE app.jobs SET finished_at = finished_at - make_interval(hours => %(h)s)"
            " WHERE job_id IN (SELECT job_id FROM app.pipeline_step_jobs"
            "                  WHERE run_id = %(run_id)s)",
            h=hours,
        )

    # -- what must hold

    def check(self) -> None:
        """Hold the rows against what must hold after any turn."""
        row, steps, pipeline = self.row, self.steps, self.pipeline
        dependencies = graph.dependencies(pipeline)
        for step in pipeline.steps:
            state = steps[step.id]
            begun = state.status not in (StepStatus.PENDING, StepStatus.SKIPPED) and (
                state.reason is None
            )
            if begun:
                waits = [
                    each for each in dependencies[step.id] if not steps[each].status.is_terminal
                ]
                assert not waits, f"{step.id} is {state.status} before {waits} have ended"
            if begun and step.needs == "success":
                bad = [each for each in dependencies[step.id] if not steps[each].status.is_success]
                assert not bad, f"{step.id} is {state.status} though {bad} did not succeed"
            if step.kind == "job" and state.status is StepStatus.RUNNING:
                at_once = 1 if step.for_each is None else step.max_parallel
                assert sum(each.is_open for each in state.jobs) <= at_once
        ended = all(state.status.is_terminal for state in steps.values())
        assert row.status.is_terminal == ended, f"{row.status}: {self.statuses}"
        if row.status is RunStatus.COMPLETED:
            good = (StepStatus.COMPLETED, StepStatus.SKIPPED)
            assert all(state.status in good for state in steps.values())
        if row.status is RunStatus.FAILED:
            assert row.error is not None


def end_job(
    job_id: str,
    status: JobStatus = JobStatus.COMPLETED,
    result: Mapping[str, Any] | None = None,
) -> None:
    """Bring a job to an end, as finalizing it would."""
    with database.transaction() as connection:
        record = job_repository.get(connection, job_id)
        good = status in (JobStatus.COMPLETED, JobStatus.COMPLETED_WITH_ERRORS)
        ended = job_repository.finish(
            connection,
            job_id,
            status,
            resumes=record.resumes,
            result=dict(result or {"table": f"t_{job_id[:6]}", "rows": [1, 2]}) if good else None,
            error={"code": "broken", "message": "The file is broken."}
            if status is JobStatus.FAILED
            else None,
        )
    assert ended, f"job {job_id} had ended"
