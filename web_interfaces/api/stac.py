"""The STAC API: https://github.com/radiantearth/stac-api-spec/tree/v1.0.0

Read-only and open to everyone. What it answers is made in `services.stac`.
"""

from __future__ import annotations

from typing import Any

import azure.durable_functions as df
import azure.functions as func
from pydantic import BaseModel

from core.errors import NotFound
from services.stac import catalog
from services.stac.links import GEOJSON, JSON, SCHEMA, Addresses
from services.stac.search_parameters import (
    CollectionParameters,
    SearchParameters,
    from_body,
    from_query,
)
from services.stac.values import storable
from web_interfaces.api.cors import public
from web_interfaces.api.documentation import Answer, documented, query
from web_interfaces.api.http import base_url, json_object, json_response
from web_interfaces.api.schemas import standards
from web_interfaces.api.schemas.parts import JSON_SCHEMA, Schema

bp = df.Blueprint()

_TAG = "STAC API"
_OPEN = func.AuthLevel.ANONYMOUS
_READ = ["GET", "OPTIONS"]


def _at(req: func.HttpRequest) -> Addresses:
    return Addresses(base_url(req))


def _id(req: func.HttpRequest, name: str) -> str:
    """An id out of the route. What the database could not hold, it does not hold."""
    text: str = req.route_params[name]
    try:
        return storable(text)
    except ValueError as error:
        raise NotFound(f"There is no {name.removesuffix('_id')} {text!r}: it {error}.") from None


def _query_of(model: type[BaseModel]) -> list[dict[str, Any]]:
    """The model's fields as parameters of a query string, in STAC API's notation there."""
    parameters = []
    for name, schema in model.model_json_schema(ref_template="{model}")["properties"].items():
        choices = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
        kind, text = choices[0].get("type", "object"), schema.get("description", "")
        plain = {k: v for k, v in choices[0].items() if k not in ("description", "title")}
        if name in ("sortby", "fields"):
            plain = {"type": "string"}
            text += "; comma-separated, '-' before a name to turn it around"
            parameters.append(query(name, plain, text))
        elif kind == "object":
            content = {"application/json": {"schema": {"type": "object"}}}
            parameters.append({"name": name, "in": "query", "content": content,
                               "description": text})  # fmt: skip
        elif kind == "array":
            parameters.append(query(name, plain, text, style="form", explode=False))
        else:
            parameters.append(query(name, plain, text))
    return parameters


def _answer(description: str, schema: Schema, media_type: str = JSON) -> dict[int, Answer]:
    return {200: Answer(description, media_type, schema)}


@bp.route(route="api/stac", methods=_READ, auth_level=_OPEN)
@documented(tag=_TAG, answers=_answer("A STAC Catalog", standards.STAC_CATALOG))
@public
def stac_landing_page(req: func.HttpRequest) -> func.HttpResponse:
    """The root catalog."""
    return json_response(catalog.landing_page(_at(req)))


@bp.route(route="api/stac/conformance", methods=_READ, auth_level=_OPEN)
@documented(tag=_TAG, answers=_answer("conformsTo", standards.CONFORMANCE))
@public
def stac_conformance(req: func.HttpRequest) -> func.HttpResponse:
    """The conformance classes of this API."""
    return json_response(catalog.conformance())


@bp.route(route="api/stac/collections", methods=_READ, auth_level=_OPEN)
@documented(
    tag=_TAG,
    query=_query_of(CollectionParameters),
    answers=_answer("A page of collections", standards.STAC_COLLECTIONS),
)
@public
def stac_collections(req: func.HttpRequest) -> func.HttpResponse:
    """The collections, by id."""
    parameters = from_query(CollectionParameters, req.params)
    return json_response(catalog.collections(parameters, _at(req), req.params))


@bp.route(route="api/stac/collections/{collection_id}", methods=_READ, auth_level=_OPEN)
@documented(tag=_TAG, answers=_answer("A STAC Collection", standards.STAC_COLLECTION))
@public
def stac_collection(req: func.HttpRequest) -> func.HttpResponse:
    """One collection."""
    return json_response(catalog.collection(_id(req, "collection_id"), _at(req)))


@bp.route(route="api/stac/collections/{collection_id}/items", methods=_READ, auth_level=_OPEN)
@documented(
    tag=_TAG,
    query=_query_of(SearchParameters),
    answers=_answer("A page of items", standards.STAC_ITEMS, GEOJSON),
)
@public
def stac_items(req: func.HttpRequest) -> func.HttpResponse:
    """The items of a collection."""
    parameters = from_query(SearchParameters, req.params)
    page = catalog.items(_id(req, "collection_id"), parameters, _at(req), req.params)
    return json_response(page, content_type=GEOJSON)


@bp.route(
    route="api/stac/collections/{collection_id}/items/{item_id}", methods=_READ, auth_level=_OPEN
)
@documented(tag=_TAG, answers=_answer("A STAC Item", standards.STAC_ITEM, GEOJSON))
@public
def stac_item(req: func.HttpRequest) -> func.HttpResponse:
    """One item."""
    item = catalog.item(_id(req, "collection_id"), _id(req, "item_id"), _at(req))
    return json_response(item, content_type=GEOJSON)


@bp.route(route="api/stac/search", methods=_READ, auth_level=_OPEN)
@documented(
    tag=_TAG,
    query=_query_of(SearchParameters),
    answers=_answer("A page of items", standards.STAC_ITEMS, GEOJSON),
)
@public
def stac_search(req: func.HttpRequest) -> func.HttpResponse:
    """Search the items of all collections."""
    parameters = from_query(SearchParameters, req.params)
    return json_response(catalog.search(parameters, _at(req), req.params), content_type=GEOJSON)


@bp.route(route="api/stac/search", methods=["POST"], auth_level=_OPEN)
@documented(
    tag=_TAG,
    body=SearchParameters,
    answers=_answer("A page of items", standards.STAC_ITEMS, GEOJSON),
)
@public
def stac_search_by_body(req: func.HttpRequest) -> func.HttpResponse:
    """Search the items of all collections, with the parameters as JSON."""
    parameters = from_body(SearchParameters, json_object(req))
    return json_response(catalog.search(parameters, _at(req), None), content_type=GEOJSON)


@bp.route(route="api/stac/queryables", methods=_READ, auth_level=_OPEN)
@documented(tag=_TAG, answers=_answer("A JSON Schema", JSON_SCHEMA, SCHEMA))
@public
def stac_queryables(req: func.HttpRequest) -> func.HttpResponse:
    """The properties that a filter may name."""
    return json_response(catalog.queryables(_at(req)), content_type=SCHEMA)


@bp.route(route="api/stac/collections/{collection_id}/queryables", methods=_READ, auth_level=_OPEN)
@documented(tag=_TAG, answers=_answer("A JSON Schema", JSON_SCHEMA, SCHEMA))
@public
def stac_collection_queryables(req: func.HttpRequest) -> func.HttpResponse:
    """The properties that a filter on one collection may name."""
    schema = catalog.queryables(_at(req), _id(req, "collection_id"))
    return json_response(schema, content_type=SCHEMA)
