"""/api/interface/jobs: the list of jobs, one job, and a form for each job type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import azure.durable_functions as df
import azure.functions as func

from core.job_definition import JobDefinition
from core.models.curated import JOB_TYPE
from core.models.job import JobStatus
from core.models.task import TaskStatus
from core.registry import registry
from services.curated.versions import PUBLISH_JOB
from services.orchestration import report, status
from services.vector import reports
from web_interfaces.api.http import integer
from web_interfaces.pages.forms import fields, texts
from web_interfaces.pages.registry import ROOT, Page, register
from web_interfaces.pages.rendering import auth_level, page_endpoint, render

PAGE = register(
    Page(
        name="jobs",
        title="Jobs",
        description="Every job: its stages, tasks, errors and result; submit, cancel and resume.",
        order=20,
    )
)

_JOBS_A_PAGE = 25
_TASKS_A_PAGE = 25

# What makes one update of a curated dataset differ from the next.
_OF_ONE_UPDATE = ("update_type", "due_at", "request_id")

bp = df.Blueprint()


@bp.route(route="api/interface/jobs", methods=["GET"], auth_level=auth_level())
@page_endpoint
def jobs_page(req: func.HttpRequest) -> func.HttpResponse:
    """?status=, ?job_type=, ?cursor=. Only the first page is live: the others do not move."""
    # A select of the filter that was left at "any" arrives as an empty text.
    wanted, job_type = req.params.get("status") or None, req.params.get("job_type") or None
    cursor = req.params.get("cursor")
    page = status.list_jobs(limit=_JOBS_A_PAGE, cursor=cursor, status=wanted, job_type=job_type)
    return render(
        req,
        "jobs/list.html",
        page=PAGE,
        live=cursor is None,
        job_types=list(registry),
        statuses=list(JobStatus),
        filters={"status": wanted, "job_type": job_type},
        cursor=cursor,
        jobs=page["jobs"],
        next=page["next"],
    )


@bp.route(route="api/interface/jobs/{job_id}", methods=["GET"], auth_level=auth_level())
@page_endpoint
def job_page(req: func.HttpRequest) -> func.HttpResponse:
    """One job; ?task_status=, ?task_stage=, ?cursor= choose the tasks. Live until it ends."""
    job = report.job_report(
        req.route_params["job_id"],
        task_stage=_stage(req),
        task_status=req.params.get("task_status") or None,
        task_cursor=req.params.get("cursor"),
        task_limit=_TASKS_A_PAGE,
    )
    # None where this version of the app has no such job type any more.
    definition = next((each for each in registry if each.name == job["job_type"]), None)
    return render(
        req,
        "jobs/job.html",
        page=PAGE,
        live=not job["status"].is_terminal,
        job=job,
        parameters=_in_order(job["parameters"], definition),
        form_texts=definition and texts(_of_a_similar_job(job["job_type"], job["parameters"])),
        task_statuses=list(TaskStatus),
        task_stage=_stage(req),
        task_status=req.params.get("task_status") or None,
        cursor=req.params.get("cursor"),
        report_path=_report_path(job["job_id"]),
        dataset_path=_dataset_path(job["job_type"], job["parameters"]),
    )


@bp.route(route="api/interface/jobs/new/{job_type}", methods=["GET"], auth_level=auth_level())
@page_endpoint
def new_job_page(req: func.HttpRequest) -> func.HttpResponse:
    """The form comes from the parameters' schema: a new job type needs no page of its own.

    Parameters in the query string fill the fields in, as "run with other parameters" does.
    """
    job_type = registry.get(req.route_params["job_type"])
    return render(
        req,
        "jobs/new.html",
        page=PAGE,
        job_type=job_type,
        fields=fields(job_type.parameters.model_json_schema(), req.params),
    )


def _stage(req: func.HttpRequest) -> int | None:
    if not req.params.get("task_stage"):
        return None
    return integer(req, "task_stage", default=0, low=0, high=10_000)


def _report_path(job_id: str) -> str | None:
    """The page of the job's quality report, where it has one."""
    return f"{ROOT}/vector/{job_id}" if reports.exists(job_id) else None


def _dataset_path(job_type: str, parameters: Mapping[str, Any]) -> str | None:
    """The page of the curated dataset that the job is about."""
    if job_type not in (JOB_TYPE, PUBLISH_JOB):
        return None
    return f"{ROOT}/curated/{parameters['dataset_id']}"


def _of_a_similar_job(job_type: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters without those that make a job the one of its kind: with them, submitting
    again would lead back to that job."""
    of_one_run = _OF_ONE_UPDATE if job_type == JOB_TYPE else ()
    return {name: value for name, value in parameters.items() if name not in of_one_run}


def _in_order(parameters: dict[str, Any], definition: JobDefinition[Any] | None) -> dict[str, Any]:
    """The parameters as the job type declares them: the ledger keeps no order of names."""
    names = list(definition.parameters.model_fields) if definition else []
    known = {name: parameters[name] for name in names if name in parameters}
    return {**known, **parameters}
