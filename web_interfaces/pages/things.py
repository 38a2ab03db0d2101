"""What jobs read and publish, as pages show it: a title, where it leads, and a picture."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from core.models.lineage import Thing
from web_interfaces.pages.registry import ROOT

_KINDS = {
    "blob": "File",
    "url": "Web address",
    "table": "Table",
    "stac_collection": "Collection",
    "stac_item": "Raster",
    "h3_dataset": "H3 dataset",
    "curated_dataset": "Curated dataset",
    "report": "Report",
}


def kind_of(thing: Thing) -> str:
    """What sort of thing it is, in a word or two for people."""
    return _KINDS[thing.kind]


def title_of(thing: Thing) -> str:
    """The name of the thing, for people."""
    if thing.kind == "report":
        return "Quality report" if thing.part_of is None else f"{thing.part_of}/{thing.name}"
    if thing.kind in ("blob", "stac_item"):
        return f"{thing.part_of}/{thing.name}"
    return thing.name


def page_of(thing: Thing) -> str | None:
    """The path of the page or map that shows the thing; None where there is none in the app."""
    name = quote(thing.name, safe="")
    match thing.kind:
        case "table":
            return f"{ROOT}/vector/tables/{name}"
        case "stac_collection":
            return _map(collection=thing.name)
        case "stac_item":
            return _map(collection=thing.part_of or "", item=thing.name)
        case "h3_dataset":
            return _map(dataset=thing.name)
        case "curated_dataset":
            return f"{ROOT}/curated/{name}"
        case "report" if thing.part_of is None:
            return f"{ROOT}/vector/{name}"
        case _:
            return None


def picture_of(thing: Thing) -> str | None:
    """The path of a PNG that shows the thing; None where there is none."""
    if thing.kind != "stac_item":
        return None
    collection, item = quote(thing.part_of or "", safe=""), quote(thing.name, safe="")
    return f"/api/raster/{collection}/{item}/preview.png"


def _map(**query: str) -> str:
    return f"{ROOT}/map?{urlencode(query)}"
