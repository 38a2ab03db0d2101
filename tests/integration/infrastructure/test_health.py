"""The health checks on real dependencies, up and down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from config import get_settings
from core.errors import Unavailable
from infrastructure import blob_storage, health
from infrastructure.health import Degraded
from infrastructure.queue_probe import QueueProbe
from tests.servers import PostgresServer, ServiceBus
from tests.support.settings import app_settings


def test_a_migrated_database_is_well(database_url: str) -> None:
    with app_settings(DATABASE_URL=database_url):
        assert "migrations applied" in health.check_database()
        assert health.check_pgstac().startswith("version 0.")


def test_a_database_without_migrations_is_not(
    postgres_server: PostgresServer,
) -> None:
    url = postgres_server.create_database()
    with app_settings(DATABASE_URL=url):
        with pytest.raises(Unavailable, match=r"infrastructure\.migrate"):
            health.check_database()
        with pytest.raises(Unavailable, match="pgSTAC is not installed"):
            health.check_pgstac()
    postgres_server.drop_database(url)


def test_migrations_of_another_version_are_told(database_url: str) -> None:
    with (
        app_settings(DATABASE_URL=database_url),
        psycopg.connect(database_url, autocommit=True) as connection,
    ):
        connection.execute(
            "INSERT INTO app.schema_migrations (name, digest) VALUES ('9999_post_new.sql', 'x')"
        )
        with pytest.raises(Degraded, match=r"9999_post_new\.sql"):
            health.check_database()
        connection.execute("UPDATE app.schema_migrations SET digest = 'y' WHERE name LIKE '0010%'")
        with pytest.raises(Unavailable, match="0010_post"):
            health.check_database()
        connection.execute("DELETE FROM app.schema_migrations WHERE name LIKE '0010%'")
        with pytest.raises(Unavailable, match="missing, first 0010_post"):
            health.check_database()


def test_a_database_that_is_down_is_told() -> None:
    with app_settings(), pytest.raises(Unavailable, match="does not answer"):
        health.check_database()


def test_storage_is_well_with_and_without_the_container(blob_connection_string: str) -> None:
    with app_settings(
        AZURE_STORAGE_CONNECTION_STRING=blob_connection_string,
        GEOFORGE_WORK_CONTAINER="health-check-work",
    ):
        assert "will be made" in health.check_storage()
        blob_storage.ensure_container("health-check-work")
        assert "found" in health.check_storage()


def test_storage_that_is_down_is_told() -> None:
    with app_settings(), pytest.raises(Unavailable, match="does not answer"):
        health.check_storage()


@pytest.fixture
def probe(service_bus: ServiceBus) -> Iterator[QueueProbe]:
    with app_settings(SERVICE_BUS_CONNECTION_STRING=service_bus.connection_string):
        probe = QueueProbe(get_settings(), bound_seconds=30)
        yield probe
        probe.close()


def test_queues_are_looked_into_again_and_again(probe: QueueProbe, service_bus: ServiceBus) -> None:
    queue = service_bus.spare_queue()
    for _ in range(3):
        assert queue in probe.check(queue)


def test_a_queue_that_is_missing_is_named(probe: QueueProbe) -> None:
    with pytest.raises(Unavailable, match="no-such-queue"):
        probe.check("no-such-queue")


@pytest.fixture
def own_service_bus(tmp_path: Path) -> Iterator[ServiceBus]:
    """An endpoint that nobody else is connected to."""
    server = ServiceBus(tmp_path)
    yield server
    server.stop()


def test_a_namespace_that_is_down_is_told_and_found_again(own_service_bus: ServiceBus) -> None:
    settings = app_settings(SERVICE_BUS_CONNECTION_STRING=own_service_bus.connection_string)
    with settings, closing(QueueProbe(get_settings(), bound_seconds=10)) as probe:
        queue = own_service_bus.spare_queue()
        probe.check(queue)
        own_service_bus.stop()
        with pytest.raises(Unavailable, match="Service Bus does not answer") as caught:
            probe.check(queue)
        assert "127.0.0.1" not in caught.value.message
        own_service_bus.start()
        assert queue in probe.check(queue)
