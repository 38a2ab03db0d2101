"""GeoJSON, OGC API Features and STAC: the parts of those standards that every answer has.

RFC 7946, https://docs.ogc.org/is/17-069r4/17-069r4.html and https://github.com/radiantearth/stac-spec
"""

from __future__ import annotations

from typing import Final

from web_interfaces.api.schemas.parts import (
    ANYTHING,
    BBOX,
    COUNT,
    TEXT,
    TIME,
    Schema,
    an_object,
    list_of,
    map_of,
    or_null,
    with_more,
)

_LINKS: Final = list_of(an_object(rel=TEXT, href=TEXT))
_CRS: Final[Schema] = {"type": "string", "format": "uri"}

GEOMETRY: Final[Schema] = {
    "type": "object",
    "required": ["type"],
    "properties": {
        "type": {
            "type": "string",
            "enum": [
                "Point",
                "MultiPoint",
                "LineString",
                "MultiLineString",
                "Polygon",
                "MultiPolygon",
                "GeometryCollection",
            ],
        },
        "coordinates": {"type": "array"},
        "geometries": {"type": "array"},
    },
}
_FEATURE: Final = an_object(
    type={"const": "Feature"}, geometry=or_null(GEOMETRY), properties=or_null(ANYTHING)
)
FEATURE_COLLECTION: Final = an_object(
    type={"const": "FeatureCollection"}, features=list_of(_FEATURE)
)

CONFORMANCE: Final = an_object(conformsTo=list_of(_CRS))

FEATURES_LANDING_PAGE: Final = an_object(title=TEXT, description=TEXT, links=_LINKS)
FEATURES_COLLECTION: Final = an_object(
    id=TEXT,
    title=TEXT,
    itemType={"const": "feature"},
    crs=list_of(_CRS),
    links=_LINKS,
)
FEATURES_COLLECTIONS: Final = an_object(links=_LINKS, collections=list_of(FEATURES_COLLECTION))
FEATURE: Final = with_more(_FEATURE, id={"type": ["integer", "string"]}, links=_LINKS)
FEATURES: Final = with_more(FEATURE_COLLECTION, links=_LINKS, timeStamp=TIME, numberReturned=COUNT)

STAC_CATALOG: Final = an_object(
    type={"const": "Catalog"},
    id=TEXT,
    description=TEXT,
    stac_version=TEXT,
    conformsTo=list_of(_CRS),
    links=_LINKS,
)
STAC_COLLECTION: Final = an_object(
    type={"const": "Collection"},
    id=TEXT,
    description=TEXT,
    license=TEXT,
    extent=an_object(
        spatial=an_object(bbox=list_of(BBOX)),
        temporal=an_object(interval=list_of(list_of(or_null(TIME)))),
    ),
    stac_version=TEXT,
    links=_LINKS,
)
STAC_COLLECTIONS: Final = an_object(
    collections=list_of(STAC_COLLECTION), links=_LINKS, numberReturned=COUNT
)
STAC_ITEM: Final = with_more(
    _FEATURE,
    id=TEXT,
    collection=TEXT,
    stac_version=TEXT,
    assets=map_of(an_object(href=TEXT)),
    links=_LINKS,
)
# `fields` may leave any member out but these.
STAC_ITEMS: Final = an_object(
    type={"const": "FeatureCollection"},
    features=list_of(ANYTHING),
    links=_LINKS,
    numberReturned=COUNT,
)
