"""Stage 1: fetch the source, find out what it is, plan its tables, make them for staging."""

from __future__ import annotations

import posixpath
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from core.errors import PermanentTaskError
from core.job_definition import JobContext, JsonObject, TaskContext
from core.models.feature_table import FeatureTable, TableName
from infrastructure import database, publishing_repository, vector_report_repository
from services.publishing import staging
from services.vector import curated_tables, source_files, survey
from services.vector.parameters import ProcessVector
from services.vector.plan import LayerPlan
from services.vector.planning import Plan, StagedName, plan_layers
from services.vector.source_files import SourceRef
from services.vector.survey import Found

Context = TaskContext[ProcessVector]

# A dry run answers a request: what is larger is inspected by the job itself.
_MAX_PREVIEW_BYTES = 256 << 20
_PREVIEW_SECONDS = 30.0


def inspect_source(context: Context) -> JsonObject:
    """Write the plan of the source's layers, begin the report, make the staging tables.

    Returns {layers, chunks, bytes}. Raises `PermanentTaskError` for a source of which nothing
    can be read, for parameters that do not fit it, and for a target that is not geoforge's or
    that a curated dataset publishes.
    """
    parameters = context.parameters
    ref = _pin(context)
    with (
        source_files.local_copy(ref, check=context.check, progress=context.progress) as source,
        survey.child_of(context.job_id, source, context.check) as child,
    ):
        found = survey.look(child, source, parameters, context.check)

    def staged_name(layer: int, dimension: int | None) -> str:
        return staging.staged_name(context.job_id, layer, dimension)

    plan = _plan(parameters, ref, found, staged_name)
    begin(context, plan, _source_facts(parameters, ref))
    return {
        "layers": len(plan.layers),
        "chunks": sum(len(layer.layer.chunks) for layer in plan.layers),
        "bytes": ref.size,
    }


def begin(
    context: JobContext[Any], plan: Plan, source: JsonObject, parts: Sequence[Plan] = ()
) -> None:
    """Begin the report with what is known of the source, make the staging tables, keep the plan
    for later stages, and those of the layer's parts if it has any.

    Raises `PermanentTaskError` for a target that is not geoforge's.
    """
    with database.transaction() as connection:
        vector_report_repository.begin_report(connection, context.job_id, source, inference(plan))
        made = False
        for table in (table for layer in plan.layers for table in layer.tables):
            # What geoforge may not replace is found now, and not after hours of work.
            publishing_repository.check_ours(connection, table.target)
            made |= staging.create(connection, table.staged, table.shape)
        if made:
            # A job of the same id may have been here before, and been deleted since.
            vector_report_repository.forget_chunks(connection, context.job_id)
    for number, part in enumerate(parts):
        _keep(context, part, number)
    _keep(context, plan)


def _keep(context: JobContext[Any], plan: Plan, part: int | None = None) -> None:
    context.workspace.write_bytes(_plan_file(part), plan.model_dump_json().encode())


def _plan_file(part: int | None) -> str:
    return "plan.json" if part is None else f"plans/{part}.json"


def read_plan(context: JobContext[Any], part: int | None = None) -> Plan:
    """The plan that `begin` has kept: of all, or of one part of the layer."""
    return Plan.model_validate_json(context.workspace.read_bytes(_plan_file(part)))


def preview(parameters: ProcessVector) -> JsonObject:
    """What a job would find in the source, for a dry run. Nothing is written.

    Raises what `inspect_source` raises.
    """
    if parameters.source_url is not None:
        return {"inspected": False, "because": "The address is fetched by a job only."}
    ref = source_files.pin(parameters)
    if ref.size > _MAX_PREVIEW_BYTES:
        return {
            "inspected": False,
            "because": f"The source has {ref.size:,} bytes; a dry run looks into sources of up "
            f"to {_MAX_PREVIEW_BYTES:,}.",
        }
    deadline = time.monotonic() + _PREVIEW_SECONDS

    def check() -> None:
        if time.monotonic() > deadline:
            raise PermanentTaskError(
                f"The source cannot be looked into within {_PREVIEW_SECONDS:g} seconds: a job can.",
                code="preview_too_slow",
            )

    with (
        source_files.local_copy(ref, check=check) as source,
        survey.brief_child(source, _PREVIEW_SECONDS) as child,
    ):
        found = survey.look(child, source, parameters, check, sample=True)
    plan = _plan(parameters, ref, found, _unstaged)
    return {"inspected": True, "source": _source_facts(parameters, ref), **inference(plan)}


