"""/api/interface/design: tokens and components, for those who build pages."""

from __future__ import annotations

import azure.durable_functions as df
import azure.functions as func

from core.models.job import JobStatus
from web_interfaces.design import tokens
from web_interfaces.pages.registry import Page, register
from web_interfaces.pages.rendering import auth_level, page_endpoint, render

PAGE = register(
    Page(
        name="design",
        title="Design",
        description="The tokens and components that the pages are made of.",
        order=900,
        is_listed=False,
    )
)

# What the examples of charts show: tasks a minute, from little to much and back.
_RATES = (4, 9, 14, 12, 22, 31, 44, 40, 58, 73, 69, 84, 92, 88, 61, 35, 18, 7)

bp = df.Blueprint()


@bp.route(route="api/interface/design", methods=["GET"], auth_level=auth_level())
@page_endpoint
def design_page(req: func.HttpRequest) -> func.HttpResponse:
    """No data of the app, so that it also shows while the database is away."""
    return render(
        req,
        "design/page.html",
        page=PAGE,
        groups=tokens.groups(),
        statuses=[*JobStatus, "pending", "cancelling"],
        rates=_RATES,
    )
