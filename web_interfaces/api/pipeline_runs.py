"""Runs of pipelines over HTTP: begin, look, cancel, resume, decide a gate."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import azure.durable_functions as df
import azure.functions as func
from pydantic import Field, JsonValue

from core import jsonb
from core.errors import NotFound
from core.identifiers import is_job_id
from core.models.pipeline import RunStatus
from services.pipelines import control, planning, runs, starting, views
from web_interfaces.api.bodies import Body, read_body
from web_interfaces.api.documentation import Answer, documented, query
from web_interfaces.api.http import (
    base_url,
    endpoint,
    flag,
    json_response,
    known_query,
)
from web_interfaces.api.pipelines import MAX_VERSION, PAGED, TAG, limit, pipeline_name
from web_interfaces.api.published import shown
from web_interfaces.api.schemas import parts
from web_interfaces.api.schemas import pipelines as schemas

bp = df.Blueprint()

_FLAG = {"type": "boolean", "default": False}
_RUN_QUERY = (query("dry_run", _FLAG, "Only answer with the plan; nothing is written"),)
_OF_PIPELINE_QUERY = (
    query(
        "status",
        {"type": "string", "enum": [each.value for each in RunStatus]},
        "Only runs in this state",
    ),
    query("awaiting_approval", _FLAG, "Only runs that wait for somebody's decision"),
    *PAGED,
)
_RUNS_QUERY = (
    query("name", {"type": "string"}, "Only runs of this pipeline"),
    *_OF_PIPELINE_QUERY,
)
_RUNS = parts.page_of("runs", schemas.LISTED_RUN)


class RunRequest(Body):
    """The body of a run."""

    inputs: dict[str, JsonValue] = Field(
        default_factory=dict, description="Values of the pipeline's inputs"
    )
    version: int | None = Field(
        default=None, ge=1, le=MAX_VERSION, description="Version to run; default: the newest"
    )
    request_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="Tells one request from the next: the same one again is the same run",
    )


class Verdict(Body):
    """The body of a decision."""

    by: str | None = Field(
        default=None,
        max_length=200,
        description="Who decides, as they sign: a function key does not tell",
    )
    note: str | None = Field(default=None, max_length=2000, description="Why, for others to read")


@bp.route(route="api/pipelines/{name}/run", methods=["POST"])
@bp.durable_client_input(client_name="client")
@documented(
    tag=TAG,
    query=_RUN_QUERY,
    body=RunRequest,
    answers={
        202: Answer("The new run", schema=schemas.STARTED_RUN),
        200: Answer(
            "The run that the same request_id led to before, or the plan of a dry run",
            schema=schemas.STARTED_RUN_OR_PLAN,
        ),
    },
)
@endpoint
async def run_pipeline_now(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Run a pipeline. The same request_id again is the same run."""
    known_query(req, _RUN_QUERY)
    name, wanted = pipeline_name(req), read_body(req, RunRequest)
    if flag(req, "dry_run"):
        plan = await asyncio.to_thread(planning.plan, name, wanted.inputs, version=wanted.version)
        return json_response(plan)
    run = await asyncio.to_thread(
        runs.start, name, wanted.inputs, version=wanted.version, request_id=wanted.request_id
    )
    if run.created:
        await starting.start(client, run.run_id)
    links = views.run_links(run.run_id, run.name, base_url(req))
    body = {
        "run_id": run.run_id,
        "name": run.name,
        "version": run.version,
        "status": run.status,
        "created": run.created,
        "links": links,
    }
    return json_response(body, 202 if run.created else 200, headers={"Location": links["self"]})


@bp.route(route="api/pipelines/runs", methods=["GET"])
@documented(tag=TAG, query=_RUNS_QUERY, answers={200: Answer("A page of them", schema=_RUNS)})
@endpoint
def list_runs(req: func.HttpRequest) -> func.HttpResponse:
    """Runs of all pipelines, newest first."""
    known_query(req, _RUNS_QUERY)
    return _runs(req, req.params.get("name"))


@bp.route(route="api/pipelines/{name}/runs", methods=["GET"])
@documented(
    tag=TAG, query=_OF_PIPELINE_QUERY, answers={200: Answer("A page of them", schema=_RUNS)}
)
@endpoint
def list_runs_of_pipeline(req: func.HttpRequest) -> func.HttpResponse:
    """Runs of one pipeline, newest first; also of one that was deleted."""
    known_query(req, _OF_PIPELINE_QUERY)
    return _runs(req, pipeline_name(req))


@bp.route(route="api/pipelines/runs/{run_id}", methods=["GET"])
@documented(
    tag=TAG,
    answers={200: Answer("The run, its steps, and the first jobs of each", schema=schemas.RUN)},
)
@endpoint
def get_run(req: func.HttpRequest) -> func.HttpResponse:
    """One run: where each step is, what it gave and published, and the document that it follows."""
    known_query(req)
    return json_response(views.run_view(_run_id(req), show=shown, base_url=base_url(req)))


