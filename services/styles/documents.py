"""Styles as a map reads them, and their legends.

https://maplibre.org/maplibre-style-spec/
"""

from __future__ import annotations

import html
from collections.abc import Sequence

from infrastructure.features_repository import PublishedTable
from services.features.links import JsonObject, collection_id
from services.styles import links
from services.styles.collections import find, styled
from services.styles.model import LegendEntry, MapStyle
from services.tiles import links as tile_links
from services.tiles.tiles import DEEPEST_ZOOM

_SHOWN = ("label", "color", "kind", "outline", "radius", "description")


def style_document(collection: str, style_id: str | None, base_url: str) -> JsonObject:
    """A style, or the default one, as MapLibre style JSON with the tiles of the present version.

    Raises `NotFound`.
    """
    table, style = _found(collection, style_id)
    name = collection_id(table.name)
    return {
        "version": 8,
        "name": style.title,
        "metadata": {
            "collection": name,
            "style_id": style.style_id,
            "is_default": style.is_default,
            "description": style.description,
            "legend": entries(style.legend),
            "links": links.of_style(name, style.style_id, base_url),
        },
        "sources": {name: _source(table, base_url)},
        "layers": [{**layer, "source": name, "source-layer": name} for layer in style.layers],
    }


def legend_document(collection: str, style_id: str | None) -> JsonObject:
    """The legend of a style, or of the default one: {collection, style_id, title, entries}.

    Raises `NotFound`.
    """
    table, style = _found(collection, style_id)
    return {
        "collection": collection_id(table.name),
        "style_id": style.style_id,
        "title": style.title,
        "description": style.description,
        "attribution": table.attribution,
        "entries": entries(style.legend),
    }


def entries(legend: Sequence[LegendEntry]) -> list[LegendEntry]:
    """A legend's entries as they are shown, in their order."""
    return [{key: entry[key] for key in _SHOWN if key in entry} for entry in legend]


def _found(collection: str, style_id: str | None) -> tuple[PublishedTable, MapStyle]:
    table, styles = styled(collection)
    return table, find(styles, collection_id(table.name), style_id)


def _source(table: PublishedTable, base_url: str) -> JsonObject:
    source: JsonObject = {
        "type": "vector",
        "tiles": [tile_links.template(table, base_url)],
        "minzoom": 0,
        "maxzoom": DEEPEST_ZOOM,
    }
    if (bounds := tile_links.bounds(table)) is not None:
        source["bounds"] = list(bounds)
    if table.attribution:
        # Maps show it as HTML.
        source["attribution"] = html.escape(table.attribution)
    return source
