"""What the demo does with rasters beyond publishing them: cells of classes, and maps of floods."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from local.demo import fathom_tiles
from services.fathom.tiles import Tile

CLASSES = "demo-classes"
"""The dataset of the cells."""
FLOODS = "demo-floods"
"""The dataset of the floods' cells, and the collection of the merged maps."""
BRONZE_FATHOM = "bronze-fathom-demo"

_TILES = ("n04w006", "n04w007", "n05w006", "n05w007")
_PIXELS = 300


def classes(collection_id: str, asset: str) -> dict[str, Any]:
    """Parameters of the job that says which classes each cell has."""
    return {
        "collection_id": collection_id,
        "asset": asset,
        "resolution": 8,
        # Of several years the last one.
        "overlap": "newest",
        "statistics": ["majority", "fractions", "count"],
        "theme": "landcover",
        "dataset_id": CLASSES,
        "title": "Classes by cell",
    }


def deliver(folder: Path) -> list[Path]:
    """Write made-up flood maps of a coast below a folder, unless they are there; their files."""
    marker = folder / ".written"
    if not marker.exists():
        maps = fathom_tiles.scenarios(("coastal-undefended",), (2020,))
        tiles = [Tile.of(name) for name in _TILES]
        fathom_tiles.write(folder, fathom_tiles.files(maps, tiles, pixels=_PIXELS))
        marker.touch()
    return sorted(folder.rglob("*.tif"))


def stacks() -> dict[str, Any]:
    """Parameters of the job that stacks the floods by return period."""
    return {"container_name": BRONZE_FATHOM, "collection_id": f"{FLOODS}-stacks"}


def merge() -> dict[str, Any]:
    """Parameters of the job that merges them to one raster."""
    return {
        "source_collection_id": f"{FLOODS}-stacks",
        "collection_id": FLOODS,
        "grid_size": 2,
    }


def depths() -> dict[str, Any]:
    """Parameters of the job that says how deep the flood of a hundred years is in each cell."""
    return {
        "collection_id": FLOODS,
        "band": "1in100",
        "resolution": 6,
        "statistics": ["mean", "max", "p95", "count"],
        "theme": "floods",
        "dataset_id": FLOODS,
        "title": "Depth of the flood of 100 years (made up)",
        "unit": "cm",
    }