@bp.route(route="api/pipelines/runs/{run_id}/cancel", methods=["POST"])
@bp.durable_client_input(client_name="client")
@documented(tag=TAG, answers={202: Answer("The cancel is under way", schema=schemas.RUN)})
@endpoint
async def cancel_run(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Stop a run: nothing of it begins any more, and its jobs are cancelled."""
    known_query(req)
    run_id = _run_id(req)
    await asyncio.to_thread(control.cancel, run_id)
    await starting.tell(client, [run_id])
    return await _run(req, run_id, 202)


@bp.route(route="api/pipelines/runs/{run_id}/resume", methods=["POST"])
@bp.durable_client_input(client_name="client")
@documented(tag=TAG, answers={202: Answer("The run is queued again", schema=schemas.RUN)})
@endpoint
async def resume_run(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Go on with a run from what failed, was cancelled or was not reached."""
    known_query(req)
    run_id = _run_id(req)
    await asyncio.to_thread(control.resume, run_id)
    await starting.start(client, run_id)
    return await _run(req, run_id, 202)


@bp.route(route="api/pipelines/runs/{run_id}/steps/{step_id}", methods=["GET"])
@documented(tag=TAG, answers={200: Answer("The step", schema=schemas.STEP)})
@endpoint
def get_run_step(req: func.HttpRequest) -> func.HttpResponse:
    """One step of a run with all of its outputs, however many they are."""
    known_query(req)
    view = views.step_view(_run_id(req), _step_id(req), show=shown, base_url=base_url(req))
    return json_response(view)


@bp.route(route="api/pipelines/runs/{run_id}/steps/{step_id}/jobs", methods=["GET"])
@documented(
    tag=TAG,
    query=PAGED,
    answers={200: Answer("A page of them", schema=parts.page_of("jobs", schemas.STEP_JOB))},
)
@endpoint
def list_run_step_jobs(req: func.HttpRequest) -> func.HttpResponse:
    """The jobs of a step, in the order of the values that it ran for."""
    known_query(req, PAGED)
    page = views.jobs_page(
        _run_id(req),
        _step_id(req),
        show=shown,
        limit=limit(req),
        cursor=req.params.get("cursor"),
        base_url=base_url(req),
    )
    return json_response(page)


@bp.route(route="api/pipelines/runs/{run_id}/steps/{step_id}/approve", methods=["POST"])
@bp.durable_client_input(client_name="client")
@documented(tag=TAG, body=Verdict, answers={200: Answer("The run", schema=schemas.RUN)})
@endpoint
async def approve_run_step(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Let a run go on behind a gate."""
    return await _decide(req, client, "approved")


@bp.route(route="api/pipelines/runs/{run_id}/steps/{step_id}/reject", methods=["POST"])
@bp.durable_client_input(client_name="client")
@documented(tag=TAG, body=Verdict, answers={200: Answer("The run", schema=schemas.RUN)})
@endpoint
async def reject_run_step(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """End a gate as failed: nothing behind it begins."""
    return await _decide(req, client, "rejected")


async def _decide(
    req: func.HttpRequest,
    client: df.DurableOrchestrationClient,
    decision: Literal["approved", "rejected"],
) -> func.HttpResponse:
    known_query(req)
    run_id, step_id, verdict = _run_id(req), _step_id(req), read_body(req, Verdict)
    await asyncio.to_thread(
        control.decide, run_id, step_id, decision, by=verdict.by, note=verdict.note
    )
    await starting.tell(client, [run_id])
    return await _run(req, run_id, 200)


async def _run(req: func.HttpRequest, run_id: str, status: int) -> func.HttpResponse:
    view = await asyncio.to_thread(views.run_view, run_id, show=shown, base_url=base_url(req))
    return json_response(view, status, headers={"Location": view["links"]["self"]})


def _runs(req: func.HttpRequest, name: str | None) -> func.HttpResponse:
    page: dict[str, Any] = views.runs_page(
        name=None if name is None else jsonb.clean_text(name),
        status=req.params.get("status"),
        awaiting_approval=flag(req, "awaiting_approval"),
        limit=limit(req),
        cursor=req.params.get("cursor"),
        base_url=base_url(req),
    )
    return json_response(page)


def _run_id(req: func.HttpRequest) -> str:
    run_id = str(req.route_params["run_id"])
    if not is_job_id(run_id):
        shown = jsonb.clean_text(run_id)[:100]
        raise NotFound(f"There is no run {shown!r}.", code="unknown_run", run_id=shown)
    return run_id


def _step_id(req: func.HttpRequest) -> str:
    return jsonb.clean_text(str(req.route_params["step_id"]))
