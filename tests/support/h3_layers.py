"""Datasets of statistics by H3 cells, as the job writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from core.h3_index import resolution_of
from infrastructure import h3_loading
from infrastructure.database import Connection
from infrastructure.h3_loading import Staged, Target
from services.h3 import cells
from services.h3.model import Box, Cells, Numbers

Bbox = tuple[float, float, float, float]


def cells_of(bbox: Bbox, resolution: int) -> Cells:
    """The cells whose centre is in the box, ascending; west beyond east goes over 180 degrees."""
    return np.sort(
        np.concatenate(
            [
                cells.in_box(Box(west=w, south=s, east=e, north=n), resolution)
                for w, s, e, n in _halves(bbox)
            ]
        )
    )


def put(
    connection: Connection,
    dataset_id: str,
    found: Cells,
    values: Mapping[str, Numbers],
    *,
    theme: str = "heights",
    band: int = 1,
    pixel_count: Numbers | None = None,
    nodata_count: Numbers | None = None,
    title: str | None = None,
    unit: str | None = None,
    source: Mapping[str, Any] | None = None,
    is_restricted: bool = False,
    bounds: Bbox | None = None,
) -> None:
    """Load a layer, NaN where a cell has no value of a statistic."""
    count = len(found)
    columns = {
        "h3_index": pa.array(found.astype(np.int64)),
        "pixel_count": pa.array(np.full(count, 4.0) if pixel_count is None else pixel_count),
        "nodata_count": pa.array(np.zeros(count) if nodata_count is None else nodata_count),
        **{name: pa.array(each, from_pandas=True) for name, each in values.items()},
    }
    resolution = resolution_of(int(found[0]))
    target = Target(theme, dataset_id, band, resolution, "0" * 64)
    h3_loading.ensure_partition(connection, theme)
    with connection.transaction():
        staged = Staged(connection, target)
        staged.add(pa.RecordBatch.from_pydict(columns))
        staged.close()
        loaded = staged.load((), lambda: None)
        h3_loading.put_dataset(
            connection,
            target,
            title=title,
            unit=unit,
            source=source or {"collection_id": "dem"},
            is_restricted=is_restricted,
        )
        h3_loading.put_layer(
            connection,
            target,
            weighting="exact",
            cells=count,
            bounds=bounds or _bounds(found),
            statistics=loaded.statistics,
        )
    h3_loading.analyze(connection, theme)


def _halves(bbox: Bbox) -> list[Bbox]:
    west, south, east, north = bbox
    if west < east:
        return [bbox]
    return [(west, south, 180.0, north), (-180.0, south, east, north)]


def _bounds(found: Cells) -> Bbox:
    longitudes, latitudes = cells.centres(found)
    return (
        float(longitudes.min()),
        float(latitudes.min()),
        float(longitudes.max()),
        float(latitudes.max()),
    )
