"""A turn of a run with what follows its commit: jobs are started, and others are cancelled."""

from __future__ import annotations

import asyncio
import logging

from core.errors import Conflict
from services.orchestration import control
from services.orchestration import starting as jobs
from services.orchestration.starting import DurableClient
from services.orchestration.worker import StageDone
from services.pipelines import advancing
from services.pipelines.advancing import Verdict

log = logging.getLogger(__name__)


async def take_turn(client: DurableClient, run_id: str) -> Verdict:
    """Take a turn of a run and do what it asks for; what its orchestration is told."""
    turn = await asyncio.to_thread(advancing.advance, run_id)
    for job_id in turn.to_start:
        await jobs.start(client, job_id)
    for job_id in turn.to_cancel:
        await jobs.tell_orchestrators(client, await asyncio.to_thread(_cancel, job_id))
    return turn.verdict


def _cancel(job_id: str) -> list[StageDone]:
    try:
        return control.cancel(job_id)
    except Conflict as refusal:  # it has ended in this moment, which its run is told
        log.info("job %s is not cancelled: %s", job_id, refusal.message)
        return []
