"""How published tables are drawn: MapLibre styles and their legends."""

from __future__ import annotations

import azure.durable_functions as df
import azure.functions as func

from services.orchestration.paging import bad_query
from services.styles import collections, documents, editing, legend_svg
from services.styles.submitted import LAYER_TYPES, LEGEND_KINDS
from web_interfaces.api.documentation import Answer, documented, query
from web_interfaces.api.http import (
    base_url,
    endpoint,
    integer,
    json_object,
    json_response,
    known_query,
)
from web_interfaces.api.schemas import maps as schemas

bp = df.Blueprint()

_TAG = "Maps"
_PAGED = (
    query("limit", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}),
    query("cursor", {"type": "string"}, "`next` of the page before"),
)
_FORMAT = (query("f", {"type": "string", "enum": ["json", "svg"], "default": "json"}, "Format"),)
_LEGEND = {
    200: Answer(
        "The entries, or with f=svg a picture of them",
        schema=schemas.LEGEND,
        also={"image/svg+xml": {"type": "string"}},
    )
}

# A style names the version of the tiles, which a kept copy would know nothing of.
_ASK_AGAIN = {"Cache-Control": "no-cache"}

_BODY = {
    "type": "object",
    "required": ["layers"],
    "description": "A style: its layers and legend, or a whole MapLibre style of this collection",
    "properties": {
        "title": {"type": "string", "maxLength": 200},
        "description": {"type": "string", "maxLength": 4000},
        "is_default": {"type": "boolean", "description": "Make it the collection's default style"},
        "layers": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["id", "type"],
                "properties": {
                    "id": {"type": "string"},
                    "type": {"type": "string", "enum": list(LAYER_TYPES)},
                    "filter": {"type": "array", "items": {}},
                    "paint": {"type": "object"},
                    "layout": {"type": "object"},
                    "minzoom": {"type": "number"},
                    "maxzoom": {"type": "number"},
                },
            },
        },
        "legend": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["label", "color", "kind"],
                "properties": {
                    "label": {"type": "string"},
                    "color": {"type": "string"},
                    "kind": {"type": "string", "enum": list(LEGEND_KINDS)},
                    "outline": {"type": "string"},
                    "radius": {
                        "type": "number",
                        "exclusiveMinimum": 0,
                        "maximum": 7,
                        "description": "Of a circle, in pixels",
                    },
                    "description": {"type": "string"},
                },
            },
        },
    },
}


@bp.route(route="api/styles", methods=["GET"])
@documented(
    tag=_TAG, query=_PAGED, answers={200: Answer("A page of collections", schema=schemas.STYLES)}
)
@endpoint
def list_styles(req: func.HttpRequest) -> func.HttpResponse:
    """The tables that can be drawn, by name, each with its styles."""
    known_query(req, _PAGED)
    page = collections.list_styles(
        limit=integer(req, "limit", default=100, low=1, high=1000),
        cursor=req.params.get("cursor"),
        base_url=base_url(req),
    )
    return json_response(page)


@bp.route(route="api/styles/{collection}", methods=["GET"])
@documented(tag=_TAG, answers={200: Answer("MapLibre style JSON", schema=schemas.MAPLIBRE_STYLE)})
@endpoint
def get_default_style(req: func.HttpRequest) -> func.HttpResponse:
    """The style that a table is drawn in where nobody names one."""
    return _style(req, None)


@bp.route(route="api/styles/{collection}/legend", methods=["GET"])
@documented(tag=_TAG, query=_FORMAT, answers=_LEGEND)
@endpoint
def get_default_legend(req: func.HttpRequest) -> func.HttpResponse:
    """The legend of a table's default style, in order."""
    return _legend(req, None)


@bp.route(route="api/styles/{collection}/{style_id}", methods=["GET"])
@documented(tag=_TAG, answers={200: Answer("MapLibre style JSON", schema=schemas.MAPLIBRE_STYLE)})
@endpoint
def get_style(req: func.HttpRequest) -> func.HttpResponse:
    """One style of a table, with the tiles of its present version as the source."""
    return _style(req, req.route_params["style_id"])


@bp.route(route="api/styles/{collection}/{style_id}/legend", methods=["GET"])
@documented(tag=_TAG, query=_FORMAT, answers=_LEGEND)
@endpoint
def get_legend(req: func.HttpRequest) -> func.HttpResponse:
    """The legend of a style, in order."""
    return _legend(req, req.route_params["style_id"])


@bp.route(route="api/styles/{collection}/{style_id}", methods=["PUT"])
@documented(
    tag=_TAG,
    body=_BODY,
    answers={
        200: Answer("The style was replaced", schema=schemas.KEPT_STYLE),
        201: Answer("The style is new", schema=schemas.KEPT_STYLE),
    },
)
@endpoint
def put_style(req: func.HttpRequest) -> func.HttpResponse:
    """Add a style to a table, or replace one."""
    known_query(req)
    view, created = editing.put_style(
        req.route_params["collection"],
        req.route_params["style_id"],
        json_object(req),
        base_url(req),
    )
    headers = {"Location": view["links"]["self"]} if created else {}
    return json_response(view, 201 if created else 200, headers=headers)


@bp.route(route="api/styles/{collection}/{style_id}", methods=["DELETE"])
@documented(tag=_TAG, answers={204: Answer("The style is gone", None)})
@endpoint
def delete_style(req: func.HttpRequest) -> func.HttpResponse:
    """Remove a style of a table."""
    known_query(req)
    editing.delete_style(req.route_params["collection"], req.route_params["style_id"])
    return func.HttpResponse(status_code=204)


def _style(req: func.HttpRequest, style_id: str | None) -> func.HttpResponse:
    known_query(req)
    document = documents.style_document(req.route_params["collection"], style_id, base_url(req))
    return json_response(document, headers=_ASK_AGAIN)


def _legend(req: func.HttpRequest, style_id: str | None) -> func.HttpResponse:
    known_query(req, _FORMAT)
    wanted = req.params.get("f", "json")
    if wanted not in ("json", "svg"):
        raise bad_query("f", "must be json or svg")
    document = documents.legend_document(req.route_params["collection"], style_id)
    if wanted == "svg":
        return func.HttpResponse(
            legend_svg.drawn(document), mimetype="image/svg+xml", headers=_ASK_AGAIN
        )
    return json_response(document, headers=_ASK_AGAIN)
