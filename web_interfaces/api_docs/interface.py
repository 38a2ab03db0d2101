"""/api/interface/api: the HTTP API as pages, made of its own OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import azure.durable_functions as df
import azure.functions as func

from core.errors import NotFound
from web_interfaces.api import openapi
from web_interfaces.api.http import base_url
from web_interfaces.api_docs.operations import Operation, by_tag
from web_interfaces.pages.registry import Page, register
from web_interfaces.pages.rendering import auth_level, page_endpoint, render

PAGE = register(
    Page(
        name="api",
        title="API",
        description="Every call of the HTTP API: what it takes and answers, and how to try it.",
        order=90,
    )
)

bp = df.Blueprint()


@bp.route(route="api/interface/api", methods=["GET"], auth_level=auth_level())
@page_endpoint
def api_page(req: func.HttpRequest) -> func.HttpResponse:
    """All calls in groups."""
    return render(req, "api_docs/list.html", page=PAGE, groups=_groups(base_url(req)))


@bp.route(route="api/interface/api/{call}", methods=["GET"], auth_level=auth_level())
@page_endpoint
def api_call_page(req: func.HttpRequest) -> func.HttpResponse:
    """One call, by its operationId, beside the others of its group."""
    name = req.route_params["call"]
    for tag, calls in _groups(base_url(req)).items():
        for call in calls:
            if call.id == name:
                return render(req, "api_docs/call.html", page=PAGE, call=call, tag=tag, calls=calls)
    raise NotFound(f"The API has no call {name[:100]!r}.", code="unknown_call")


# What this process serves does not change, and few names lead to it.
@lru_cache(maxsize=4)
def _groups(base: str) -> Mapping[str, list[Operation]]:
    return by_tag(openapi.document(base))
