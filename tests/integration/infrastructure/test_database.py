"""Transactions on the pool: committed or not at all, and whole again after an outage."""

from __future__ import annotations

import threading

import psycopg
import pytest
from psycopg_pool import PoolClosed, PoolTimeout

from core.errors import Unavailable
from infrastructure import database
from tests.support.settings import app_settings


def count(connection: database.Connection) -> int:
    row = connection.execute("SELECT count(*) AS n FROM app.dead_letters").fetchone()
    assert row is not None
    return int(row["n"])


def insert(connection: database.Connection) -> None:
    connection.execute("INSERT INTO app.dead_letters (queue, body) VALUES ('light', '')")


def test_a_transaction_is_committed_at_its_end(ledger: database.Connection) -> None:
    before = count(ledger)
    with database.transaction() as connection:
        insert(connection)
        assert count(ledger) == before
    assert count(ledger) == before + 1


def test_an_exception_rolls_back(ledger: database.Connection) -> None:
    def insert_and_fail() -> None:
        with database.transaction() as connection:
            insert(connection)
            raise KeyError("crs")

    before = count(ledger)
    with pytest.raises(KeyError, match="crs"):
        insert_and_fail()
    assert count(ledger) == before


def test_a_wrong_query_is_not_an_outage(ledger: database.Connection) -> None:
    def ask() -> None:
        with database.transaction() as connection:
            connection.execute("SELECT * FROM app.no_such_table")

    with pytest.raises(psycopg.errors.UndefinedTable):
        ask()


def test_a_server_that_is_down_is_unavailable() -> None:
    def ask() -> None:
        with database.transaction():
            raise AssertionError("there is no server")

    with app_settings(GEOFORGE_DATABASE_TIMEOUT_SECONDS="0.3"):
        with pytest.raises(Unavailable, match="database") as error:
            ask()
        assert error.value.error_code == "database_unavailable"
        with pytest.raises(Unavailable):
            database.connect()


def test_a_connection_that_is_lost_is_unavailable_and_the_next_one_works(
    ledger: database.Connection,
) -> None:
    """As when the server restarts: the pool's idle connections are dead, and are replaced."""

    def lose_it() -> None:
        with database.transaction() as connection:
            insert(connection)
            ledger.execute("SELECT pg_terminate_backend(%s, 5000)", (connection.info.backend_pid,))
            insert(connection)

    before = count(ledger)
    with pytest.raises(Unavailable):
        lose_it()
    ledger.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND application_name = 'geoforge'"
    )
    for _ in range(5):
        with database.transaction() as connection:
            assert count(connection) == before


def test_threads_share_one_pool(ledger: database.Connection) -> None:
    pools = []
    together = threading.Barrier(8)

    def ask() -> None:
        together.wait(timeout=20)
        pools.append(database.pool())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, pools))) == 1


@pytest.mark.parametrize(
    ("error", "outage"),
    [
        (PoolTimeout(), True),
        (PoolClosed(), True),
        (psycopg.OperationalError("could not connect"), True),
        (psycopg.errors.ConnectionFailure(), True),
        (psycopg.errors.AdminShutdown(), True),
        (psycopg.errors.CrashShutdown(), True),
        (psycopg.errors.CannotConnectNow(), True),
        (psycopg.errors.TooManyConnections(), True),
        (psycopg.errors.DiskFull(), False),
        (psycopg.errors.QueryCanceled(), False),
        (psycopg.errors.UndefinedTable(), False),
        (ValueError(), False),
    ],
    ids=repr,
)
def test_what_counts_as_an_outage(error: Exception, outage: bool) -> None:
    assert database.is_outage(error) is outage
