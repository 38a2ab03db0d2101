"""The engine's few words with Durable Functions: start an orchestration, raise an event.

The client is whatever speaks the Durable client's protocol; nothing here imports the SDK.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any, Protocol

from infrastructure.telemetry import task_scope
from services.orchestration import reconcile
from services.orchestration.worker import StageDone

log = logging.getLogger(__name__)

ORCHESTRATOR = "run_job"
ALIVE = ("Running", "Pending", "ContinuedAsNew", "Suspended")


class DurableClient(Protocol):
    """What is used of azure.durable_functions.DurableOrchestrationClient."""

    async def start_new(
        self, orchestration_function_name: str, instance_id: str | None = None
    ) -> str: ...

    async def get_status(self, instance_id: str) -> Any: ...

    async def raise_event(
        self, instance_id: str, event_name: str, event_data: Any = None
    ) -> None: ...


async def start(client: DurableClient, job_id: str) -> bool:
    """Start the job's orchestration; whether that worked. The reconciler makes up for a no."""
    try:
        await client.start_new(ORCHESTRATOR, job_id)
    except Exception as error:  # the SDK raises bare exceptions; the row is what counts
        with task_scope(job_id=job_id):
            log.warning("the orchestration was not started, the reconciler will: %s", error)
        return False
    return True


async def ensure_started(client: DurableClient, job_id: str) -> None:
    """Start the orchestration of a job that has none, or whose last one failed."""
    try:
        status = await client.get_status(job_id)
    except Exception as error:  # the SDK raises bare exceptions; the next round asks again
        with task_scope(job_id=job_id):
            log.warning("the orchestration's state is not known: %s", error)
        return
    runtime = getattr(status, "runtime_status", None)
    if runtime is not None and runtime.value in ALIVE:
        return
    if await asyncio.to_thread(reconcile.may_restart, job_id):
        await start(client, job_id)


async def tell_orchestrators(client: DurableClient, done: Iterable[StageDone]) -> None:
    """Raise the event of each stage that ended. One that is not heard is raised again by the
    reconciler, so an error here is only logged.
    """
    for stage in done:
        try:
            await client.raise_event(stage.job_id, stage.event, stage.stage)
        except Exception as error:  # the SDK raises bare exceptions; see above
            with task_scope(job_id=stage.job_id, stage=stage.stage):
                log.warning("the stage's end was not heard, the reconciler tells: %s", error)
