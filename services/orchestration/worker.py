"""Running tasks: claim, call the handler, settle.

A worker receives messages that name tasks. It claims them in the ledger (what it cannot claim
is a duplicate or was cancelled, and needs no work), runs their handlers, and writes all the
outcomes of a stage in one transaction. Delivery is at least once; what makes an effect count
once is the fence (task, attempt) in that transaction.
"""

from __future__ import annotations

import logging
import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from config import get_settings
from core import jsonb
from core.errors import PermanentTaskError
from core.job_definition import JsonObject
from core.messages import MalformedMessage, TaskMessage
from core.models.cost import Cost
from core.models.job import JobRecord
from core.models.metrics import Attempt
from core.models.task import ClaimedTask, TaskOutcome, TaskStatus
from infrastructure import database, faults, job_progress, job_repository, task_repository
from infrastructure.job_figures import speaking_for
from infrastructure.metering import Meter, Threads
from infrastructure.telemetry import task_scope
from services.orchestration import window
from services.orchestration.context import LedgerContext, RunningTask
from services.orchestration.leases import Holding, keeper

log = logging.getLogger(__name__)

# A task's result is a row in the ledger; whatever is larger belongs into the workspace.
_RESULT_LIMIT_BYTES = 256 * 1024

_SETTLE_PATIENCE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class StageDone:
    """A stage that this worker brought to zero: its orchestrator must be told."""

    job_id: str
    stage: int

    @property
    def event(self) -> str:
        return f"stage_{self.stage}_done"


@dataclass(frozen=True, slots=True)
class WorkedOff:
    """What came of some messages: the stages that ended, and why not all could be worked off.

    With an `error` the messages must be delivered again: those that were worked off claim
    nothing then, a malformed one ends in the dead-letter queue, and one that came while the
    database was down (`Unavailable`) is done.
    """

    done: list[StageDone]
    error: Exception | None


def work_off(bodies: Sequence[bytes]) -> WorkedOff:
    """Do the work that the messages name. Trouble with one of them does not stop the others."""
    groups: dict[tuple[str, int], list[Sequence[int]]] = defaultdict(list)
    done: list[StageDone] = []
    error: Exception | None = None
    for body in bodies:
        try:
            message = TaskMessage.decode(body)
            groups[message.job_id, message.stage].append(message.indexes)
        except MalformedMessage as malformed:
            log.error("a message on a task queue cannot be read: %s", malformed)
            error = malformed
    for (job_id, stage), runs in groups.items():
        try:
            if (ended := _run_stage_tasks(job_id, stage, runs)) is not None:
                done.append(ended)
        except Exception as failure:  # kept for the caller, who has the messages redelivered
            with task_scope(job_id=job_id, stage=stage):
                log.error("messages were not worked off: %r", failure)
            error = failure
    return WorkedOff(done, error)


def _run_stage_tasks(job_id: str, stage: int, runs: Sequence[Sequence[int]]) -> StageDone | None:
    """Claim, run and settle tasks of one stage. `runs` are the index lists of the messages."""
    with task_scope(job_id=job_id, stage=stage):
        claimed = _claim(job_id, stage, [index for run in runs for index in run])
        if not claimed:
            return None
        with database.transaction() as connection:
            job = job_repository.get(connection, job_id)
            current = task_repository.stage(connection, job_id, stage)
        with keeper.hold(job_id, stage, list(claimed.values()), current.lease_seconds) as holding:
            # Taken out of `claimed`: a task that several messages of a batch name runs once.
            work = [[claimed.pop(index) for index in run if index in claimed] for run in runs]
            meter = Meter()
            run_tasks = _runner(job, stage, holding, meter)
            outcomes = [outcome for batch in _spread(run_tasks, work) for outcome in batch]
            # Before the stage can be found done: the figures of a job that has ended are whole.
            job_progress.flush(job_id)
            progress = _settle(job_id, stage, outcomes, meter.cost())
        finished = progress.send()
        job_progress.sample(job_id)
        return StageDone(job_id, stage) if finished else None


def _runner(
    job: JobRecord, stage: int, holding: Holding, meter: Meter
) -> Callable[[list[ClaimedTask]], list[TaskOutcome]]:
    """What runs the stage's tasks; where this version of the app cannot, what says so of each."""
    try:
        return _RunTasks(LedgerContext.of(job), stage, holding, meter)
    except Exception as error:  # no such job type any more, or its parameters have changed
        record = faults.classify(error).record
        log.error("the tasks cannot be run: %s", record["message"])
        return lambda tasks: [
            TaskOutcome(task.task_index, task.attempt, TaskStatus.FAILED, error=record)
            for task in tasks
        ]


