"""Pictures of the catalog's rasters: previews, map tiles, values, and what they are.

Open to everyone, as the STAC API is; rasters of restricted collections to those who may see them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import azure.durable_functions as df
import azure.functions as func

from core.errors import FieldError, InvalidParameters
from services.raster.rendering import choices, pictures, published, views
from services.raster.rendering.model import RenderStyle
from services.raster.rendering.published import PublishedRaster
from services.tiles.grid import Tile
from web_interfaces.api.callers import caller
from web_interfaces.api.cors import public
from web_interfaces.api.documentation import Answer, documented, query
from web_interfaces.api.http import (
    KEPT_BY_NOBODY,
    base_url,
    integer,
    json_response,
    known_query,
)
from web_interfaces.api.schemas import maps as schemas

bp = df.Blueprint()

_TAG = "Rasters"
_OPEN = func.AuthLevel.ANONYMOUS
_READ = ["GET", "OPTIONS"]
_ROUTE = "api/raster/{collection}/{item}"
_PNG = "image/png"
_PICTURE = {"type": "string", "format": "binary"}

_DEFAULT_SIZE = 512
_LARGEST = 2048

_FOR_EVER = "public, max-age=31536000, immutable"
_FOR_A_WHILE = "public, max-age=60, must-revalidate"
_TWICE = "@2x"

_ASSET = query("asset", {"type": "string"}, "Key of the item's asset; default: the one it is about")
_CHOICES = (
    _ASSET,
    query("bidx", {"type": "string"}, "Band to draw, or those for red, green and blue: 4,3,2"),
    query(
        "rescale",
        {"type": "string"},
        "Stored values drawn as darkest and brightest: low,high, or six numbers for three bands",
    ),
    query("colormap", {"type": "string"}, "Ramp of colours for a single band, such as viridis"),
)
_VERSION = query(
    "v",
    {"type": "string"},
    "Version that is wanted, as TileJSON has it: the tile then may be kept for ever",
)
_SIZE = query(
    "size",
    {"type": "integer", "minimum": 16, "maximum": _LARGEST, "default": _DEFAULT_SIZE},
    "Pixels of the longer side, at most",
)


@bp.route(route=f"{_ROUTE}/preview.png", methods=_READ, auth_level=_OPEN)
@documented(
    tag=_TAG,
    query=(*_CHOICES, _SIZE, _VERSION),
    answers={
        200: Answer("The whole raster in its own grid", _PNG, _PICTURE),
        304: Answer("The caller has the picture (If-None-Match)", None),
    },
)
@public
def raster_preview(req: func.HttpRequest) -> func.HttpResponse:
    """A picture of a whole raster."""
    known_query(req, (*_CHOICES, _SIZE, _VERSION))
    size = integer(req, "size", default=_DEFAULT_SIZE, low=16, high=_LARGEST)
    raster, style = _drawn(req)
    headers = _headers(req, raster, style)
    if _has(req, headers):
        return func.HttpResponse(status_code=304, headers=headers)
    png = pictures.preview(raster, style, size)
    return func.HttpResponse(png, mimetype=_PNG, headers=headers)


@bp.route(route=_ROUTE + "/tiles/{z}/{x}/{y}.png", methods=_READ, auth_level=_OPEN)
@documented(
    tag=_TAG,
    query=(*_CHOICES, _VERSION),
    answers={
        200: Answer(
            "A tile of WebMercatorQuad of 256 pixels, or of 512 for {y}@2x; transparent where "
            "nothing is", _PNG, _PICTURE,
        ),
        304: Answer("The caller has the tile (If-None-Match)", None),
    },
)  # fmt: skip
@public
def raster_tile(req: func.HttpRequest) -> func.HttpResponse:
    """One map tile of a raster, by zoom, column and row."""
    known_query(req, (*_CHOICES, _VERSION))
    row = req.route_params["y"]
    wanted = Tile.parse(req.route_params["z"], req.route_params["x"], row.removesuffix(_TWICE))
    size = views.TILE_PIXELS * (2 if row.endswith(_TWICE) else 1)
    raster, style = _drawn(req)
    headers = _headers(req, raster, style)
    if _has(req, headers):
        return func.HttpResponse(status_code=304, headers=headers)
    png = pictures.tile(raster, style, wanted.z, wanted.x, wanted.y, size)
    return func.HttpResponse(png, mimetype=_PNG, headers=headers)


@bp.route(route=f"{_ROUTE}/tilejson.json", methods=_READ, auth_level=_OPEN)
@documented(
    tag=_TAG, query=_CHOICES, answers={200: Answer("TileJSON 3.0.0", schema=schemas.TILEJSON)}
)
@public
def raster_tilejson(req: func.HttpRequest) -> func.HttpResponse:
    """Where a raster's tiles are, and how far they go."""
    known_query(req, _CHOICES)
    raster, style = _drawn(req)
    asked = {name: req.params[name] for name in _names(_CHOICES) if name in req.params}
    document = views.tilejson(raster, style, base_url(req), asked)
    return json_response(document, headers=_unkept(raster))


