"""Make a staged table the published one, or a part of it; and bring earlier versions back.

Both work in the caller's transaction, which should be committed at once: from the swap on, the
table's readers wait for it. Every publication of a table gets the next version number.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from core.errors import Conflict, NotFound, PermanentTaskError, TransientTaskError
from core.models.feature_table import FeatureTable, TableName
from infrastructure import publishing_repository as records
from infrastructure import queries
from infrastructure.database import Connection
from infrastructure.publishing_repository import Bbox, Description
from services.publishing import attachments, definitions, history, staging
from services.publishing.locking import take_turn
from services.publishing.publication import Next, Publication
from services.publishing.swap import Contents

Mode = Literal["replace", "append", "upsert"]

_SQL = queries.load("publishing")
# How long a table that someone reads is waited for.
PATIENCE_SECONDS = 30.0
_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where rows come from. `source` names the file or service for people; None in what
    describes the table leaves what was said before."""

    job_id: str
    source: str
    title: str | None = None
    description: str | None = None
    attribution: str | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """What became of a table. `removed` rows were in the version before and are not in this
    one, where rows are compared (by key, or by a rollback in place); a replaced table counts
    all its rows as added. `notes` say what else changed: {columns_added, columns_missing}."""

    version: int
    change: str
    rows: int
    added: int
    updated: int
    removed: int
    unchanged: int
    bbox: Bbox | None
    notes: Mapping[str, Any] = field(default_factory=dict)


def _never() -> None:
    """Nobody asks to stop."""


def publish(
    connection: Connection,
    target: TableName,
    staged: str,
    table: FeatureTable,
    *,
    mode: Mode,
    key_columns: Sequence[str] = (),
    provenance: Provenance,
    keep_versions: int = 3,
    restricted: bool | None = None,
    datetime_column: str | None = None,
    deletions: str | None = None,
    delete_missing: bool = False,
    ignored: Collection[str] = (),
    patience: float = PATIENCE_SECONDS,
    check: Callable[[], None] = _never,
) -> Published:
    """Publish a staged table that `checks.finish` has finished.

    A name that is not published yet is published whatever the mode. Later on `replace` puts
    the staged table in place of the old one, `append` adds its rows, and `upsert` updates rows
    by their key and adds the others; these two change the table in place, unless its columns
    have to change. With upsert, `deletions` names another staged table of keys whose rows are
    removed, and `delete_missing` removes the rows that do not come in again; a row that differs
    in the `ignored` columns only stays as it is.

    A job that published this table already gets that version again, whatever became of it
    since. Raises `PermanentTaskError` (table_not_ours, table_changed, columns_differ,
    geometry_differs, keys_differ, keys_not_unique, replace_blocked, dependents_would_break,
    attachment_does_not_fit) where it cannot be done, `TransientTaskError` (table_busy) where
    the table is in use; roll back then, and the published table is as it was.
    """
    take_turn(connection, target, check)
    earlier = records.version_of_job(connection, target, provenance.job_id)
    if earlier is not None:
        return _recorded(earlier)
    records.ensure_schema(connection, target.schema_name)
    _require_finished(connection, staged)
    publication = Publication(connection, target, keep_versions, patience, check)
    incoming = Contents(table, tuple(key_columns))
    if publication.current is None:
        new = publication.first(definitions.staged(staged), incoming, mode)
    elif mode == "replace":
        new = publication.replace(definitions.staged(staged), incoming)
    else:
        new = publication.change(
            definitions.staged(staged),
            incoming,
            mode,
            deletions=None if deletions is None else definitions.staged(deletions),
            delete_missing=delete_missing,
            ignored=ignored,
        )
    about = Description(
        provenance.title, provenance.description, provenance.attribution, restricted
    )
    version = publication.record(
        new, provenance.job_id, provenance.source, about, datetime_column=datetime_column
    )
    return _published(version, new)


def together(
    connection: Connection,
    targets: Sequence[TableName],
    publications: Sequence[Callable[[float], Published]],
    *,
    patience: float = PATIENCE_SECONDS,
    check: Callable[[], None] = _never,
) -> list[Published]:
    """Publish several tables at the same moment; each is given the patience to publish with.

    The turn of every target is waited for first, while no table is locked. While a later one
    is in use, the earlier ones are not held: all of it is undone, and tried again for `patience`
    seconds. They are given in the order of their names, so that two jobs with the same tables
    take turns.
    """
    for target in targets:
        take_turn(connection, target, check)
    deadline = time.monotonic() + patience
    while True:
        try:
            with connection.transaction():
                return [
                    publication(0.0 if number else max(0.0, deadline - time.monotonic()))
                    for number, publication in enumerate(publications)
                ]
        except TransientTaskError as error:
            if error.error_code != "table_busy" or time.monotonic() > deadline:
                raise
        check()
        time.sleep(_PAUSE_SECONDS)


