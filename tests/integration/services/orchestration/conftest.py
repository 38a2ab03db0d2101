"""The engine, on the session's servers and with an empty ledger for each test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from core.job_definition import JobDefinition, Stage
from core.registry import registry
from infrastructure.task_queue import close_task_queue
from tests.servers import PostgresServer, ServiceBus
from tests.support.engine import Job, Load, Mailbox, define
from tests.support.settings import app_settings


@dataclass(frozen=True)
class Engine:
    """Makes jobs whose messages arrive in `mailbox`."""

    mailbox: Mailbox

    def submit(self, definition: JobDefinition[Load], **parameters: Any) -> Job:
        return Job.submit(definition, self.mailbox, **parameters)

    def job(self, *stages: Stage[Load], n: int = 1) -> Job:
        """A job of a new type with these stages, n tasks in each."""
        return self.submit(define(*stages), n=n)


@pytest.fixture(scope="session")
def task_queues(service_bus: ServiceBus) -> tuple[str, str]:
    """Two queues of this session's own: what light and heavy tasks travel through."""
    return service_bus.spare_queue(), service_bus.spare_queue()


@pytest.fixture(scope="session")
def mailbox(service_bus: ServiceBus, task_queues: tuple[str, str]) -> Iterator[Mailbox]:
    """What is sent to the task queues."""
    close_task_queue()  # one that other tests have left would send elsewhere
    mailbox = Mailbox(service_bus.connection_string, task_queues)
    yield mailbox
    mailbox.close()
    close_task_queue()


@pytest.fixture(scope="session")
def engine_database(postgres_server: PostgresServer, migrated_template: str) -> Iterator[str]:
    """One database for all tests of the engine: copying the template takes a second."""
    url = postgres_server.create_database(migrated_template)
    yield url
    postgres_server.drop_database(url)


@pytest.fixture
def empty_ledger(engine_database: str) -> str:
    """The URL of a database in which there is no job."""
    with psycopg.connect(engine_database, autocommit=True) as connection:
        connection.execute("TRUNCATE app.jobs, app.job_metrics, app.dead_letters CASCADE")
    return engine_database


@pytest.fixture
def settings(
    empty_ledger: str,
    blob_connection_string: str,
    service_bus: ServiceBus,
    task_queues: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    """The app's settings name the test's servers; job types of the test go with it."""
    monkeypatch.setattr(registry, "_definitions", dict(registry._definitions))
    light, heavy = task_queues
    with app_settings(
        DATABASE_URL=empty_ledger,
        AZURE_STORAGE_CONNECTION_STRING=blob_connection_string,
        SERVICE_BUS_CONNECTION_STRING=service_bus.connection_string,
        GEOFORGE_LIGHT_QUEUE=light,
        GEOFORGE_HEAVY_QUEUE=heavy,
        GEOFORGE_RESEND_AFTER_SECONDS="60",
    ):
        yield


@pytest.fixture
def engine(settings: None, mailbox: Mailbox) -> Engine:
    """The engine, with the session's mailbox at the other end of its queues."""
    return Engine(mailbox)
