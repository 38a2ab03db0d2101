"""A running host with the sample app, as tests start, kill and ask it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.stack.ports import free_ports
from tests.servers import PostgresServer, ServiceBus

CHECKOUT = Path(__file__).parents[4]
SAMPLE_APP = CHECKOUT / "tests/data/apps/sample"
NEVER = "0 0 0 29 2 *"
READY_SECONDS = 60.0


class Host:
    """One host process on a port of its own."""

    def __init__(self, directory: Path, settings: dict[str, str], app: Path = SAMPLE_APP) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.state = directory / "state"
        self.trace_file = directory / "trace"
        self.log_file = directory / "host.log"
        self.app = app
        [self.port] = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {**os.environ, "SAMPLE_TRACE": str(self.trace_file), **settings}
        self.http = httpx.Client(base_url=self.url, timeout=60)
        self.process: subprocess.Popen[bytes] | None = None

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the process, without waiting for it."""
        command = [sys.executable, "-m", "local.functions_host", "--app", str(self.app)]
        command += ["--port", str(self.port), "--state", str(self.state)]
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=CHECKOUT, env=self.environment, stdout=log, stderr=log
            )
        return self.process

    def start(self) -> Host:
        """Start the process and wait until it says that it is ready."""
        started = self.log_file.stat().st_size if self.log_file.exists() else 0
        process = self.launch()
        deadline = time.monotonic() + READY_SECONDS
        while f"ready on {self.url}" not in self.log()[started:]:
            assert process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)
        return self

    def kill(self) -> None:
        """End the process as a crash would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds: float = 60.0) -> int:
        """End the process in good order; its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(seconds)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.http.close()

    def log(self) -> str:
        return self.log_file.read_text() if self.log_file.exists() else ""

    def trace(self) -> list[str]:
        """What the app's functions have written down."""
        return self.trace_file.read_text().splitlines() if self.trace_file.exists() else []

    def begin(self, orchestrator: str, instance_id: str, body: object = None) -> dict[str, Any]:
        """Start an orchestration through the app; its management links."""
        answer = self.http.post(f"/api/start/{orchestrator}/{instance_id}", json=body)
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    def instance(self, instance_id: str, **query: str) -> httpx.Response:
        """The status of an instance, by the Durable HTTP API."""
        return self.http.get(f"/runtime/webhooks/durabletask/instances/{instance_id}", params=query)

    def steer(self, instance_id: str, operation: str, **request: Any) -> httpx.Response:
        """POST an operation on an instance."""
        path = f"/runtime/webhooks/durabletask/instances/{instance_id}/{operation}"
        return self.http.post(path, **request)

    def finished(self, instance_id: str, seconds: float = 60.0) -> dict[str, Any]:
        """The status of an instance once it has finished."""
        return self.wait_for(
            lambda: (answer := self.instance(instance_id)).status_code == 200 and answer.json(),
            f"{instance_id} has not finished",
            seconds,
        )

    def reaches(self, instance_id: str, status: str, seconds: float = 60.0) -> dict[str, Any]:
        """The status of an instance once it is the one named."""
        return self.wait_for(
            lambda: (now := self.instance(instance_id).json())["runtimeStatus"] == status and now,
            f"{instance_id} is not {status}",
            seconds,
        )

    def wait_for(self, condition: Callable[[], Any], message: str, seconds: float = 60.0) -> Any:
        """What the condition returns, once that is true."""
        deadline = time.monotonic() + seconds
        while True:
            if found := condition():
                return found
            assert time.monotonic() < deadline, f"{message}\n{self.log()[-3000:]}"
            time.sleep(0.03)


StartHost = Callable[..., Host]


@pytest.fixture(scope="session")
def bus(scratch: Path) -> Iterator[ServiceBus]:
    """A Service Bus endpoint that these tests may kill."""
    directory = scratch / "functions-host"
    directory.mkdir()
    server = ServiceBus(
        directory, "sample:lock_seconds=30,max_delivery_count=2", "batch:lock_seconds=30"
    )
    yield server
    server.stop()


@pytest.fixture(scope="session")
def sample_settings(bus: ServiceBus) -> dict[str, str]:
    """The settings of the sample app, without a database."""
    return {
        "SAMPLE_BUS": bus.connection_string,
        "SAMPLE_QUEUE": "sample",
        "SAMPLE_BATCH_QUEUE": "batch",
        "SAMPLE_SCHEDULE": NEVER,
    }


@pytest.fixture(scope="session")
def host(
    postgres_server: PostgresServer,
    sample_settings: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Host]:
    """A host that runs all through the session; tests use instance ids of their own."""
    settings = {**sample_settings, "DATABASE_URL": postgres_server.create_database()}
    host = Host(tmp_path_factory.mktemp("host"), settings).start()
    yield host
    host.close()


@pytest.fixture
def new_host(
    postgres_server: PostgresServer, sample_settings: dict[str, str], tmp_path: Path
) -> Iterator[StartHost]:
    """Makes hosts that this test may do anything to. They share one hub, without queues."""
    hosts: list[Host] = []
    url = postgres_server.create_database()
    quiet = {
        f"AzureWebJobs.{name}.Disabled": "true"
        for name in ("on_message", "on_batch", "on_dead_letter")
    }

    def make(app: Path = SAMPLE_APP, **settings: str) -> Host:
        base = {**sample_settings, **quiet, "DATABASE_URL": url}
        hosts.append(Host(tmp_path / f"host{len(hosts)}", {**base, **settings}, app))
        return hosts[-1]

    yield make
    for host in hosts:
        host.close()
