"""Sending a step's jobs on their way: new ones, and after a resume those that had failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from core.errors import Conflict
from core.models.job import JobStatus
from core.models.pipeline import JobStep
from core.models.pipeline_run import ChildJob, StepRecord
from infrastructure import pipeline_runs_repository as pipeline_runs
from infrastructure.database import Connection
from services.orchestration import control, submission
from services.orchestration.submission import Checked, Submission


@dataclass(frozen=True, slots=True)
class Launch:
    """A job that is to begin: that of one item of a step."""

    step: JobStep
    item_index: int
    prepared: Checked


@dataclass(slots=True)
class Launched:
    """What was written, to be announced and started once it is committed."""

    submitted: list[Submission] = field(default_factory=list)
    resumed: list[tuple[str, int]] = field(default_factory=list)

    @property
    def job_ids(self) -> list[str]:
        """The jobs whose orchestrations are to be started."""
        return [job.job_id for job in self.submitted] + [job_id for job_id, _ in self.resumed]

    def announce(self) -> None:
        """Show on the jobs' pages what became of them."""
        for job in self.submitted:
            submission.announce(job)
        for job_id, reopened in self.resumed:
            control.announce_resume(job_id, reopened)


def launch(
    connection: Connection,
    run_id: str,
    launches: Sequence[Launch],
    steps: dict[str, StepRecord],
    rounds: int,
) -> Launched:
    """Submit or resume these jobs; `steps` have them afterwards.

    A job that had failed is resumed where it can be, so what it has done is not done again;
    else there is another one beside it.
    """
    launched = Launched()
    # In the order of the keys that submitting locks: two runs at once never wait for each other.
    for each in sorted(launches, key=lambda each: each.prepared.key):
        step_id = each.step.id
        known = {job.item_index: job for job in steps[step_id].jobs}
        before = known.get(each.item_index)
        job = None
        if before is not None and before.round is not None:
            job = _gone_on_with(connection, before, rounds, launched)
        if job is None:
            job = _submitted(connection, run_id, each, before, rounds, launched)
        known[each.item_index] = job
        jobs = tuple(known[index] for index in sorted(known))
        steps[step_id] = replace(steps[step_id], jobs=jobs)
    return launched


def _gone_on_with(
    connection: Connection, job: ChildJob, rounds: int, launched: Launched
) -> ChildJob | None:
    """The job, resumed; None where it cannot be."""
    try:
        with connection.transaction():
            reopened = control.resume_in(connection, job.job_id)
    except Conflict as refusal:
        status = JobStatus(refusal.details.get("job_status", job.status))
        if status in (JobStatus.FAILED, JobStatus.CANCELLED):
            return None
        # Somebody resumed it on its own page in this moment: its end is told to the run.
        return replace(job, status=status, round=rounds)
    launched.resumed.append((job.job_id, reopened))
    return replace(job, status=JobStatus.QUEUED, seen=JobStatus.QUEUED, round=rounds)


def _submitted(
    connection: Connection,
    run_id: str,
    launch: Launch,
    before: ChildJob | None,
    rounds: int,
    launched: Launched,
) -> ChildJob:
    made = submission.submit_checked(connection, launch.prepared, rerun=True)
    job = ChildJob(
        item_index=launch.item_index,
        attempt=1 if before is None else before.attempt + 1,
        job_id=made.job_id,
        submission_key=launch.prepared.key,
        status=JobStatus.QUEUED,
        seen=JobStatus.QUEUED,
        round=rounds,
    )
    pipeline_runs.add_job(
        connection,
        run_id,
        launch.step.id,
        item_index=job.item_index,
        attempt=job.attempt,
        job_id=job.job_id,
        in_round=rounds,
    )
    launched.submitted.append(made)
    return job
