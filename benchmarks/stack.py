"""A whole stack of the benchmark's own: the app as `make up` runs it, on free ports.

Its state is kept under .local/bench, on the disk that a user's stack would be on, and its
PostgreSQL is a durable one: every commit waits for that disk.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from local.stack import commands
from local.stack.locks import exclusive
from local.stack.ports import SETTINGS, free_ports
from local.stack.postgres import Cluster
from local.stack.settings import CHECKOUT, DATABASE_URL, SERVICE_BUS, STORAGE, StackSettings
from local.stack.state import StackState
from local.stack.supervisor import state_file

DIRECTORY = CHECKOUT / ".local" / "bench"
"""What the benchmark writes: its stack's state while it runs, and the results."""

PARTS = {"host": "host", "service-bus": "endpoint", "postgres": "PostgreSQL"}
"""The parts whose memory is watched, and how the report calls them."""


class BenchStack:
    """The running stack."""

    def __init__(self, settings: StackSettings) -> None:
        self._settings = settings
        self._cluster = Cluster.under(settings.state, settings.ports.postgres)

    @property
    def url(self) -> str:
        """Where its app is served."""
        return self._settings.url

    @property
    def database_url(self) -> str:
        """The app's database."""
        return self._cluster.url()

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to run the app's code on this stack."""
        return self._settings.host_environment(self.database_url)

    @property
    def scratch(self) -> Path:
        """A directory that is deleted with the stack."""
        return self._settings.state

    def processes(self) -> dict[str, int]:
        """The process id of each part whose memory is watched, by the part's name."""
        state = StackState.read(state_file(self._settings))
        if state is None:
            raise RuntimeError("The benchmark's stack has gone.")
        parts = {part.name: part.process for part in state.parts}
        return {name: process.pid for name in PARTS if (process := parts.get(name))}

    def checkpoint(self) -> None:
        """Write out what earlier runs left dirty, so that no run pays for another."""
        with psycopg.connect(self._cluster.url("postgres"), autocommit=True) as connection:
            connection.execute("CHECKPOINT")

    @contextmanager
    def database(self, name: str) -> Iterator[str]:
        """An empty database on the same server for the length of a block; its URL."""
        identifier = sql.Identifier(name)
        with psycopg.connect(self._cluster.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(identifier))
            try:
                yield self._cluster.url(name)
            finally:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))

    def server_facts(self) -> dict[str, str]:
        """The version of its PostgreSQL, and the settings that decide how fast a commit is."""
        names = ("server_version", "fsync", "synchronous_commit", "full_page_writes")
        with psycopg.connect(self.database_url) as connection:
            rows = connection.execute(
                "SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY(%s)",
                [[*names, "shared_buffers"]],
            ).fetchall()
        return dict(rows)


@contextmanager
def running_stack(app_settings: Mapping[str, str]) -> Iterator[BenchStack]:
    """Start the stack, and delete it with all that it holds when the block ends.

    Args:
        app_settings: further settings of the app.

    Raises:
        StackError: another benchmark runs in this checkout, or a part does not start.
    """
    with exclusive(DIRECTORY / "lock", busy="Another benchmark runs in this checkout."):
        settings = _settings(DIRECTORY / "stack", app_settings)
        # What a benchmark that was killed left behind, if there was one.
        if settings.state.exists():
            _remove(settings)
        try:
            commands.up(settings)
            yield BenchStack(settings)
        finally:
            _remove(settings)


def _remove(settings: StackSettings) -> None:
    commands.erase(settings)
    shutil.rmtree(settings.state)


def _settings(state: Path, app_settings: Mapping[str, str]) -> StackSettings:
    ports = free_ports(len(SETTINGS))
    return StackSettings.load(
        {
            **os.environ,
            # Empty, so that no server which a developer has named is touched.
            **dict.fromkeys((DATABASE_URL, STORAGE, SERVICE_BUS), ""),
            **{name: str(port) for name, port in zip(SETTINGS.values(), ports, strict=True)},
            "GEOFORGE_STATE_DIR": str(state),
            **app_settings,
        }
    )
