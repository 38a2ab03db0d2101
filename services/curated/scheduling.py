"""Updates that fall due.

A dataset's run is known by its due time: `updates.start` makes one job of it, however many
schedulers find it, and the log keeps one row of it, so a clock that is set back begins nothing
twice. Of the runs that were missed, while the host was down or another update was under way,
only the latest is made up for.
"""

from __future__ import annotations

import logging
from datetime import datetime

from core.errors import Conflict, NotFound, Unavailable
from core.models.curated import CuratedDataset, UpdateStatus, UpdateType
from infrastructure import curated_repository as datasets
from infrastructure import curated_updates_repository as updates_log
from infrastructure import database, faults, locks
from services.curated import updates
from services.orchestration.submission import Submission

log = logging.getLogger(__name__)

_LOCK = "curated_datasets"
# Nothing is wrong: the next check begins it, or another has; it was disabled or deleted just now.
_NOT_NOW = ("update_under_way", "due_already", "not_due", "dataset_not_found")


def run_due(now: datetime | None = None) -> list[Submission]:
    """Begin the updates that are due; the caller starts the orchestrations of their jobs.

    `now` is the database's time, which all hosts share, unless it is given. Nothing is begun
    where another instance is at it. Raises `Unavailable` where the database does not answer.
    """
    with locks.singleton(_LOCK) as mine:
        if not mine:
            return []
        with database.transaction() as connection:
            moment = now or database.now(connection)
            early = updates_log.pull_back_schedules(connection, moment)
            enabled = updates_log.enabled(connection)
        if early:
            log.warning("the clock was set back; scheduled from now on: %s", ", ".join(early))
        begun = [_run_if_due(dataset_id, moment) for dataset_id in enabled]
    return [job for job in begun if job is not None]


def due_time(dataset: CuratedDataset, now: datetime) -> datetime | None:
    """The latest time at which an enabled dataset fell due; None where it has not yet."""
    schedule = dataset.schedule
    if not dataset.enabled or schedule is None:
        return None
    return schedule.last_before(now, after=dataset.schedule_from)


def _run_if_due(dataset_id: str, now: datetime) -> Submission | None:
    """Begin one dataset's update if it is due. What is wrong with it stops no other."""
    due_at = None
    try:
        with database.transaction() as connection:
            due_at = due_time(datasets.get(connection, dataset_id), now)
            if due_at is None or updates_log.with_due_times(connection, {dataset_id: due_at}):
                return None
        return updates.start(dataset_id, UpdateType.SCHEDULED, due_at=due_at)
    except Unavailable:
        raise
    except (Conflict, NotFound) as refusal:
        if refusal.error_code in _NOT_NOW:
            log.info("%s is not begun now: %s", dataset_id, refusal.message)
        else:
            _could_not_start(dataset_id, due_at, refusal)
    except Exception as error:  # whatever it is, the other datasets are due all the same
        _could_not_start(dataset_id, due_at, error)
    return None


def _could_not_start(dataset_id: str, due_at: datetime | None, error: Exception) -> None:
    """Tell the operator, in the log of the dataset once for a due time.

    What passes by itself is left to the next check.
    """
    fault = faults.classify(error)
    if fault.transient or due_at is None:
        log.error("%s could not be begun: %s", dataset_id, fault.record["message"], exc_info=error)
        return
    message = f"The scheduled run could not start: {fault.record['message']}"
    with database.transaction() as connection:
        updates_log.record(
            connection,
            dataset_id,
            UpdateType.SCHEDULED,
            UpdateStatus.FAILED,
            due_at=due_at,
            error_code=fault.record["code"],
            error_message=message,
        )
    log.error("%s, due at %s: %s", dataset_id, due_at, message)
