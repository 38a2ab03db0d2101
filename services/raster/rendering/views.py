"""What the API tells of a published raster besides its pictures: its facts, and TileJSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from core.errors import Conflict
from core.job_definition import JsonObject
from services.raster.items import RASTER_SUBTYPE, RASTER_TYPE
from services.raster.model import BandStatistics, Inference
from services.raster.rendering import choices, pictures
from services.raster.rendering.choices import Choices
from services.raster.rendering.legends import legend
from services.raster.rendering.model import RenderStyle
from services.raster.rendering.pictures import Inspected
from services.raster.rendering.published import PublishedRaster
from services.raster.rendering.styles import stretch, style_for

TILE_PIXELS = 256

# Part of every version: to be raised when the same style is drawn in another way.
_DRAWING = 1
_MOST_BANDS = 256


def style_of(raster: PublishedRaster, wanted: Choices) -> RenderStyle:
    """How the raster is drawn: as its item says, else as is usual for what it seems to be."""
    style = raster.style
    if style is None or max(style.bands) > len(pictures.inspect(raster).survey.facts.bands):
        style = usual_style(raster)
    if wanted:
        style = choices.applied(wanted, style, pictures.inspect(raster))
    return _stretched(style, raster) if style.rescale is None else style


def usual_style(raster: PublishedRaster) -> RenderStyle:
    """The style for what the raster seems to be."""
    survey = pictures.inspect(raster).survey
    inferred = survey.inference
    style = style_for(inferred.type, inferred.subtype, survey.statistics, survey.facts)
    return style.model_copy(update={"assets": (raster.asset,)})


def version(raster: PublishedRaster, style: RenderStyle) -> str:
    """A text that changes with the raster's pixels, and with how they are drawn."""
    drawn = json.dumps(style.model_dump(mode="json"), sort_keys=True)
    said = f"{_DRAWING}|{raster.blob.container}/{raster.blob.path}|{raster.blob.etag}|{drawn}"
    return hashlib.sha256(said.encode()).hexdigest()[:20]


def tilejson(
    raster: PublishedRaster, style: RenderStyle, base_url: str, query: Mapping[str, str]
) -> JsonObject:
    """TileJSON 3.0.0 of the raster's tiles; `query` is what they are asked for with.

    https://github.com/mapbox/tilejson-spec/tree/master/3.0.0
    Raises `Conflict` (no_crs) for a raster without a place on the Earth.
    """
    known = pictures.inspect(raster)
    if known.bounds is None or known.minzoom is None:
        raise Conflict(
            "The raster does not say where on the Earth it is: there are no tiles of it.",
            code="no_crs",
        )
    asked = urlencode({**query, "v": version(raster, style)})
    return {
        "tilejson": "3.0.0",
        "name": f"{raster.item_id} ({style.title})",
        "scheme": "xyz",
        "tiles": [f"{address(raster, base_url)}/tiles/{{z}}/{{x}}/{{y}}.png?{asked}"],
        "tileSize": TILE_PIXELS,
        "minzoom": known.minzoom,
        "maxzoom": known.maxzoom,
        "bounds": known.tile_bounds,
        "center": [*_centre(*known.bounds), known.minzoom],
        # Maps are drawn from vector layers as well; a raster has none.
        "vector_layers": [],
    }


def info(raster: PublishedRaster, style: RenderStyle, base_url: str) -> JsonObject:
    """What the raster is, its bands, how it is drawn and what the colours mean."""
    known = pictures.inspect(raster)
    facts = known.survey.facts
    here = address(raster, base_url)
    return {
        "collection": raster.collection_id,
        "item": raster.item_id,
        "asset": raster.asset,
        "version": version(raster, style),
        **_kind(raster, known.survey.inference),
        "width": facts.width,
        "height": facts.height,
        "crs": facts.crs,
        "bytes": raster.blob.size,
        "bounds": known.bounds,
        "tile_bounds": known.tile_bounds,
        "minzoom": known.minzoom,
        "maxzoom": known.maxzoom,
        "bands": _bands(known),
        "style": style.model_dump(mode="json"),
        "legend": legend(style, facts, known.palette, class_names(raster)).model_dump(mode="json"),
        "links": {
            "item": f"{base_url}/api/stac/collections/{quote(raster.collection_id, safe='')}"
            f"/items/{quote(raster.item_id, safe='')}",
            "preview": f"{here}/preview.png",
            "tilejson": f"{here}/tilejson.json",
        },
    }


