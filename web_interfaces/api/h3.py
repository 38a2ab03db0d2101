"""Statistics of rasters by the cells of the H3 grid.

Open to everyone, as the features API is; the statistics of restricted datasets to those who may
see them. What is answered is made in `services.h3`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import azure.durable_functions as df
import azure.functions as func

from core.errors import InvalidParameters
from services.features.links import with_query
from services.features.parameters import InvalidQuery
from services.h3 import asking, datasets, formats
from services.h3.reading import Reading, Room, reading
from services.orchestration.paging import bad_query, cursor_after
from web_interfaces.api.callers import caller
from web_interfaces.api.cors import public
from web_interfaces.api.documentation import Answer, documented, query
from web_interfaces.api.http import (
    KEPT_BY_NOBODY,
    base_url,
    flag,
    integer,
    json_response,
    known_query,
)
from web_interfaces.api.schemas import h3 as schemas
from web_interfaces.api.schemas import parts, standards

bp = df.Blueprint()

_TAG = "H3 statistics"
_OPEN = func.AuthLevel.ANONYMOUS
_READ = ["GET", "OPTIONS"]

_JSON = "application/json"
_GEOJSON = "application/geo+json"
_PARQUET = "application/vnd.apache.parquet"
_FORMATS = {"json": _JSON, "geojson": _GEOJSON, "parquet": _PARQUET}
_FOR_A_WHILE = "public, max-age=60, must-revalidate"
# What is told to who may see restricted statistics is for no one else.
_BY_CALLER = {"Cache-Control": KEPT_BY_NOBODY}

# Answers are put together in memory, which anyone may ask for.
_DOCUMENT = Room(usual=10_000, most=100_000, values=2_000_000)
_FILE = Room(usual=1_000_000, most=5_000_000, values=20_000_000)
_FILE_WITH_GEOMETRY = Room(usual=1_000_000, most=1_000_000, values=20_000_000)

_DATASETS = (
    query("theme", {"type": "string"}, "Only datasets of this theme"),
    query(
        "limit",
        {
            "type": "integer",
            "minimum": 1,
            "maximum": datasets.MAX_LIMIT,
            "default": datasets.DEFAULT_LIMIT,
        },
        "Datasets on a page",
    ),
    query("cursor", {"type": "string"}, "Where a page begins: `next` of the one before"),
)
_STATS = (
    query("dataset", {"type": "string"}, "Name of the dataset", required=True),
    query(
        "resolution",
        {"type": "integer", "minimum": 0, "maximum": 15},
        "Resolution of the cells: one that the dataset has, which is the default (the finest), or "
        "a coarser one, to which its cells are rolled up",
    ),
    query(
        "stat",
        {"type": "string"},
        "Statistics with commas between them (mean,max,fraction_11), or all; default: mean, or "
        "majority where there is no mean",
    ),
    query("band", {"type": "integer", "minimum": 1}, "Number of the band; default: the first"),
    query(
        "bbox",
        {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4},
        "Cells whose centre is in this box: west, south, east, north in degrees; west > east "
        "crosses the antimeridian",
        style="form",
        explode=False,
    ),
    query(
        "iso3", {"type": "string", "pattern": "^[A-Z]{3}$"}, "Cells whose centre is in a country"
    ),
    query(
        "cell",
        {"type": "string", "pattern": "^[0-9a-fA-F]{15,16}$"},
        "This cell, or with a finer `resolution` the cells below it",
    ),
    query("format", {"type": "string", "enum": list(_FORMATS), "default": "json"}),
    query(
        "geometry",
        {"type": "boolean", "default": False},
        "Whether a Parquet file has the cells' polygons too, which makes it GeoParquet",
    ),
    query(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": _FILE.most},
        f"Cells of an answer, {_DOCUMENT.usual:,} by default and {_DOCUMENT.most:,} at most; of a "
        f"Parquet file {_FILE.usual:,} and {_FILE.most:,}, with geometry "
        f"{_FILE_WITH_GEOMETRY.most:,}. Fewer with many statistics: an answer has room for "
        f"{_DOCUMENT.values:,} values of them, a file for {_FILE.values:,}",
    ),
    query(
        "cursor",
        {"type": "string"},
        "Where a page begins: `next` of the one before; the header Link has the whole address",
    ),
)


@bp.route(route="api/h3/datasets", methods=_READ, auth_level=_OPEN)
@documented(
    tag=_TAG, query=_DATASETS, answers={200: Answer("A page of datasets", schema=schemas.DATASETS)}
)
@public
def h3_datasets(req: func.HttpRequest) -> func.HttpResponse:
    """The datasets of statistics by H3 cells, by name."""
    _nothing_else(req, _DATASETS)
    limit = integer(req, "limit", default=datasets.DEFAULT_LIMIT, low=1, high=datasets.MAX_LIMIT)
    theme, cursor = req.params.get("theme"), req.params.get("cursor")
    listed = datasets.listing(
        base_url(req), caller(req, _OPEN), theme=theme, cursor=cursor, limit=limit
    )
    return json_response(listed, headers=_BY_CALLER)


@bp.route(route="api/h3/datasets/{dataset_id}", methods=_READ, auth_level=_OPEN)
@documented(tag=_TAG, answers={200: Answer("The dataset with its layers", schema=schemas.DATASET)})
@public
def h3_dataset(req: func.HttpRequest) -> func.HttpResponse:
    """What is known of a dataset: its layers, each of one resolution and band."""
    _nothing_else(req)
    dataset_id = req.route_params["dataset_id"]
    found = datasets.document(dataset_id, base_url(req), caller(req, _OPEN))
    return json_response(found, headers=_BY_CALLER)


@bp.route(route="api/h3/stats", methods=_READ, auth_level=_OPEN)
@documented(
    tag=_TAG,
    query=_STATS,
    answers={
        200: Answer(
            "The cells, ascending",
            schema=schemas.STATS,
            also={_GEOJSON: standards.FEATURE_COLLECTION, _PARQUET: parts.BINARY},
        ),
        304: Answer("The caller has the page (If-None-Match)", None),
    },
)
@public
def h3_stats(req: func.HttpRequest) -> func.HttpResponse:
    """The statistics of a dataset's cells, as JSON, GeoJSON or Parquet."""
    _nothing_else(req, _STATS)
    kind = _format(req)
    with reading(asking.wanted(req.params, _room(req, kind)), caller(req, _OPEN)) as page:
        headers = _headers(page, kind, flag(req, "geometry"))
        if _has(req, headers):
            return func.HttpResponse(status_code=304, headers=headers)
        body = _written(page, kind, with_geometry=flag(req, "geometry"))
    return func.HttpResponse(
        body, mimetype=_FORMATS[kind], headers={**headers, **_next_page(req, page)}
    )