def inference(plan: Plan) -> JsonObject:
    """What was found and what is done with it, as reports and dry runs show it."""
    return {
        "layers": [_layer_view(layer) for layer in plan.layers],
        "notes": [note.model_dump() for note in plan.notes],
    }


def _plan(parameters: ProcessVector, ref: SourceRef, found: Found, staged_name: StagedName) -> Plan:
    layers = plan_layers(
        parameters,
        found.layers,
        base_name=_base_name(parameters, ref),
        staged_name=staged_name,
        published=_published,
    )
    _check_targets(layers)
    return Plan(source=ref, read=survey.read_options(parameters), layers=layers, notes=found.notes)


def _check_targets(layers: Sequence[LayerPlan]) -> None:
    """What may not be published is found now, and not after hours of work."""
    with database.transaction() as connection:
        for table in (table for layer in layers for table in layer.tables):
            curated_tables.refuse(connection, table.target, curated_tables.PUBLISH_INSTEAD)
            publishing_repository.check_ours(connection, table.target)


def _pin(context: Context) -> SourceRef:
    """The exact version of the source that all stages read."""
    parameters = context.parameters
    if parameters.source_url is None:
        return source_files.pin(parameters)
    return source_files.fetch_url(
        parameters.source_url, context.job_id, check=context.check, progress=context.progress
    )


def _published(name: TableName) -> FeatureTable | None:
    with database.transaction() as connection:
        current = publishing_repository.table(connection, name)
    return None if current is None else current.shape


_unstaged: StagedName = "layer_{}_{}".format


def _base_name(parameters: ProcessVector, ref: SourceRef) -> str:
    """The file's name without folders and endings: in/parks.kml.zip is parks."""
    url = parameters.source_url
    path = ref.path if url is None else unquote(urlsplit(url).path)
    name = posixpath.basename(path.rstrip("/")) or "source"
    return name.split(".", 1)[0] or name


def _source_facts(parameters: ProcessVector, ref: SourceRef) -> JsonObject:
    facts: JsonObject = {"files": ref.names, "bytes": ref.size}
    if parameters.source_url is None:
        return {"container": ref.container, **facts}
    address = urlsplit(parameters.source_url)  # its query may hold a signature
    return {"address": f"{address.scheme}://{address.hostname}{address.path}", **facts}


def _layer_view(plan: LayerPlan) -> JsonObject:
    layer = plan.layer
    # What begins with an underscore is between a reader and itself.
    details = {name: value for name, value in layer.details.items() if name[0] != "_"}
    filled = [each for each in plan.columns if not each.plain_text]
    column_of = {name: each.column.name for each in filled for name in each.otherwise}
    column_of |= {each.source: each.column.name for each in filled if each.source is not None}
    return {
        **layer.model_dump(mode="json", exclude={"chunks", "columns", "details"}),
        "details": details,
        "chunks": len(layer.chunks),
        "columns": [
            {**column.model_dump(mode="json"), "column": column_of.get(column.name)}
            for column in layer.columns
        ],
        "cleaning": plan.cleaning.model_dump(mode="json"),
        "key_columns": plan.key_columns,
        "tables": [
            {
                "table": str(table.target),
                "geometry": None if table.shape.geometry is None else table.shape.geometry.sql,
            }
            for table in plan.tables
        ],
    }
