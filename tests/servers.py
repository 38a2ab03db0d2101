"""The servers that tests run against: each session starts its own, on free ports.

They stand beside a stack that is up and share nothing with it. None is durable against the loss
of power unless a test asks: what tests are about is the death of processes.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from local.stack import azurite, service_bus
from local.stack.errors import StackError
from local.stack.part import Part
from local.stack.ports import HOST, SETTINGS, free_ports
from local.stack.postgres import Cluster, wait_for_database
from local.stack.process import Process
from local.stack.service_bus import HEAVY, LIGHT
from local.stack.settings import (
    CHECKOUT,
    DATABASE_URL,
    IDENTITY_SETTINGS,
    SERVICE_BUS,
    STORAGE,
    azurite_connection_string,
    service_bus_connection_string,
)

DOCKER_SOCKET = Path("/var/run/docker.sock")
POSTGIS_IMAGE = "postgis/postgis:16-3.4"

_SPARE_QUEUES = 32
_COMMAND_SECONDS = 180.0


class PostgresServer(ABC):
    """A PostgreSQL server with PostGIS whose role may do everything."""

    def __init__(self) -> None:
        self._names = itertools.count(1)

    @abstractmethod
    def url(self, database: str = "postgres") -> str:
        """The libpq URL of one of its databases."""

    @abstractmethod
    def start(self) -> None:
        """Start the server again after `stop` or `kill`, and wait until it serves."""

    @abstractmethod
    def stop(self) -> None:
        """End it in good order."""

    @abstractmethod
    def kill(self) -> None:
        """End it as a crash would."""

    @abstractmethod
    def close(self) -> None:
        """Stop it for good and delete its data."""

    def create_database(self, template: str | None = None) -> str:
        """Create a database of a new name, as a copy of another if asked; its URL."""
        name = f"test_{next(self._names)}"
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        with psycopg.connect(self.url(), autocommit=True) as connection:
            if template is not None:
                statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
                # Before 15 the only one; since then not the default, and five times as fast here:
                # the checkpoints that it asks for wait for no disk.
                if connection.info.server_version >= 150000:
                    statement += sql.SQL(" STRATEGY FILE_COPY")
            connection.execute(statement)
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Delete a database, whoever is still connected to it."""
        name = sql.Identifier(database_name(url))
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


class LocalPostgres(PostgresServer):
    """A cluster of the session's own, from the system's packages."""

    def __init__(self, directory: Path, *, durable: bool = False) -> None:
        super().__init__()
        [port] = free_ports(1)
        self._cluster = Cluster.under(directory, port, durable=durable)
        self._server = Server(self._cluster.part(directory / "postgres.log"))
        self.start()

    def url(self, database: str = "postgres") -> str:
        return self._cluster.url(database)

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._server.stop()

    def kill(self) -> None:
        self._server.kill()

    def close(self) -> None:
        self._server.stop()
        self._cluster.remove()


class ContainerPostgres(PostgresServer):
    """PostGIS's own image, where a Docker engine answers."""

    def __init__(self) -> None:
        super().__init__()
        # Here, because it takes a second that a machine without Docker need not spend.
        from testcontainers.core.container import DockerContainer

        # Of our choice, so that it is the same after a restart.
        [self._port] = free_ports(1)
        self._container = (
            DockerContainer(POSTGIS_IMAGE)
            .with_env("POSTGRES_USER", "geoforge")
            .with_env("POSTGRES_PASSWORD", "geoforge")
            .with_bind_ports(5432, self._port)
            .with_command("postgres -c fsync=off -c max_connections=100")
            .start()
        )
        wait_for_database(self.url(), 60.0)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://geoforge:geoforge@{HOST}:{self._port}/{database}"

    def start(self) -> None:
        self._container.get_wrapped_container().start()
        wait_for_database(self.url(), 60.0)

    def stop(self) -> None:
        self._container.get_wrapped_container().stop()

    def kill(self) -> None:
        self._container.get_wrapped_container().kill()

    def close(self) -> None:
        self._container.stop()


def database_name(url: str) -> str:
    """The database that a URL names."""
    return str(conninfo_to_dict(url)["dbname"])


def no_container_because() -> str | None:
    """Why PostgreSQL is not run in a container; None where it can be."""
    if "DOCKER_HOST" not in os.environ and not DOCKER_SOCKET.exists():
        return f"there is no Docker engine ({DOCKER_SOCKET} is missing)"
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=3)
        client.ping()
    except DockerException as error:
        return f"no Docker engine answers ({type(error).__name__})"
    client.close()
    return None


