"""Messages that Service Bus gave up delivering.

A message is dead-lettered when its deliveries keep failing: because it cannot be read, because
it kills its worker, or because the database was down for long. The first kind names no task.
For the others one attempt counts as spent: a task with attempts left waits and goes again, one
without ends in failed. In neither case is it lost.
"""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass

from core.errors import NotFound
from core.job_definition import Queue, RetryPolicy
from core.messages import MalformedMessage, TaskMessage
from core.models.cost import Cost
from core.models.task import ClaimedTask, TaskOutcome, TaskStatus
from core.registry import registry
from infrastructure import (
    cost_repository,
    database,
    job_progress,
    job_repository,
    reconcile_repository,
    task_repository,
)
from infrastructure.database import Connection
from infrastructure.telemetry import task_scope
from services.orchestration import window
from services.orchestration.worker import StageDone

log = logging.getLogger(__name__)

_BODY_LIMIT = 4096


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message as found in a dead-letter queue."""

    queue: Queue
    body: bytes
    message_id: str | None
    reason: str | None
    description: str | None


def bury(letter: DeadLetter) -> StageDone | None:
    """Keep the message in app.dead_letters, and settle the tasks that it names.

    Returns the stage, if this brought it to zero.
    """
    try:
        message = TaskMessage.decode(letter.body)
    except MalformedMessage as error:
        log.error("unreadable dead letter from queue %s: %s", letter.queue, error)
        _record_alone(letter)
        return None
    with task_scope(job_id=message.job_id, stage=message.stage):
        return _settle(message, letter)


def _settle(message: TaskMessage, letter: DeadLetter) -> StageDone | None:
    """Keep the letter and spend its tasks' attempt in one transaction: both, or neither."""
    reason = letter.reason or "no reason given"
    job_id, stage = message.job_id, message.stage
    try:
        with database.transaction() as connection:
            _record(connection, letter, job_id)
            job = job_repository.get(connection, job_id)
            current = window.lock_stage(connection, job_id, stage)
            retry = registry.get(job.job_type).stages[stage].retry
            tasks = reconcile_repository.spend_attempt(connection, job_id, stage, message.indexes)
            outcomes = [_outcome(task, retry, reason) for task in tasks]
            settled = task_repository.settle(connection, job_id, stage, outcomes)
            progress = window.move_on(connection, current, settled)
            cost_repository.add(connection, job_id, stage, Cost(messages=progress.messages))
    except (LookupError, NotFound) as error:
        log.error("dead letter for what is not in the ledger: %s", error)
        _record_alone(letter)
        return None
    if tasks:
        log.error("%d tasks dead-lettered: %s", len(tasks), reason)
        job_progress.event(
            job_id,
            "dead_lettered",
            f"A message for {len(tasks)} tasks was dead-lettered: {reason}",
            error=True,
            stage=stage,
        )
    return StageDone(job_id, stage) if progress.send() else None


def _outcome(task: ClaimedTask, retry: RetryPolicy, reason: str) -> TaskOutcome:
    error = {
        "code": "dead_lettered",
        "message": f"Service Bus gave up delivering the task's message: {reason}.",
    }
    if task.tries < retry.max_attempts:
        delay = retry.delay_seconds(task.tries, random.random())
        return TaskOutcome(
            task.task_index, task.attempt, TaskStatus.PENDING, error=error, retry_in=delay
        )
    return TaskOutcome(task.task_index, task.attempt, TaskStatus.FAILED, error=error)


def _record_alone(letter: DeadLetter) -> None:
    """Keep a letter that names no task of ours."""
    with database.transaction() as connection:
        _record(connection, letter, None)


def _record(connection: Connection, letter: DeadLetter, job_id: str | None) -> None:
    job_repository.insert_dead_letter(
        connection,
        queue=letter.queue,
        message_id=letter.message_id,
        reason=letter.reason,
        description=letter.description,
        job_id=job_id,
        body=letter.body[:_BODY_LIMIT].decode("utf-8", "backslashreplace").replace("\0", "\\0"),
    )
