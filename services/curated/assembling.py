"""One table out of the layers of a source: checked, put together, indexed, and recorded.

A source may come in several layers, as points and polygons or in parts of a shapefile. All of
them have the columns of the dataset's table, and are staged apart. The largest takes the rows of
the others. Everything that changes a row, and the record of the version, is one transaction: an
attempt that comes after a crash finds all of it or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from core.errors import PermanentTaskError
from core.models.curated import Delivers
from core.models.feature_table import KEY_COLUMN
from core.models.vector_report import RecordCounts
from infrastructure import curated_versions_repository, database, vector_report_repository
from infrastructure.curated_versions_repository import CuratedVersion, NewVersion
from infrastructure.database import Connection
from services.curated import deletions, indexes, superseding
from services.curated.deletions import DeletionsFile
from services.publishing import checks, staging
from services.publishing.checks import Checked, Findings
from services.publishing.definitions import column_names, identifier, identifiers, staged
from services.vector import validating
from services.vector.model import Reason
from services.vector.plan import LayerPlan, TablePlan

# Rows that come to an indexed table go into its index one by one, several times slower than a
# whole index is built. It pays to build it early, beside the checks, where they are few.
_FEW = 0.2


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is known of a version before its rows are looked at: see app.curated_versions."""

    dataset_id: str
    job_id: str
    log_id: int | None
    base_version: int | None
    source_version: str
    definition_digest: str
    source_columns: Mapping[str, str]
    files: Sequence[Mapping[str, Any]]
    licence: str | None
    delivers: Delivers = "snapshot"
    deletions: Sequence[DeletionsFile] = ()


def assemble(
    arrival: Arrival,
    layers: Sequence[LayerPlan],
    *,
    newest: str | None = None,
    indexed: Sequence[str] = (),
    check: Callable[[], None],
    progress: Callable[..., None],
) -> CuratedVersion:
    """Make one staged table of the layers' staged tables, and another one of the keys that were
    deleted; record them as a version.

    Of several records of one key the one with the greatest value in the column `newest` stays;
    else the first one of a layer, and that of an earlier layer. The others go to quarantine, and
    so do those that were deleted since. `indexed` columns get an index.
    A job that has its version already gets it again. Raises `PermanentTaskError`
    (counts_do_not_add_up) where there are other rows than were counted.
    """
    with database.transaction() as connection:
        done = curated_versions_repository.of_job(connection, arrival.job_id)
    if done is not None:
        return done
    if not _keys_are_distinct(layers) and newest is not None and layers[0].key_columns:
        with database.transaction() as connection:
            superseding.set_aside_older(connection, arrival.job_id, layers, newest, check)
    with database.transaction() as connection:
        largest, early = _largest(connection, layers)
    findings = []
    for number, layer in enumerate(layers):
        progress(layers_checked=number, layers_total=len(layers))
        findings.append(
            validating.examine(
                layer, duplicates=True, check=check, index=early and layer.index == largest.index
            )
        )
    progress(layers_checked=len(layers), layers_total=len(layers))
    with database.transaction() as connection:
        _set_aside(connection, arrival.job_id, layers, findings, check)
        deleted = _deletions(connection, arrival, layers, newest, check)
        for layer in layers:
            validating.compare_counts(connection, arrival.job_id, layer, layer.tables)
        counts = _counts(connection, arrival.job_id)
        table = largest.tables[0]
        for layer in layers:
            if layer is not largest:
                check()
                _move(connection, layer.tables[0], table)
        check()
        finished = checks.finish(
            connection,
            table.staged,
            table.shape,
            key_columns=largest.key_columns,
            indexed=early,
        )
        if early and len(layers) > 1:
            connection.execute(sql.SQL("ANALYZE {}").format(identifier(staged(table.staged))))
        if finished.rows != counts.loaded:
            raise PermanentTaskError(
                f"{counts.loaded:,} records were counted as loaded, and the table that was made "
                f"of them has {finished.rows:,}.",
                code="counts_do_not_add_up",
            )
        indexes.ensure(connection, staged(table.staged), table.shape, indexed)
        name = staging.set_apart(connection, table.staged, arrival.job_id)
        version = _record(connection, arrival, largest, name, deleted, counts, finished)
        staging.drop(connection, arrival.job_id)
    return version


def _keys_are_distinct(layers: Sequence[LayerPlan]) -> bool:
    """Whether no two records of the only layer share a key; of several layers not before they
    are one table."""
    if len(layers) > 1 or not layers[0].key_columns:
        return False
    with database.transaction() as connection:
        return checks.index_keys(connection, layers[0].tables[0].staged, layers[0].key_columns)


def _largest(connection: Connection, layers: Sequence[LayerPlan]) -> tuple[LayerPlan, bool]:
    """The layer whose table is the largest, and whether nearly all is in it."""
    sizes = [_size(connection, layer.tables[0]) for layer in layers]
    largest = max(range(len(layers)), key=sizes.__getitem__)
    return layers[largest], sum(sizes) - sizes[largest] <= _FEW * sizes[largest]


