"""What a collection's tiles hold: TileJSON 3.0.0.

https://github.com/mapbox/tilejson-spec/tree/master/3.0.0
"""

from __future__ import annotations

from services.features.links import JsonObject, collection_id
from services.tiles import links
from services.tiles.fields import shown, types
from services.tiles.tables import mapped_table
from services.tiles.tiles import DEEPEST_ZOOM


def tilejson(collection: str, base_url: str) -> JsonObject:
    """The TileJSON document of a collection. Raises `NotFound`."""
    table = mapped_table(collection)
    document: JsonObject = {
        "tilejson": "3.0.0",
        "name": table.title or table.name.table_name,
        "version": f"{table.version}.0.0",
        "scheme": "xyz",
        "tiles": [links.template(table, base_url)],
        "minzoom": 0,
        "maxzoom": DEEPEST_ZOOM,
        "vector_layers": [
            {
                "id": collection_id(table.name),
                "description": table.description or "",
                "minzoom": 0,
                "maxzoom": DEEPEST_ZOOM,
                "fields": types(shown(table.shape)),
            }
        ],
    }
    if table.description:
        document["description"] = table.description
    if table.attribution:
        document["attribution"] = table.attribution
    if (bounds := links.bounds(table)) is not None:
        document["bounds"] = list(bounds)
    return document
