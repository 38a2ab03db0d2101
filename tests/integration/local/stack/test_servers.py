"""The servers that other tests stand on: they serve, and they survive a crash."""

from __future__ import annotations

import psycopg

from tests.servers import PostgresServer


def test_a_test_database_has_the_schemas(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        [schemas] = connection.execute(
            "SELECT array_agg(nspname::text) FROM pg_namespace"
        ).fetchone()
        assert {"app", "pgstac"} <= set(schemas)
        assert connection.execute("SELECT postgis_version()").fetchone()


def test_a_test_database_is_the_tests_own(
    postgres_server: PostgresServer, database_url: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE mine ()")
    other = postgres_server.create_database()
    with psycopg.connect(other) as connection:
        assert connection.execute("SELECT to_regclass('mine')").fetchone() == (None,)
    postgres_server.drop_database(other)


def test_a_killed_postgresql_starts_again(
    postgres_server: PostgresServer, database_url: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    postgres_server.kill()
    postgres_server.start()
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
