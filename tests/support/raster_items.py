"""Items of processed rasters for tests, of which only what a test is about needs to be said."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from services.raster import items
from services.raster.description import BandSummary, DescribedBand, Description
from services.raster.items import Origin, StoredCog, StoredFiles, StoredImage
from services.raster.model import Band, Candidate, Facts, Inference, RasterType, Survey
from services.raster.times import ItemTime

JsonObject = dict[str, Any]

AT = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
TAKEN = ItemTime(
    nominal=datetime(2024, 6, 17, 10, tzinfo=UTC), start=None, end=None, source="parameter"
)


def band(number: int = 1, **more: Any) -> DescribedBand:
    statistics = BandSummary(minimum=0, maximum=9, mean=4.5, stddev=2.5, valid_percent=75.0)
    return DescribedBand(**{"number": number, "dtype": "uint8", "statistics": statistics, **more})


def description(**more: Any) -> Description:
    """A raster of one band between 9 and 10 degrees east, 49 and 50 north, unless told other."""
    west, south, east, north = more.get("bbox", (9.0, 49.0, 10.0, 50.0))
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return Description(**{
        "code": "EPSG:4326",
        "shape": (100, 100),
        "transform": (0.01, 0, west, 0, -0.01, north),
        "bounds": (west, south, east, north),
        "centroid": ((west + east) / 2, (south + north) / 2),
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": (west, south, east, north),
        "footprint": "extent",
        "gsd": 1113.0,
        "bands": (band(),),
        **more,
    })  # fmt: skip


def survey(kind: RasterType = RasterType.DEM, *, bands: int = 1, **more: Any) -> Survey:
    """What the child found; `more` are fields of the inference."""
    inference = {
        "type": kind,
        "confidence": 0.9,
        "candidates": (Candidate(type=kind, probability=0.9),),
        "evidence": (),
        **more,
    }
    facts = Facts(
        driver="GTiff",
        width=100,
        height=100,
        bands=tuple(Band(number=number + 1, dtype="uint8") for number in range(bands)),
    )
    return Survey(facts=facts, inference=Inference(**inference), statistics=())


def stored_files(item_id: str, content: str, *, collection_id: str, container: str) -> StoredFiles:
    """Files whose COG would have this content, where its version lies."""
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    folder = items.folder(collection_id, item_id, items.version_of(sha256))
    return StoredFiles(
        container,
        StoredCog(f"{folder}/{item_id}.tif", 1000, sha256),
        StoredImage(f"{folder}/thumbnail.png", 100, 256, 128),
        StoredImage(f"{folder}/preview.png", 400, 1024, 512),
    )


def make_item(
    item_id: str = "dem",
    *,
    collection_id: str = "heights",
    container: str = "silver-rasters",
    content: str = "first",
    job_id: str = "j" * 64,
    **more: Any,
) -> JsonObject:
    """An Item as process_raster makes it; `more` goes to `items.make_item`."""
    return items.make_item(**{
        "item_id": item_id,
        "collection_id": collection_id,
        "survey": survey(),
        "description": description(),
        "when": TAKEN,
        "files": stored_files(
            item_id, content, collection_id=collection_id, container=container
        ),
        "origin": Origin(job_id, AT, container="bronze-rasters", path=f"in/{item_id}.tif"),
        **more,
    })  # fmt: skip
