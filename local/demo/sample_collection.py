"""A small collection of COGs with STAC sidecars, for machines that have no real one.

The land is made, but in the image of the real: a fractal relief in UTM, cut into tiles, and for
each of two years a land cover that follows from it, with a town that grows. Sidecars, projections
and profiles are those that a producer would write. The same seed gives the same files.

Some of it is broken on purpose, as deliveries are: see `FLAWS`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.io import MemoryFile
from rasterio.transform import Affine
from rasterio.warp import transform_bounds

COLLECTION_ID = "sample-terrain"

FLAWS = {
    "sample-missing-asset": "its elevation is not there",
    "sample-missing-sidecar": "the collection links to an item that is not there",
    "sample-invalid": "it has a geometry and no bbox",
    "sample-plain-tiff": "its land cover is a striped GeoTIFF, not a COG",
}
"""What is wrong with the collection on purpose, by item."""

_EPSG = 32633
_ORIGIN = (380_000.0, 5_210_000.0)
_PIXEL_METRES = 30.0
_TILE = 600  # More than 512: a smaller one would count as a COG without any overview.
_COLUMNS, _ROWS = 3, 2
_YEARS = (2020, 2024)
_SEED = 20_240_601

_CLASSES = {
    1: ("Water", (70, 107, 159)),
    2: ("Built-up", (181, 9, 9)),
    3: ("Cropland", (232, 209, 128)),
    4: ("Grassland", (178, 214, 112)),
    5: ("Forest", (28, 99, 48)),
    6: ("Bare rock", (153, 147, 137)),
    7: ("Snow and ice", (243, 247, 250)),
}

_COG = "image/tiff; application=geotiff; profile=cloud-optimized"
_TIFF = "image/tiff; application=geotiff"


@dataclass(frozen=True)
class Tile:
    """One cell of the grid that the land is cut into."""

    column: int
    row: int

    @property
    def name(self) -> str:
        """Its name in the grid: a column's letter and a row's number."""
        return f"{'abc'[self.column]}{self.row + 1}"

    @property
    def window(self) -> tuple[slice, slice]:
        """The rows and columns of the whole that it covers."""
        top, left = self.row * _TILE, self.column * _TILE
        return slice(top, top + _TILE), slice(left, left + _TILE)

    @property
    def transform(self) -> Affine:
        """From its pixels to metres of UTM zone 33 north."""
        west, north = _ORIGIN
        side = _TILE * _PIXEL_METRES
        left, top = west + self.column * side, north - self.row * side
        return Affine(_PIXEL_METRES, 0.0, left, 0.0, -_PIXEL_METRES, top)

    @property
    def bbox(self) -> list[float]:
        """West, south, east, north in degrees of WGS 84."""
        bounds = rasterio.transform.array_bounds(_TILE, _TILE, self.transform)
        return [round(degrees, 6) for degrees in transform_bounds(_EPSG, 4326, *bounds)]


def generate(directory: Path) -> Path:
    """Write the collection, unless it is there already.

    Args:
        directory: where to; made where it is missing.

    Returns:
        The path of its collection.json, which is written last.
    """
    collection = directory / "collection.json"
    if collection.exists():
        return collection
    elevation = _elevation()
    tiles = [Tile(column, row) for row in range(_ROWS) for column in range(_COLUMNS)]
    items = [
        _write_item(directory, tile, year, elevation[tile.window], land[tile.window])
        for year, land in _land_covers(elevation)
        for tile in tiles
    ]
    flawed = list(_write_flaws(directory, items))
    _write_json(collection, _collection([*(item["id"] for item in items), *flawed]))
    return collection


def _elevation() -> NDArray[np.int16]:
    """A fractal relief in metres: noise whose spectrum falls off as that of mountains does."""
    height, width = _ROWS * _TILE, _COLUMNS * _TILE
    random = np.random.default_rng(_SEED)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None] * height, np.fft.rfftfreq(width) * width)
    frequency[0, 0] = np.inf
    phases = np.exp(2j * np.pi * random.random(frequency.shape))
    surface = np.fft.irfft2(frequency**-2.0 * phases, s=(height, width))
    low, high = surface.min(), surface.max()
    metres = 180 + 2900 * ((surface - low) / (high - low)) ** 1.7
    return np.asarray(np.round(metres), dtype=np.int16)


def _land_covers(elevation: NDArray[np.int16]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """For each year the class of every pixel: by height and slope, and a town in the valley."""
    slope = np.hypot(*np.gradient(elevation.astype(np.float32), _PIXEL_METRES))
    natural = np.select(
        [elevation < 260, elevation > 2400, slope > 0.9, elevation > 1800, elevation > 700],
        [1, 7, 6, 4, 5],
        default=3,
    ).astype(np.uint8)
    lowland = (natural == 3) & (slope < 0.15)
    # Where most of the flat lowland is near: the mean of it is good enough for a town.
    rows, columns = np.nonzero(lowland)
    centre_row, centre_column = rows[len(rows) // 2], columns[len(columns) // 2]
    distance = np.hypot(
        np.arange(elevation.shape[0])[:, None] - centre_row,
        np.arange(elevation.shape[1])[None, :] - centre_column,
    )
    for year in _YEARS:
        radius = 40 + 5 * (year - _YEARS[0])
        yield year, np.where(lowland & (distance < radius), 2, natural).astype(np.uint8)


def _write_item(
    directory: Path,
    tile: Tile,
    year: int,
    elevation: NDArray[np.int16],
    land: NDArray[np.uint8],
) -> dict[str, Any]:
    """Write the files of one tile and year, and its sidecar; the item."""
    name = f"sample-{tile.name}-{year}"
    folder = directory / str(year) / name
    folder.mkdir(parents=True, exist_ok=True)
    _write_raster(folder / "elevation.tif", elevation, tile.transform, nodata=-32768)
    _write_raster(folder / "land_cover.tif", land, tile.transform, nodata=0)
    item = _item(name, tile, year)
    _write_json(folder / f"{name}.json", item)
    return item


def _write_raster(
    path: Path,
    pixels: NDArray[Any],
    transform: Affine,
    *,
    nodata: int,
    cog: bool = True,
) -> None:
    """Write one band, as a COG with its overviews or as the plain GeoTIFF that one is not."""
    profile = {
        "driver": "GTiff",
        "width": pixels.shape[1],
        "height": pixels.shape[0],
        "count": 1,
        "dtype": pixels.dtype.name,
        "crs": f"EPSG:{_EPSG}",
        "transform": transform,
        "nodata": nodata,
    }
    categorical = pixels.dtype == np.uint8
    with MemoryFile() as memory:
        with memory.open(**profile) as raster:
            raster.write(pixels, 1)
            if categorical:
                raster.write_colormap(1, {code: color for code, (_, color) in _CLASSES.items()})
        with memory.open() as raster:
            if not cog:
                rasterio.shutil.copy(raster, path, driver="GTiff", compress="LZW", tiled=False)
                return
            resampling = Resampling.mode if categorical else Resampling.average
            rasterio.shutil.copy(
                raster,
                path,
                driver="COG",
                compress="DEFLATE",
                predictor="NO" if categorical else "YES",
                blocksize=256,
                overview_resampling=resampling.name,
            )


def _item(name: str, tile: Tile, year: int) -> dict[str, Any]:
    west, south, east, north = tile.bbox
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": ["https://stac-extensions.github.io/projection/v1.1.0/schema.json"],
        "id": name,
        "collection": COLLECTION_ID,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": tile.bbox,
        "properties": {
            "datetime": None,
            "start_datetime": f"{year}-01-01T00:00:00Z",
            "end_datetime": f"{year}-12-31T23:59:59Z",
            "gsd": _PIXEL_METRES,
            "proj:epsg": _EPSG,
            "proj:shape": [_TILE, _TILE],
            "proj:transform": list(tile.transform)[:6],
        },
        "links": [
            {"rel": relation, "href": "../../collection.json", "type": "application/json"}
            for relation in ("root", "parent", "collection")
        ],
        "assets": {
            "elevation": {
                "href": "./elevation.tif",
                "type": _COG,
                "title": "Height above sea level in metres",
                "roles": ["data"],
            },
            "land_cover": {
                "href": "./land_cover.tif",
                "type": _COG,
                "title": "Land cover class",
                "roles": ["data"],
                "classification:classes": [
                    {"value": code, "description": title, "color_hint": bytes(color).hex().upper()}
                    for code, (title, color) in _CLASSES.items()
                ],
            },
        },
    }


def _write_flaws(directory: Path, items: list[dict[str, Any]]) -> Iterator[str]:
    """Write the items that are broken on purpose; their ids. See `FLAWS`."""
    pattern = items[0]
    year = str(_YEARS[0])
    source = directory / year / pattern["id"]

    def folder(name: str) -> Path:
        made = directory / year / name
        made.mkdir(parents=True, exist_ok=True)
        return made

    name = "sample-missing-asset"
    (folder(name) / "land_cover.tif").write_bytes((source / "land_cover.tif").read_bytes())
    _write_json(folder(name) / f"{name}.json", {**pattern, "id": name})
    yield name

    yield "sample-missing-sidecar"

    name = "sample-invalid"
    for asset in ("elevation.tif", "land_cover.tif"):
        (folder(name) / asset).write_bytes((source / asset).read_bytes())
    invalid = {key: value for key, value in pattern.items() if key != "bbox"}
    _write_json(folder(name) / f"{name}.json", {**invalid, "id": name})
    yield name

    name = "sample-plain-tiff"
    (folder(name) / "elevation.tif").write_bytes((source / "elevation.tif").read_bytes())
    with rasterio.open(source / "land_cover.tif") as raster:
        _write_raster(
            folder(name) / "land_cover.tif",
            raster.read(1),
            raster.transform,
            nodata=0,
            cog=False,
        )
    plain = json.loads(json.dumps({**pattern, "id": name}))
    plain["assets"]["land_cover"]["type"] = _TIFF
    _write_json(folder(name) / f"{name}.json", plain)
    yield name


def _collection(names: list[str]) -> dict[str, Any]:
    whole = [Tile(0, _ROWS - 1).bbox[:2], Tile(_COLUMNS - 1, 0).bbox[2:]]
    west, south, east, north = (math.floor(d * 100) / 100 for point in whole for d in point)
    folders = {
        name: str(_YEARS[1] if name.endswith(str(_YEARS[1])) else _YEARS[0]) for name in names
    }
    return {
        "type": "Collection",
        "stac_version": "1.0.0",
        "id": COLLECTION_ID,
        "title": "Sample terrain and land cover",
        "description": "A made-up valley in UTM zone 33 north: elevation, and land cover in "
        f"{' and '.join(map(str, _YEARS))}. Some items are broken on purpose.",
        "license": "CC0-1.0",
        "extent": {
            "spatial": {"bbox": [[west, south, east + 0.01, north + 0.01]]},
            "temporal": {
                "interval": [[f"{_YEARS[0]}-01-01T00:00:00Z", f"{_YEARS[-1]}-12-31T23:59:59Z"]]
            },
        },
        "links": [
            {"rel": "root", "href": "./collection.json", "type": "application/json"},
            *(
                {
                    "rel": "item",
                    "href": f"./{folders[name]}/{name}/{name}.json",
                    "type": "application/geo+json",
                }
                for name in names
            ),
        ],
    }


def _write_json(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
