"""Metrics over HTTP: how one job went, what all of them do, and what they run on."""

from __future__ import annotations

from dataclasses import asdict

import azure.durable_functions as df
import azure.functions as func

from core.job_definition import Queue
from core.models.metrics import MetricType
from core.models.throughput import Span
from services.dashboard import queues, server, throughput, workers
from services.orchestration import metrics
from services.orchestration.paging import one_of
from web_interfaces.api.documentation import Answer, documented, query
from web_interfaces.api.http import endpoint, integer, json_response, known_query
from web_interfaces.api.schemas import metrics as schemas

bp = df.Blueprint()

_TAG = "Metrics"
_ROWS_QUERY = (
    query("type", {"type": "string", "enum": list(MetricType)}, "Only rows of this type"),
    query("since", {"type": "string", "format": "date-time"}, "Only rows written after this"),
    query("limit", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}),
    query("cursor", {"type": "string"}, "`next` of the page before"),
)
_THROUGHPUT_QUERY = (
    query("span", {"type": "string", "enum": list(Span), "default": Span.HOUR.value}),
    query("job_type", {"type": "string"}, "Only tasks of jobs of this type"),
)
_LETTERS_QUERY = (
    query("queue", {"type": "string", "enum": list(Queue)}, "Only those of this queue"),
    query("limit", {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}),
    query("cursor", {"type": "string"}, "`next` of the page before"),
)


@bp.route(route="api/metrics/jobs/{job_id}", methods=["GET"])
@documented(
    tag=_TAG,
    query=_ROWS_QUERY,
    answers={
        200: Answer(
            "A page of rows, and the latest of each of the job's figures", schema=schemas.ROWS
        )
    },
)
@endpoint
def get_job_metrics(req: func.HttpRequest) -> func.HttpResponse:
    """Snapshots and events of one job, newest first."""
    known_query(req, _ROWS_QUERY)
    page = metrics.job_metrics(
        req.route_params["job_id"],
        limit=integer(req, "limit", default=100, low=1, high=1000),
        cursor=req.params.get("cursor"),
        since=req.params.get("since"),
        metric_type=req.params.get("type"),
    )
    return json_response(page)


@bp.route(route="api/metrics/summary", methods=["GET"])
@documented(
    tag=_TAG,
    answers={
        200: Answer(
            "Counts by status, the rate of all jobs, and what could not be written of metrics",
            schema=schemas.SUMMARY,
        )
    },
)
@endpoint
def get_metrics_summary(req: func.HttpRequest) -> func.HttpResponse:
    """Jobs by status, those that ended within the last 24 hours, and tasks per minute."""
    known_query(req)
    return json_response(metrics.summary())


@bp.route(route="api/metrics/throughput", methods=["GET"])
@documented(
    tag=_TAG,
    query=_THROUGHPUT_QUERY,
    answers={
        200: Answer(
            "Tasks a minute, by bins of 1 minute (hour), 15 minutes (day) or 1 hour (week)",
            schema=schemas.THROUGHPUT,
        )
    },
)
@endpoint
def get_throughput(req: func.HttpRequest) -> func.HttpResponse:
    """Tasks that ended and failed over time, and the job types that they were of."""
    known_query(req, _THROUGHPUT_QUERY)
    span = one_of(Span, "span", req.params.get("span")) or Span.HOUR
    found = throughput.history(span, req.params.get("job_type"))
    return json_response(
        {
            "span": span,
            "bin_seconds": span.bin_seconds,
            "points": [asdict(point) for point in found.throughput.points],
            "total": asdict(found.throughput.total),
            "job_types": {name: asdict(each) for name, each in found.job_types.items()},
        }
    )


@bp.route(route="api/metrics/queues", methods=["GET"])
@documented(
    tag=_TAG,
    answers={
        200: Answer(
            "The task queues; `messages` is null where Service Bus has not told yet",
            schema=schemas.QUEUES,
        )
    },
)
@endpoint
def get_queues(req: func.HttpRequest) -> func.HttpResponse:
    """Messages in each task queue as last counted, the tasks behind it, and those given up."""
    known_query(req)
    return json_response({"queues": [_queue(each) for each in queues.states()]})


def _queue(state: queues.QueueState) -> dict[str, object]:
    found = state.messages
    return {
        "queue": state.queue,
        "name": state.name,
        "messages": None if found.value is None else asdict(found.value),
        "age_seconds": found.age_seconds,
        "problem": found.problem,
        "tasks_in_flight": state.work.in_flight,
        "tasks_waiting": state.work.waiting,
        "dead_letters_24h": state.dead_letters,
    }


@bp.route(route="api/metrics/dead-letters", methods=["GET"])
@documented(
    tag=_TAG,
    query=_LETTERS_QUERY,
    answers={
        200: Answer(
            "A page of messages that Service Bus gave up delivering", schema=schemas.DEAD_LETTERS
        )
    },
)
@endpoint
def get_dead_letters(req: func.HttpRequest) -> func.HttpResponse:
    """Messages that were given up, newest first; bodies are cut."""
    known_query(req, _LETTERS_QUERY)
    page = queues.dead_letters(
        limit=integer(req, "limit", default=50, low=1, high=200),
        cursor=req.params.get("cursor"),
        queue=req.params.get("queue"),
    )
    return json_response({"dead_letters": page.letters, "next": page.next})


@bp.route(route="api/metrics/workers", methods=["GET"])
@documented(
    tag=_TAG,
    answers={
        200: Answer("The processes that were heard of within ten minutes", schema=schemas.WORKERS)
    },
)
@endpoint
def get_workers(req: func.HttpRequest) -> func.HttpResponse:
    """Who is alive: instance, tasks, memory, and how the process's database pool does."""
    known_query(req)
    return json_response({"workers": [asdict(each) for each in workers.recent()]})


@bp.route(route="api/metrics/database", methods=["GET"])
@documented(
    tag=_TAG,
    answers={
        200: Answer("`figures` is null where they were not looked up yet", schema=schemas.DATABASE)
    },
)
@endpoint
def get_database(req: func.HttpRequest) -> func.HttpResponse:
    """Sessions, locks and sizes of the database, as they were found last."""
    known_query(req)
    found = server.figures()
    return json_response(
        {
            "figures": None if found.value is None else asdict(found.value),
            "age_seconds": found.age_seconds,
            "problem": found.problem,
        }
    )
