"""Prefect: a flow that maps a no-op task, with a server on the same PostgreSQL.

The flow uses Prefect's default task runner, in threads, and sends no logs to the server. A flow
ends before the server has written the states of its tasks: its end is the favourable reading,
the last state in the database is the other. Each run has a server and a database of its own,
so that none runs while something else is measured.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks.errors import BenchmarkError
from benchmarks.peer_run import PeerRun
from benchmarks.programs import PEERS_PYTHON, run_peer
from benchmarks.stack import BenchStack
from local.stack.ports import HOST, free_ports
from local.stack.process import Process, tail
from local.stack.settings import CHECKOUT

_START_SECONDS = 120.0


def run(stack: BenchStack, tasks: int) -> PeerRun:
    """Run one flow of so many tasks.

    Raises:
        BenchmarkError: the server does not start, the flow failed, or the server did not record
            every task.
    """
    with (
        stack.database("bench_prefect") as url,
        _server(url, stack.scratch / "prefect") as environment,
    ):
        stack.checkpoint()
        answer = run_peer("prefect_flow", "--tasks", str(tasks), environment=environment)
    measured = answer.measured
    if measured["recorded"] != tasks:
        raise BenchmarkError(f"Prefect recorded {measured['recorded']} of {tasks} tasks")
    return PeerRun(
        peer="Prefect",
        variant="thread pool",
        tasks=tasks,
        committed_seconds=measured["recorded_seconds"],
        favourable_seconds=measured["flow_seconds"],
        peak_bytes=answer.peak_bytes,
    )


@contextmanager
def _server(url: str, home: Path) -> Iterator[dict[str, str]]:
    """A server for the length of a block; the environment of its clients.

    Raises:
        BenchmarkError: it does not answer in time.
    """
    [port] = free_ports(1)
    api = f"http://{HOST}:{port}/api"
    environment = {
        "DATABASE_URL": url,
        "PREFECT_API_DATABASE_CONNECTION_URL": "postgresql+asyncpg"
        + url.removeprefix("postgresql"),
        "PREFECT_API_URL": api,
        "PREFECT_HOME": str(home),
        # It is to speak to nobody but us.
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_LOGGING_LEVEL": "ERROR",
        "PREFECT_LOGGING_TO_API_ENABLED": "false",
    }
    log = home / "server.log"
    server = Process.start(
        [
            *(str(PEERS_PYTHON), "-m", "prefect", "server", "start"),
            *("--host", HOST, "--port", str(port), "--no-ui"),
        ],
        environment={**os.environ, **environment},
        directory=CHECKOUT,
        log=log,
    )
    try:
        _wait_until_healthy(server, f"{api}/health", log)
        yield environment
    finally:
        server.stop()


def _wait_until_healthy(server: Process, address: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            if httpx.get(address, trust_env=False).is_success:
                return
        except httpx.TransportError as error:
            reason = str(error)
        else:
            reason = "it answers, but is not healthy"
        if not server.is_alive() or time.monotonic() > deadline:
            shown = "".join(f"\n    {line}" for line in tail(log, 15))
            raise BenchmarkError(f"Prefect's server does not start: {reason}. Its log:{shown}")
        time.sleep(0.2)
