"""The landing page, the conformance declaration and the collections, as JSON objects."""

from __future__ import annotations

from pydantic import ValidationError

from core.errors import NotFound
from core.models.feature_table import TableName
from infrastructure import features_repository
from infrastructure.features_repository import PublishedTable
from services.features.conformance import CONFORMANCE_CLASSES
from services.features.links import (
    GEOJSON,
    JSON,
    OPENAPI,
    QUERYABLES,
    SCHEMA,
    SCHEMA_OF,
    Addresses,
    JsonObject,
    Link,
    collection_id,
    link,
)
from services.features.reference_systems import CRS84, offered, storage_crs


def table_name(text: str) -> TableName:
    """The table that a collection's id names: `parks`, or `schema.parks`. Raises `NotFound`."""
    try:
        return TableName.parse(text)
    except ValidationError:
        raise NotFound(f"There is no collection {text!r}.", code="collection_not_found") from None


def landing_page(at: Addresses) -> JsonObject:
    return {
        "title": "geoforge",
        "description": "The tables that geoforge has published, as collections of features.",
        "links": [
            link("self", at.root, JSON, title="This document"),
            link("service-desc", at.definition, OPENAPI, title="OpenAPI document"),
            link("conformance", at.conformance, JSON, title="Conformance classes"),
            link("data", at.collections, JSON, title="Collections"),
        ],
    }


def conformance() -> JsonObject:
    return {"conformsTo": list(CONFORMANCE_CLASSES)}


def collections(at: Addresses) -> JsonObject:
    """All collections: those of the schema geo first, by name."""
    tables = features_repository.published_tables()
    return {
        "links": [link("self", at.collections, JSON, title="This document")],
        "collections": [_collection(table, at) for table in tables],
    }


def collection(text: str, at: Addresses) -> JsonObject:
    """One collection by its id, or `NotFound`."""
    return _collection(features_repository.published_table(table_name(text)), at)


def _collection(table: PublishedTable, at: Addresses) -> JsonObject:
    document: JsonObject = {
        "id": collection_id(table.name),
        "title": table.title or table.name.table_name,
    }
    if table.description:
        document["description"] = table.description
    if table.attribution:
        document["attribution"] = table.attribution
    if extent := _extent(table):
        document["extent"] = extent
    document["itemType"] = "feature"
    document |= _reference_systems(table)
    document["links"] = _links(table, at)
    return document


def _extent(table: PublishedTable) -> JsonObject:
    extent: JsonObject = {}
    if table.bbox is not None:
        extent["spatial"] = {"bbox": [list(table.bbox)], "crs": CRS84}
    times = features_repository.temporal_extent(table)
    if times is not None:
        extent["temporal"] = {
            "interval": [list(times)],
            "trs": "http://www.opengis.net/def/uom/ISO-8601/0/Gregorian",
        }
    return extent


def _reference_systems(table: PublishedTable) -> JsonObject:
    geometry = table.shape.geometry
    if geometry is None:
        return {}
    return {"crs": list(offered(geometry)), "storageCrs": storage_crs(geometry)}


def _links(table: PublishedTable, at: Addresses) -> list[Link]:
    name = table.name
    return [
        link("self", at.collection(name), JSON, title="This document"),
        link("items", at.items(name), GEOJSON, title="Features"),
        link(QUERYABLES, at.queryables(name), SCHEMA, title="Queryables"),
        # Not `describedby`: GDAL would take all integers of such a schema for 32-bit ones.
        link(SCHEMA_OF, at.schema(name), SCHEMA, title="Schema of the features"),
    ]
