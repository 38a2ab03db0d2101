"""The STAC Item of a published raster.

Addresses within geoforge begin with /api/: the STAC API puts in front where it is served.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

from services.ingest.rewriting import target_url
from services.raster import item_bands
from services.raster.description import Description
from services.raster.model import Caveat, Inference, Survey, Verification
from services.raster.rendering.model import DEFAULT
from services.raster.rendering.model import EXTENSION as RENDER_EXTENSION
from services.raster.rendering.published import RESTRICTED
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
# Values of pixels that are no data, beside the one that the file declares.
EXCLUDED_VALUES = "geoforge:excluded_values"
SOURCE = "geoforge:source"
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
    new one says since when there is one, and where the version before can be read. If that one
    is restricted, so is the new one.
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
            **_restriction(predecessor),
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


def _restriction(predecessor: JsonObject | None) -> JsonObject:
    before = {} if predecessor is None else predecessor["properties"]
    return {RESTRICTED: True} if before.get(RESTRICTED) else {}


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
            each.model_dump(mode="json", exclude_none=True) for each in caveats[:_MAX_WARNINGS]
        ]
    }


def source_of(origin: Origin) -> JsonObject:
    """What an Item says of the file that it was made of: {url} or {container, blob}."""
    if origin.url is not None:
        address = urlsplit(origin.url)
        # Without what a person may be known by: user, password, and signatures in the query.
        host = address.netloc.rpartition("@")[2]
        return {"url": f"{address.scheme}://{host}{address.path}"}
    return {"container": str(origin.container), "blob": str(origin.path)}


def _provenance(origin: Origin, when: ItemTime) -> JsonObject:
    return {
        SOURCE: source_of(origin),
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
    return {
        "href": target_url(files.container, files.cog.path),
        "type": COG,
        "title": "Cloud-optimized GeoTIFF",
        "roles": ["data"],
        "file:size": files.cog.bytes,
        "file:checksum": f"{_SHA256}{files.cog.sha256}",
        **item_bands.band_fields(description, survey.facts, survey.inference.type),
    }


def _images(files: StoredFiles) -> JsonObject:
    found = ((THUMBNAIL, "Thumbnail", files.thumbnail), (OVERVIEW, "Preview", files.overview))
    return {
        name: {
            "href": target_url(files.container, image.path),
            "type": PNG,
            "title": title,
            "roles": [name, "visual"] if name == OVERVIEW else [name],
            "file:size": image.bytes,
            # Else it would have the COG's, by the item's properties.
            "proj:shape": [image.height, image.width],
        }
        for name, title, image in found
        if image is not None
    }


def _extensions(item: JsonObject) -> list[str]:
    """The schemas of the fields that the item has."""
    data = item["assets"][DATA]
    used = {_PROJECTION, _RASTER, FILE_EXTENSION, _VERSION, _WEB_MAP_LINKS}
    if item_bands.EO_BANDS in data or "eo:cloud_cover" in item["properties"]:
        used.add(_EO)
    if item_bands.CLASSES in data:
        used.add(_CLASSIFICATION)
    if "renders" in item["properties"]:
        used.add(RENDER_EXTENSION)
    return sorted(used)
