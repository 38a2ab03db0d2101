"""A flow of Prefect, run by the peers' own Python as a process of its own.

Prints one line of JSON. The server's address is in PREFECT_API_URL, the URL of its database in
DATABASE_URL.
"""
# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from uuid import UUID

import asyncpg
from prefect import flow, task
from prefect.runtime import flow_run
from prefect.task_runners import ThreadPoolTaskRunner

_WARM_UP = 20
_RECORD_SECONDS = 180.0

_RECORDED = """
    SELECT count(*) FROM task_run WHERE flow_run_id = $1 AND state_type = 'COMPLETED'
"""


def nothing(number: int) -> None:
    """A task that does nothing."""


def measure(tasks: int) -> dict[str, float]:
    """Run a flow that maps a no-op task, until the server has recorded every task."""
    no_op = task(nothing)

    def fan_out(size: int) -> str:
        no_op.map(range(size)).wait()
        return str(flow_run.id)

    run = flow(fan_out, task_runner=ThreadPoolTaskRunner())

    def batch(size: int) -> tuple[int, float, float]:
        began = time.perf_counter()
        run_id = run(size)
        ran = time.perf_counter()
        recorded = asyncio.run(_recorded(UUID(run_id), size))
        return recorded, ran - began, time.perf_counter() - began

    batch(_WARM_UP)
    recorded, flow_seconds, recorded_seconds = batch(tasks)
    return {
        "recorded": recorded,
        "flow_seconds": flow_seconds,
        "recorded_seconds": recorded_seconds,
    }


async def _recorded(run_id: UUID, size: int) -> int:
    """Wait until the server has written the final state of every task; how many it has."""
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    try:
        deadline = time.monotonic() + _RECORD_SECONDS
        while True:
            count = int(await connection.fetchval(_RECORDED, run_id))
            if count >= size or time.monotonic() > deadline:
                return count
            await asyncio.sleep(0.05)
    finally:
        await connection.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", type=int, required=True)
    print(json.dumps(measure(parser.parse_args().tasks)))
