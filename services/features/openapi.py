"""The OpenAPI 3.0 document of this API alone, with each collection's own paths.

OGC API - Features asks for version 3.0. Clients read from it which properties they may filter
by (GDAL does) and how long a page may be. The app's whole API is in /api/openapi.json.
"""

from __future__ import annotations

from typing import Any

from core.models.feature_table import Column, ColumnType
from infrastructure import features_repository
from infrastructure.features_repository import PublishedTable
from services.features.links import (
    GEOJSON,
    JSON,
    SCHEMA,
    Addresses,
    JsonObject,
    collection_id,
)
from services.features.parameters import DEFAULT_LIMIT, MAX_LIMIT, queryables
from services.features.reference_systems import CRS84
from services.features.schemas import parameter_schema

VERSION = "1.0.0"


def parameters() -> dict[str, JsonObject]:
    """The parameters that the items of every collection take, as OpenAPI has them."""
    return {
        "bbox": _query(
            "bbox",
            {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 6},
            "west, south, east, north in degrees, or with heights: west, south, lowest, east, "
            "north, highest; west > east crosses the antimeridian",
            explode=False,
        ),
        "bbox-crs": _query(
            "bbox-crs",
            {"type": "string", "format": "uri", "default": CRS84},
            "CRS of bbox: one of the collection's",
        ),
        "crs": _query(
            "crs",
            {"type": "string", "format": "uri", "default": CRS84},
            "CRS of the features' coordinates: one of the collection's",
        ),
        "datetime": _query(
            "datetime",
            {"type": "string"},
            "RFC 3339 date-time, or start/end where one end may be '..'",
            explode=False,
        ),
        "limit": _query(
            "limit",
            {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
            f"Features on a page; above {MAX_LIMIT:,} it counts as {MAX_LIMIT:,}",
            explode=False,
        ),
        "cursor": _query("cursor", {"type": "string"}, "Where a page begins; out of a next link"),
    }


def _query(name: str, schema: JsonObject, description: str, **more: Any) -> JsonObject:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "schema": schema,
        "description": description,
        "style": "form",
        **more,
    }


def document(at: Addresses) -> JsonObject:
    """The document, of what is published now."""
    paths = {
        "/": _get("landingPage", "The landing page", "Capabilities"),
        "/api": _get("apiDefinition", "This document", "Capabilities"),
        "/conformance": _get("conformance", "The conformance classes", "Capabilities"),
        "/collections": _get("collections", "The collections", "Capabilities"),
    }
    for table in features_repository.published_tables():
        paths |= _paths(table)
    return {
        "openapi": "3.0.3",
        "info": {
            "title": "geoforge: features",
            "version": VERSION,
            "description": "Published tables as OGC API - Features.",
        },
        "servers": [{"url": at.root}],
        "tags": [{"name": "Capabilities"}, {"name": "Data"}],
        "paths": paths,
        "components": {
            "parameters": {
                **parameters(),
                "featureId": {
                    "name": "featureId",
                    "in": "path",
                    "required": True,
                    "schema": {"type": "integer", "format": "int64"},
                },
            },
            "responses": {"Problem": _PROBLEM},
        },
    }


_PROBLEM: JsonObject = {
    "description": "What went wrong (RFC 9457)",
    "content": {
        "application/problem+json": {
            "schema": {
                "type": "object",
                "required": ["type", "title", "status", "code", "detail"],
                "properties": {
                    "type": {"type": "string", "format": "uri"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            }
        }
    },
}


def _get(
    operation: str,
    summary: str,
    tag: str,
    *,
    media_type: str = JSON,
    parameters: list[JsonObject] | None = None,
    problems: tuple[int, ...] = (400, 500, 503),
) -> JsonObject:
    responses: JsonObject = {
        "200": {"description": summary, "content": {media_type: {"schema": {"type": "object"}}}}
    }
    for status in problems:
        responses[str(status)] = {"$ref": "#/components/responses/Problem"}
    return {
        "get": {
            "operationId": operation,
            "summary": summary,
            "tags": [tag],
            "parameters": parameters or [],
            "responses": responses,
        }
    }


def _asks(column: Column) -> str:
    if column.type is ColumnType.TEXT_ARRAY:
        return f"Features among whose {column.name} this is"
    return f"Features whose {column.name} is this"


def _paths(table: PublishedTable) -> JsonObject:
    name = collection_id(table.name)
    path, title = f"/collections/{name}", table.title or name
    shared = [{"$ref": f"#/components/parameters/{each}"} for each in parameters()]
    own = [
        _query(column.name, parameter_schema(column), _asks(column)) for column in queryables(table)
    ]
    missing = (400, 404, 500, 503)
    refused = (400, 403, 404, 500, 503)
    return {
        path: _get(f"{name}.collection", title, "Data", problems=missing),
        f"{path}/items": _get(
            f"{name}.items", f"Features of {title}", "Data",
            media_type=GEOJSON, parameters=[*shared, *own], problems=refused,
        ),
        f"{path}/items/{{featureId}}": _get(
            f"{name}.item", f"One feature of {title}", "Data", media_type=GEOJSON,
            parameters=[
                {"$ref": "#/components/parameters/featureId"},
                {"$ref": "#/components/parameters/crs"},
            ],
            problems=refused,
        ),
        f"{path}/queryables": _get(
            f"{name}.queryables", f"What a request can ask of {title}", "Data",
            media_type=SCHEMA, problems=missing,
        ),
        f"{path}/schema": _get(
            f"{name}.schema", f"Schema of the features of {title}", "Data",
            media_type=SCHEMA, problems=missing,
        ),
    }  # fmt: skip
