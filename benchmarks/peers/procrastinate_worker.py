"""A worker of procrastinate, run by the peers' own Python as a process of its own.

Prints one line of JSON. The database's URL is in DATABASE_URL.
"""
# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time

from procrastinate import App, PsycopgConnector

_WARM_UP = 200
_DEFER_AT_ONCE = 1000


async def measure(tasks: int, concurrency: int, connections: int) -> dict[str, float]:
    """Defer no-op tasks in bulk, then work them off with an async worker."""
    connector = PsycopgConnector(
        conninfo=os.environ["DATABASE_URL"], min_size=connections, max_size=connections
    )
    app = App(connector=connector)

    async def nothing(number: int) -> None:
        """A task that does nothing."""

    task = app.task(name="nothing")(nothing)

    async def batch(size: int) -> tuple[float, float]:
        began = time.perf_counter()
        for first in range(0, size, _DEFER_AT_ONCE):
            numbers = range(first, min(first + _DEFER_AT_ONCE, size))
            await task.batch_defer_async(*({"number": number} for number in numbers))
        deferred = time.perf_counter()
        await app.run_worker_async(
            concurrency=concurrency, wait=False, install_signal_handlers=False
        )
        return deferred - began, time.perf_counter() - deferred

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        await batch(_WARM_UP)
        defer_seconds, work_seconds = await batch(tasks)
        counted = await app.connector.execute_query_one_async(
            "SELECT count(*) AS succeeded FROM procrastinate_jobs WHERE status = 'succeeded'"
        )
    return {
        "recorded": counted["succeeded"] - _WARM_UP,
        "defer_seconds": defer_seconds,
        "work_seconds": work_seconds,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", type=int, required=True)
    parser.add_argument("--concurrency", type=int, required=True)
    parser.add_argument("--connections", type=int, required=True)
    options = parser.parse_args()
    print(json.dumps(asyncio.run(measure(**vars(options)))))
