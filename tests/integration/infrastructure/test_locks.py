"""Advisory locks: one owner, given back by whatever ends the transaction."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.errors import TaskCancelled
from infrastructure import database, locks
from infrastructure.locks import Space, held, key, lock, singleton, try_lock

# With it, the settings name a database.
pytestmark = pytest.mark.usefixtures("ledger")


def is_free(*parts: str | int) -> bool:
    with database.transaction() as connection:
        return try_lock(connection, Space.DATASET, *parts)


def test_a_lock_has_one_owner() -> None:
    with database.transaction() as connection:
        lock(connection, Space.DATASET, "rivers")
        assert not is_free("rivers")
        assert is_free("roads")
    assert is_free("rivers")


def test_a_lock_is_given_back_by_a_rollback() -> None:
    def lock_and_fail() -> None:
        with database.transaction() as connection:
            lock(connection, Space.DATASET, "rivers")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        lock_and_fail()
    assert is_free("rivers")


def test_a_lock_is_given_back_with_the_connection() -> None:
    connection = database.connect()
    lock(connection, Space.DATASET, "rivers")
    assert not is_free("rivers")
    pid = connection.info.backend_pid
    with database.transaction() as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
    assert is_free("rivers")
    connection.close()


def test_those_who_wait_come_one_after_the_other() -> None:
    inside: list[int] = []
    most: list[int] = []
    guard = threading.Lock()

    def work(number: int) -> None:
        with database.transaction() as connection:
            lock(connection, Space.DATASET, "rivers")
            with guard:
                inside.append(number)
                most.append(len(inside))
            connection.execute("SELECT pg_sleep(0.01)")
            with guard:
                inside.remove(number)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(24)))
    assert len(most) == 24
    assert set(most) == {1}


def test_a_lock_is_held_over_transactions_and_who_waits_can_be_stopped() -> None:
    looks = []

    def stop() -> None:
        looks.append(1)
        raise TaskCancelled("The job was cancelled.")

    with held(lambda: None, Space.RASTERS, "dem"):
        with held(lambda: None, Space.RASTERS, "other"):
            pass
        with pytest.raises(TaskCancelled), held(stop, Space.RASTERS, "dem"):
            pass
    assert looks == [1]
    with held(stop, Space.RASTERS, "dem"):
        assert looks == [1]


def test_a_timer_runs_once_at_a_time() -> None:
    with singleton("sweep") as first, singleton("sweep") as second, singleton("dust") as other:
        assert (first, second, other) == (True, False, True)
    with singleton("sweep") as again:
        assert again


def test_keys_are_64_bits_and_belong_to_their_space() -> None:
    keys = {key(space, "a", 1) for space in Space} | {
        key(Space.STAGE, "a", 11),
        key(Space.STAGE, "a1", 1),
        key(Space.STAGE, "a", 1, 1),
    }
    assert len(keys) == len(Space) + 3
    assert all(-(2**63) <= each < 2**63 for each in keys)


def test_a_key_stays_what_it_is() -> None:
    """Two versions of the app that run side by side must mean the same lock."""
    assert locks.key(Space.STAGE, "job", 0) == KEY_OF_A_STAGE


KEY_OF_A_STAGE = 6136411168032526488
