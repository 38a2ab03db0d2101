"""Vector tiles as GDAL reads them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyogrio
import shapely

_IDENTIFIER = "mvt_id"


@dataclass(frozen=True)
class Feature:
    """A feature of a tile; its geometry is in EPSG:3857. Missing properties are not there."""

    id: int
    properties: dict[str, Any]
    geometry: shapely.Geometry


@dataclass(frozen=True)
class DecodedTile:
    """The only layer of a tile."""

    layer: str
    features: list[Feature]

    @property
    def by_id(self) -> dict[int, Feature]:
        return {feature.id: feature for feature in self.features}


def decode(data: bytes, address: str, folder: Path) -> DecodedTile:
    """Read a tile; `address` is its z/x/y, which says where in the world it is."""
    file = folder / f"{address}.pbf"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    [layer] = [name for name, _ in pyogrio.list_layers(file)]
    meta, _, geometries, values = pyogrio.raw.read(file, layer=layer, CLIP="NO")
    names = list(meta["fields"])
    features = []
    for number, wkb in enumerate(geometries):
        row = {name: _plain(values[at][number]) for at, name in enumerate(names)}
        identifier = row.pop(_IDENTIFIER)
        there = {name: value for name, value in row.items() if value is not None}
        features.append(Feature(int(identifier), there, shapely.from_wkb(wkb)))
    return DecodedTile(layer, features)


def _plain(value: Any) -> Any:
    """The value as Python has it, None where the feature has none."""
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and math.isnan(value) else value
