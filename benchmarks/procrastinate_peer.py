"""procrastinate: tasks in PostgreSQL, an async worker, every state of a task committed to a row.

Each run has a database of its own on the stack's server, so that it works on small tables. Its
worker keeps finished jobs, as our ledger does. Handing in (in bulk, a thousand at a time) is left
out of the favourable reading, and so is the start of the process.
"""

from __future__ import annotations

from benchmarks.errors import BenchmarkError
from benchmarks.peer_run import PeerRun
from benchmarks.programs import run_peer
from benchmarks.stack import BenchStack

VARIANTS = ((1, 4), (10, 4), (10, 14), (50, 4), (50, 54))
"""Concurrency and connections of the worker: 4 connections are its pool's default, the others
leave no task waiting for one. Which is faster depends on the machine."""


def run(stack: BenchStack, tasks: int, concurrency: int, connections: int) -> PeerRun:
    """Work off so many tasks with one worker.

    Args:
        stack: the running stack.
        tasks: how many.
        concurrency: tasks that the worker runs at a time.
        connections: size of its connection pool.

    Raises:
        BenchmarkError: the worker failed, or did not complete every task.
    """
    stack.checkpoint()
    with stack.database("bench_procrastinate") as url:
        answer = run_peer(
            "procrastinate_worker",
            *("--tasks", str(tasks), "--concurrency", str(concurrency)),
            *("--connections", str(connections)),
            environment={"DATABASE_URL": url},
        )
    measured = answer.measured
    if measured["recorded"] != tasks:
        raise BenchmarkError(f"procrastinate completed {measured['recorded']} of {tasks} tasks")
    return PeerRun(
        peer="procrastinate",
        variant=f"concurrency {concurrency}, {connections} connections",
        tasks=tasks,
        committed_seconds=measured["defer_seconds"] + measured["work_seconds"],
        favourable_seconds=measured["work_seconds"],
        peak_bytes=answer.peak_bytes,
    )
