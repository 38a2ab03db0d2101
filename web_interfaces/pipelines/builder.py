"""/api/interface/pipelines/new and .../{name}/edit: the builder, and the parts that it asks for."""

from __future__ import annotations

from datetime import UTC, datetime

import azure.durable_functions as df
import azure.functions as func

from core.models.pipeline import MAX_STEPS, Pipeline
from core.registry import registry
from core.schedules import Schedule, ScheduleError
from services.pickers import Picker
from services.pipelines import documents
from web_interfaces.api.pipelines import pipeline_name
from web_interfaces.curated import wording
from web_interfaces.pages.forms import fields
from web_interfaces.pages.rendering import auth_level, page_endpoint, render
from web_interfaces.pipelines import palette
from web_interfaces.pipelines.inputs_form import schema_of
from web_interfaces.pipelines.interface import PAGE, version_of

bp = df.Blueprint()


@bp.route(route="api/interface/pipelines/new", methods=["GET"], auth_level=auth_level())
@page_endpoint
def new_pipeline_page(req: func.HttpRequest) -> func.HttpResponse:
    """The builder with nothing in it, or with an example: ?begin=vector_to_map."""
    return _builder(req, name="", title="New pipeline")


@bp.route(route="api/interface/pipelines/{name}/edit", methods=["GET"], auth_level=auth_level())
@page_endpoint
def edit_pipeline_page(req: func.HttpRequest) -> func.HttpResponse:
    """The builder with a pipeline in it. Raises `NotFound` for one that there is not."""
    name = pipeline_name(req)
    document = documents.document(name)
    return _builder(req, name=name, title=document.get("title") or name)


@bp.route(route="api/interface/pipelines/{name}/inputs", methods=["GET"], auth_level=auth_level())
@page_endpoint
def inputs_fragment(req: func.HttpRequest) -> func.HttpResponse:
    """The fields of a run's inputs, ?version= of that version of the pipeline."""
    document = documents.document(pipeline_name(req), version=version_of(req))
    pipeline = Pipeline.model_validate(document)
    return render(req, "pipelines/inputs.html", fields=fields(schema_of(pipeline), {}))


@bp.route(route="api/interface/pipelines/parts/schedule", methods=["GET"], auth_level=auth_level())
@page_endpoint
def schedule_fragment(req: func.HttpRequest) -> func.HttpResponse:
    """What ?cron= means, in words, and when it is due next."""
    text = req.params.get("cron", "").strip()
    try:
        times = wording.next_times(Schedule.parse(text), datetime.now(UTC))
    except (ScheduleError, OverflowError) as error:
        return render(req, "curated/schedule.html", wrong=str(error), means=None, times=[])
    return render(
        req, "curated/schedule.html", wrong=None, means=wording.schedule(text), times=times
    )


def _builder(req: func.HttpRequest, *, name: str, title: str) -> func.HttpResponse:
    return render(
        req,
        "pipelines/builder.html",
        page=PAGE,
        name=name,
        title=title,
        begin=req.params.get("begin", ""),
        groups=palette.groups(registry),
        pickers=list(Picker),
        most_steps=MAX_STEPS,
    )
