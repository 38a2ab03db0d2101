"""The timers that update curated datasets: nightly at 2 AM UTC, and every few minutes for those
whose own schedule is finer, and for what was missed.
"""

from __future__ import annotations

import asyncio

import azure.durable_functions as df
import azure.functions as func

from config import get_settings
from services.curated import scheduling
from services.orchestration.starting import ensure_started

bp = df.Blueprint()
_settings = get_settings()


@bp.timer_trigger(arg_name="timer", schedule=_settings.curated_schedule)
@bp.durable_client_input(client_name="client")
async def update_curated_datasets(
    timer: func.TimerRequest, client: df.DurableOrchestrationClient
) -> None:
    """The nightly round."""
    await _run_due(client)


@bp.timer_trigger(arg_name="timer", schedule=_settings.curated_due_check, run_on_startup=True)
@bp.durable_client_input(client_name="client")
async def check_due_curated_datasets(
    timer: func.TimerRequest, client: df.DurableOrchestrationClient
) -> None:
    """Datasets with schedules of their own, and what fell due while no host was up."""
    await _run_due(client)


async def _run_due(client: df.DurableOrchestrationClient) -> None:
    for job in await asyncio.to_thread(scheduling.run_due):
        await ensure_started(client, job.job_id)
