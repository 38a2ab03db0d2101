"""Bring the database to this version of the app: `python -m infrastructure.migrate`.

Order: numbered `*_pre_*.sql`, then pgSTAC by its own `pypgstac migrate`, then `*_post_*.sql`.
Each file runs in one transaction and is recorded in app.schema_migrations with its digest.
A session advisory lock makes ten workers that start at once take turns; the later ones find
nothing to do. Every file is safe to run twice.
"""

from __future__ import annotations

import hashlib
import logging
import sys
from dataclasses import dataclass
from importlib import resources
from typing import LiteralString

import psycopg
from pydantic import ValidationError

from config import DatabaseSettings
from infrastructure.locks import Space, key

log = logging.getLogger(__name__)

_LEDGER = """
CREATE SCHEMA IF NOT EXISTS app;
CREATE TABLE IF NOT EXISTS app.schema_migrations (
    name        text PRIMARY KEY,
    digest      text NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT now()
);
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file: `0010_post_ledger.sql`."""

    name: str
    sql: LiteralString

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def is_pre(self) -> bool:
        """Whether it runs before pgSTAC's own migration."""
        return self.name.split("_")[1] == "pre"


def migrations() -> list[Migration]:
    """All migrations, in their numbers' order."""
    folder = resources.files("infrastructure").joinpath("migrations")
    files = sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".sql")),
        key=lambda entry: entry.name,
    )
    return [Migration(file.name, file.read_text("utf-8")) for file in files]


def migrate(database_url: str) -> list[str]:
    """Apply what is missing; the names of what was applied. Safe to call from many processes.

    Raises RuntimeError when a recorded file was edited since: a change wants a new file.
    """
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (key(Space.MIGRATION),))
        connection.execute("SET client_min_messages = warning")
        connection.execute(_LEDGER)
        done = _recorded(connection)
        files = migrations()
        applied = [m.name for m in files if m.is_pre and _apply(connection, m, done)]
        applied += _migrate_pgstac(database_url)
        applied += [m.name for m in files if not m.is_pre and _apply(connection, m, done)]
    return applied


def _recorded(connection: psycopg.Connection) -> dict[str, str]:
    rows = connection.execute("SELECT name, digest FROM app.schema_migrations").fetchall()
    return dict(rows)


def _apply(connection: psycopg.Connection, migration: Migration, done: dict[str, str]) -> bool:
    if migration.name in done:
        if done[migration.name] != migration.digest:
            raise RuntimeError(
                f"{migration.name} was changed after it was applied: add a new migration instead"
            )
        return False
    with connection.transaction():
        connection.execute(migration.sql)
        connection.execute(
            "INSERT INTO app.schema_migrations (name, digest) VALUES (%s, %s)",
            (migration.name, migration.digest),
        )
    log.info("applied %s", migration.name)
    return True


def _migrate_pgstac(database_url: str) -> list[str]:
    # Imported here: it is slow to import, and only this function needs it.
    from pypgstac.db import PgstacDB
    from pypgstac.migrate import Migrate

    with PgstacDB(dsn=database_url) as pgstac:
        before = pgstac.version
        after = Migrate(pgstac).run_migration()
    return [] if before == after else [f"pgstac {after}"]


def main() -> int:
    """Migrate the database that DATABASE_URL names, the one setting needed; the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("pypgstac").setLevel(logging.WARNING)
    try:
        settings = DatabaseSettings()  # type: ignore[call-arg]  # from the environment
        applied = migrate(settings.database_url.get_secret_value())
    except ValidationError as error:
        for fault in error.errors(include_input=False):
            print(f"{fault['loc'][0]}: {fault['msg']}", file=sys.stderr)
        return 1
    except psycopg.OperationalError as error:
        print(f"The database cannot be reached: {error}", file=sys.stderr)
        return 1
    print("Database is up to date" + (f"; applied: {', '.join(applied)}" if applied else "."))
    return 0


if __name__ == "__main__":
    sys.exit(main())
