"""The documents of pipelines, as rows: each version is kept, the newest one counts.

A pipeline that is deleted keeps its versions, to which its runs refer. One that is made under
its name again goes on counting.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Json, Jsonb

from core import jsonb
from core.errors import Conflict, FieldError, NotFound
from infrastructure import queries
from infrastructure.database import Connection, Row

_SQL = queries.load("pipelines")


@dataclass(frozen=True, slots=True)
class Stored:
    """One version of a pipeline.

    `problems` are what kept it from being run when it was saved. `created_at` and `updated_at`
    are those of the pipeline, `saved_at` is that of this version.
    """

    name: str
    version: int
    latest_version: int
    document: dict[str, Any]
    problems: list[FieldError]
    note: str | None
    created_at: datetime
    updated_at: datetime
    saved_at: datetime


def get(connection: Connection, name: str, *, for_update: bool = False) -> Stored:
    """The newest version of a pipeline. Raises `NotFound` naming those of similar names.

    `for_update` keeps it as it is to the end of the transaction.
    """
    found = find(connection, name, for_update=for_update)
    if found is None:
        raise _unknown(connection, name)
    return found


def find(connection: Connection, name: str, *, for_update: bool = False) -> Stored | None:
    """The newest version of a pipeline, or None where there is no such pipeline."""
    query = "pipeline_for_update" if for_update else "pipeline"
    row = connection.execute(_SQL[query], {"name": name}).fetchone()
    return None if row is None else Stored(**row)


def get_version(connection: Connection, name: str, version: int | None) -> Stored:
    """One version of a pipeline, the newest for None. Raises `NotFound` for an unknown pipeline or
    version."""
    if version is None:
        return get(connection, name)
    row = connection.execute(_SQL["version"], {"name": name, "version": version}).fetchone()
    if row is not None:
        return Stored(**row)
    latest = get(connection, name).latest_version
    raise NotFound(
        f"The pipeline {name!r} has no version {version}. Its newest is {latest}.",
        code="unknown_pipeline_version",
        name=name,
        version=version,
    )


def page(connection: Connection, *, limit: int, after: str | None = None) -> list[Row]:
    """Pipelines by name, beginning after one: what a list shows of each."""
    return connection.execute(_SQL["page"], {"limit": limit, "after": after}).fetchall()


def versions(
    connection: Connection, name: str, *, limit: int, before: int | None = None
) -> list[Row]:
    """A pipeline's versions without their documents, newest first, below the number `before`."""
    return connection.execute(
        _SQL["versions"], {"name": name, "limit": limit, "before": before}
    ).fetchall()


def create(
    connection: Connection,
    name: str,
    document: Mapping[str, Any],
    *,
    problems: Sequence[FieldError] = (),
    note: str | None = None,
) -> int:
    """Keep the first version of a pipeline; its number. Raises `Conflict` (pipeline_exists)."""
    row = connection.execute(_SQL["create"], {"name": name}).fetchone()
    if row is None:
        raise Conflict(
            f"There is a pipeline {name!r} already. PUT makes a new version of it.",
            code="pipeline_exists",
            name=name,
        )
    _insert_version(connection, name, row["version"], document, problems, note)
    return int(row["version"])


def add_version(
    connection: Connection,
    name: str,
    document: Mapping[str, Any],
    *,
    problems: Sequence[FieldError] = (),
    note: str | None = None,
    reschedule: bool = False,
) -> int:
    """Keep the next version of a pipeline, which counts from now on; its number.

    `reschedule` says that it begins by itself at other times than before, or does so again:
    nothing is made up for that would have fallen due earlier. Raises `NotFound`.
    """
    row = connection.execute(_SQL["advance"], {"name": name, "reschedule": reschedule}).fetchone()
    if row is None:
        raise _unknown(connection, name)
    _insert_version(connection, name, row["version"], document, problems, note)
    return int(row["version"])


def set_problems(
    connection: Connection,
    name: str,
    version: int,
    problems: Sequence[FieldError],
    *,
    reschedule: bool = False,
) -> None:
    """Record what keeps a version from being run now. `reschedule` as in `add_version`."""
    connection.execute(
        _SQL["set_problems"],
        {
            "name": name,
            "version": version,
            "problems": Jsonb(list(problems), dumps=jsonb.encode),
            "reschedule": reschedule,
        },
    )


def delete(connection: Connection, name: str) -> None:
    """Take a pipeline away; its versions and runs stay. Raises `NotFound`."""
    if connection.execute(_SQL["delete"], {"name": name}).rowcount == 0:
        raise _unknown(connection, name)


def active_runs(connection: Connection, name: str) -> list[str]:
    """The ids of runs of a pipeline that have not ended, the ten oldest of them."""
    rows = connection.execute(_SQL["active_runs"], {"name": name}).fetchall()
    return [row["run_id"] for row in rows]


def _insert_version(
    connection: Connection,
    name: str,
    version: int,
    document: Mapping[str, Any],
    problems: Sequence[FieldError],
    note: str | None,
) -> None:
    connection.execute(
        _SQL["insert_version"],
        {
            "name": name,
            "version": version,
            "document": Json(document, dumps=jsonb.encode),
            "problems": Jsonb(list(problems), dumps=jsonb.encode),
            "note": note,
        },
    )


def _unknown(connection: Connection, name: str) -> NotFound:
    known = [row["name"] for row in connection.execute(_SQL["names"])]
    similar = difflib.get_close_matches(name, known, n=3)
    hint = f"Did you mean {' or '.join(similar)}?" if similar else "GET /api/pipelines lists them."
    return NotFound(
        f"There is no pipeline {name!r}. {hint}",
        code="unknown_pipeline",
        name=name,
        similar=similar,
    )
