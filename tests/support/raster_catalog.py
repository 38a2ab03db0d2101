"""A small catalog of rasters for tests, in PostgreSQL and blob storage."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from pypgstac.db import PgstacDB
from pypgstac.load import Loader, Methods
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile
from rasterio.shutil import copy

from infrastructure import blob_storage
from services.raster.rendering.model import EXTENSION, RenderStyle

COLLECTION = "pictures"
SECRET = "secret"
COG_TYPE = "image/tiff; application=geotiff; profile=cloud-optimized"

# Where they begin: north-west corner in metres of UTM 33N, and pixels of 30 metres.
_ORIGIN = (500_000.0, 5_500_000.0)
_PIXEL = 30.0

_RANDOM = np.random.default_rng(6)
_PALETTE = {0: (0, 0, 0, 255), 1: (255, 0, 0, 255), 2: (0, 128, 0, 255)}
_STYLES = {
    "dem": RenderStyle(
        title="Heights", bidx=(1,), rescale=((0.0, 1000.0),), colormap_name="viridis"
    ),
    "foreign": RenderStyle(title="Bands", bidx=(1, 2, 3)),
}


def write_cog(
    folder: Path,
    name: str,
    bands: NDArray[Any],
    *,
    nodata: float | None = None,
    crs: str | None = "EPSG:32633",
    origin: tuple[float, float] = _ORIGIN,
    pixel: float = _PIXEL,
    colours: tuple[ColorInterp, ...] = (),
    palette: dict[int, tuple[int, int, int, int]] | None = None,
    descriptions: tuple[str, ...] = (),
) -> Path:
    """A COG of these bands (band, row, column) with blocks of 256 pixels and overviews."""
    plain, cog = folder / f"{name}-plain.tif", folder / f"{name}.tif"
    with rasterio.open(
        plain,
        "w",
        driver="GTiff",
        count=len(bands),
        height=bands.shape[1],
        width=bands.shape[2],
        dtype=bands.dtype,
        nodata=nodata,
        crs=None if crs is None else CRS.from_string(crs),
        transform=Affine(pixel, 0, origin[0], 0, -pixel, origin[1]),
    ) as dataset:
        if colours:
            dataset.colorinterp = colours
        if palette is not None:
            dataset.write_colormap(1, palette)
        if descriptions:
            dataset.descriptions = descriptions
        dataset.write(bands)
    copy(plain, cog, driver="COG", BLOCKSIZE=256, OVERVIEW_RESAMPLING="NEAREST", COMPRESS="DEFLATE")
    return cog


def hills(rows: int = 700, columns: int = 600) -> NDArray[np.float32]:
    """Elevations from 0 to 1,000, with nodata (-9999) in the north-west corner."""
    down, across = np.mgrid[0:rows, 0:columns]
    heights = 500 + 300 * np.sin(down / 90) + 200 * np.cos(across / 70)
    heights[:100, :100] = -9999
    return np.asarray(heights[np.newaxis], np.float32)


def make(folder: Path) -> dict[str, Path]:
    """The files of the catalog by the ids of their items."""
    classes = np.repeat(np.repeat(_RANDOM.integers(0, 3, (1, 30, 30)), 20, 1), 20, 2)
    return {
        "dem": write_cog(folder, "dem", hills(), nodata=-9999),
        "photo": write_cog(
            folder,
            "photo",
            np.stack([np.full((300, 400), value, np.uint8) for value in (200, 100, 50)]),
            colours=(ColorInterp.red, ColorInterp.green, ColorInterp.blue),
        ),
        "scene": write_cog(
            folder,
            "scene",
            _RANDOM.integers(200, 3000, (4, 320, 320)).astype(np.uint16),
            descriptions=("blue", "green", "red", "nir"),
        ),
        "cover": write_cog(folder, "cover", classes.astype(np.uint8), palette=_PALETTE),
        # Across the antimeridian.
        "fiji": write_cog(
            folder,
            "fiji",
            hills(800, 800),
            nodata=-9999,
            crs="EPSG:32701",
            origin=(0.0, 8_000_000.0),
            pixel=500.0,
        ),
        "nowhere": write_cog(folder, "nowhere", hills(300, 300), nodata=-9999, crs=None),
    }


def load(database_url: str, container: str, folder: Path) -> None:
    """Put the files into storage, and their items (and some that have no file) into the catalog.

    The app's settings must name the same storage.
    """
    blob_storage.ensure_container(container)
    hrefs = {}
    for name, file in make(folder).items():
        blob_storage.write_bytes(container, f"rasters/{name}.tif", file.read_bytes())
        hrefs[name] = str(blob_storage.blob_client(container, f"rasters/{name}.tif").url)
    blob_storage.write_bytes(container, "rasters/damaged.tif", b"II*\0" + bytes(400))
    hrefs["damaged"] = str(blob_storage.blob_client(container, "rasters/damaged.tif").url)
    hrefs["gone"] = str(blob_storage.blob_client(container, "rasters/gone.tif").url)
    hrefs["elsewhere"] = "https://other.example/rasters/dem.tif"
    items = [item(name, href) for name, href in hrefs.items()]
    items.append(item("foreign", hrefs["scene"]))
    items.append(item("hidden", hrefs["dem"], SECRET))
    items.append({**item("paper", hrefs["dem"]), "assets": {"text": {"href": "./a.pdf"}}})
    with PgstacDB(dsn=database_url) as pgstac:
        loader = Loader(pgstac)
        documents = [collection(COLLECTION), {**collection(SECRET), "geoforge:restricted": True}]
        loader.load_collections(iter(documents), Methods.upsert)
        for collection_id in (COLLECTION, SECRET):
            own = [each for each in items if each["collection"] == collection_id]
            loader.load_items(iter(own), Methods.upsert)


def add_collection(database_url: str, collection_id: str) -> None:
    """Put an empty collection into the catalog."""
    with PgstacDB(dsn=database_url) as pgstac:
        Loader(pgstac).load_collections(iter([collection(collection_id)]), Methods.upsert)


def add(database_url: str, *items: dict[str, Any]) -> None:
    """Put more items of the catalog's collections into it."""
    with PgstacDB(dsn=database_url) as pgstac:
        Loader(pgstac).load_items(iter(items), Methods.upsert)


