"""The STAC Item of a published raster.

Items are of STAC 1.1 and describe bands twice: in its own `bands`, and in the fields of the
raster and eo extensions of 1.0, which most clients still read. Addresses within geoforge begin
with /api/: the STAC API puts in front where it is served.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

from services.ingest.rewriting import target_url
from services.raster.common_names import common_names
from services.raster.description import BandSummary, DescribedBand, Description
from services.raster.model import Caveat, Facts, Inference, Survey, Verification
from services.raster.rendering.model import DEFAULT
from services.raster.rendering.model import EXTENSION as RENDER_EXTENSION
from services.raster.time_texts import rfc3339
from services.raster.times import ItemTime

JsonObject = dict[str, Any]

STAC_VERSION = "1.1.0"
COG = "image/tiff; application=geotiff; profile=cloud-optimized"
PNG = "image/png"
DOCUMENT = "item.json"
DATA, THUMBNAIL, OVERVIEW = "data", "thumbnail", "overview"
PREDECESSOR = "predecessor-version"
RASTER_TYPE, RASTER_SUBTYPE = "geoforge:raster_type", "geoforge:raster_subtype"
JOB_ID = "geoforge:job_id"
DATETIME_SOURCE = "geoforge:datetime_source"

_EXTENSIONS = "https://stac-extensions.github.io/{}/schema.json"
_PROJECTION = _EXTENSIONS.format("projection/v2.0.0")
_RASTER = _EXTENSIONS.format("raster/v1.1.0")
_EO = _EXTENSIONS.format("eo/v1.1.0")
FILE_EXTENSION = _EXTENSIONS.format("file/v2.1.0")
_CLASSIFICATION = _EXTENSIONS.format("classification/v2.0.0")
_VERSION = _EXTENSIONS.format("version/v1.2.0")
_WEB_MAP_LINKS = _EXTENSIONS.format("web-map-links/v1.2.0")

# The multihash of SHA-256, https://github.com/multiformats/multicodec/blob/master/table.csv:
# its code, and a length of 32 bytes.
_SHA256 = "1220"
_VERSION_DIGITS = 12
_MAX_CANDIDATES = 3
_MAX_WARNINGS = 20
_MAX_CLASSES = 256
_DATA_TYPES = {
    "complex_int16": "cint16",
    "complex_int32": "cint32",
    "complex64": "cfloat32",
    "complex128": "cfloat64",
}
_NOT_IN_A_CLASS_NAME = re.compile(r"[^0-9A-Za-z_-]+")


@dataclass(frozen=True, slots=True)
class StoredCog:
    """The COG where it is published. `sha256` is in hexadecimal."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A PNG where it is published, its size in pixels."""

    path: str
    bytes: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class StoredFiles:
    """What of one raster lies in the target container."""

    container: str
    cog: StoredCog
    thumbnail: StoredImage | None = None
    overview: StoredImage | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a raster comes from: a blob, or an address, and the job that published it `at` that
    time."""

    job_id: str
    at: datetime
    container: str | None = None
    path: str | None = None
    url: str | None = None


def version_of(sha256: str) -> str:
    """What the version of an item is named by: the first digits of its COG's SHA-256."""
    return sha256[:_VERSION_DIGITS]


def folder(collection_id: str, item_id: str, version: str) -> str:
    """Where in the target container the files of one version of an item lie."""
    return f"{collection_id}/{item_id}/{version}"


def make_item(
    *,
    item_id: str,
    collection_id: str,
    survey: Survey,
    description: Description,
    when: ItemTime,
    files: StoredFiles,
    origin: Origin,
    style: JsonObject | None = None,
    verification: Verification | None = None,
    predecessor: JsonObject | None = None,
) -> JsonObject:
    """The Item of one raster as pgSTAC gets it.

    `style` is a Render Object, `predecessor` the Item that the catalog holds under this id: the
    new one says since when there is one, and where the version before can be read.
    """
    version = version_of(files.cog.sha256)
    data = _data_asset(files, survey, description)
    item = {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": [],
        "id": item_id,
        "collection": collection_id,
        "geometry": description.geometry,
        "bbox": list(description.bbox),
        "properties": {
            **_times(when),
            "created": _created(predecessor, origin),
            "updated": rfc3339(origin.at),
            "version": version,
            **({} if description.gsd is None else {"gsd": description.gsd}),
            **_projection(description),
            **_cloud_cover(survey.facts.tags),
            **_inferred(survey.inference),
            **_warnings((*survey.inference.warnings, *when.warnings)),
            **_provenance(origin, when),
            "geoforge:footprint": description.footprint,
            **_verified(verification),
            **({} if style is None else {"renders": {DEFAULT: style}}),
        },
        "links": [
            *_links(collection_id, item_id, origin.job_id, is_drawn=style is not None),
            *_links_to_predecessor(predecessor, version),
        ],
        "assets": {DATA: data, **_images(files)},
    }
    item["stac_extensions"] = _extensions(item)
    return item


