"""The map of a raster of the catalog, and the items to choose from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import azure.functions as func

from core.errors import GeoforgeError, InvalidParameters
from core.job_definition import JsonObject
from services.raster.rendering import browsing, choices, published, ramps, views
from services.raster.rendering.browsing import ItemPage
from services.raster.rendering.choices import Choices
from services.raster.rendering.model import RenderStyle
from services.raster.rendering.published import PublishedRaster
from web_interfaces.api.callers import caller
from web_interfaces.pages.rendering import auth_level

_ITEMS_A_PAGE = 24
# What the form calls the parameters that say how a raster is drawn.
_FIELDS = {
    "bidx": "The band",
    "rescale": "The range of values",
    "colormap": "The ramp of colours",
}
_CHOICES = ("asset", *_FIELDS)

# What people call the types; others are called as they are named.
_KINDS = {
    "rgb": "Colour picture (RGB)",
    "rgba": "Colour picture (RGBA)",
    "nir": "Picture with near infrared",
    "dem": "Elevation (DEM)",
    "sar": "Radar (SAR)",
    "unknown": "Not known",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """The raster that the page shows. `info` is what the API tells of it, `choices` are the
    parameters that say how it is drawn: those that were `typed`, unless `faults` (by the name of
    the parameter) say what is wrong with these."""

    raster: PublishedRaster
    info: JsonObject
    assets: tuple[str, ...]
    choices: Mapping[str, str]
    typed: Mapping[str, str]
    faults: Mapping[str, str]

    @property
    def query(self) -> str:
        """The choices as a query string, for pictures of this version."""
        return urlencode({**self.choices, "v": self.info["version"]})

    @property
    def address(self) -> str:
        """Where the API has the raster."""
        return views.address(self.raster, "")

    @property
    def job_id(self) -> str | None:
        """The job that published it, where geoforge did."""
        job_id = self.raster.item["properties"].get("geoforge:job_id")
        return job_id if isinstance(job_id, str) else None

    @property
    def days(self) -> str:
        """When it was taken."""
        return browsing.days(self.raster.item) or "unknown"

    @property
    def kind(self) -> str:
        """What the raster is, in words."""
        name: str = self.info["subtype"] or self.info["type"]
        return _KINDS.get(name, name.replace("_", " ").capitalize())

    @property
    def asset(self) -> str | None:
        """The asset that was asked for by its key."""
        return self.choices.get("asset")

    @property
    def is_drawing_typed(self) -> bool:
        """Whether it was asked to be drawn otherwise than by itself."""
        return bool(self.typed.keys() - {"asset"})


def context(req: func.HttpRequest) -> dict[str, Any]:
    """What the template needs: ?collection= and ?item= choose the raster, ?page= is the cursor of
    the items. ?asset=, ?bidx=, ?rescale= and ?colormap= say how it is drawn, as the API has them.
    """
    known = browsing.collections()
    collection = req.params.get("collection") or (known[0][0] if known else None)
    token = req.params.get("page") or None
    found: dict[str, Any] = {
        "collections": known,
        "collection": collection,
        "page_token": token,
        "ramps": [name for name in ramps.NAMES if not name.endswith("_r")],
        "item": None,
        "items": None,
        "shown": None,
        "trouble": None,
    }
    if collection is not None:
        items = browsing.items(collection, limit=_ITEMS_A_PAGE, token=token)
        item = req.params.get("item") or _first(items)
        found |= {"items": items, "item": item}
        if item is not None:
            found |= _shown(req, collection, item)
    return found


def _first(items: ItemPage) -> str | None:
    """The latest item that can be drawn."""
    return next((each.item_id for each in items.items if each.assets), None)


def _shown(req: func.HttpRequest, collection: str, item: str) -> dict[str, Any]:
    """The raster, or why there is none to see: the rest of the page stays."""
    typed = {name: req.params[name] for name in _CHOICES if req.params.get(name)}
    asset = typed.get("asset")
    try:
        raster = published.find(collection, item, asset, caller=caller(req, auth_level()))
        style, faults = _style(raster, typed)
        info = views.info(raster, style, "")
    except GeoforgeError as error:
        return {"trouble": error}
    # What cannot be drawn as it is wanted is drawn as it is by itself.
    drawn = typed if not faults else {"asset": asset} if asset is not None else {}
    assets = browsing.raster_assets(raster.item)
    return {"shown": Shown(raster, info, assets, drawn, typed, faults)}


def _style(raster: PublishedRaster, typed: Mapping[str, str]) -> tuple[RenderStyle, dict[str, str]]:
    """How the raster is drawn, and what is wrong with what was typed: then it is the usual way."""
    try:
        return views.style_of(raster, choices.parse(typed)), {}
    except InvalidParameters as refused:
        names = [str(each["loc"][-1]) for each in refused.errors]
        faults = {
            name: f"{_FIELDS[name]} {each['msg']}."
            for name, each in zip(names, refused.errors, strict=True)
        }
        return views.style_of(raster, Choices()), faults
