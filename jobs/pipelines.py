"""The orchestrator of pipelines, its activity, and the timers that begin and repair runs."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import azure.durable_functions as df
import azure.functions as func

from config import get_settings
from services.pipelines import following, reconcile, scheduling, starting

bp = df.Blueprint()
_settings = get_settings()

_RETRY = df.RetryOptions(first_retry_interval_in_milliseconds=5_000, max_number_of_attempts=5)
_FIRST_WATCHDOG = timedelta(minutes=1)
_LAST_WATCHDOG = timedelta(hours=1)
_TURNS = 50


@bp.orchestration_trigger(context_name="context")
def run_pipeline(context: df.DurableOrchestrationContext) -> Generator[Any, Any, str | None]:
    """One run of a pipeline: look, wait until something has moved, look again.

    The history is cut off every so many turns. Started again at any point, it finds in the
    tables what was done already and goes on from there.
    """
    watchdog = _FIRST_WATCHDOG
    for _ in range(_TURNS):
        verdict = yield context.call_activity_with_retry(
            "advance_pipeline", _RETRY, context.instance_id
        )
        if verdict["next"] == "end":
            status: str = verdict["status"]
            return status
        heard = yield from _wait(context, verdict, watchdog)
        watchdog = _FIRST_WATCHDOG if heard else min(watchdog * 2, _LAST_WATCHDOG)
    # The next thing it does is to look: no event that is lost here is missed.
    context.continue_as_new(None)
    return None


def _wait(
    context: df.DurableOrchestrationContext, verdict: dict[str, Any], watchdog: timedelta
) -> Generator[Any, Any, bool]:
    """Wait for the event of this turn, for the deadline of a gate, or should the event be lost,
    for a watchdog; whether the event came.
    """
    wake_in = verdict["wake_in_seconds"]
    patience = watchdog if wake_in is None else min(watchdog, timedelta(seconds=wake_in))
    timer = context.create_timer(context.current_utc_datetime + patience)
    moved = context.wait_for_external_event(starting.event_of(verdict["turn"]))
    winner = yield context.task_any([moved, timer])
    if winner == timer:
        return False
    timer.cancel()  # type: ignore[attr-defined]
    return True


@bp.activity_trigger(input_name="run")
@bp.durable_client_input(client_name="client")
async def advance_pipeline(run: str, client: df.DurableOrchestrationClient) -> dict:  # type: ignore[type-arg]
    return dict(await following.take_turn(client, run))


@bp.timer_trigger(arg_name="timer", schedule=_settings.reconcile_schedule, run_on_startup=True)
@bp.durable_client_input(client_name="client")
async def look_after_pipelines(
    timer: func.TimerRequest, client: df.DurableOrchestrationClient
) -> None:
    """Repair what a crash left behind."""
    findings = await asyncio.to_thread(reconcile.reconcile_all)
    await starting.tell(client, findings.to_tell)
    for run_id in findings.to_check:
        await starting.ensure_started(client, run_id)


@bp.timer_trigger(arg_name="timer", schedule=_settings.reconcile_schedule, run_on_startup=True)
@bp.durable_client_input(client_name="client")
async def begin_due_pipelines(
    timer: func.TimerRequest, client: df.DurableOrchestrationClient
) -> None:
    """Begin the runs that are due: they wait for no repair."""
    for run in await asyncio.to_thread(scheduling.run_due):
        await starting.start(client, run.run_id)
