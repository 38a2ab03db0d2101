"""/api/interface/jobs: the list of jobs, one job with its tasks, and a form for each job type."""

from __future__ import annotations

import functools
from datetime import UTC, datetime

import azure.durable_functions as df
import azure.functions as func

from core.models.job import JobStatus
from core.models.metrics import MetricType
from core.models.task import TaskStatus
from core.registry import registry
from services.orchestration import report, status
from services.orchestration.metrics import EVENT_TYPES
from services.orchestration.paging import one_of, row_key
from services.orchestration.task_views import TaskQuery
from web_interfaces.api.http import integer
from web_interfaces.api.jobs import task_place
from web_interfaces.jobs import again, related, things
from web_interfaces.jobs.timeline import HEIGHT, WIDTH, ticks, timeline
from web_interfaces.pages.field_groups import grouped
from web_interfaces.pages.forms import fields
from web_interfaces.pages.registry import Page, register
from web_interfaces.pages.rendering import auth_level, link_to, page_endpoint, render

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
_CAUSES_A_PAGE = 50

# How many tasks are looked through for a text; and for a state, every other second.
_MOST_SEEN, _MOST_SEEN_LIVE = 50_000, 10_000

# What the log can be narrowed to.
_LOGS = {"errors": (MetricType.ERROR,), "details": (MetricType.DEBUG,)}

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
    """One job, live until it ends, but for a search.

    ?task_status=, ?task_stage=, ?error= (a cause), ?search=, ?task_from= (an index) and ?cursor=
    choose the tasks, ?log= and ?log_cursor= the rows of its log.
    """
    tasks, log = _task_query(req), req.params.get("log") or None
    log_cursor = req.params.get("log_cursor")
    job = report.job_report(
        req.route_params["job_id"],
        tasks,
        log_types=_LOGS.get(log or "", EVENT_TYPES),
        log_before=None if log_cursor is None else row_key(log_cursor),
    )
    link = functools.partial(link_to, req)
    return render(
        req,
        "jobs/job.html",
        page=PAGE,
        # A search is not made again every other second.
        live=not job["status"].is_terminal and tasks.text is None,
        job=job,
        drawn=timeline(job, datetime.now(UTC)),
        drawing={"width": WIDTH, "height": HEIGHT, "ticks": ticks},
        parameters=again.in_order(job["job_type"], job["parameters"]),
        again_path=again.path(req, job),
        read=things.shown(job["lineage"].read, link),
        published=things.shown(job["lineage"].published, link),
        places=things.places(job["lineage"], link),
        related=related.pages(job),
        task_statuses=list(TaskStatus),
        task_query=tasks,
        is_searched=any((tasks.text, tasks.cause, tasks.status, tasks.stage is not None)),
        log=log if log in _LOGS else None,
        log_cursor=log_cursor,
        logs=list(_LOGS),
    )


@bp.route(route="api/interface/jobs/{job_id}/errors", methods=["GET"], auth_level=auth_level())
@page_endpoint
def causes_page(req: func.HttpRequest) -> func.HttpResponse:
    """What the job's tasks failed with, each cause once. ?cursor="""
    cursor = req.params.get("cursor")
    job = report.causes_report(req.route_params["job_id"], limit=_CAUSES_A_PAGE, cursor=cursor)
    return render(req, "jobs/causes.html", page=PAGE, job=job, cursor=cursor)


@bp.route(
    route="api/interface/jobs/{job_id}/tasks/{stage}/{task_index}",
    methods=["GET"],
    auth_level=auth_level(),
)
@page_endpoint
def task_page(req: func.HttpRequest) -> func.HttpResponse:
    """One task: its attempts, times, parameters, result and error. Live until it ends."""
    job = report.task_report(req.route_params["job_id"], *task_place(req))
    ended = (TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED)
    live = job["task"]["status"] not in ended and not job["status"].is_terminal
    return render(req, "jobs/task.html", page=PAGE, live=live, job=job, task=job["task"])


@bp.route(route="api/interface/jobs/new/{job_type}", methods=["GET"], auth_level=auth_level())
@page_endpoint
def new_job_page(req: func.HttpRequest) -> func.HttpResponse:
    """The form comes from the parameters' schema: a new job type needs no page of its own.

    Parameters in the query string fill the fields in; ?like= does with those of a job.
    """
    job_type = registry.get(req.route_params["job_type"])
    given = again.given(job_type, req.params)
    return render(
        req,
        "jobs/new.html",
        page=PAGE,
        job_type=job_type,
        like=req.params.get("like"),
        groups=grouped(fields(job_type.parameters.model_json_schema(), given)),
    )


@bp.route(route="api/interface/jobs/fields/{job_type}", methods=["GET"], auth_level=auth_level())
@page_endpoint
def fields_fragment(req: func.HttpRequest) -> func.HttpResponse:
    """The fields of a job type's form alone, for a page with several forms. ?prefix= goes before
    their ids."""
    job_type = registry.get(req.route_params["job_type"])
    found = fields(job_type.parameters.model_json_schema(), {})
    return render(
        req, "jobs/fields.html", groups=grouped(found), prefix=req.params.get("prefix", "")
    )


def _task_query(req: func.HttpRequest) -> TaskQuery:
    """What the address asks for of the tasks. A choice that was left open arrives empty."""
    stage, start = (
        integer(req, name, default=0, low=0, high=2**31 - 1) if req.params.get(name) else None
        for name in ("task_stage", "task_from")
    )
    text = req.params.get("search", "").strip()[:200] or None
    wanted = one_of(TaskStatus, "task_status", req.params.get("task_status") or None)
    return TaskQuery(
        stage=stage,
        status=wanted,
        cause=req.params.get("error") or None,
        text=text,
        start=start or 0,
        nearby=start is None,
        limit=_TASKS_A_PAGE,
        most_seen=_MOST_SEEN if text else _MOST_SEEN_LIVE,
        cursor=req.params.get("cursor"),
    )