class Server:
    """One part of the stack without a supervisor: it stays dead when a test kills it."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self._process: Process | None = None

    def start(self) -> None:
        """Start it, unless it runs, and wait until it serves."""
        if self._process is not None and self._process.is_alive():
            return
        self._process = self.part.start()
        try:
            self.part.wait_until_ready(self._process)
        except BaseException:
            # Whoever asked for it has nothing in hand to stop it with.
            self.kill()
            raise

    def stop(self) -> None:
        """End it in good order, if it runs."""
        if self._process is not None:
            self.part.stop(self._process)

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            self._process.kill()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it answer nothing for a while, its connections open."""
        assert self._process is not None
        self._process.send(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send(signal.SIGCONT)


class Azurite(Server):
    """Blob storage."""

    def __init__(self, directory: Path) -> None:
        [port] = free_ports(1)
        super().__init__(azurite.part(directory / "azurite", port, directory / "azurite.log"))
        self.connection_string = azurite_connection_string(port)
        self.start()


class ServiceBus(Server):
    """A Service Bus endpoint with the app's queues and some that no test has used yet."""

    def __init__(self, directory: Path, *queues: str) -> None:
        [port] = free_ports(1)
        self._spare = iter([f"spare-{number}" for number in range(1, _SPARE_QUEUES + 1)])
        super().__init__(
            service_bus.part(
                directory / "service_bus",
                port,
                directory / "service-bus.log",
                os.environ,
                queues=queues or (LIGHT, HEAVY, *self._spare_queues()),
            )
        )
        self.connection_string = service_bus_connection_string(port)
        self.start()

    @staticmethod
    def _spare_queues() -> list[str]:
        return [f"spare-{number}:lock_seconds=30" for number in range(1, _SPARE_QUEUES + 1)]

    def spare_queue(self) -> str:
        """The name of a queue that has not been given to any test before."""
        return next(self._spare)


class StackUnderTest:
    """A whole stack with its supervisor, started by the commands that a user has."""

    def __init__(self, directory: Path, *, parts: tuple[str, ...] = (), **settings: str) -> None:
        """Start it.

        Args:
            directory: where it keeps its state.
            parts: only these parts.
            settings: further environment variables.
        """
        self.directory = directory
        ports = free_ports(len(SETTINGS))
        self._environment = {
            **os.environ,
            # Empty, so that no server which a developer has named is touched.
            **dict.fromkeys((DATABASE_URL, STORAGE, SERVICE_BUS), ""),
            **dict.fromkeys(IDENTITY_SETTINGS, ""),
            **{setting: str(port) for setting, port in zip(SETTINGS.values(), ports, strict=True)},
            "GEOFORGE_STATE_DIR": str(directory),
            **settings,
        }
        self.run("up", *parts)

    @property
    def environment(self) -> dict[str, str]:
        """What `make env` prints of it now."""
        return dict(line.split("=", 1) for line in self.run("env").splitlines())

    @property
    def url(self) -> str:
        """Where its app is served."""
        return f"http://{HOST}:{self.port(SETTINGS['http'])}"

    @property
    def database_url(self) -> str:
        """Its database."""
        return self.environment[DATABASE_URL]

    def port(self, setting: str) -> str:
        """The port that a setting holds."""
        return self._environment[setting]

    def move_port(self, setting: str) -> None:
        """Set another port, for the next `up`."""
        self._environment[setting] = str(free_ports(1)[0])

    def run(self, *arguments: str) -> str:
        """Run `python -m local.stack` on this stack; what it prints.

        Raises:
            StackError: the command failed; the message is all that it printed.
        """
        answer = self._command(*arguments)
        if answer.returncode != 0:
            raise StackError(f"{arguments}: {answer.stdout}{answer.stderr}")
        return answer.stdout

    def output(self, *arguments: str, **settings: str) -> str:
        """Run a command that may fail, with further environment variables; all that it prints."""
        answer = self._command(*arguments, **settings)
        return answer.stdout + answer.stderr

    def _command(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "local.stack", *arguments],
            cwd=CHECKOUT,
            env={**self._environment, **settings},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )

    def pid(self, part: str) -> int:
        """The process id of a part, or of the supervisor."""
        state = json.loads((self.directory / "state.json").read_text())
        if part == "supervisor":
            return int(state["supervisor"]["pid"])
        return int(
            next(entry for entry in state["parts"] if entry["name"] == part)["process"]["pid"]
        )

    def kill(self, part: str) -> int:
        """Kill a part as a crash would. Its supervisor starts it again. The killed process's id."""
        pid = self.pid(part)
        os.kill(pid, 9)
        return pid

    def restart(self, part: str, seconds: float = 120.0) -> None:
        """Kill a part, and wait until the whole stack is healthy with a new process for it.

        Raises:
            StackError: it is not, in so many seconds.
        """
        killed = self.kill(part)
        deadline = time.monotonic() + seconds
        while self.pid(part) == killed or not self.is_healthy():
            if time.monotonic() > deadline:
                state = (self.directory / "state.json").read_text()
                raise StackError(f"{part} has not come back: {state} {self.run('logs', part)}")
            time.sleep(0.1)

    def is_healthy(self) -> bool:
        """Whether every part serves, as the supervisor sees it."""
        state = json.loads((self.directory / "state.json").read_text())
        return all(part["condition"] == "healthy" for part in state["parts"])

    def close(self) -> None:
        """Stop it and delete its data."""
        self.run("down")
        Cluster.under(self.directory, 0).remove()


class ScratchDirectory:
    """A directory that the user who runs PostgreSQL can enter, removed at the end."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="geoforge-tests-"))
        self.path.chmod(0o755)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
