"""Stage 3: what PostgreSQL and PostGIS say of the staged rows, and their indexes.

Records that must not be published go to quarantine: the duplicates, those without a key, and
those that PostGIS calls invalid and cannot repair. (Its GEOS may be another version than the
one that cleaned them.)
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from psycopg import sql

from core.errors import PermanentTaskError
from core.job_definition import JobContext, JsonObject, TaskContext, TaskSpec
from core.models.vector_report import RecordCounts
from infrastructure import database, vector_report_repository
from infrastructure.database import Connection
from services.publishing import checks
from services.publishing.checks import Findings
from services.publishing.definitions import identifier, staged
from services.vector.inspecting import read_plan
from services.vector.model import Reason
from services.vector.parameters import ProcessVector
from services.vector.plan import LayerPlan, TablePlan

Context = TaskContext[ProcessVector]


def plan_validation(context: JobContext[ProcessVector]) -> Iterator[TaskSpec]:
    """One task for each layer of which anything was staged."""
    loaded: set[int] = set()
    for result in context.results("clean"):
        if result.result["loaded"]:
            loaded.add(result.parameters["layer"])
    for layer in sorted(loaded):
        yield TaskSpec({"layer": layer})


def validate_layer(context: Context) -> JsonObject:
    """Check and index the staged tables of a layer. What is set aside, and all that follows
    from it, is one transaction.

    Returns {tables: [{table, rows}]} of those that have rows, by their place in the plan.
    """
    layer = read_plan(context).layers[context.task["layer"]]
    with ThreadPoolExecutor(1, thread_name_prefix="index") as beside:
        indexing = beside.submit(_index, layer)
        findings = [_examine(context, layer, table) for table in layer.tables]
        indexing.result()
    checked = []
    with database.transaction() as connection:
        for table, found in zip(layer.tables, findings, strict=True):
            _set_aside(context, connection, layer, table, found)
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
        _compare(context, connection, layer, [layer.tables[each["table"]] for each in checked])
    return {"tables": checked}


def _compare(
    context: Context, connection: Connection, layer: LayerPlan, tables: list[TablePlan]
) -> None:
    """Hold what was counted against the rows that there are. A record that was split by
    dimension is in several tables."""
    counts = vector_report_repository.totals(connection, context.job_id)
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
    """Index the tables while they are examined: one keeps a processor busy, one the others."""
    for table in layer.tables:
        with database.transaction() as connection:
            checks.index(connection, table.staged, table.shape)


def _examine(context: Context, layer: LayerPlan, table: TablePlan) -> Findings:
    context.check()
    with database.transaction() as connection:
        return checks.examine(
            connection,
            table.staged,
            table.shape,
            key_columns=layer.key_columns,
            duplicates=context.parameters.duplicates == "quarantine",
        )


def _set_aside(
    context: Context,
    connection: Connection,
    layer: LayerPlan,
    table: TablePlan,
    findings: Findings,
) -> None:
    invalid = [each.gid for each in findings.invalid]
    mended = set(checks.mend(connection, table.staged, table.shape, invalid))
    for reason, details in _faults(findings, mended, layer.key_columns):
        if not details:
            continue
        vector_report_repository.set_aside(
            connection,
            context.job_id,
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
