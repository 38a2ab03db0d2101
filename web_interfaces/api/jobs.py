"""Jobs over HTTP: submit, look, cancel, resume."""

from __future__ import annotations

import asyncio
from typing import Any

import azure.durable_functions as df
import azure.functions as func

from core.errors import NotFound
from core.identifiers import is_job_id
from core.registry import registry
from services.orchestration import control, starting, status, submission
from web_interfaces.api.http import (
    base_url,
    endpoint,
    flag,
    integer,
    json_object,
    json_response,
)

bp = df.Blueprint()


@bp.route(route="api/jobs/submit/{job_type}", methods=["POST"])
@bp.durable_client_input(client_name="client")
@endpoint
async def submit_job(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """202 with the new job, 200 with the one that the same submission led to before."""
    job_type, parameters = req.route_params["job_type"], json_object(req)
    if flag(req, "dry_run"):
        plan = await asyncio.to_thread(submission.preview, job_type, parameters)
        return json_response(plan)
    job = await asyncio.to_thread(submission.submit, job_type, parameters, rerun=flag(req, "rerun"))
    if job.created:
        await starting.start(client, job.job_id)
    return _job_response(
        req,
        job.job_id,
        job.status,
        202 if job.created else 200,
        job_type=job.job_type,
        created=job.created,
    )


@bp.route(route="api/jobs/types", methods=["GET"])
@endpoint
def list_job_types(req: func.HttpRequest) -> func.HttpResponse:
    types = [
        {
            "name": job.name,
            "description": job.description,
            "stages": [
                {"name": stage.name, "description": stage.description} for stage in job.stages
            ],
            "parameters_schema": job.parameters.model_json_schema(),
        }
        for job in registry
    ]
    return json_response({"job_types": types})


@bp.route(route="api/jobs", methods=["GET"])
@endpoint
def list_jobs(req: func.HttpRequest) -> func.HttpResponse:
    page = status.list_jobs(
        limit=integer(req, "limit", default=50, low=1, high=500),
        cursor=req.params.get("cursor"),
        status=req.params.get("status"),
        job_type=req.params.get("job_type"),
    )
    return json_response(page)


@bp.route(route="api/jobs/{job_id}", methods=["GET"])
@endpoint
def get_job(req: func.HttpRequest) -> func.HttpResponse:
    return json_response(status.job_view(_job_id(req)))


@bp.route(route="api/jobs/{job_id}/tasks", methods=["GET"])
@endpoint
def list_job_tasks(req: func.HttpRequest) -> func.HttpResponse:
    stage = req.params.get("stage")
    page = status.list_tasks(
        _job_id(req),
        stage=None if stage is None else integer(req, "stage", default=0, low=0, high=10_000),
        status=req.params.get("status"),
        limit=integer(req, "limit", default=100, low=1, high=1000),
        cursor=req.params.get("cursor"),
    )
    return json_response(page)


@bp.route(route="api/jobs/{job_id}/cancel", methods=["POST"])
@bp.durable_client_input(client_name="client")
@endpoint
async def cancel_job(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    job_id = _job_id(req)
    ended = await asyncio.to_thread(control.cancel, job_id)
    await starting.tell_orchestrators(client, ended)
    return _job_response(req, job_id, "cancelling", 202)


@bp.route(route="api/jobs/{job_id}/resume", methods=["POST"])
@bp.durable_client_input(client_name="client")
@endpoint
async def resume_job(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    job_id = _job_id(req)
    tasks = await asyncio.to_thread(control.resume, job_id)
    await starting.start(client, job_id)
    return _job_response(req, job_id, "queued", 202, tasks_put_back=tasks)


def _job_id(req: func.HttpRequest) -> str:
    job_id = str(req.route_params["job_id"])
    if not is_job_id(job_id):
        raise NotFound(f"There is no job {job_id!r}.", code="unknown_job", job_id=job_id)
    return job_id


def _job_response(
    req: func.HttpRequest, job_id: str, job_status: str, code: int, **more: Any
) -> func.HttpResponse:
    base = base_url(req)
    links = {
        "self": f"{base}/api/jobs/{job_id}",
        "tasks": f"{base}/api/jobs/{job_id}/tasks",
        "metrics": f"{base}/api/metrics/jobs/{job_id}",
        "page": f"{base}/api/interface/jobs/{job_id}",
    }
    body = {"job_id": job_id, "status": job_status, **more, "links": links}
    return json_response(body, code, headers={"Location": links["self"]})
