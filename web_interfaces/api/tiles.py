"""Vector tiles of published tables, and what they hold (TileJSON)."""

from __future__ import annotations

import re

import azure.durable_functions as df
import azure.functions as func

from services.tiles import tilejson, tiles
from services.tiles.tiles import MEDIA_TYPE, TileAnswer
from web_interfaces.api.callers import caller
from web_interfaces.api.documentation import Answer, documented, query
from web_interfaces.api.http import (
    KEPT_BY_NOBODY,
    base_url,
    endpoint,
    json_response,
    known_query,
)
from web_interfaces.api.schemas import maps as schemas

bp = df.Blueprint()

_TAG = "Maps"
_VERSION = (
    query(
        "v",
        {"type": "string"},
        "The version that the tile shall be of, as TileJSON and styles name it: a tile of the "
        "present version then may be kept for ever, once it is as it will stay",
    ),
)
_TILE = {"type": "string", "format": "binary"}

_FOR_EVER = "public, max-age=31536000, immutable"
_FOR_A_WHILE = "public, max-age=60, must-revalidate"


@bp.route(route="api/tiles/{collection}/tilejson.json", methods=["GET"])
@documented(tag=_TAG, answers={200: Answer("TileJSON 3.0.0", schema=schemas.TILEJSON)})
@endpoint
def get_tilejson(req: func.HttpRequest) -> func.HttpResponse:
    """Where a table's tiles are and which fields they have."""
    known_query(req)
    document = tilejson.tilejson(req.route_params["collection"], base_url(req))
    return json_response(document, headers={"Cache-Control": "no-cache"})


@bp.route(route="api/tiles/{collection}/{z}/{x}/{y}.pbf", methods=["GET"])
@documented(
    tag=_TAG,
    query=_VERSION,
    answers={
        200: Answer("A Mapbox Vector Tile with one layer, called as the collection", MEDIA_TYPE,
                    _TILE),
        204: Answer("Nothing is there", None),
        304: Answer("The caller has the tile (If-None-Match)", None),
    },
)  # fmt: skip
@endpoint
def get_tile(req: func.HttpRequest) -> func.HttpResponse:
    """One tile of a published table, by zoom, column and row of the web Mercator grid."""
    known_query(req, _VERSION)
    route = req.route_params
    answer = tiles.tile(
        route["collection"],
        route["z"],
        route["x"],
        route["y"],
        version=req.params.get("v"),
        known=req.headers.get("If-None-Match"),
        caller=caller(req),
    )
    headers = _headers(answer)
    if answer.data is None:
        return func.HttpResponse(status_code=304, headers=headers)
    headers["X-Geoforge-Tile"] = answer.state or ""
    if not answer.data:
        return func.HttpResponse(status_code=204, headers=headers)
    body = answer.data
    if _takes_gzip(req.headers.get("Accept-Encoding", "")):
        body = tiles.compressed(body)
        headers["Content-Encoding"] = "gzip"
    return func.HttpResponse(body, mimetype=MEDIA_TYPE, headers=headers)


def _headers(answer: TileAnswer) -> dict[str, str]:
    lifetime = _FOR_EVER if answer.is_lasting else _FOR_A_WHILE
    return {
        "ETag": answer.etag,
        "Cache-Control": KEPT_BY_NOBODY if answer.is_restricted else lifetime,
        "Vary": "Accept-Encoding",
    }


def _takes_gzip(accepted: str) -> bool:
    """Whether Accept-Encoding names gzip, without ruling it out by q=0 (RFC 9110, 12.5.3)."""
    for part in accepted.lower().split(","):
        coding, *parameters = (each.strip() for each in part.split(";"))
        if coding == "gzip":
            return not any(re.fullmatch(r"q=0(\.0*)?", each) for each in parameters)
    return False
