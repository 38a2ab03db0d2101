"""The few words of pipelines with Durable Functions: start an orchestration, say that a run moved.

A run's orchestration waits for an event named by the number of its last turn. Whoever changed
something that the run is to look at (a job ended, a gate was decided) reads that number under
the lock of the run's row, so it is the number of a turn that has not seen the change, or of the
next one, and raises the event of that name. An event that is not heard is made up for by the
reconciler, and at last by the orchestration's own watchdog.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from infrastructure import database
from infrastructure import pipeline_runs_repository as pipeline_runs
from services.orchestration.starting import ALIVE, DurableClient
from services.pipelines import reconcile

log = logging.getLogger(__name__)

ORCHESTRATOR = "run_pipeline"


def event_of(turn: int) -> str:
    """The event for which a run waits after a turn. The SDK would hand an event to every later
    wait of the same name: so no name is waited for twice.
    """
    return f"moved_{turn}"


async def start(client: DurableClient, run_id: str) -> bool:
    """Start the run's orchestration; whether that worked. The reconciler makes up for a no."""
    try:
        await client.start_new(ORCHESTRATOR, run_id)
    except Exception as error:  # the SDK raises bare exceptions; the row is what counts
        log.warning("run %s was not started, the reconciler will: %s", run_id, error)
        return False
    return True


async def ensure_started(client: DurableClient, run_id: str) -> None:
    """Start the orchestration of a run that has none, or whose last one failed."""
    try:
        status = await client.get_status(run_id)
    except Exception as error:  # the SDK raises bare exceptions; the next round asks again
        log.warning("the state of run %s is not known: %s", run_id, error)
        return
    runtime = getattr(status, "runtime_status", None)
    if runtime is not None and runtime.value in ALIVE:
        return
    if await asyncio.to_thread(reconcile.may_restart, run_id):
        await start(client, run_id)


async def tell(client: DurableClient, run_ids: Iterable[str]) -> None:
    """Tell runs that are under way that something moved; the others need not know.

    An event that cannot be raised is only logged: the reconciler tells again.
    """
    for run_id in run_ids:
        try:
            turn = await asyncio.to_thread(_turn, run_id)
            if turn is not None:
                await client.raise_event(run_id, event_of(turn), None)
        except Exception as error:  # the SDK raises bare exceptions; see above
            log.warning("run %s was not told, the reconciler tells: %s", run_id, error)


async def tell_run_of(client: DurableClient, job_id: str) -> None:
    """Tell the run that has this job that the job has ended. Most jobs have none."""
    try:
        news = await asyncio.to_thread(_news, job_id)
        if news is not None:
            run_id, turn = news
            await client.raise_event(run_id, event_of(turn), None)
    except Exception as error:  # the job has ended all the same; see `tell`
        log.warning("the run of job %s was not told, the reconciler tells: %s", job_id, error)


def _turn(run_id: str) -> int | None:
    with database.transaction() as connection:
        return pipeline_runs.turn(connection, run_id)


def _news(job_id: str) -> tuple[str, int] | None:
    with database.transaction() as connection:
        return pipeline_runs.news_of_job(connection, job_id)