def _claim(job_id: str, stage: int, indexes: Sequence[int]) -> dict[int, ClaimedTask]:
    with database.transaction() as connection:
        tasks = task_repository.claim(connection, job_id, stage, sorted(set(indexes)))
    return {task.task_index: task for task in tasks}


@lru_cache
def _threads() -> Threads:
    return Threads(get_settings().light_threads, thread_name_prefix="light-task")


def _spread(
    run: Callable[[list[ClaimedTask]], list[TaskOutcome]], work: list[list[ClaimedTask]]
) -> list[list[TaskOutcome]]:
    """Run the tasks of each message one after the other, and the messages side by side."""
    work = [tasks for tasks in work if tasks]
    if len(work) == 1:
        return [run(work[0])]
    futures = [_threads().submit(run, tasks) for tasks in work]
    return [future.result() for future in futures]


class _RunTasks:
    """Calls a stage's handler for claimed tasks; never raises: a failure is an outcome."""

    def __init__(self, job: LedgerContext[Any], stage: int, holding: Holding, meter: Meter) -> None:
        self._job = job
        self._index = stage
        self._stage = job.definition.stages[stage]
        self._holding = holding
        self._meter = meter

    def __call__(self, tasks: list[ClaimedTask]) -> list[TaskOutcome]:
        # All of them are of one stage: what each has taken by itself nobody asks.
        with self._meter.running():
            return [self._run(task) for task in tasks]

    def _run(self, task: ClaimedTask) -> TaskOutcome:
        context = RunningTask(
            self._job.job_id, self._job.parameters, self._job.definition, task, self._holding
        )
        attempt = Attempt(self._index, task.task_index, task.attempt)
        with (
            task_scope(task=task.task_index, attempt=task.attempt),
            speaking_for(attempt),
        ):
            try:
                context.check()
                result = _checked(self._stage.handler(context))
            except Exception as error:  # every failure of a handler is an outcome
                return self._failure(task, error)
        return TaskOutcome(task.task_index, task.attempt, TaskStatus.COMPLETED, result=result)

    def _failure(self, task: ClaimedTask, error: Exception) -> TaskOutcome:
        fault = faults.classify(error)
        retry = self._stage.retry
        if fault.cancelled:
            status, delay = TaskStatus.CANCELLED, None
        elif fault.transient and task.tries < retry.max_attempts:
            delay = retry.delay_seconds(task.tries, random.random())
            status = TaskStatus.PENDING
            log.warning("goes again in %.1f s: %s", delay, fault.record["message"])
        else:
            status, delay = TaskStatus.FAILED, None
            expected = fault.record["code"] != "internal_error"
            log.error("failed: %s", fault.record["message"], exc_info=not expected)
        return TaskOutcome(
            task.task_index, task.attempt, status, error=fault.record, retry_in=delay
        )


def _checked(result: JsonObject | None) -> JsonObject | None:
    """The result, if it can be kept in the ledger."""
    if not result:
        return result
    try:
        size = len(jsonb.encode(result))
    except ValueError as error:
        raise PermanentTaskError(
            f"The task's result is not JSON: {error}.", code="result_not_json"
        ) from error
    if size > _RESULT_LIMIT_BYTES:
        raise PermanentTaskError(
            f"The task's result has {size} bytes of JSON, over the limit of "
            f"{_RESULT_LIMIT_BYTES}: such results belong into the workspace.",
            code="result_too_large",
        )
    return result


def _settle(
    job_id: str, stage: int, outcomes: Sequence[TaskOutcome], cost: Cost
) -> window.Progress:
    """Write the outcomes; wait a while for a database that is restarting.

    The work is done: giving it up at once would only mean doing it again. Should the commit
    have gone through although its answer was lost, the second try changes nothing, and the
    reconciler sends what the first one put into the window.
    """
    patience = time.monotonic() + _SETTLE_PATIENCE_SECONDS
    while True:
        try:
            progress, _ = window.settle(job_id, stage, outcomes, cost)
            return progress
        except Exception as error:
            if not faults.classify(error).transient or time.monotonic() > patience:
                raise
            log.warning("outcomes are not settled yet: %r", error)
            time.sleep(1.0)