def read_png(data: bytes) -> NDArray[np.uint8]:
    """The bands of a PNG, as (band, row, column)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with MemoryFile(data) as file, file.open(driver="PNG") as picture:
            return np.asarray(picture.read())


def collection(collection_id: str) -> dict[str, Any]:
    return {
        "type": "Collection",
        "stac_version": "1.1.0",
        "id": collection_id,
        "title": collection_id.title(),
        "description": "Rasters to look at.",
        "license": "CC0-1.0",
        "extent": {
            "spatial": {"bbox": [[14, 49, 16, 50]]},
            "temporal": {"interval": [["2024-01-01T00:00:00Z", "2024-12-31T00:00:00Z"]]},
        },
        "links": [],
    }


def item(name: str, href: str, collection_id: str = COLLECTION) -> dict[str, Any]:
    """An item of one COG. A few say how it is drawn, the others do not."""
    style = _STYLES.get(name)
    drawn = {} if style is None else {"renders": {"default": style.model_dump(mode="json")}}
    ring = [[15.0, 49.4], [15.3, 49.4], [15.3, 49.7], [15.0, 49.7], [15.0, 49.4]]
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [EXTENSION] if drawn else [],
        "id": name,
        "collection": collection_id,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [15.0, 49.4, 15.3, 49.7],
        "properties": {"datetime": "2024-06-17T00:00:00Z", **drawn},
        "assets": {
            "data": {"href": href, "type": COG_TYPE, "roles": ["data"]},
            "thumbnail": {"href": "https://other.example/t.png", "type": "image/png"},
        },
        "links": [],
    }
