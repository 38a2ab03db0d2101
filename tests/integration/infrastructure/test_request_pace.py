"""Requests of all workers together keep to a rate, by the database's clock."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from core.errors import TaskCancelled
from infrastructure import database, request_pace
from infrastructure.database import Connection
from infrastructure.request_pace import LONGEST_HOLD_SECONDS, hold_back, pace
from local.stack.settings import CHECKOUT

PER_MINUTE = 1200.0
GAP = 60.0 / PER_MINUTE
# The clocks of the database and of the sleeping process may run apart by so much of a second.
APART = 0.01
DEADLINE = 60.0

# Prints when each of its requests could go out.
WORKER = """
import sys
from infrastructure import database
from infrastructure.request_pace import pace

def proceed(): pass

for _ in range(int(sys.argv[1])):
    pace("acled", float(sys.argv[2]), proceed)
    with database.transaction() as connection:
        row = connection.execute(
            "SELECT extract(epoch FROM clock_timestamp())::float8 AS now"
        ).fetchone()
    print(row["now"])
"""


def proceed() -> None:
    """A check that lets everything go on."""


def now(connection: Connection) -> float:
    row = connection.execute(
        "SELECT extract(epoch FROM clock_timestamp())::float8 AS now"
    ).fetchone()
    assert row is not None
    return float(row["now"])


@pytest.fixture
def clock(ledger: Connection) -> Connection:
    ledger.execute("TRUNCATE app.request_pace")
    return ledger


def assert_paced(began: float, went_out: list[float]) -> None:
    """No more went out by any moment than the rate allows; later than allowed they may be."""
    for number, moment in enumerate(sorted(went_out)):
        assert moment - began >= number * GAP - APART


def test_the_first_request_goes_out_at_once(clock: Connection) -> None:
    def wait() -> None:
        if clock.execute("SELECT FROM app.request_pace").fetchone():
            raise AssertionError("it waits")

    pace("acled", 1, wait)


def test_threads_keep_to_the_rate_together(clock: Connection) -> None:
    def ask(_: int) -> float:
        pace("acled", PER_MINUTE, proceed)
        with database.transaction() as connection:
            return now(connection)

    began = now(clock)
    with ThreadPoolExecutor(5) as threads:
        went_out = list(threads.map(ask, range(15)))
    assert_paced(began, went_out)


def test_processes_keep_to_the_rate_together(clock: Connection, ledger_url: str) -> None:
    began = now(clock)
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, "8", str(PER_MINUTE)],
            cwd=CHECKOUT,
            env={**os.environ, "DATABASE_URL": ledger_url},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    printed = [worker.communicate(timeout=DEADLINE)[0] for worker in workers]
    went_out = [float(line) for text in printed for line in text.splitlines()]
    assert len(went_out) == 24
    assert_paced(began, went_out)


def test_services_have_paces_of_their_own(clock: Connection) -> None:
    def wait() -> None:
        if (row := clock.execute("SELECT count(*) FROM app.request_pace").fetchone()) is not None:
            assert row["count"] < 2, "it waits"

    pace("acled", 1, wait)
    pace("ibat", 1, wait)


def test_who_waits_for_a_slot_already_is_held_back_too(clock: Connection) -> None:
    held_since: list[float] = []
    checks = 0

    def hold_back_once() -> None:
        """The first check comes before a slot is taken, all others while it is waited for."""
        nonlocal checks
        checks += 1
        if checks > 1 and not held_since:
            held_since.append(now(clock))
            hold_back("acled", 1.0)
            # A shorter wait does not take the longer one's place.
            hold_back("acled", 0.0)

    until = time.monotonic() + DEADLINE
    while not held_since and time.monotonic() < until:
        checks = 0
        pace("acled", 300, hold_back_once)
    assert now(clock) - held_since[0] >= 1.0 - APART


def test_who_waits_can_be_stopped(clock: Connection) -> None:
    checks = 0

    def stop() -> None:
        nonlocal checks
        checks += 1
        if checks == 3:
            raise TaskCancelled("stop")

    pace("acled", 1, proceed)
    began = time.monotonic()
    with pytest.raises(TaskCancelled):
        pace("acled", 1, stop)
    assert time.monotonic() - began < DEADLINE


def test_a_service_can_be_held_back_before_it_was_ever_asked(clock: Connection) -> None:
    began = now(clock)
    hold_back("acled", 0.2)
    pace("acled", 60, proceed)
    assert now(clock) - began >= 0.2 - APART


def put(clock: Connection, column: str, seconds: float) -> None:
    """Write down a time that lies so far ahead."""
    clock.execute(
        "INSERT INTO app.request_pace (service, next_at, held_until)"
        " VALUES ('acled', clock_timestamp(), NULL) ON CONFLICT DO NOTHING"
    )
    clock.execute(
        f"UPDATE app.request_pace SET {column} = clock_timestamp() + make_interval(secs => %s)",
        [seconds],
    )


def seconds_held(clock: Connection) -> float:
    row = clock.execute(
        "SELECT extract(epoch FROM held_until - clock_timestamp())::float8 AS seconds"
        " FROM app.request_pace"
    ).fetchone()
    assert row is not None
    return float(row["seconds"])


class WouldWait(Exception):
    """Raised in place of a wait."""


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    def wait(seconds: float, check: Callable[[], None]) -> None:
        raise WouldWait

    monkeypatch.setattr(request_pace, "wait", wait)


DAY = 86_400.0


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize("column", ["next_at", "held_until"])
def test_a_clock_that_was_ahead_for_a_while_holds_nobody_up(clock: Connection, column: str) -> None:
    put(clock, column, DAY)
    pace("acled", 60_000, proceed)


def test_a_clock_that_is_ahead_while_one_waits_holds_nobody_up(clock: Connection) -> None:
    until = time.monotonic() + DEADLINE

    def be_ahead() -> None:
        assert time.monotonic() < until, "it waits"
        put(clock, "held_until", DAY)

    pace("acled", 300, proceed)
    pace("acled", 300, be_ahead)


def test_whom_a_clock_that_was_ahead_held_back_can_be_held_back_again(clock: Connection) -> None:
    put(clock, "held_until", DAY)
    hold_back("acled", 30)
    assert 0 < seconds_held(clock) <= 30


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize(
    ("column", "seconds"),
    [
        ("held_until", LONGEST_HOLD_SECONDS),
        # A hundred who wait for their slots at one a minute, behind the longest hold.
        ("next_at", LONGEST_HOLD_SECONDS + 100 * 60),
    ],
)
def test_what_one_can_have_to_wait_is_waited(
    clock: Connection, column: str, seconds: float
) -> None:
    put(clock, column, seconds)
    with pytest.raises(WouldWait):
        pace("acled", 1, proceed)


def test_nobody_is_held_back_for_longer_than_the_longest_time(clock: Connection) -> None:
    hold_back("acled", DAY)
    assert LONGEST_HOLD_SECONDS - DEADLINE < seconds_held(clock) <= LONGEST_HOLD_SECONDS


def test_who_waits_is_told_until_when(clock: Connection) -> None:
    told: list[tuple[datetime, float]] = []
    pace("acled", 60, proceed, lambda *wait: told.append(wait))
    assert told == []
    hold_back("acled", 0.2)
    pace("acled", 60_000, proceed, lambda *wait: told.append(wait))
    [(until, seconds)] = told
    assert 0 < seconds <= 1
    assert now(clock) >= until.timestamp() - APART
