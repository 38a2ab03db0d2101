"""/api/interface/metrics: the dashboard."""

from __future__ import annotations

import azure.durable_functions as df
import azure.functions as func

from config import get_metrics_settings
from core.registry import registry
from services.orchestration import metrics
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

bp = df.Blueprint()


@bp.route(route="api/interface/metrics", methods=["GET"], auth_level=auth_level())
@page_endpoint
def metrics_page(req: func.HttpRequest) -> func.HttpResponse:
    """The whole page, or its live part for htmx. It is always worth asking again."""
    return render(
        req,
        "metrics/page.html",
        page=PAGE,
        live=True,
        job_types=list(registry),
        metrics_enabled=get_metrics_settings().enabled,
        **metrics.overview(),
    )
