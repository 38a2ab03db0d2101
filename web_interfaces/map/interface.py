"""/api/interface/map: everything that is published, on a map."""

from __future__ import annotations

from typing import Final

import azure.durable_functions as df
import azure.functions as func

from core.registry import registry
from web_interfaces.map import cells, explorer, rasters, repairs
from web_interfaces.pages.registry import Page, register
from web_interfaces.pages.rendering import auth_level, page_endpoint, render

PAGE = register(
    Page(
        name="map",
        title="Map",
        description="Everything that is published, on one map: vector data, rasters and their "
        "outlines, H3 statistics, and geometries before and after their repair.",
        order=40,
    )
)

# Which parameter alone asks for a view, and what fills the view.
_VIEWS: Final = {"collection": "rasters", "dataset": "h3", "report": "repairs"}
_JOB_TYPES: Final = {
    "rasters": ("process_raster", "process_raster_collection", "ingest_collection"),
    "h3": ("h3_raster_aggregation",),
    "repairs": ("process_vector",),
}

bp = df.Blueprint()


@bp.route(route="api/interface/map", methods=["GET"], auth_level=auth_level())
@page_endpoint
def map_page(req: func.HttpRequest) -> func.HttpResponse:
    """The map of layers, unless ?show= names another view, or a parameter of one is there:
    rasters (?collection=), h3 (?dataset=) or repairs (?report=)."""
    view = _view(req)
    if view == "rasters":
        context, template = rasters.context(req), "map/page.html"
    elif view == "h3":
        context, template = cells.context(req), "map/cells.html"
    elif view == "repairs":
        context, template = repairs.context(req), "map/repairs.html"
    else:
        context, template = explorer.context(req), "map/layers.html"
    wanted = _JOB_TYPES.get(view, ())
    job_types = [each for each in registry if each.name in wanted]
    return render(req, template, page=PAGE, job_types=job_types, **context)


def _view(req: func.HttpRequest) -> str:
    asked = [view for name, view in _VIEWS.items() if req.params.get(name)]
    return req.params.get("show") or next(iter(asked), "layers")
