"""Repair: runs that nobody told of what moved, and runs without an orchestration.

A commit and the event or start that should follow it are two systems, and a process can die
between them. What a run has heard of is in its rows, so the reconciler compares.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from core.models.pipeline import RunStatus, StepStatus
from infrastructure import database, locks
from infrastructure import pipeline_runs_repository as pipeline_runs

log = logging.getLogger(__name__)

# What is younger is on its way.
_UNHEARD_SECONDS = 10.0
_STARTING_SECONDS = 15.0
# A run at whose gates nothing happens has nothing to do: its orchestration is looked for seldom.
_IDLE_SECONDS = 600.0
# Each is a question to the Durable client; the next round goes on with the others.
_CHECKS = 200
_MAX_RESTARTS = 20


@dataclass(frozen=True, slots=True)
class Findings:
    """What only the Durable client can do about a round: raise events, start orchestrations."""

    to_tell: list[str]
    to_check: list[str]


def reconcile_all() -> Findings:
    """One round over all runs that are under way. Nothing where another instance is at it."""
    with locks.singleton("pipelines") as mine:
        if not mine:
            return Findings([], [])
        with database.transaction() as connection:
            return Findings(
                pipeline_runs.unheard(connection, _UNHEARD_SECONDS),
                pipeline_runs.to_check(
                    connection,
                    older_than_seconds=_STARTING_SECONDS,
                    idle_seconds=_IDLE_SECONDS,
                    limit=_CHECKS,
                ),
            )


def may_restart(run_id: str) -> bool:
    """Note that a run without an orchestration gets one again; whether it still may.

    One that fails every time is ended as failed, rather than started for ever.
    """
    with database.transaction() as connection:
        restarts = pipeline_runs.count_restart(connection, run_id)
    if restarts is None:
        return False
    if restarts <= _MAX_RESTARTS:
        log.warning("the orchestration of run %s is started again", run_id)
        return True
    error = {
        "code": "orchestration_failed",
        "message": f"The run's orchestration failed {_MAX_RESTARTS} times in a row.",
    }
    give_up(run_id, error)
    log.error("run %s: given up after %d restarts", run_id, _MAX_RESTARTS)
    return False


def give_up(run_id: str, error: Mapping[str, Any]) -> None:
    """End a run that cannot go on by itself as failed, with its open steps.

    Jobs that are under way go on, and are the run's again when it is resumed.
    """
    with database.transaction() as connection:
        pipeline_runs.get(connection, run_id, lock=True)
        steps = pipeline_runs.steps(connection, run_id)
        if not pipeline_runs.finish(connection, run_id, RunStatus.FAILED, error):
            return
        stopped = [
            replace(step, status=StepStatus.CANCELLED, reason="The run was given up.")
            for step in steps.values()
            if not step.status.is_terminal
        ]
        pipeline_runs.save_steps(connection, run_id, [(step, False) for step in stopped])
