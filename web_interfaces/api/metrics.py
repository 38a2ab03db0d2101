"""Metrics over HTTP: how one job went, and what all of them do."""

from __future__ import annotations

import azure.durable_functions as df
import azure.functions as func

from core.models.metrics import MetricType
from services.orchestration import metrics
from web_interfaces.api.documentation import Answer, documented, query
from web_interfaces.api.http import endpoint, integer, json_response

bp = df.Blueprint()

_TAG = "Metrics"


@bp.route(route="api/metrics/jobs/{job_id}", methods=["GET"])
@documented(
    tag=_TAG,
    query=[
        query("type", {"type": "string", "enum": list(MetricType)}, "Only rows of this type"),
        query("since", {"type": "string", "format": "date-time"}, "Only rows written after this"),
        query("limit", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}),
        query("cursor", {"type": "string"}, "`next` of the page before"),
    ],
    answers={200: Answer("A page of rows, and the latest of each of the job's figures")},
)
@endpoint
def get_job_metrics(req: func.HttpRequest) -> func.HttpResponse:
    """Snapshots and events of one job, newest first."""
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
            "Counts by status, the rate of all jobs, and what could not be written of metrics"
        )
    },
)
@endpoint
def get_metrics_summary(req: func.HttpRequest) -> func.HttpResponse:
    """Jobs by status, those that ended within the last 24 hours, and tasks per minute."""
    return json_response(metrics.summary())
