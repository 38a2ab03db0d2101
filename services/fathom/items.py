"""The STAC Items of stacks and of merged rasters of flood depths."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from core.job_definition import JsonObject
from services.fathom.model import BANDS, UNIT, WATER, Built, band_name
from services.fathom.names import RETURN_PERIODS, USUAL_PERCENTILE, USUAL_RESOLUTION, FathomMap
from services.fathom.skipping import PRESENT, SOURCES_DIGEST
from services.fathom.wanted import Wanted
from services.raster import items as raster_items
from services.raster.files import Made
from services.raster.items import Origin, StoredFiles
from services.raster.model import Candidate, Caveat, Inference, RasterType, Subtype, Survey
from services.raster.rendering.model import RenderStyle
from services.raster.rendering.published import RESTRICTED
from services.raster.time_texts import years
from services.raster.times import ItemTime

MISSING = "fathom:missing_return_periods"
TILE, CELL = "fathom:tile", "fathom:grid_cell"

# The band that pictures show, and the depths (cm) that are drawn palest and deepest in all of
# them, so that tiles side by side look alike.
_SHOWN = BANDS.index("1in100")
_DRAWN = (0.0, 300.0)
_RAMP = "blues"
_FILENAME = "filename"


def make_item(
    cog: Wanted,
    collection_id: str,
    built: Built,
    made: Made,
    stored: StoredFiles,
    *,
    job_id: str,
    source_collection_id: str | None = None,
    predecessor: JsonObject | None = None,
) -> JsonObject:
    """The Item of one COG as pgSTAC gets it.

    `source_collection_id` is the collection of the stacks that a merged one is made of;
    `predecessor` the Item that the catalog holds under this id.
    """
    survey = Survey(facts=built.facts, inference=_declared(built), statistics=())
    item = raster_items.make_item(
        item_id=cog.item_id,
        collection_id=collection_id,
        survey=survey,
        description=made.description,
        when=_year(cog.map.year),
        files=stored,
        origin=Origin(job_id=job_id, at=datetime.now(UTC), container="", path=""),
        style=made.style.model_dump(mode="json"),
        verification=made.verification,
        predecessor=predecessor,
    )
    item["properties"] |= {
        "title": _title(cog),
        **_map_properties(cog.map),
        **_content_properties(cog, built),
        raster_items.SOURCE: _source(cog, source_collection_id),
        SOURCES_DIGEST: cog.digest,
    }
    item["assets"][raster_items.DATA] |= {"title": "Flood depths by return period, as a COG"}
    _name_bands(item["assets"][raster_items.DATA])
    if source_collection_id is not None:
        item["links"] += _derived_from(cog, source_collection_id)
    return item


def style(built: Built) -> RenderStyle:
    """How flood depths are drawn: those of once in 100 years or, without a map of them, of the
    return period nearest to it. What is marked as water is drawn as the deepest."""
    places = [BANDS.index(name) for name in built.present]
    shown = min(places, key=lambda place: abs(place - _SHOWN))
    title = f"Flood depth, {BANDS[shown]}"
    common: dict[str, Any] = {"rescale": (_DRAWN,), "colormap_name": _RAMP, "resampling": "nearest"}
    if not built.depths.water[shown]:
        return RenderStyle(title=title, bidx=(shown + 1,), **common)
    band = f"b{shown + 1}"
    expression = f"where({band}=={WATER},{_DRAWN[1]:g},{band})"
    return RenderStyle(title=f"{title} ({UNIT})", expression=expression, **common)


def _declared(built: Built) -> Inference:
    """What the rasters are: FATHOM's names say it, nothing is guessed."""
    kind, subtype = RasterType.CONTINUOUS, Subtype.DEPTH
    return Inference(
        type=kind,
        subtype=subtype,
        confidence=1.0,
        candidates=(Candidate(type=kind, subtype=subtype, probability=1.0),),
        evidence=(),
        warnings=tuple(_caveats(built)),
    )


