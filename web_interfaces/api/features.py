"""OGC API - Features: https://docs.ogc.org/is/17-069r4/17-069r4.html (Part 1, and Part 2).

Read-only and open to everyone, except for the features of restricted tables. What it answers is
made in `services.features`.
"""

from __future__ import annotations

import azure.durable_functions as df
import azure.functions as func

from services.features import collections, items, openapi, schemas
from services.features.links import GEOJSON, JSON, OPENAPI, SCHEMA, Addresses
from services.features.parameters import nothing_else
from web_interfaces.api.callers import caller
from web_interfaces.api.cors import public
from web_interfaces.api.documentation import Answer, documented
from web_interfaces.api.http import KEPT_BY_NOBODY, base_url, json_response
from web_interfaces.api.schemas import standards
from web_interfaces.api.schemas.parts import JSON_SCHEMA, OPENAPI_DOCUMENT, Schema

bp = df.Blueprint()

_TAG = "OGC API - Features"
_OPEN = func.AuthLevel.ANONYMOUS
_READ = ["GET", "OPTIONS"]

# Each collection has its own; the document of this API alone names them.
_PROPERTIES = {
    "name": "properties",
    "in": "query",
    "style": "form",
    "explode": True,
    "schema": {"type": "object", "additionalProperties": {"type": "string"}},
    "description": "Any column of the collection's queryables and what it must equal: ?name=Oslo",
}


def _at(req: func.HttpRequest) -> Addresses:
    return Addresses(base_url(req))


def _answer(description: str, schema: Schema, media_type: str = JSON) -> dict[int, Answer]:
    return {200: Answer(description, media_type, schema)}


def _geojson(document: items.Document) -> func.HttpResponse:
    # Part 2, /req/crs/ogc-crs-header
    headers = {
        "Content-Crs": f"<{document.crs}>",
        "Access-Control-Expose-Headers": "Content-Crs",
    }
    if document.is_restricted:
        headers["Cache-Control"] = KEPT_BY_NOBODY
    return func.HttpResponse(document.text, mimetype=GEOJSON, headers=headers)


@bp.route(route="api/features", methods=_READ, auth_level=_OPEN)
@documented(tag=_TAG, answers=_answer("The landing page", standards.FEATURES_LANDING_PAGE))
@public
def features_landing_page(req: func.HttpRequest) -> func.HttpResponse:
    """Where everything is."""
    nothing_else(req.params)
    return json_response(collections.landing_page(_at(req)))


@bp.route(route="api/features/api", methods=_READ, auth_level=_OPEN)
@documented(tag=_TAG, answers=_answer("An OpenAPI 3.0 document", OPENAPI_DOCUMENT, OPENAPI))
@public
def features_definition(req: func.HttpRequest) -> func.HttpResponse:
    """These operations alone, for each collection with its own parameters."""
    nothing_else(req.params)
    return json_response(openapi.document(_at(req)), content_type=OPENAPI)


@bp.route(route="api/features/conformance", methods=_READ, auth_level=_OPEN)
@documented(tag=_TAG, answers=_answer("conformsTo", standards.CONFORMANCE))
@public
def features_conformance(req: func.HttpRequest) -> func.HttpResponse:
    """The conformance classes of this API."""
    nothing_else(req.params)
    return json_response(collections.conformance())


@bp.route(route="api/features/collections", methods=_READ, auth_level=_OPEN)
@documented(tag=_TAG, answers=_answer("All collections", standards.FEATURES_COLLECTIONS))
@public
def features_collections(req: func.HttpRequest) -> func.HttpResponse:
    """The published tables."""
    nothing_else(req.params)
    return json_response(collections.collections(_at(req)))


@bp.route(route="api/features/collections/{collection_id}", methods=_READ, auth_level=_OPEN)
@documented(tag=_TAG, answers=_answer("A collection", standards.FEATURES_COLLECTION))
@public
def features_collection(req: func.HttpRequest) -> func.HttpResponse:
    """One published table."""
    nothing_else(req.params)
    return json_response(collections.collection(req.route_params["collection_id"], _at(req)))


@bp.route(route="api/features/collections/{collection_id}/items", methods=_READ, auth_level=_OPEN)
@documented(
    tag=_TAG,
    query=[*openapi.parameters().values(), _PROPERTIES],
    answers=_answer("A page of features", standards.FEATURES, GEOJSON),
)
@public
def features_items(req: func.HttpRequest) -> func.HttpResponse:
    """The features of a table, by id."""
    collection = req.route_params["collection_id"]
    return _geojson(items.items(collection, req.params, _at(req), caller(req, _OPEN)))


@bp.route(
    route="api/features/collections/{collection_id}/items/{feature_id}",
    methods=_READ,
    auth_level=_OPEN,
)
@documented(
    tag=_TAG,
    query=[openapi.parameters()["crs"]],
    answers=_answer("A feature", standards.FEATURE, GEOJSON),
)
@public
def features_item(req: func.HttpRequest) -> func.HttpResponse:
    """One feature."""
    collection, feature = req.route_params["collection_id"], req.route_params["feature_id"]
    return _geojson(items.item(collection, feature, req.params, _at(req), caller(req, _OPEN)))


@bp.route(
    route="api/features/collections/{collection_id}/queryables", methods=_READ, auth_level=_OPEN
)
@documented(tag=_TAG, answers=_answer("A JSON Schema", JSON_SCHEMA, SCHEMA))
@public
def features_queryables(req: func.HttpRequest) -> func.HttpResponse:
    """The properties that a request for a table's features may name."""
    nothing_else(req.params)
    schema = schemas.queryables_schema(req.route_params["collection_id"], _at(req))
    return json_response(schema, content_type=SCHEMA)


@bp.route(route="api/features/collections/{collection_id}/schema", methods=_READ, auth_level=_OPEN)
@documented(tag=_TAG, answers=_answer("A JSON Schema", JSON_SCHEMA, SCHEMA))
@public
def features_schema(req: func.HttpRequest) -> func.HttpResponse:
    """What a table's features look like."""
    nothing_else(req.params)
    schema = schemas.feature_schema(req.route_params["collection_id"], _at(req))
    return json_response(schema, content_type=SCHEMA)
