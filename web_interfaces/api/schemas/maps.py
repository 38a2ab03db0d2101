"""Styles, legends and TileJSON."""

from __future__ import annotations

from typing import Final

from web_interfaces.api.schemas.parts import (
    ANYTHING,
    BBOX,
    COUNT,
    FLAG,
    LINKS,
    NUMBER,
    TEXT,
    Schema,
    an_object,
    list_of,
    map_of,
    or_null,
    page_of,
    with_more,
)

_STYLE_OF_A_LIST: Final = an_object(
    style_id=TEXT, title=TEXT, description=or_null(TEXT), is_default=FLAG, links=LINKS
)
STYLES: Final = page_of(
    "collections",
    an_object(collection=TEXT, title=TEXT, styles=list_of(_STYLE_OF_A_LIST), links=LINKS),
)
KEPT_STYLE: Final = with_more(_STYLE_OF_A_LIST, collection=TEXT)

_ENTRY: Final = an_object(label=TEXT, color=TEXT, kind=TEXT)
LEGEND: Final = an_object(
    collection=TEXT,
    style_id=TEXT,
    title=TEXT,
    description=or_null(TEXT),
    attribution=or_null(TEXT),
    entries=list_of(_ENTRY),
)

MAPLIBRE_STYLE: Final[Schema] = {
    **an_object(
        version={"const": 8},
        name=TEXT,
        metadata=an_object(
            collection=TEXT, style_id=TEXT, is_default=FLAG, legend=list_of(_ENTRY), links=LINKS
        ),
        sources=map_of(an_object(type=TEXT, tiles=list_of(TEXT))),
        layers=list_of(an_object(id=TEXT, type=TEXT)),
    ),
    "externalDocs": {"url": "https://maplibre.org/maplibre-style-spec/"},
}

TILEJSON: Final[Schema] = {
    **an_object(
        tilejson={"const": "3.0.0"},
        name=TEXT,
        scheme={"const": "xyz"},
        tiles=list_of(TEXT),
        minzoom=COUNT,
        maxzoom=COUNT,
        bounds=BBOX,
        vector_layers=list_of(ANYTHING),
    ),
    "externalDocs": {"url": "https://github.com/mapbox/tilejson-spec/tree/master/3.0.0"},
}

RASTER_INFO: Final = an_object(
    collection=TEXT,
    item=TEXT,
    asset=TEXT,
    version=TEXT,
    type=TEXT,
    subtype=or_null(TEXT),
    confidence=or_null(NUMBER),
    overridden=FLAG,
    warnings={"type": "array"},
    width=COUNT,
    height=COUNT,
    crs=or_null(TEXT),
    bytes=COUNT,
    bounds=or_null(BBOX),
    tile_bounds=or_null(BBOX),
    minzoom=or_null(COUNT),
    maxzoom=or_null(COUNT),
    bands=list_of(
        an_object(
            number=COUNT,
            dtype=TEXT,
            colour=or_null(TEXT),
            description=or_null(TEXT),
            unit=or_null(TEXT),
            scale=NUMBER,
            offset=NUMBER,
        )
    ),
    style=an_object(title=TEXT, assets=list_of(TEXT)),
    legend=an_object(title=TEXT),
    links=LINKS,
)

RASTER_VALUES: Final = an_object(
    longitude=NUMBER,
    latitude=NUMBER,
    inside=FLAG,
    bands=list_of(
        an_object(
            **{
                "band": COUNT,
                "description": or_null(TEXT),
                "stored": or_null(NUMBER),
                "value": or_null(NUMBER),
                "unit": or_null(TEXT),
                "class": or_null(TEXT),
            }
        )
    ),
)

INSPECTED: Final = an_object(
    type=TEXT,
    subtype=or_null(TEXT),
    confidence=NUMBER,
    candidates=list_of(an_object(type=TEXT, probability=NUMBER)),
    evidence=list_of(an_object(name=TEXT)),
    warnings=list_of(an_object(code=TEXT, message=TEXT)),
    refusal=or_null(an_object(code=TEXT, message=TEXT)),
    facts=ANYTHING,
    statistics=list_of(ANYTHING),
    files=list_of(TEXT),
    bytes=COUNT,
)