def _caveats(built: Built) -> Iterator[Caveat]:
    depths = built.depths
    shallower = sum(each.pixels for each in depths.shallower)
    if shallower:
        yield Caveat(
            code="shallower_when_rarer",
            message=f"In {shallower:,} pixels of a band the flood of a longer return period is "
            "shallower than the one before it; fathom:monotonic says in which bands.",
        )
    if any(depths.water):
        yield Caveat(
            code="water_is_marked",
            message=f"Pixels of permanent water have the value {WATER}, which is no depth and is "
            "not declared as nodata: leave it out of any computation. Statistics here do.",
        )
    if not built.nodata_declared:
        yield Caveat(
            code="nodata_not_declared",
            message=f"The sources declare no value of pixels without data: it is {built.nodata}, "
            "as in all of FATHOM's maps.",
        )
    if built.seams:
        yield Caveat(
            code="seams_differ",
            message=f"In {built.seams:,} pixels of a band where tiles lie over each other they "
            "differ; the pixel is that of the first.",
        )


def _year(year: int) -> ItemTime:
    span = years(year, year)
    return ItemTime(nominal=span.nominal, start=span.first, end=span.last, source=_FILENAME)


def _title(cog: Wanted) -> str:
    of = cog.map
    words = [of.flood_type, of.defence, str(of.year), *([of.ssp.upper()] if of.ssp else [])]
    return f"FATHOM flood depths, {', '.join(words)}, {cog.cell or cog.tiles[0]}"


def _map_properties(of: FathomMap) -> JsonObject:
    """What the map is; what is as usual is not said."""
    properties: JsonObject = {
        "fathom:flood_type": of.flood_type,
        "fathom:defence": of.defence,
        "fathom:year": of.year,
    }
    if of.ssp is not None:
        properties["fathom:ssp"] = of.ssp
    if of.resolution != USUAL_RESOLUTION:
        properties["fathom:resolution"] = of.resolution
    if of.percentile != USUAL_PERCENTILE:
        properties["fathom:percentile"] = of.percentile
    if of.version is not None:
        properties["fathom:version"] = of.version
    return properties


def _content_properties(cog: Wanted, built: Built) -> JsonObject:
    depths = built.depths
    absent = [years for years in RETURN_PERIODS if band_name(years) in cog.missing]
    pairs = [each for each in depths.shallower if each.pixels]
    properties: JsonObject = {
        PRESENT: [each for each in RETURN_PERIODS if each not in absent],
        MISSING: absent,
        "fathom:monotonic": {
            "is_monotonic": not pairs,
            "shallower_pixels": sum(each.pixels for each in pairs),
            "pairs": [
                {
                    "shorter": each.shorter,
                    "longer": each.longer,
                    "pixels": each.pixels,
                    "largest_cm": each.largest,
                }
                for each in pairs
            ],
        },
    }
    if any(depths.water):
        properties["fathom:water"] = {"value": WATER, "pixels": max(depths.water)}
        properties[raster_items.EXCLUDED_VALUES] = [WATER]
    if cog.is_restricted:
        properties[RESTRICTED] = True
    if cog.cell is None:
        return properties | {TILE: cog.tiles[0]}
    return properties | {CELL: cog.cell, "fathom:tiles": list(cog.tiles)}


def _source(cog: Wanted, source_collection_id: str | None) -> JsonObject:
    if source_collection_id is not None:
        return {"collection": source_collection_id}
    return {
        "container": cog.sources[0].container,
        "blobs": {each.role: each.path for each in cog.sources},
    }


def _derived_from(cog: Wanted, source_collection_id: str) -> list[JsonObject]:
    collection = f"/api/stac/collections/{quote(source_collection_id, safe='')}"
    return [
        {
            "rel": "derived_from",
            "type": "application/geo+json",
            "href": f"{collection}/items/{quote(each.role, safe='')}",
        }
        for each in cog.sources
    ]


def _name_bands(asset: JsonObject) -> None:
    """Bands by the names that FATHOM's return periods have."""
    for band, name, period in zip(asset["bands"], BANDS, RETURN_PERIODS, strict=True):
        band["name"] = name
        band["description"] = f"Depth of the flood that comes once in {period} years"


def map_of(item: JsonObject) -> FathomMap | None:
    """The map that an Item of a stack is of; None for an Item that is no stack."""
    properties = item["properties"]
    if TILE not in properties or MISSING not in properties:
        return None
    known = {name: properties.get(f"fathom:{name}") for name in FathomMap.model_fields}
    return FathomMap.model_validate({k: v for k, v in known.items() if v is not None})