def values_at(raster: PublishedRaster, longitude: float, latitude: float) -> JsonObject:
    """The values of all bands at a place: as stored, and as they are meant."""
    found = pictures.point(raster, longitude, latitude)
    facts, names = pictures.inspect(raster).survey.facts, class_names(raster)
    bands = [
        {
            "band": band.number,
            "description": band.description,
            "stored": stored,
            "value": None if stored is None else stored * band.scale + band.offset,
            "unit": band.unit,
            "class": names.get(stored) or _category(band.categories, stored),
        }
        for band, stored in zip(facts.bands, found["values"], strict=True)
    ]
    return {"longitude": longitude, "latitude": latitude, "inside": found["inside"], "bands": bands}


def address(raster: PublishedRaster, base_url: str) -> str:
    """Where the API has the raster."""
    collection, item = quote(raster.collection_id, safe=""), quote(raster.item_id, safe="")
    return f"{base_url}/api/raster/{collection}/{item}"


def class_names(raster: PublishedRaster) -> dict[int, str]:
    """The names of classes, as STAC's classification extension has them, by value.

    https://github.com/stac-extensions/classification
    """
    asset = raster.item["assets"][raster.asset]
    bands = [*(asset.get("bands") or []), *(asset.get("raster:bands") or [])]
    for described in [asset, *bands[:1]]:
        classes = described.get("classification:classes") if isinstance(described, dict) else None
        if isinstance(classes, list):
            return {
                each["value"]: name
                for each in classes
                if isinstance(each, dict)
                and isinstance(each.get("value"), int)
                and (name := _class_name(each)) is not None
            }
    return {}


def _stretched(style: RenderStyle, raster: PublishedRaster) -> RenderStyle:
    """The style with the contrast of the whole raster where an item names none.

    Values of more than 8 bits have to be brought into the range of a picture, and every tile in
    the same way. What has its own colours needs no contrast.
    """
    if style.colormap is not None or style.expression is not None:
        return style
    survey, numbers = pictures.inspect(raster).survey, style.bidx or (1,)
    bands = [band for band in survey.facts.bands if band.number in numbers]
    if all(band.dtype == "uint8" for band in bands):
        return style
    if len(numbers) == 1 and bands[0].palette_entries:
        return style
    by_number = {band.number: stretch(band, survey.statistics) for band in bands}
    return style.model_copy(update={"rescale": tuple(by_number[number] for number in numbers)})


def _centre(west: float, south: float, east: float, north: float) -> tuple[float, float]:
    """Longitude and latitude of the middle of a box, whose west may lie beyond its east."""
    longitude = (west + east) / 2
    if west > east:
        longitude += 180.0 if longitude <= 0 else -180.0
    return longitude, (south + north) / 2


def _class_name(described: JsonObject) -> str | None:
    """What a class is called; None where its name only repeats its value."""
    for field in ("title", "name", "description"):
        text = described.get(field)
        if isinstance(text, str) and text.strip() and text != f"class_{described['value']}":
            return text.strip()
    return None


def _kind(raster: PublishedRaster, inferred: Inference) -> JsonObject:
    """What the raster is: as its item has it, which saw the file that its COG was made of."""
    said = raster.item["properties"]
    if RASTER_TYPE in said:
        return {
            "type": said[RASTER_TYPE],
            "subtype": said.get(RASTER_SUBTYPE),
            "confidence": said.get("geoforge:confidence"),
            "overridden": said.get("geoforge:overridden", False),
            "warnings": said.get("geoforge:warnings", []),
        }
    return {
        "type": inferred.type,
        "subtype": inferred.subtype,
        "confidence": round(inferred.confidence, 4),
        "overridden": False,
        "warnings": [{"code": each.code, "message": each.message} for each in inferred.warnings],
    }


def _category(categories: tuple[str, ...], stored: float | None) -> str | None:
    if stored is None or stored != int(stored) or not 0 <= stored < len(categories):
        return None
    return categories[int(stored)] or None


def _bands(known: Inspected) -> list[JsonObject]:
    facts, statistics = known.survey.facts, known.survey.statistics
    return [
        {
            "number": band.number,
            "dtype": band.dtype,
            "nodata": band.model_dump(mode="json")["nodata"],
            "colour": band.colour,
            "description": band.description,
            "unit": band.unit,
            "scale": band.scale,
            "offset": band.offset,
            "statistics": _summary(statistics, band.number),
        }
        for band in facts.bands[:_MOST_BANDS]
    ]


def _summary(statistics: tuple[BandStatistics, ...], number: int) -> JsonObject | None:
    if number > len(statistics):
        return None
    return statistics[number - 1].model_dump(mode="json")
