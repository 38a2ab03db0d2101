"""From task indexes to Service Bus messages, after the transaction that queued them."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from core.errors import Unavailable
from core.job_definition import Queue
from core.messages import TaskMessage
from infrastructure import database, job_progress, reconcile_repository, task_repository
from infrastructure.task_queue import task_queue
from infrastructure.task_repository import Stage

log = logging.getLogger(__name__)


def send(stage: Stage, indexes: Sequence[int]) -> bool:
    """Send messages for queued tasks; whether that worked.

    The ledger already says that they are queued, so a failure loses nothing: they are marked
    as overdue, and the reconciler sends them when Service Bus is back.
    """
    if not indexes:
        return True
    messages = [
        TaskMessage(stage.job_id, stage.stage, run)
        for run in task_repository.chunks(indexes, stage.tasks_per_message)
    ]
    try:
        task_queue().send(Queue(stage.queue), messages)
    except Unavailable as error:
        log.warning("%s Its %d tasks will be sent again.", error.message, len(indexes))
        with database.transaction() as connection:
            reconcile_repository.mark_unsent(connection, stage.job_id, stage.stage, indexes)
        job_progress.event(
            stage.job_id, error.error_code, error.message, error=True, stage=stage.stage
        )
        return False
    return True


def messages_of(stage: Stage, indexes: Sequence[int]) -> int:
    """How many messages `send` sends."""
    return -(-len(indexes) // stage.tasks_per_message)


def send_retries(stage: Stage, retries: Sequence[tuple[int, float]]) -> None:
    """Schedule a message for each task that waits: (index, seconds). All in one send.

    One that cannot be sent is overdue soon after its time, and the reconciler sends it.
    """
    if not retries:
        return
    messages = [
        (TaskMessage(stage.job_id, stage.stage, [index]), delay) for index, delay in retries
    ]
    try:
        task_queue().schedule(Queue(stage.queue), messages)
    except Unavailable as error:
        log.warning("%s The retries will be sent by the reconciler.", error.message)
