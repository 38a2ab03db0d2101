"""/api/interface/map: rasters of the catalog, or statistics by H3 cells, on a map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import azure.durable_functions as df
import azure.functions as func

from core.errors import GeoforgeError, InvalidParameters
from core.job_definition import JsonObject
from core.registry import registry
from services.raster.rendering import browsing, choices, published, ramps, views
from services.raster.rendering.browsing import ItemPage
from services.raster.rendering.choices import Choices
from services.raster.rendering.model import RenderStyle
from services.raster.rendering.published import PublishedRaster
from web_interfaces.api.callers import caller
from web_interfaces.map import cells
from web_interfaces.pages.registry import Page, register
from web_interfaces.pages.rendering import auth_level, page_endpoint, render

PAGE = register(
    Page(
        name="map",
        title="Map",
        description="The catalog's rasters, and statistics by H3 cells: what they are, and what "
        "their colours mean.",
        order=45,
    )
)

_ITEMS_A_PAGE = 24
# What the form calls the parameters that say how a raster is drawn.
_FIELDS = {
    "bidx": "The band",
    "rescale": "The range of values",
    "colormap": "The ramp of colours",
}
_CHOICES = ("asset", *_FIELDS)
_JOB_TYPES = ("process_raster", "process_raster_collection", "ingest_collection")
_JOB_TYPES_OF_CELLS = ("h3_raster_aggregation",)

# What people call the types; others are called as they are named.
_KINDS = {
    "rgb": "Colour picture (RGB)",
    "rgba": "Colour picture (RGBA)",
    "nir": "Picture with near infrared",
    "dem": "Elevation (DEM)",
    "sar": "Radar (SAR)",
    "unknown": "Not known",
}

bp = df.Blueprint()


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


@bp.route(route="api/interface/map", methods=["GET"], auth_level=auth_level())
@page_endpoint
def map_page(req: func.HttpRequest) -> func.HttpResponse:
    """Rasters, or with ?show=h3 or ?dataset= statistics by cells.

    ?collection= and ?item= choose the raster, ?page= is the cursor of the items. ?asset=, ?bidx=,
    ?rescale= and ?colormap= say how it is drawn, as the API has them. ?stat= and ?band= choose
    what of a dataset is shown.
    """
    if req.params.get("show") == "h3" or req.params.get("dataset"):
        types = [each for each in registry if each.name in _JOB_TYPES_OF_CELLS]
        return render(req, "map/cells.html", page=PAGE, job_types=types, **cells.context(req))
    known = browsing.collections()
    collection = req.params.get("collection") or (known[0][0] if known else None)
    context: dict[str, Any] = {
        "collections": known,
        "collection": collection,
        "page_token": req.params.get("page") or None,
        "job_types": [each for each in registry if each.name in _JOB_TYPES],
        "ramps": [name for name in ramps.NAMES if not name.endswith("_r")],
        "item": None,
        "items": None,
        "shown": None,
        "trouble": None,
    }
    if collection is not None:
        items = browsing.items(
            collection, limit=_ITEMS_A_PAGE, token=req.params.get("page") or None
        )
        item = req.params.get("item") or _first(items)
        context |= {"items": items, "item": item}
        if item is not None:
            context |= _shown(req, collection, item)
    return render(req, "map/page.html", page=PAGE, **context)


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
