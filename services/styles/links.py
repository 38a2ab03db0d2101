"""Where styles and legends are found."""

from __future__ import annotations

from urllib.parse import quote

from services.features.links import JsonObject


def of_collection(collection: str, base_url: str) -> JsonObject:
    """The addresses of what draws a collection: its default style, and its tiles."""
    name = quote(collection, safe="")
    return {
        "style": f"{base_url}/api/styles/{name}",
        "legend": f"{base_url}/api/styles/{name}/legend",
        "tilejson": f"{base_url}/api/tiles/{name}/tilejson.json",
    }


def of_style(collection: str, style_id: str, base_url: str) -> JsonObject:
    """The addresses of one style."""
    style = f"{base_url}/api/styles/{quote(collection, safe='')}/{quote(style_id, safe='')}"
    return {"self": style, "legend": f"{style}/legend"}