def _nothing_else(
    req: func.HttpRequest, documented_parameters: Sequence[Mapping[str, Any]] = ()
) -> None:
    """Refuse unknown parameters as the features API does, with 400."""
    try:
        known_query(req, documented_parameters)
    except InvalidParameters as error:
        raise InvalidQuery(error.message, error.errors) from None


def _format(req: func.HttpRequest) -> str:
    kind: str = req.params.get("format", "json")
    if kind not in _FORMATS:
        raise bad_query("format", f"must be one of {', '.join(_FORMATS)}")
    if flag(req, "geometry") and kind != "parquet":
        raise bad_query("geometry", "is for format=parquet: GeoJSON has the polygons by itself")
    return kind


def _room(req: func.HttpRequest, kind: str) -> Room:
    if kind != "parquet":
        return _DOCUMENT
    return _FILE_WITH_GEOMETRY if flag(req, "geometry") else _FILE


def _written(page: Reading, kind: str, *, with_geometry: bool) -> bytes:
    if kind == "parquet":
        return formats.parquet_file(page, with_geometry=with_geometry)
    return formats.geojson_document(page) if kind == "geojson" else formats.json_document(page)


def _headers(page: Reading, kind: str, with_geometry: bool) -> dict[str, str]:
    restricted = page.dataset.is_restricted
    headers = {
        "ETag": f'"{page.version}-{kind}{"-geometry" if with_geometry else ""}"',
        "Cache-Control": KEPT_BY_NOBODY if restricted else _FOR_A_WHILE,
        "Access-Control-Expose-Headers": "ETag, Link",
    }
    if kind == "parquet":
        name = f"{page.dataset.dataset_id}-{page.choice.resolution}.parquet"
        headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return headers


def _next_page(req: func.HttpRequest, page: Reading) -> dict[str, str]:
    """The address of the next page, as RFC 8288 has it."""
    if page.next is None:
        return {}
    asked = {**req.params, "cursor": cursor_after(page.next)}
    if not page.dataset.is_restricted:
        # A key that it was asked with needlessly.
        asked.pop("code", None)
    return {"Link": f'<{with_query(f"{base_url(req)}/api/h3/stats", asked)}>; rel="next"'}


def _has(req: func.HttpRequest, headers: Mapping[str, str]) -> bool:
    """Whether If-None-Match names what would be sent (RFC 9110, 13.1.2)."""
    known = req.headers.get("If-None-Match", "")
    return known.strip() == "*" or headers["ETag"] in re.findall(r'"[^"]*"', known)
