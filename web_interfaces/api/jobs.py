"""Jobs over HTTP: submit, look, cancel, resume."""

from __future__ import annotations

import asyncio
from typing import Any

import azure.durable_functions as df
import azure.functions as func

from core.errors import FieldError, InvalidParameters, NotFound
from core.identifiers import is_job_id
from core.models.job import JobStatus
from core.models.task import TaskStatus
from core.registry import registry
from services.orchestration import control, starting, status, submission
from services.orchestration.paging import bad_query
from web_interfaces.api.documentation import Answer, documented, query
from web_interfaces.api.http import (
    base_url,
    endpoint,
    flag,
    integer,
    json_object,
    json_response,
    known_query,
)
from web_interfaces.api.schemas import jobs as schemas

bp = df.Blueprint()

_TAG = "Jobs"
_LONGEST_SEARCH = 200
_LIMIT = {"type": "integer", "minimum": 1, "maximum": 500, "default": 50}
_FLAG = {"type": "boolean", "default": False}
_CURSOR = query("cursor", {"type": "string"}, "`next` of the page before")
_STATUSES = {"type": "string", "enum": [each.value for each in JobStatus]}
_FINGERPRINT = {"type": "string", "pattern": "^[0-9a-f]{16}$"}
_TASK_STATUSES = {"type": "string", "enum": [each.value for each in TaskStatus]}

_SUBMIT_QUERY = (
    query("dry_run", _FLAG, "Only answer with the plan; nothing is written"),
    query("rerun", _FLAG, "Make a new run beside the job that these parameters led to"),
)
_JOBS_QUERY = (
    query("status", _STATUSES, "Only jobs in this state"),
    query("job_type", {"type": "string"}, "Only jobs of this type"),
    query("limit", _LIMIT),
    _CURSOR,
)
_CAUSES_QUERY = (query("limit", {**_LIMIT, "maximum": 200}), _CURSOR)
_TASKS_QUERY = (
    query("stage", {"type": "integer", "minimum": 0}, "Only tasks of this stage, from 0"),
    query("status", _TASK_STATUSES, "Only tasks in this state"),
    query("error", _FINGERPRINT, "Only tasks that failed of this cause, by its fingerprint"),
    query(
        "search",
        {"type": "string", "maxLength": _LONGEST_SEARCH},
        "Only tasks with this text in their parameters, result or error, in whatever case; a "
        "number finds the task of that index as well",
    ),
    query("limit", {**_LIMIT, "maximum": 1000, "default": 100}),
    _CURSOR,
)