def _size(connection: Connection, table: TablePlan) -> int:
    """Bytes of a staged table. Raises `PermanentTaskError` where there is none."""
    row = connection.execute(
        "SELECT pg_table_size(to_regclass(%s)) AS size",
        (identifier(staged(table.staged)).as_string(connection),),
    ).fetchone()
    if row is None or row["size"] is None:
        raise PermanentTaskError(
            "The staged rows are gone. Submit the job again with ?rerun=true.",
            code="staged_table_missing",
        )
    size: int = row["size"]
    return size


def _set_aside(
    connection: Connection,
    job_id: str,
    layers: Sequence[LayerPlan],
    findings: Sequence[Sequence[Findings]],
    check: Callable[[], None],
) -> None:
    for layer, found in zip(layers, findings, strict=True):
        check()
        validating.set_aside(connection, job_id, layer, found)
    for layer, details in _repeated(connection, layers):
        validating.quarantine(connection, job_id, layer, layer.tables[0], details, Reason.BAD_VALUE)


def _deletions(
    connection: Connection,
    arrival: Arrival,
    layers: Sequence[LayerPlan],
    newest: str | None,
    check: Callable[[], None],
) -> str | None:
    """The staged table of the keys that were deleted, None where there are none."""
    if not arrival.deletions:
        return None
    name = staging.apart_name(arrival.job_id, "deleted")
    keys = deletions.apply(
        connection, arrival.job_id, name, arrival.deletions, layers, newest, check
    )
    return name if keys else None


def _repeated(
    connection: Connection, layers: Sequence[LayerPlan]
) -> Iterator[tuple[LayerPlan, dict[int, str]]]:
    """For each layer the rows whose key an earlier one has, and what is said of them."""
    keys = layers[0].key_columns
    if not keys or len(layers) == 1:
        return
    rows = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT {}::integer AS place, {}, {} FROM {}").format(
            sql.Literal(place),
            sql.Identifier(KEY_COLUMN),
            identifiers(keys),
            identifier(staged(layer.tables[0].staged)),
        )
        for place, layer in enumerate(layers)
    )
    query = sql.SQL(
        "WITH keyed AS MATERIALIZED ({rows}),"
        " repeated AS (SELECT {keys} FROM keyed GROUP BY {keys} HAVING count(*) > 1)"
        " SELECT place, {gid} AS gid, min(place) OVER (PARTITION BY {keys}) AS first"
        " FROM keyed JOIN repeated USING ({keys}) ORDER BY place, gid"
    ).format(rows=rows, keys=identifiers(keys), gid=sql.Identifier(KEY_COLUMN))
    with checks.in_parallel(connection):
        found = connection.execute(query).fetchall()
    named = ", ".join(keys)
    for place, layer in enumerate(layers):
        details = {
            row["gid"]: f"A record of layer {layers[row['first']].layer.name!r} has the key "
            f"({named})"
            for row in found
            if row["place"] == place != row["first"]
        }
        if details:
            yield layer, details


def _counts(connection: Connection, job_id: str) -> RecordCounts:
    counts = sum(vector_report_repository.totals(connection, job_id).values(), RecordCounts())
    if not counts.balanced:
        raise PermanentTaskError(
            f"The counts do not add up: {counts.read:,} read, {counts.loaded:,} loaded, "
            f"{counts.set_aside:,} quarantined.",
            code="counts_do_not_add_up",
        )
    return counts


def _move(connection: Connection, table: TablePlan, into: TablePlan) -> None:
    """Add the rows of a table to another one of its shape, under the numbers after its own."""
    others = column_names(into.shape)[1:]
    connection.execute(
        sql.SQL(
            "INSERT INTO {into} ({gid}, {columns})"
            " SELECT last.gid + row_number() OVER (ORDER BY t.{gid}), {values}"
            " FROM {table} t, (SELECT coalesce(max({gid}), 0) AS gid FROM {into}) last"
            " ORDER BY t.{gid}"
        ).format(
            into=identifier(staged(into.staged)),
            table=identifier(staged(table.staged)),
            gid=sql.Identifier(KEY_COLUMN),
            columns=identifiers(others),
            values=identifiers(others, "t"),
        )
    )


def _record(
    connection: Connection,
    arrival: Arrival,
    layer: LayerPlan,
    name: str,
    deleted: str | None,
    counts: RecordCounts,
    finished: Checked,
) -> CuratedVersion:
    return curated_versions_repository.add(
        connection,
        NewVersion(
            dataset_id=arrival.dataset_id,
            job_id=arrival.job_id,
            log_id=arrival.log_id,
            staged=name,
            shape=layer.tables[0].shape,
            key_columns=tuple(layer.key_columns),
            base_version=arrival.base_version,
            source_version=arrival.source_version,
            definition_digest=arrival.definition_digest,
            source_columns=arrival.source_columns,
            files=arrival.files,
            licence=arrival.licence,
            read=counts.read,
            loaded=counts.loaded,
            quarantined=counts.set_aside,
            rows=finished.rows,
            bbox=finished.bbox,
            delivers=arrival.delivers,
            deletions=deleted,
        ),
    )