def _times(when: ItemTime) -> JsonObject:
    times: JsonObject = {"datetime": None if when.nominal is None else rfc3339(when.nominal)}
    if when.start is not None and when.end is not None:
        times["start_datetime"] = rfc3339(when.start)
        times["end_datetime"] = rfc3339(when.end)
    return times


def _created(predecessor: JsonObject | None, origin: Origin) -> str:
    before = {} if predecessor is None else predecessor["properties"]
    return str(before.get("created") or rfc3339(origin.at))


def _projection(description: Description) -> JsonObject:
    longitude, latitude = description.centroid
    fields: JsonObject = {"proj:code": description.code}
    if description.wkt2 is not None:
        fields["proj:wkt2"] = description.wkt2
    if description.projjson is not None:
        fields["proj:projjson"] = description.projjson
    return {
        **fields,
        "proj:shape": list(description.shape),
        "proj:transform": list(description.transform),
        "proj:bbox": list(description.bounds),
        "proj:centroid": {"lat": latitude, "lon": longitude},
    }


def _cloud_cover(tags: Mapping[str, str]) -> JsonObject:
    """As GDAL's IMAGERY domain has it, https://gdal.org/en/stable/user/raster_data_model.html,
    in per cent; 999 is how some say that they do not know."""
    try:
        share = float(tags.get("CLOUDCOVER", ""))
    except ValueError:
        return {}
    return {"eo:cloud_cover": share} if 0 <= share <= 100 else {}


def _inferred(inference: Inference) -> JsonObject:
    fields: JsonObject = {
        RASTER_TYPE: inference.type.value,
        "geoforge:confidence": round(inference.confidence, 4),
        "geoforge:candidates": [
            {
                "type": each.type.value,
                **({} if each.subtype is None else {"subtype": each.subtype.value}),
                "probability": round(each.probability, 4),
            }
            for each in inference.candidates[:_MAX_CANDIDATES]
        ],
    }
    if inference.subtype is not None:
        fields[RASTER_SUBTYPE] = inference.subtype.value
    if inference.overridden:
        fields["geoforge:overridden"] = True
    if inference.conflict is not None:
        fields["geoforge:conflict"] = inference.conflict
    return fields


def _warnings(caveats: Sequence[Caveat]) -> JsonObject:
    if not caveats:
        return {}
    return {
        "geoforge:warnings": [
            {"code": each.code, "message": each.message} for each in caveats[:_MAX_WARNINGS]
        ]
    }


def _provenance(origin: Origin, when: ItemTime) -> JsonObject:
    if origin.url is not None:
        address = urlsplit(origin.url)
        # Without what a person may be known by: user, password, and signatures in the query.
        host = address.netloc.rpartition("@")[2]
        source = {"url": f"{address.scheme}://{host}{address.path}"}
    else:
        source = {"container": str(origin.container), "blob": str(origin.path)}
    return {
        "geoforge:source": source,
        JOB_ID: origin.job_id,
        DATETIME_SOURCE: when.source,
    }


def _verified(verification: Verification | None) -> JsonObject:
    if verification is None:
        return {}
    return {
        "geoforge:verification": {
            "valid_cog": verification.valid_cog,
            "exact": verification.exact,
            "largest_difference": verification.largest_difference,
            "bound": verification.bound,
        }
    }


def _links(collection_id: str, item_id: str, job_id: str, *, is_drawn: bool) -> list[JsonObject]:
    here = f"/api/raster/{quote(collection_id, safe='')}/{quote(item_id, safe='')}"
    return [
        {
            "rel": "via",
            "type": "application/json",
            "href": f"/api/jobs/{job_id}",
            "title": "The job that made it",
        },
        {
            "rel": "tilejson",
            "type": "application/json",
            "href": f"{here}/tilejson.json",
            "title": "Map tiles",
            # The render extension asks which of the item's renders the tiles show.
            **({"render": DEFAULT} if is_drawn else {}),
        },
    ]


def _links_to_predecessor(predecessor: JsonObject | None, version: str) -> list[JsonObject]:
    """To the version before, or what the same version said of its own."""
    if predecessor is None:
        return []
    if predecessor["properties"].get("version") == version:
        return [link for link in predecessor["links"] if link.get("rel") == PREDECESSOR]
    data = predecessor["assets"].get(DATA)
    if data is None or JOB_ID not in predecessor["properties"]:
        return []  # Somebody's own item, of which no document was kept.
    parent = str(data["href"]).rpartition("/")[0]
    return [
        {
            "rel": PREDECESSOR,
            "type": "application/geo+json",
            "href": f"{parent}/{DOCUMENT}",
            "title": "The version before",
        }
    ]


