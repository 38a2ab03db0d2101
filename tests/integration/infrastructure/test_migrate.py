"""Migrations: on an empty database, by many at once, twice, and after an edit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest

from infrastructure import migrate as module
from infrastructure.migrate import main, migrate, migrations
from tests.servers import PostgresServer
from tests.support.settings import app_settings


@pytest.fixture
def empty_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A database in which there is nothing at all."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT table_schema || '.' || table_name FROM information_schema.tables"
            " WHERE table_schema IN ('app', 'geo', 'h3', 'pgstac')"
        ).fetchall()
    return {row[0] for row in rows}


def test_ten_workers_that_start_at_once_migrate_once(empty_url: str) -> None:
    with ThreadPoolExecutor(10) as threads:
        applied = list(threads.map(migrate, [empty_url] * 10))
    names = Counter(name for each in applied for name in each)
    assert set(names) >= {migration.name for migration in migrations()}
    assert set(names.values()) == {1}
    assert sum(bool(each) for each in applied) == 1
    assert tables(empty_url) >= {"app.jobs", "app.job_stages", "app.tasks", "pgstac.items"}
    # Once more changes nothing.
    assert migrate(empty_url) == []


def test_every_file_is_safe_to_run_twice(database_url: str) -> None:
    before = tables(database_url)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DELETE FROM app.schema_migrations")
    assert migrate(database_url) == [migration.name for migration in migrations()]
    assert tables(database_url) == before


def test_a_file_that_was_edited_is_refused(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = migrations()
    edited = replace(files[-1], sql=files[-1].sql + "\nDROP TABLE app.jobs;")
    monkeypatch.setattr(module, "migrations", lambda: [*files[:-1], edited])
    with pytest.raises(RuntimeError, match=f"{edited.name} was changed after it was applied"):
        migrate(database_url)
    assert "app.jobs" in tables(database_url)


def test_a_file_that_fails_leaves_nothing_of_itself(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = migrations()
    broken = replace(
        files[-1],
        name="9999_post_broken.sql",
        sql="CREATE TABLE app.half_done (); SELECT 1 / 0;",
    )
    monkeypatch.setattr(module, "migrations", lambda: [*files, broken])
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(database_url)
    assert "app.half_done" not in tables(database_url)
    monkeypatch.undo()
    assert migrate(database_url) == []


def test_numbers_are_in_order_and_each_file_says_when_it_runs() -> None:
    names = [migration.name for migration in migrations()]
    numbers = [name.split("_")[0] for name in names]
    assert numbers == sorted(set(numbers))
    assert {name.split("_")[1] for name in names} == {"pre", "post"}


def test_the_command_says_what_it_did(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with app_settings(DATABASE_URL=database_url):
        assert main() == 0
    assert capsys.readouterr().out == "Database is up to date.\n"


def test_the_command_needs_no_setting_but_the_database(
    database_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with app_settings(DATABASE_URL=database_url):
        monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING")
        monkeypatch.delenv("SERVICE_BUS_CONNECTION_STRING")
        assert main() == 0
    assert capsys.readouterr().out == "Database is up to date.\n"


@pytest.mark.parametrize("url", ["", "host=db password=hunter2"])
def test_the_command_names_the_setting_at_fault(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with app_settings(DATABASE_URL=url):
        assert main() == 1
    message = capsys.readouterr().err
    assert message.startswith("DATABASE_URL: ")
    assert "hunter2" not in message


def test_the_command_says_that_the_database_is_down(capsys: pytest.CaptureFixture[str]) -> None:
    with app_settings():
        assert main() == 1
    assert "cannot be reached" in capsys.readouterr().err
