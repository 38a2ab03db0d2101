"""The stack as a user has it: up, down, status, env, and what heals by itself.

PostgreSQL and the Service Bus endpoint stand for all parts: they are the quickest to start.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from local.stack.errors import StackError
from local.stack.ports import HOST
from local.stack.process import Identity
from local.stack.state import StackState
from tests.servers import PostgresServer, ScratchDirectory, StackUnderTest

PARTS = ("postgres", "service-bus")


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    with ScratchDirectory() as path:
        yield path


@pytest.fixture(scope="module")
def pair(directory: Path) -> Iterator[StackUnderTest]:
    """A stack of two parts, which the tests of this module stop and start."""
    stack = StackUnderTest(directory, parts=PARTS)
    yield stack
    stack.close()


@pytest.fixture
def up(pair: StackUnderTest) -> StackUnderTest:
    """The same stack, running whatever the test before did to it."""
    pair.run("up", *PARTS)
    return pair


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it has not come true in time"
        time.sleep(0.05)


def processes(stack: StackUnderTest) -> dict[str, Identity]:
    state = StackState.read(stack.directory / "state.json")
    assert state is not None
    return {part.name: part.process for part in state.parts if part.process is not None}


def test_env_prints_nothing_but_what_scripts_need(up: StackUnderTest) -> None:
    lines = up.run("env").splitlines()
    assert [line.partition("=")[0] for line in lines] == [
        "GEOFORGE_URL",
        "DATABASE_URL",
        "AZURE_STORAGE_CONNECTION_STRING",
        "SERVICE_BUS_CONNECTION_STRING",
    ]
    with psycopg.connect(up.database_url) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("geoforge",)


def test_the_database_asks_for_its_password(up: StackUnderTest) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(up.database_url, password="wrong")


def test_what_holds_the_password_is_its_owners_only(up: StackUnderTest) -> None:
    assert (up.directory / "state.json").stat().st_mode & 0o077 == 0


def test_a_second_up_starts_nothing(up: StackUnderTest) -> None:
    before = processes(up)
    assert "is up" in up.run("up", *PARTS)
    assert processes(up) == before


@pytest.mark.parametrize("part", PARTS)
def test_a_killed_part_is_started_again(up: StackUnderTest, part: str) -> None:
    up.restart(part)
    assert up.is_healthy()
    assert "restarted 1 time," in up.run("status")
    up.run("down")


def test_what_was_committed_survives_a_kill(up: StackUnderTest) -> None:
    with psycopg.connect(up.database_url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept AS SELECT 42 AS answer")
    up.restart("postgres")
    with psycopg.connect(up.database_url) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_parts_that_a_killed_supervisor_left_are_taken_over(up: StackUnderTest) -> None:
    before = processes(up)
    up.kill("supervisor")
    assert all(identity.is_alive() for identity in before.values())
    up.run("up", *PARTS)
    assert processes(up) == before
    # They are kept again, although they are nobody's children.
    up.restart("service-bus")
    up.run("down")
    assert not any(identity.is_alive() for identity in before.values())


def test_down_stops_what_a_killed_supervisor_left(up: StackUnderTest) -> None:
    before = processes(up)
    up.kill("supervisor")
    until(lambda: "supervisor is gone" in up.output("status"))
    up.run("down")
    assert not any(identity.is_alive() for identity in before.values())


def test_a_server_on_our_data_of_which_no_record_is_left_is_stopped(up: StackUnderTest) -> None:
    stray = processes(up)["postgres"]
    up.kill("supervisor")
    os.kill(processes(up)["service-bus"].pid, signal.SIGKILL)
    (up.directory / "state.json").unlink()
    up.move_port("GEOFORGE_POSTGRES_PORT")
    up.run("up", *PARTS)
    assert not stray.is_alive()


def test_a_number_that_a_stranger_has_now_is_left_alone(up: StackUnderTest) -> None:
    """A state file from before a reboot: its process ids belong to others."""
    before = StackState.read(up.directory / "state.json")
    assert before is not None
    up.run("down")
    before.supervisor = Identity(before.supervisor.pid, "another boot:1")
    for part in before.parts:
        part.process = Identity(os.getpid(), "another boot:1")
    before.write(up.directory / "state.json")
    up.run("up", *PARTS)
    assert up.is_healthy()


def test_changed_settings_restart_the_stack(up: StackUnderTest) -> None:
    before = processes(up)
    up.move_port("GEOFORGE_SERVICE_BUS_PORT")
    assert "restarting" in up.run("up", *PARTS)
    assert not before["service-bus"].is_alive()


def test_a_taken_port_is_named_and_not_fought_over(up: StackUnderTest) -> None:
    up.run("down")
    taken = (HOST, int(up.port("GEOFORGE_SERVICE_BUS_PORT")))
    with (
        socket.create_server(taken),
        pytest.raises(StackError, match=r"GEOFORGE_SERVICE_BUS_PORT\) is taken"),
    ):
        up.run("up", *PARTS)
    assert "not running" in up.output("status")


def test_a_part_that_cannot_start_is_shown_with_its_log(up: StackUnderTest) -> None:
    up.run("down")
    journal = up.directory / "service_bus"
    journal.rename(up.directory / "aside")
    journal.write_text("not a directory")
    try:
        with pytest.raises(StackError, match=r"(?s)service_bus"):
            up.run("up", *PARTS)
        assert "not running" in up.output("status")
    finally:
        journal.unlink()
        (up.directory / "aside").rename(journal)


def test_down_leaves_nothing_behind(up: StackUnderTest) -> None:
    before = processes(up)
    up.run("down")
    assert not any(identity.is_alive() for identity in before.values())
    with pytest.raises(StackError, match="not running"):
        up.run("env")
    assert "not running" in up.run("down")


def test_the_logs_are_shown(up: StackUnderTest) -> None:
    shown = up.run("logs", "postgres", "--lines", "200")
    assert "postgres.log" in shown
    assert "ready to accept connections" in shown
    with pytest.raises(StackError, match="no log of redis"):
        up.run("logs", "redis")


def test_erase_deletes_what_the_stack_held_and_nothing_else() -> None:
    with ScratchDirectory() as directory:
        stamp = directory / "setup" / "python"
        stamp.parent.mkdir()
        stamp.write_text("digest")
        stack = StackUnderTest(directory, parts=PARTS)
        held = processes(stack)
        stack.run("erase")
        assert not any(identity.is_alive() for identity in held.values())
        assert list(directory.iterdir()) == [stamp.parent]
        assert stamp.read_text() == "digest"


def test_an_existing_database_is_used_and_left_running(postgres_server: PostgresServer) -> None:
    url = postgres_server.create_database()
    with ScratchDirectory() as directory:
        stack = StackUnderTest(directory, DATABASE_URL=url)
        assert stack.database_url == url
        assert "postgres" not in processes(stack)
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT to_regclass('app.jobs')").fetchone() != (None,)
        with pytest.raises(StackError, match="settings name an existing server"):
            stack.run("up", "postgres")
        stack.close()
    postgres_server.drop_database(url)


def test_an_existing_database_that_does_not_answer_is_named() -> None:
    with ScratchDirectory() as directory:
        url = "postgresql://me:secret@127.0.0.1:1/db"
        with pytest.raises(StackError, match="DATABASE_URL") as error:
            StackUnderTest(directory, DATABASE_URL=url)
    assert "secret" not in str(error.value)
