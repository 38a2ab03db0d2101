"""Stage 4: publish all tables of the source in one transaction, and close the report."""

from __future__ import annotations

from functools import partial
from typing import Any

from core.counting import counted
from core.errors import PermanentTaskError
from core.job_definition import JobContext, JsonObject, TaskContext
from core.models.feature_table import TableName
from core.models.vector_report import RecordCounts
from infrastructure import database, publishing_repository, vector_report_repository
from infrastructure.database import Connection
from services.publishing import publish, staging
from services.publishing.publish import Provenance, Published
from services.vector import curated_tables
from services.vector.inspecting import read_plan
from services.vector.parameters import ProcessVector
from services.vector.plan import LayerPlan, TablePlan
from services.vector.planning import Plan

Context = TaskContext[ProcessVector]

_REPORT = "/api/vector/reports/{}"


def publish_tables(context: Context) -> JsonObject:
    """Make every table of the source visible at the same moment.

    Returns {read, loaded, quarantined, tables}. Raises `PermanentTaskError`, in strict mode
    where a record is in quarantine; what was published before then stays as it is.
    """
    plan = read_plan(context)
    with database.transaction() as connection:
        counts = _totals(connection, context.job_id)
    _judge(context, counts)
    with database.transaction() as connection:
        chosen = _chosen(connection, context, plan)
        for _, table in chosen:  # One may have become a dataset's since stage 1.
            curated_tables.refuse(connection, table.target, curated_tables.PUBLISH_INSTEAD)
        published = publish.together(
            connection,
            [table.target for _, table in chosen],
            [partial(_publish, context, connection, plan, *each) for each in chosen],
            check=context.check,
        )
        tables = [_view(*each) for each in zip(chosen, published, strict=True)]
        vector_report_repository.finish_report(connection, context.job_id, counts, tables)
        staging.drop(connection, context.job_id)
    return {
        "read": counts.read,
        "loaded": counts.loaded,
        "quarantined": counts.set_aside,
        "repaired": counts.repaired,
        "quarantined_by_reason": counts.quarantined,
        "tables": tables,
    }


def job_result(context: JobContext[ProcessVector]) -> JsonObject:
    """The job's result: the counts, the tables, and where the report is."""
    published = next(context.results("publish")).result
    return {**published, "report": _REPORT.format(context.job_id)}


def _totals(connection: Connection, job_id: str) -> RecordCounts:
    counts = sum(vector_report_repository.totals(connection, job_id).values(), RecordCounts())
    if not counts.balanced:
        raise PermanentTaskError(
            f"The counts do not add up: {counts.read:,} read, {counts.loaded:,} loaded, "
            f"{counts.set_aside:,} quarantined.",
            code="counts_do_not_add_up",
        )
    return counts


def _judge(context: Context, counts: RecordCounts) -> None:
    if not (context.parameters.strict and counts.set_aside):
        return
    with database.transaction() as connection:
        vector_report_repository.finish_report(connection, context.job_id, counts, [])
    raise PermanentTaskError(
        f"strict: {counts.set_aside:,} of {counted(counts.read, 'record')} cannot be loaded. "
        f"The report says why: {_REPORT.format(context.job_id)}",
        code="records_quarantined",
        quarantined_by_reason=counts.quarantined,
    )


def _chosen(
    connection: Connection, context: Context, plan: Plan
) -> list[tuple[LayerPlan, TablePlan]]:
    """What there is to publish, in the order of the targets' names: jobs that publish the same
    tables then lock them in the same order.

    A table without rows is published where it replaces one that came with an earlier release:
    of two sibling tables none may stay behind. Raises `PermanentTaskError` where a sibling's
    name is another data set's.
    """
    chosen = []
    for result in context.results("validate"):
        layer = plan.layers[result.parameters["layer"]]
        with_rows = {each["table"] for each in result.result["tables"]}
        main = layer.tables[0].target
        for number, table in enumerate(layer.tables):
            is_there = publishing_repository.table(connection, table.target) is not None
            is_ours = number == 0 or _belongs(connection, table.target, main)
            if number in with_rows:
                if is_there and not is_ours:
                    raise PermanentTaskError(
                        f"{table.target} was published from another source than {main}, whose "
                        "records of this dimension would take its place: choose another "
                        "table_name.",
                        code="table_of_another_source",
                    )
                chosen.append((layer, table))
            elif is_there and is_ours and with_rows and context.parameters.mode == "replace":
                chosen.append((layer, table))
    return sorted(chosen, key=lambda pair: str(pair[1].target))


def _belongs(connection: Connection, sibling: TableName, main: TableName) -> bool:
    """Whether a sibling's name is free, or its table came from runs that had it beside `main`.

    The versions tell it for as long as they are kept, the reports also where only one of the
    two was published.
    """
    return publishing_repository.came_together(
        connection, sibling, main
    ) or vector_report_repository.planned_together(connection, str(sibling), str(main))


def _publish(
    context: Context,
    connection: Connection,
    plan: Plan,
    layer: LayerPlan,
    table: TablePlan,
    patience: float,
) -> Published:
    parameters = context.parameters
    return publish.publish(
        connection,
        table.target,
        table.staged,
        table.shape,
        mode=parameters.mode,
        key_columns=layer.key_columns,
        provenance=Provenance(
            job_id=context.job_id,
            source=_source_name(parameters, plan),
            title=parameters.title,
            description=parameters.description,
            attribution=parameters.attribution,
        ),
        keep_versions=parameters.keep_versions,
        patience=patience,
        check=context.check,
    )


def _view(chosen: tuple[LayerPlan, TablePlan], published: Published) -> dict[str, Any]:
    layer, table = chosen
    return {
        "table": str(table.target),
        "schema_name": table.target.schema_name,
        "table_name": table.target.table_name,
        "layer": layer.layer.name,
        "loaded": published.added + published.updated + published.unchanged,
        "rows": published.rows,
        "added": published.added,
        "updated": published.updated,
        "unchanged": published.unchanged,
        "version": published.version,
        "bbox": published.bbox,
    }


def _source_name(parameters: ProcessVector, plan: Plan) -> str:
    if parameters.source_url is not None:
        return parameters.source_url.split("?", 1)[0]
    return f"{plan.source.container}/{plan.source.path}"
