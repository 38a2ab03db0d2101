"""/api/interface/metrics: the dashboard, and the dead letters behind it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import azure.durable_functions as df
import azure.functions as func

from config import get_metrics_settings
from core.job_definition import Queue
from core.models.job import JobStatus
from core.models.throughput import Span
from core.registry import registry
from infrastructure import dashboard_repository
from infrastructure.dashboard_repository import JobFilter
from services.dashboard import overview, queues, server, throughput, workers
from services.orchestration import metrics
from services.orchestration.paging import one_of
from web_interfaces.metrics import charts, wording
from web_interfaces.metrics.fragments import Part
from web_interfaces.pages.registry import Page, register
from web_interfaces.pages.rendering import auth_level, page_endpoint, render

PAGE = register(
    Page(
        name="metrics",
        title="Dashboard",
        description="What runs now: progress, rate and time left of each job, and what happened.",
        order=10,
    )
)

_LETTERS_A_PAGE = 25

bp = df.Blueprint()


@bp.route(route="api/interface/metrics", methods=["GET"], auth_level=auth_level())
@page_endpoint
def metrics_page(req: func.HttpRequest) -> func.HttpResponse:
    """?status=, ?job_type=, ?text= choose jobs, ?cursor= their page, ?span= the time of the charts.

    The whole page, or for htmx the part that it names.
    """
    if req.headers.get("HX-Request") == "true":
        named = one_of(PartName, "part", req.params.get("part")) or PartName.JOBS
        return PARTS[named].answer(req)
    return render(
        req,
        "metrics/page.html",
        page=PAGE,
        job_types=sorted(each.name for each in registry),
        statuses=list(JobStatus),
        wanted=_wanted(req),
        span=_span(req),
        parts={name: part.html(req) for name, part in PARTS.items()},
    )


@bp.route(route="api/interface/metrics/dead-letters", methods=["GET"], auth_level=auth_level())
@page_endpoint
def dead_letters_page(req: func.HttpRequest) -> func.HttpResponse:
    """?queue=, ?cursor=: the messages that were given up, newest first."""
    queue, cursor = req.params.get("queue") or None, req.params.get("cursor")
    page = queues.dead_letters(limit=_LETTERS_A_PAGE, cursor=cursor, queue=queue)
    return render(
        req,
        "metrics/dead_letters.html",
        page=PAGE,
        queues=list(Queue),
        queue=queue,
        cursor=cursor,
        letters=page.letters,
        next=page.next,
    )


def _summary(_req: func.HttpRequest) -> dict[str, Any]:
    return {"summary": metrics.summary(), "metrics_enabled": get_metrics_settings().enabled}


def _jobs(req: func.HttpRequest) -> dict[str, Any]:
    return {
        "job_types": list(registry),
        "wanted": _wanted(req),
        "cursor": req.params.get("cursor"),
        "query": _query(req),
        "spread": wording.spread,
        "most_searched": dashboard_repository.MOST_SEARCHED,
        **overview.overview(_wanted(req), req.params.get("cursor")),
    }


def _charts(req: func.HttpRequest) -> dict[str, Any]:
    span, job_type = _span(req), req.params.get("job_type") or None
    history = throughput.history(span, job_type)
    return {
        "span": span,
        "spans": list(Span),
        "job_type": job_type,
        "query": _query(req),
        "charts": charts.charts(history.throughput),
        "summary": charts.summary(history.throughput),
        "points": [point for point in history.throughput.points if point.ended_per_minute],
        "time_label": charts.time_label,
        "by_type": history.job_types,
        "height": charts.HEIGHT,
    }


def _system(req: func.HttpRequest) -> dict[str, Any]:
    return {
        "queues": queues.states(),
        "workers": workers.recent(),
        "server": server.figures(),
        "age": wording.age,
        "metrics_enabled": get_metrics_settings().enabled,
    }


class PartName(StrEnum):
    """The parts of the page, in their order."""

    SUMMARY = "summary"
    CHARTS = "charts"
    JOBS = "jobs"
    SYSTEM = "system"


PARTS = {
    PartName.SUMMARY: Part("summary", "metrics/summary.html", 2, _summary),
    PartName.CHARTS: Part("charts", "metrics/charts.html", 15, _charts),
    PartName.JOBS: Part("jobs", "metrics/jobs.html", 2, _jobs),
    PartName.SYSTEM: Part("system", "metrics/system.html", 5, _system),
}


def _wanted(req: func.HttpRequest) -> JobFilter:
    return overview.job_filter(
        req.params.get("status"), req.params.get("job_type"), req.params.get("text")
    )


def _span(req: func.HttpRequest) -> Span:
    return one_of(Span, "span", req.params.get("span") or None) or Span.HOUR


def _query(req: func.HttpRequest) -> dict[str, str | None]:
    """What of the address links of the page keep: the filter and the span."""
    return {name: req.params.get(name) or None for name in ("status", "job_type", "text", "span")}
