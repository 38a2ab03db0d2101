"""GET / and /api/interface, which lists the pages; and the static files."""

from __future__ import annotations

import azure.durable_functions as df
import azure.functions as func

from core.registry import registry
from web_interfaces.pages import assets, security
from web_interfaces.pages.registry import ROOT
from web_interfaces.pages.rendering import auth_level, link_to, page_endpoint, render

bp = df.Blueprint()

_FOR_EVER = "public, max-age=31536000, immutable"


@bp.route(route="/", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def front_door(req: func.HttpRequest) -> func.HttpResponse:
    """On Azure this wants the setting AzureWebJobsDisableHomepage=true."""
    return func.HttpResponse(status_code=302, headers={"Location": link_to(req, ROOT)})


@bp.route(route="api/interface", methods=["GET"], auth_level=auth_level())
@page_endpoint
def pages_index(req: func.HttpRequest) -> func.HttpResponse:
    return render(req, "index.html", job_types=list(registry))


@bp.route(
    route="api/interface/static/{*path}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS
)
def static_file(req: func.HttpRequest) -> func.HttpResponse:
    """Open to everyone: a stylesheet is asked for without the page's key, and holds no data."""
    found = assets.find(req.route_params["path"])
    if found is None:
        return func.HttpResponse("There is no such file.", status_code=404, mimetype="text/plain")
    asset, lasting = found
    headers = {
        "Cache-Control": _FOR_EVER if lasting else "no-cache",
        "ETag": f'"{asset.digest[:16]}"',
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    if asset.media_type == "image/svg+xml":
        headers["Content-Security-Policy"] = security.DRAWING_POLICY
    if req.headers.get("If-None-Match") == headers["ETag"]:
        return func.HttpResponse(status_code=304, headers=headers)
    return func.HttpResponse(asset.content, mimetype=asset.media_type, headers=headers)