def rollback(
    connection: Connection,
    target: TableName,
    to_version: int | None = None,
    *,
    actor: str = "an operator",
    keep_versions: int | None = None,
    patience: float = PATIENCE_SECONDS,
    check: Callable[[], None] = _never,
) -> Published:
    """Make the rows of an earlier version current again, as a new version.

    Without `to_version` it is the version before the one whose rows are current. What was
    changed in place is undone in place. Nothing is dropped unless `keep_versions` says how
    many earlier versions to keep. Raises `NotFound` for an unknown table or version, `Conflict`
    (is_current, version_not_kept) where there is nothing to bring back, and what `publish`
    raises where something that hangs on the table does not fit the earlier one. `patience` is
    how long those who publish the table are waited for, and then those who read it.
    """
    take_turn(connection, target, check, patience=patience)
    publication = Publication(connection, target, keep_versions, patience, check)
    current = publication.require_current()
    versions = records.versions(connection, target)
    to = _version_to_restore(target, versions, current.version, to_version)
    way = history.way_back(versions, current.version, to)
    if way is None:
        raise _not_kept(target, versions, current.version, to)
    restored = next(version for version in versions if version.version == to)
    new = replace(publication.restore(way, restored), notes={"actor": actor})
    version = publication.record(
        new, restored.job_id, restored.source, Description(), datetime_column=None
    )
    return _published(version, new)


def restorable(connection: Connection, target: TableName) -> set[int]:
    """The versions of a table that `rollback` can bring back."""
    current = records.table(connection, target)
    if current is None:
        return set()
    return history.restorable(records.versions(connection, target), current.version)


def _published(version: int, new: Next) -> Published:
    return Published(
        version=version,
        change=new.change,
        rows=new.measured.rows,
        **asdict(new.counts),
        bbox=new.measured.bbox,
        notes=new.notes,
    )


def _recorded(row: Mapping[str, Any]) -> Published:
    """A version as it was returned when it was published."""
    details = dict(row["details"])
    counts = {name: details.pop(name, 0) for name in ("added", "updated", "removed", "unchanged")}
    return Published(
        version=row["version"],
        change=row["change"],
        rows=row["row_count"],
        **counts,
        bbox=None if row["bbox"] is None else tuple(row["bbox"]),
        notes=details,
    )


def _require_finished(connection: Connection, staged: str) -> None:
    oid = attachments.oid_of(connection, definitions.staged(staged))
    if oid is None:
        raise PermanentTaskError(
            "The staged rows are gone. Submit the job again with ?rerun=true.",
            code="staged_table_missing",
        )
    columns = {row["name"] for row in connection.execute(_SQL["columns"], {"oid": oid})}
    kinds = {index.constraint_kind for index in attachments.indexes(connection, oid)}
    if staging.HASH_COLUMN in columns or "p" not in kinds:
        raise ValueError(f"{staged} was not finished: call checks.finish first")


def _version_to_restore(
    target: TableName,
    versions: Sequence[records.Version],
    current: int,
    wanted: int | None,
) -> int:
    same = history.origin(versions, current)
    if wanted is None:
        wanted = same - 1
        if wanted < 1:
            raise Conflict(
                f"{target} has no version before {same}, whose rows are current.",
                code="version_not_kept",
            )
        return wanted
    if all(version.version != wanted for version in versions):
        raise NotFound(
            f"{target} has no version {wanted}; the newest is {current}.", code="unknown_version"
        )
    if history.origin(versions, wanted) == same:
        raise Conflict(f"The rows of version {wanted} are current.", code="is_current")
    return wanted


def _not_kept(
    target: TableName, versions: Sequence[records.Version], current: int, wanted: int
) -> Conflict:
    left = sorted(history.restorable(versions, current))
    others = f"These are: {', '.join(map(str, left))}." if left else "No earlier one is."
    return Conflict(
        f"Version {wanted} of {target} is not kept any more. {others}",
        code="version_not_kept",
        restorable=left,
    )
