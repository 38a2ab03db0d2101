"""Statistics of polygons by rasterstats, run by the peers' own Python as a process of its own.

It is given the raster in memory and the polygons ready made: only its own call is timed. Prints
one line of JSON.
"""
# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from rasterstats import zonal_stats

_NAMES = {"stdev": "std"}


def measure(raster: Path, outlines: Path, statistics: list[str]) -> dict[str, Any]:
    """Compute the statistics of all polygons."""
    polygons = shapely.polygons(np.load(outlines)["rings"]).tolist()
    with rasterio.open(raster) as dataset:
        values, transform, nodata = dataset.read(1), dataset.transform, dataset.nodata
    names = [_NAMES.get(name, name) for name in statistics]
    began = time.perf_counter()
    zonal_stats(polygons, values, affine=transform, nodata=nodata, stats=names)
    return {"seconds": time.perf_counter() - began, "cells": len(polygons)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("raster", type=Path)
    parser.add_argument("outlines", type=Path)
    parser.add_argument("statistics", nargs="+")
    options = parser.parse_args()
    print(json.dumps(measure(**vars(options))))
