"""Fixtures for everything that geoforge talks to. Each is started when a test first asks for it."""

from __future__ import annotations

import signal
from collections.abc import Generator, Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.servers import (
    Azurite,
    ContainerPostgres,
    LocalPostgres,
    PostgresServer,
    ScratchDirectory,
    ServiceBus,
    StackUnderTest,
    database_name,
    no_container_because,
)

_reason_for_no_container = cache(no_container_because)


def pytest_configure() -> None:
    """End in good order, servers and all, also when the session is told to end."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # How long an example takes says how busy the machine is. The examples are the same in each run,
    # so that it fails for what has changed, and not for its luck.
    settings.register_profile(
        "geoforge",
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("geoforge")


def pytest_report_header() -> str:
    """Say which PostgreSQL the tests run on, and why."""
    reason = _reason_for_no_container()
    if reason is None:
        return "PostgreSQL: a PostGIS container, since a Docker engine answers"
    return f"PostgreSQL: a local cluster, since {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test wrote goes to another process as UTF-8, and need not have been text."""
    report = yield
    report.sections = [
        (title, text.encode("utf-8", "backslashreplace").decode())
        for title, text in report.sections
    ]
    return report


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A directory for the servers of this session."""
    with ScratchDirectory() as directory:
        yield directory


@pytest.fixture(scope="session")
def postgres_server(scratch: Path) -> Iterator[PostgresServer]:
    """A PostgreSQL server with PostGIS, for this session."""
    container = _reason_for_no_container() is None
    server = ContainerPostgres() if container else LocalPostgres(scratch)
    yield server
    server.close()


@pytest.fixture(scope="session")
def migrated_template(postgres_server: PostgresServer) -> str:
    """The name of a database that has the app's schemas, to be copied; do not connect to it."""
    from infrastructure.migrate import migrate

    url = postgres_server.create_database()
    migrate(url)
    return database_name(url)


@pytest.fixture
def database_url(postgres_server: PostgresServer, migrated_template: str) -> Iterator[str]:
    """A database of the test's own that has the app's schemas and nothing in them."""
    url = postgres_server.create_database(migrated_template)
    yield url
    postgres_server.drop_database(url)


@pytest.fixture(scope="session")
def azurite(scratch: Path) -> Iterator[Azurite]:
    """Blob storage, for this session."""
    server = Azurite(scratch)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def blob_connection_string(azurite: Azurite) -> str:
    """The connection string of the session's blob storage."""
    return azurite.connection_string


@pytest.fixture(scope="session")
def service_bus(scratch: Path) -> Iterator[ServiceBus]:
    """A Service Bus endpoint, for this session."""
    server = ServiceBus(scratch)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def stack() -> Iterator[StackUnderTest]:
    """A whole stack that runs the app, for this session."""
    with ScratchDirectory() as directory:
        stack = StackUnderTest(directory)
        yield stack
        stack.close()
