"""Statistics of polygons by exactextract, run by the peers' own Python as a process of its own.

It is given the raster in memory and the polygons ready made: only its own call is timed. They are
GeoJSON features, as in its documentation (those of a GeoDataFrame become the same), or WKB, which
it reads faster and has no class of its own for. Prints one line of JSON.
"""
# mypy: disable-error-code="import-not-found, misc"

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import shapely
from exactextract import exact_extract
from exactextract.feature import FeatureSource, JSONFeature, JSONFeatureSource
from exactextract.raster import NumPyRasterSource

_AT_ONCE = 50_000


class _Polygon(JSONFeature):
    """A feature that says its outline in the form that is read fastest."""

    def __init__(self, wkb: bytes) -> None:
        super().__init__({"type": "Feature", "properties": {}})
        self._wkb = wkb

    def geometry(self) -> bytes:
        return self._wkb


class _Polygons(FeatureSource):
    def __init__(self, polygons: npt.NDArray[np.object_]) -> None:
        super().__init__()
        self._wkb = shapely.to_wkb(polygons).tolist()

    def count(self) -> int:
        return len(self._wkb)

    def __iter__(self) -> Iterator[_Polygon]:
        return (_Polygon(wkb) for wkb in self._wkb)

    def srs_wkt(self) -> None:
        return None


def _features(polygons: npt.NDArray[np.object_]) -> FeatureSource:
    return JSONFeatureSource(
        [
            {"type": "Feature", "properties": {}, "geometry": polygon.__geo_interface__}
            for polygon in polygons
        ]
    )


_FORMS = {"geojson": _features, "wkb": _Polygons}


def measure(
    raster: Path, outlines: Path, means: Path, form: str, statistics: list[str]
) -> dict[str, Any]:
    """Compute the statistics of all polygons, and write the means."""
    rings = np.load(outlines)["rings"]
    with rasterio.open(raster) as dataset:
        source = NumPyRasterSource(
            dataset.read(1).astype(np.float64),
            xmin=dataset.bounds.left,
            ymin=dataset.bounds.bottom,
            xmax=dataset.bounds.right,
            ymax=dataset.bounds.top,
            nodata=dataset.nodata,
        )
    seconds, found = 0.0, []
    for first in range(0, len(rings), _AT_ONCE):
        polygons = _FORMS[form](shapely.polygons(rings[first : first + _AT_ONCE]))
        began = time.perf_counter()
        answer = exact_extract(source, polygons, statistics)
        seconds += time.perf_counter() - began
        found += [each["properties"]["mean"] for each in answer]
    np.save(means, np.array([np.nan if mean is None else mean for mean in found], np.float64))
    return {"seconds": seconds, "cells": len(rings)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("raster", type=Path)
    parser.add_argument("outlines", type=Path)
    parser.add_argument("means", type=Path)
    parser.add_argument("form", choices=_FORMS)
    parser.add_argument("statistics", nargs="+")
    options = parser.parse_args()
    print(json.dumps(measure(**vars(options))))
