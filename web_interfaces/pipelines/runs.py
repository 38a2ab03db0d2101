"""/api/interface/pipelines/runs/{run_id}: a run as it goes, and the jobs of one of its steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import azure.durable_functions as df
import azure.functions as func

from core.addresses import has_hidden
from core.models.pipeline import Pipeline, RunStatus
from services.pipelines import documents, views
from web_interfaces.api.published import shown
from web_interfaces.pages.rendering import auth_level, page_endpoint, render
from web_interfaces.pipelines import faces
from web_interfaces.pipelines.drawing import draw
from web_interfaces.pipelines.interface import PAGE

_JOBS_A_PAGE = 50

bp = df.Blueprint()


@bp.route(route="api/interface/pipelines/runs/{run_id}", methods=["GET"], auth_level=auth_level())
@page_endpoint
def run_page(req: func.HttpRequest) -> func.HttpResponse:
    """A run: the drawing with the states of its steps, and what each made. Live until it ends."""
    run = views.run_view(req.route_params["run_id"], show=shown)
    pipeline = Pipeline.model_validate(run["document"])
    return render(
        req,
        "pipelines/run.html",
        page=PAGE,
        live=not RunStatus(run["status"]).is_terminal,
        run=run,
        is_there=documents.is_there(run["name"]),
        drawn=draw(pipeline),
        faces=faces.of_run(pipeline, run["steps"]),
        titles={step.id: faces.title_of(step) for step in pipeline.steps},
        fans={step.id for step in pipeline.steps if faces.fans_out(step)},
        kinds={step.id: faces.kind_of(step) for step in pipeline.steps},
        inputs_again=_given_again(run["inputs"]),
        waiting=[step for step in run["steps"] if step["status"] == "awaiting_approval"],
    )


def _given_again(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs that another run can begin with: not the addresses that are not shown in full."""
    return {name: value for name, value in inputs.items() if not has_hidden(value)}


@bp.route(
    route="api/interface/pipelines/runs/{run_id}/steps/{step_id}",
    methods=["GET"],
    auth_level=auth_level(),
)
@page_endpoint
def step_page(req: func.HttpRequest) -> func.HttpResponse:
    """One step of a run: all of its outputs, and all of its jobs with the values they ran for."""
    step_id, cursor = req.route_params["step_id"], req.params.get("cursor")
    found = views.step_page(
        req.route_params["run_id"], step_id, show=shown, limit=_JOBS_A_PAGE, cursor=cursor
    )
    step = Pipeline.model_validate(found["run"]["document"]).step(step_id)
    return render(
        req,
        "pipelines/step.html",
        page=PAGE,
        live=not RunStatus(found["run"]["status"]).is_terminal,
        run=found["run"],
        is_there=documents.is_there(found["run"]["name"]),
        step=found["step"],
        title=faces.title_of(step),
        kind=faces.kind_of(step),
        jobs=found["jobs"],
        cursor=cursor,
    )
