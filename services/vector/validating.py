"""What PostgreSQL and PostGIS say of the staged rows, and their indexes: stage 3 of
process_vector, whose steps finalize of curated_update takes as well.

Records that must not be published go to quarantine: the duplicates, those without a key, and
those that PostGIS calls invalid and cannot repair. (Its GEOS may be another version than the
one that cleaned them.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from psycopg import sql

from core.errors import PermanentTaskError
from core.job_definition import JobContext, JsonObject, TaskContext, TaskSpec
from core.models.vector_report import RecordCounts
from infrastructure import database, vector_report_repository
from infrastructure.database import Connection
from infrastructure.metering import Threads
from services.publishing import checks
from services.publishing.checks import Findings
from services.publishing.definitions import identifier, staged
from services.vector.inspecting import read_plan
from services.vector.model import Reason
from services.vector.parameters import ProcessVector
from services.vector.plan import LayerPlan, TablePlan

Context = TaskContext[ProcessVector]


def plan_validation(context: JobContext[ProcessVector]) -> Iterator[TaskSpec]:
    """One task for each layer of which anything was staged.

    Raises what `compare_with_tasks` raises.
    """
    compare_with_tasks(context, "clean")
    loaded: set[int] = set()
    for result in context.results("clean"):
        if result.result["loaded"]:
            loaded.add(result.parameters["layer"])
    for layer in sorted(loaded):
        yield TaskSpec({"layer": layer})


def compare_with_tasks(context: JobContext[Any], stage: str) -> None:
    """Hold what the completed tasks of a staging stage say against the counts of the chunks
    that are staged: a chunk that is gone after its task completed is gone with its counts.

    Raises `PermanentTaskError` (staged_chunks_missing).
    """
    told = sum(task.result["read"] for task in context.results(stage))
    with database.transaction() as connection:
        totals = vector_report_repository.totals(connection, context.job_id)
    kept = sum(totals.values(), RecordCounts()).read
    if told != kept:
        raise PermanentTaskError(
            f"The tasks of {stage} have read {told:,} records, and the chunks that are staged "
            f"account for {kept:,}. Submit the job again with ?rerun=true.",
            code="staged_chunks_missing",
        )


def validate_layer(context: Context) -> JsonObject:
    """Check and index the staged tables of a layer. What is set aside, and all that follows
    from it, is one transaction.

    Returns {tables: [{table, rows}]} of those that have rows, by their place in the plan.
    """
    layer = read_plan(context).layers[context.task["layer"]]
    findings = examine(
        layer, duplicates=context.parameters.duplicates == "quarantine", check=context.check
    )
    checked = []
    with database.transaction() as connection:
        set_aside(connection, context.job_id, layer, findings)
        for number, table in enumerate(layer.tables):
            context.check()
            finished = checks.finish(
                connection,
                table.staged,
                table.shape,
                key_columns=layer.key_columns,
                indexed=True,
            )
            if finished.rows:
                checked.append({"table": number, "rows": finished.rows})
            context.progress(tables_checked=number + 1, tables_total=len(layer.tables))
        compare_counts(
            connection, context.job_id, layer, [layer.tables[each["table"]] for each in checked]
        )
    return {"tables": checked}


def examine(
    layer: LayerPlan, *, duplicates: bool, check: Callable[[], None], index: bool = True
) -> list[Findings]:
    """What PostgreSQL says of the rows of each of a layer's tables; nothing is changed.

    With `index` the tables are indexed meanwhile: one keeps a processor busy, one the others.
    """
    with Threads(1, thread_name_prefix="index") as beside:
        indexing = beside.submit(_index, layer) if index else None
        findings = [_examine(layer, table, duplicates, check) for table in layer.tables]
        if indexing is not None:
            indexing.result()
    return findings


def set_aside(
    connection: Connection, job_id: str, layer: LayerPlan, findings: Sequence[Findings]
) -> None:
    """Mend what can be mended, and move the other rows that `examine` named into quarantine."""
    for table, found in zip(layer.tables, findings, strict=True):
        invalid = [each.gid for each in found.invalid]
        mended = set(checks.mend(connection, table.staged, table.shape, invalid))
        for reason, details in _faults(found, mended, layer.key_columns):
            if details:
                quarantine(connection, job_id, layer, table, details, reason)


def quarantine(
    connection: Connection,
    job_id: str,
    layer: LayerPlan,
    table: TablePlan,
    details: Mapping[int, str],
    reason: Reason,
) -> None:
    """Move rows of one of a layer's staged tables into quarantine; `details` says for each
    gid what is wrong with it."""
    vector_report_repository.set_aside(
        connection,
        job_id,
        layer.index,
        identifier(staged(table.staged)),
        table.shape,
        details,
        reason.value,
    )
    # Of a record that was split by dimension no part stays alone.
    for other in layer.tables:
        if other is not table:
            connection.execute(
                sql.SQL("DELETE FROM {} WHERE gid = ANY(%s::bigint[])").format(
                    identifier(staged(other.staged))
                ),
                (list(details),),
            )


def compare_counts(
    connection: Connection, job_id: str, layer: LayerPlan, tables: Sequence[TablePlan]
) -> None:
    """Hold what was counted against the rows that there are in those of a layer's tables that
    have any. A record that was split by dimension is in several of them.

    Raises `PermanentTaskError` (counts_do_not_add_up).
    """
    counts = vector_report_repository.totals(connection, job_id)
    wanted = counts.get(layer.index, RecordCounts()).loaded
    found = 0
    if tables:
        gids = sql.SQL(" UNION " if len(tables) > 1 else "").join(
            sql.SQL("SELECT gid FROM {}").format(identifier(staged(table.staged)))
            for table in tables
        )
        row = connection.execute(
            sql.SQL("SELECT count(*) AS records FROM ({}) AS found").format(gids)
        ).fetchone()
        assert row is not None
        found = row["records"]
    if found != wanted:
        raise PermanentTaskError(
            f"Layer {layer.layer.name!r}: {wanted:,} records were counted as loaded, and the "
            f"staged tables hold {found:,}.",
            code="counts_do_not_add_up",
        )


def _index(layer: LayerPlan) -> None:
    for table in layer.tables:
        with database.transaction() as connection:
            checks.index(connection, table.staged, table.shape)


def _examine(
    layer: LayerPlan, table: TablePlan, duplicates: bool, check: Callable[[], None]
) -> Findings:
    check()
    with database.transaction() as connection:
        return checks.examine(
            connection,
            table.staged,
            table.shape,
            key_columns=layer.key_columns,
            duplicates=duplicates,
        )


def _faults(
    findings: Findings, mended: set[int], keys: list[str]
) -> Iterator[tuple[Reason, dict[int, str]]]:
    """What to quarantine: for each reason the rows and what is said of them."""
    yield (
        Reason.DUPLICATE,
        dict.fromkeys(findings.duplicates, "Geometry and all attributes equal an earlier record's"),
    )
    named = ", ".join(keys)
    yield (
        Reason.BAD_VALUE,
        {
            **dict.fromkeys(findings.null_keys, f"The key ({named}) has no value"),
            **dict.fromkeys(findings.repeated_keys, f"An earlier record has the key ({named})"),
        },
    )
    yield (
        Reason.NOT_REPAIRABLE,
        {
            each.gid: f"PostGIS calls it invalid and cannot repair it: {each.reason}"
            for each in findings.invalid
            if each.gid not in mended
        },
    )