@bp.route(route=f"{_ROUTE}/info", methods=_READ, auth_level=_OPEN)
@documented(
    tag=_TAG,
    query=_CHOICES,
    answers={200: Answer("Type, bands, style and legend", schema=schemas.RASTER_INFO)},
)
@public
def raster_info(req: func.HttpRequest) -> func.HttpResponse:
    """What a raster is, how it is drawn, and what the colours mean."""
    known_query(req, _CHOICES)
    raster, style = _drawn(req)
    return json_response(views.info(raster, style, base_url(req)), headers=_unkept(raster))


@bp.route(route=_ROUTE + "/point/{longitude},{latitude}", methods=_READ, auth_level=_OPEN)
@documented(
    tag=_TAG,
    query=[_ASSET],
    answers={200: Answer("The values of all bands there", schema=schemas.RASTER_VALUES)},
)
@public
def raster_point(req: func.HttpRequest) -> func.HttpResponse:
    """The values of a raster at a longitude and latitude."""
    known_query(req, [_ASSET])
    place = [_degrees(req, name, limit) for name, limit in (("longitude", 180), ("latitude", 90))]
    raster = _raster(req)
    return json_response(views.values_at(raster, *place), headers=_unkept(raster))


def _raster(req: func.HttpRequest) -> PublishedRaster:
    return published.find(
        req.route_params["collection"],
        req.route_params["item"],
        req.params.get("asset"),
        caller=caller(req, _OPEN),
    )


def _drawn(req: func.HttpRequest) -> tuple[PublishedRaster, RenderStyle]:
    """The raster that a request is about, and how it wants it drawn."""
    wanted = choices.parse(req.params)
    raster = _raster(req)
    return raster, views.style_of(raster, wanted)


def _headers(req: func.HttpRequest, raster: PublishedRaster, style: RenderStyle) -> dict[str, str]:
    version = views.version(raster, style)
    lifetime = _FOR_EVER if req.params.get("v") == version else _FOR_A_WHILE
    return {
        "ETag": f'"{version}"',
        "Cache-Control": KEPT_BY_NOBODY if raster.is_restricted else lifetime,
    }


def _unkept(raster: PublishedRaster) -> dict[str, str]:
    return {"Cache-Control": KEPT_BY_NOBODY if raster.is_restricted else "no-cache"}


def _has(req: func.HttpRequest, headers: Mapping[str, str]) -> bool:
    """Whether If-None-Match names what would be sent (RFC 9110, 13.1.2)."""
    known = req.headers.get("If-None-Match", "")
    tags = re.findall(r'"[^"]*"', known)
    return known.strip() == "*" or headers["ETag"] in tags


def _degrees(req: func.HttpRequest, name: str, limit: int) -> float:
    text = req.route_params[name]
    try:
        degrees = float(text)
    except ValueError:
        degrees = math.nan
    if not -limit <= degrees <= limit:
        error: FieldError = {"loc": ["path", name], "msg": f"must be -{limit} to {limit} degrees"}
        raise InvalidParameters(f"The {name} {text[:40]!r} {error['msg']}.", [error])
    return degrees


def _names(documented_parameters: tuple[dict[str, Any], ...]) -> list[str]:
    return [each["name"] for each in documented_parameters]