@bp.route(route="api/jobs/submit/{job_type}", methods=["POST"])
@bp.durable_client_input(client_name="client")
@documented(
    tag=_TAG,
    query=_SUBMIT_QUERY,
    body={"type": "object", "description": "The job type's parameters"},
    answers={
        202: Answer("The new job", schema=schemas.SUBMITTED),
        200: Answer(
            "The job that the same submission led to before, or the plan of a dry run",
            schema=schemas.SUBMITTED_BEFORE_OR_PLAN,
        ),
    },
)
@endpoint
async def submit_job(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Submit a job. The same submission again is the same job."""
    known_query(req, _SUBMIT_QUERY)
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
        **_hint(job),
    )


@bp.route(route="api/jobs/validate/{job_type}", methods=["POST"])
@documented(
    tag=_TAG,
    body={"type": "object", "description": "The job type's parameters, finished or not"},
    answers={
        200: Answer(
            "Whether they are valid, and each error with the place that it is at",
            schema=schemas.CHECKED,
        )
    },
)
@endpoint
def validate_job(req: func.HttpRequest) -> func.HttpResponse:
    """Check parameters while they are being written: nothing is looked up and nothing written."""
    known_query(req)
    definition = registry.get(req.route_params["job_type"])
    parameters = json_object(req)
    errors: list[FieldError] = []
    try:
        submission.validate(definition, parameters)
    except InvalidParameters as error:
        errors = error.errors
    return json_response({"valid": not errors, "errors": errors})


@bp.route(route="api/jobs/types", methods=["GET"])
@documented(
    tag=_TAG,
    answers={
        200: Answer(
            "Name, description, stages, parameters and outputs of each", schema=schemas.TYPES
        )
    },
)
@endpoint
def list_job_types(req: func.HttpRequest) -> func.HttpResponse:
    """The job types that can be submitted."""
    known_query(req)
    types = [
        {
            "name": job.name,
            "description": job.description,
            "stages": [
                {"name": stage.name, "description": stage.description} for stage in job.stages
            ],
            "parameters_schema": job.parameters.model_json_schema(),
            "outputs_schema": job.outputs_schema(),
        }
        for job in registry
    ]
    return json_response({"job_types": types})


@bp.route(route="api/jobs", methods=["GET"])
@documented(
    tag=_TAG,
    query=_JOBS_QUERY,
    answers={200: Answer("A page of jobs", schema=schemas.JOBS)},
)
@endpoint
def list_jobs(req: func.HttpRequest) -> func.HttpResponse:
    """Jobs, newest first."""
    known_query(req, _JOBS_QUERY)
    page = status.list_jobs(
        limit=integer(req, "limit", default=50, low=1, high=500),
        cursor=req.params.get("cursor"),
        status=req.params.get("status"),
        job_type=req.params.get("job_type"),
        base_url=base_url(req),
    )
    return json_response(page)


@bp.route(route="api/jobs/{job_id}", methods=["GET"])
@documented(
    tag=_TAG,
    answers={200: Answer("The job, its stages, its rates and its result", schema=schemas.JOB)},
)
@endpoint
def get_job(req: func.HttpRequest) -> func.HttpResponse:
    """One job: where it is, how fast it goes, what came of it."""
    known_query(req)
    return json_response(status.job_view(_job_id(req), base_url=base_url(req)))


@bp.route(route="api/jobs/{job_id}/tasks", methods=["GET"])
@documented(
    tag=_TAG,
    query=_TASKS_QUERY,
    answers={200: Answer("A page of tasks", schema=schemas.TASKS)},
)
@endpoint
def list_job_tasks(req: func.HttpRequest) -> func.HttpResponse:
    """A job's tasks, in the order of stage and index.

    A text, or a state other than failed, is looked for among a bounded number of tasks at a
    time: `searched` says which, and `next` goes on, however few were found.
    """
    known_query(req, _TASKS_QUERY)
    stage = req.params.get("stage")
    page = status.list_tasks(
        _job_id(req),
        stage=None if stage is None else integer(req, "stage", default=0, low=0, high=10_000),
        status=req.params.get("status"),
        cause=req.params.get("error"),
        text=_search(req),
        limit=integer(req, "limit", default=100, low=1, high=1000),
        cursor=req.params.get("cursor"),
    )
    return json_response(page)


@bp.route(route="api/jobs/{job_id}/tasks/{stage}/{task_index}", methods=["GET"])
@documented(
    tag=_TAG,
    answers={200: Answer("The task, with its attempts, times and outcome", schema=schemas.TASK)},
)
@endpoint
def get_job_task(req: func.HttpRequest) -> func.HttpResponse:
    """One task of a job."""
    known_query(req)
    return json_response(status.find_task(_job_id(req), *task_place(req)))


@bp.route(route="api/jobs/{job_id}/errors", methods=["GET"])
@documented(
    tag=_TAG,
    query=_CAUSES_QUERY,
    answers={
        200: Answer(
            "A page of causes, each with its number of tasks and an example", schema=schemas.ERRORS
        )
    },
)
@endpoint
def list_job_errors(req: func.HttpRequest) -> func.HttpResponse:
    """What a job's failed tasks failed with: each cause once, the most frequent first."""
    known_query(req, _CAUSES_QUERY)
    page = status.list_causes(
        _job_id(req),
        limit=integer(req, "limit", default=50, low=1, high=200),
        cursor=req.params.get("cursor"),
    )
    return json_response(page)


@bp.route(route="api/jobs/{job_id}/cancel", methods=["POST"])
@bp.durable_client_input(client_name="client")
@documented(tag=_TAG, answers={202: Answer("The cancel is under way", schema=schemas.STEERED)})
@endpoint
async def cancel_job(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Stop a job: nothing of it begins any more, and running tasks are asked to stop."""
    known_query(req)
    job_id = _job_id(req)
    ended = await asyncio.to_thread(control.cancel, job_id)
    await starting.tell_orchestrators(client, ended)
    return _job_response(req, job_id, "cancelling", 202)


@bp.route(route="api/jobs/{job_id}/resume", methods=["POST"])
@bp.durable_client_input(client_name="client")
@documented(tag=_TAG, answers={202: Answer("The job is queued again", schema=schemas.RESUMED)})
@endpoint
async def resume_job(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Put a job's failed, cancelled and lost tasks back, and go on."""
    known_query(req)
    job_id = _job_id(req)
    tasks = await asyncio.to_thread(control.resume, job_id)
    await starting.start(client, job_id)
    return _job_response(req, job_id, "queued", 202, tasks_put_back=tasks)


def _hint(job: submission.Submission) -> dict[str, str]:
    """What to do where the same submission led to a job that did not get to its end."""
    if job.created or job.status not in (JobStatus.FAILED, JobStatus.CANCELLED):
        return {}
    return {
        "hint": f"This submission led to a job before, which is {job.status}. POST to "
        f"/api/jobs/{job.job_id}/resume to go on with it, or submit with ?rerun=true to make a "
        "new run."
    }


def task_place(req: func.HttpRequest) -> tuple[int, int]:
    """(stage, index) of the task that the route names. Raises `NotFound` where these are no
    numbers."""
    texts = [str(req.route_params[name]) for name in ("stage", "task_index")]
    if not all(text.isascii() and text.isdigit() and len(text) <= 10 for text in texts):
        raise NotFound(f"There is no task {'/'.join(texts)!r}.", code="unknown_task")
    return int(texts[0]), int(texts[1])


def _search(req: func.HttpRequest) -> str | None:
    """The text that is looked for; None where it was not given, or has nothing in it."""
    text = req.params.get("search", "").strip()
    if len(text) > _LONGEST_SEARCH or "\0" in text:
        raise bad_query("search", f"must be a text of at most {_LONGEST_SEARCH} characters")
    return text or None


def _job_id(req: func.HttpRequest) -> str:
    job_id = str(req.route_params["job_id"])
    if not is_job_id(job_id):
        raise NotFound(f"There is no job {job_id!r}.", code="unknown_job", job_id=job_id)
    return job_id


def _job_response(
    req: func.HttpRequest, job_id: str, job_status: str, code: int, **more: Any
) -> func.HttpResponse:
    links = status.links(job_id, base_url(req))
    body = {"job_id": job_id, "status": job_status, **more, "links": links}
    return json_response(body, code, headers={"Location": links["self"]})
