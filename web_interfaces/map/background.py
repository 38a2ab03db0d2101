"""What lies beneath the layers: our own table of countries, where it is published."""

from __future__ import annotations

from typing import Final

from core.errors import NotFound
from core.job_definition import JsonObject
from services.features.links import collection_id
from services.tiles.tables import mapped_table
from services.tiles.tilejson import tilejson

# Natural Earth's countries, as the curated dataset of that name publishes them.
_COUNTRIES: Final = "curated_admin0"


def countries() -> JsonObject | None:
    """{tiles, minzoom, maxzoom, layer, attribution} of the countries as vector tiles.

    None where they are not published, or not for everyone: then the land that comes with the app
    is drawn.
    """
    try:
        table = mapped_table(_COUNTRIES)
    except NotFound:
        return None
    if table.restricted or table.bbox is None:
        return None
    document = tilejson(collection_id(table.name), "")
    return {
        "tiles": document["tiles"],
        "minzoom": document["minzoom"],
        "maxzoom": document["maxzoom"],
        "layer": collection_id(table.name),
        "attribution": table.attribution,
    }
