"""The addresses of the API's resources, its media types, and links."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from core.models.feature_table import TableName

JsonObject = dict[str, Any]
Link = dict[str, Any]

JSON = "application/json"
GEOJSON = "application/geo+json"
SCHEMA = "application/schema+json"
OPENAPI = "application/vnd.oai.openapi+json;version=3.0"

SCHEMA_OF = "http://www.opengis.net/def/rel/ogc/1.0/schema"
QUERYABLES = "http://www.opengis.net/def/rel/ogc/1.0/queryables"

_DEFAULT_SCHEMA = TableName(table_name="any").schema_name


def link(rel: str, href: str, media_type: str, **more: Any) -> Link:
    return {"rel": rel, "type": media_type, "href": href, **more}


def collection_id(name: TableName) -> str:
    """`parks` for a table of the schema geo, `schema.parks` for others."""
    return name.table_name if name.schema_name == _DEFAULT_SCHEMA else str(name)


def with_query(href: str, query: Mapping[str, str]) -> str:
    """The address with a query string."""
    return f"{href}?{urlencode(query)}" if query else href


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the resources are. `base` is the app's address, without a trailing slash."""

    base: str

    @property
    def root(self) -> str:
        return f"{self.base}/api/features"

    @property
    def definition(self) -> str:
        return f"{self.root}/api"

    @property
    def conformance(self) -> str:
        return f"{self.root}/conformance"

    @property
    def collections(self) -> str:
        return f"{self.root}/collections"

    def collection(self, name: TableName) -> str:
        return f"{self.collections}/{quote(collection_id(name), safe='')}"

    def items(self, name: TableName) -> str:
        return f"{self.collection(name)}/items"

    def item(self, name: TableName, feature_id: int) -> str:
        return f"{self.items(name)}/{feature_id}"

    def queryables(self, name: TableName) -> str:
        return f"{self.collection(name)}/queryables"

    def schema(self, name: TableName) -> str:
        return f"{self.collection(name)}/schema"