def _data_asset(files: StoredFiles, survey: Survey, description: Description) -> JsonObject:
    names = common_names(description.bands, survey.inference.type)
    asset: JsonObject = {
        "href": target_url(files.container, files.cog.path),
        "type": COG,
        "title": "Cloud-optimized GeoTIFF",
        "roles": ["data"],
        "file:size": files.cog.bytes,
        "file:checksum": f"{_SHA256}{files.cog.sha256}",
        "bands": [_band(band, name) for band, name in zip(description.bands, names, strict=True)],
        "raster:bands": [_raster_band(band, description) for band in description.bands],
    }
    if any(names):
        asset["eo:bands"] = [
            _eo_band(band, name) for band, name in zip(description.bands, names, strict=True)
        ]
    classes = _classes(survey.facts, description)
    if classes:
        asset["classification:classes"] = classes
    return asset


def _band(band: DescribedBand, common_name: str | None) -> JsonObject:
    """A band as STAC 1.1 has it."""
    return {**_eo_band(band, None), **_values(band)} | (
        {} if common_name is None else {"eo:common_name": common_name}
    )


def _eo_band(band: DescribedBand, common_name: str | None) -> JsonObject:
    fields = {"name": f"b{band.number}"}
    if band.description is not None:
        fields["description"] = band.description
    if common_name is not None:
        fields["common_name"] = common_name
    return fields


def _raster_band(band: DescribedBand, description: Description) -> JsonObject:
    fields = _values(band) | {"sampling": description.area_or_point.lower()}
    if description.gsd is not None:
        fields["spatial_resolution"] = description.gsd
    if (band.scale, band.offset) != (1.0, 0.0):
        fields |= {"scale": band.scale, "offset": band.offset}
    return fields


def _values(band: DescribedBand) -> JsonObject:
    """What both ways of describing a band say of its values."""
    fields: JsonObject = {"data_type": _DATA_TYPES.get(band.dtype, band.dtype)}
    if band.nodata is not None:
        fields["nodata"] = _number(band.nodata)
    if band.unit is not None:
        fields["unit"] = band.unit
    if band.statistics is not None:
        fields["statistics"] = _statistics(band.statistics)
        if band.statistics.approximate:
            fields["geoforge:statistics"] = "approximate"
    return fields


def _statistics(summary: BandSummary) -> JsonObject:
    values = {
        "minimum": summary.minimum,
        "maximum": summary.maximum,
        "mean": summary.mean,
        "stddev": summary.stddev,
        "valid_percent": summary.valid_percent,
    }
    return {
        name: value for name, value in values.items() if value is not None and math.isfinite(value)
    }


def _number(value: float) -> float | str:
    """A number as both STAC 1.1 and the raster extension write it, where JSON has none."""
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value


def _classes(facts: Facts, description: Description) -> list[JsonObject]:
    """The classes of a single band, by its palette or by the names of its categories."""
    if len(description.bands) != 1:
        return []
    palette = {entry.value: entry.colour for entry in description.bands[0].palette}
    categories = {
        value: name.strip() for value, name in enumerate(facts.bands[0].categories) if name.strip()
    }
    return [
        _class(value, categories.get(value), palette.get(value))
        for value in sorted(palette or categories)[:_MAX_CLASSES]
    ]


def _class(value: int, name: str | None, colour: str | None) -> JsonObject:
    short = _NOT_IN_A_CLASS_NAME.sub("_", name or "").strip("_").lower()
    fields: JsonObject = {"value": value, "name": short or f"class_{value}"}
    if name is not None:
        fields["title"] = name
    if colour is not None:
        fields["color_hint"] = colour
    return fields


def _images(files: StoredFiles) -> JsonObject:
    found = ((THUMBNAIL, "Thumbnail", files.thumbnail), (OVERVIEW, "Preview", files.overview))
    return {
        name: {
            "href": target_url(files.container, image.path),
            "type": PNG,
            "title": title,
            "roles": [name, "visual"] if name == OVERVIEW else [name],
            "file:size": image.bytes,
        }
        for name, title, image in found
        if image is not None
    }


def _extensions(item: JsonObject) -> list[str]:
    """The schemas of the fields that the item has."""
    data = item["assets"][DATA]
    used = {_PROJECTION, _RASTER, FILE_EXTENSION, _VERSION, _WEB_MAP_LINKS}
    if "eo:bands" in data or "eo:cloud_cover" in item["properties"]:
        used.add(_EO)
    if "classification:classes" in data:
        used.add(_CLASSIFICATION)
    if "renders" in item["properties"]:
        used.add(RENDER_EXTENSION)
    return sorted(used)
