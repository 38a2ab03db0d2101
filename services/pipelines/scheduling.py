"""Runs that fall due.

A scheduled run is known by its due time: however many schedulers find it, there is one row of it
(`app.pipeline_runs` is unique in name and due time), so a clock that is set back begins nothing
twice. Of the runs that were missed while no host was up only the latest is made up for.
"""

from __future__ import annotations

import logging
from datetime import datetime

from core.errors import NotFound, Unavailable
from core.models.pipeline import PipelineSchedule
from core.schedules import Schedule
from infrastructure import database, faults, locks
from infrastructure import pipeline_runs_repository as pipeline_runs
from infrastructure.pipeline_runs_repository import ScheduledPipeline
from services.pipelines import runs
from services.pipelines.runs import StartedRun

log = logging.getLogger(__name__)

_LOCK = "pipeline_schedules"


def run_due(now: datetime | None = None) -> list[StartedRun]:
    """Begin the runs that are due; the caller starts their orchestrations.

    Those of pipelines whose newest version can be run and whose schedule is enabled. `now` is
    the database's time, which all hosts share, unless it is given. Nothing is begun where
    another instance is at it. Raises `Unavailable` where the database does not answer.
    """
    with locks.singleton(_LOCK) as mine:
        if not mine:
            return []
        with database.transaction() as connection:
            moment = now or database.now(connection)
            early = pipeline_runs.pull_back_schedules(connection, moment)
            scheduled = pipeline_runs.schedules(connection)
            due = {each.name: due_time(each, moment) for each in scheduled}
            known = pipeline_runs.due_already(
                connection, {name: at for name, at in due.items() if at is not None}
            )
        if early:
            log.warning("the clock was set back; scheduled from now on: %s", ", ".join(early))
        begun = [
            _begin(each, due_at)
            for each in scheduled
            if (due_at := due[each.name]) is not None and each.name not in known
        ]
    return [run for run in begun if run is not None]


def due_time(pipeline: ScheduledPipeline, now: datetime) -> datetime | None:
    """The latest time at which a pipeline fell due; None where it has not, or does not run."""
    try:
        schedule = PipelineSchedule.model_validate(pipeline.schedule)
        if not schedule.enabled or pipeline.problems:
            return None
        return Schedule.parse(schedule.cron).last_before(now, after=pipeline.schedule_from)
    except ValueError as error:  # pydantic's and the schedule's: one of them stops no other
        log.error("the schedule of %s cannot be read: %s", pipeline.name, error)
        return None


def _begin(pipeline: ScheduledPipeline, due_at: datetime) -> StartedRun | None:
    """Begin one run. What is wrong with it stops no other."""
    inputs = pipeline.schedule.get("inputs", {})
    try:
        run = runs.start(pipeline.name, inputs, version=pipeline.version, due_at=due_at)
    except Unavailable:
        raise
    except NotFound as error:  # deleted in this moment
        log.info("%s is not run: %s", pipeline.name, error.message)
    except Exception as error:  # whatever it is, the other pipelines are due all the same
        _could_not_begin(pipeline, due_at, error)
    else:
        return run if run.created else None
    return None


def _could_not_begin(pipeline: ScheduledPipeline, due_at: datetime, error: Exception) -> None:
    """Tell the operator once for a due time: in the log, and by a run that failed.

    What passes by itself is left to the next check.
    """
    fault = faults.classify(error)
    if fault.transient:
        log.error("%s could not be run: %s", pipeline.name, fault.record["message"], exc_info=error)
        return
    message = f"The scheduled run could not begin: {fault.record['message']}"
    runs.record_failed(
        pipeline.name,
        pipeline.version,
        pipeline.schedule.get("inputs", {}),
        due_at=due_at,
        error={**fault.record, "message": message},
    )
    log.error("%s, due at %s: %s", pipeline.name, due_at, message)
