"""A dataset that grows tile by tile: what one job computes of a tile, the next leaves alone."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from core.job_definition import JsonObject
from infrastructure import blob_storage
from infrastructure.database import Connection
from jobs.h3_raster_aggregation import JOB
from tests.support.rasters import write
from tests.support.run_job import JobRun

CONTAINER = "bronze-h3-neighbours"
NODATA = 0

_RUNS = itertools.count()


WEST = Affine(100, 0, 480_000, 0, -100, 5_400_000)
EAST = Affine(100, 0, 500_000, 0, -100, 5_400_000)


def put_tile(folder: Path, name: str, value: int, transform: Affine) -> str:
    """A tile in UTM, a third of whose rows have no data, as a blob; its name."""
    pixels = np.full((200, 200), value, np.int16)
    pixels[130:] = NODATA
    file = write(folder / "tile.tif", pixels, transform=transform, crs="EPSG:32633", nodata=NODATA)
    blob_storage.ensure_container(CONTAINER)
    blob_storage.write_bytes(CONTAINER, name, file.read_bytes())
    return name


def aggregated(blob: str, **parameters: object) -> JsonObject:
    run = JobRun(
        JOB,
        next(_RUNS),
        **{
            "theme": "elevation", "dataset_id": "tiles", "resolution": 7, "statistics": ["mean"],
            "container_name": CONTAINER, "blob_name": blob, **parameters,
        },
    )  # fmt: skip
    result = run.run()
    assert result is not None
    counted = result["cells_with_data"] + result["cells_without_data"] + result["cells_failed"]
    assert result["cells"] == counted
    planned = run.tasks["inventory_cells"][0].result or {}
    assert planned["cells"] == result["cells"] + result["cells_beyond"]
    return result


def stored(db: Connection) -> dict[int, tuple[float, float]]:
    """The mean of each cell, and how many pixels it is of."""
    query = "SELECT h3_index, value, pixel_count FROM h3.zonal_stats WHERE dataset_id = 'tiles'"
    return {row["h3_index"]: (row["value"], row["pixel_count"]) for row in db.execute(query)}


# Both tiles lie in it, and what is around them.
AREA: JsonObject = {"bbox": [14.5, 48.3, 16.0, 49.0]}


@pytest.mark.parametrize("area", [{}, AREA], ids=["no area", "an area"])
@pytest.mark.parametrize("weighting", ["exact", "centroid"])
def test_a_tile_beside_another_takes_nothing_of_it(
    db: Connection, tmp_path: Path, area: JsonObject, weighting: str
) -> None:
    west = put_tile(tmp_path, "west.tif", 10, WEST)
    east = put_tile(tmp_path, "east.tif", 20, EAST)
    how = {"weighting": weighting, **area}
    first = aggregated(west, **how)
    of_west = stored(db)
    assert len(of_west) == first["cells_with_data"] > 30
    aggregated(east, **how)
    both = stored(db)
    # Those at the border lie in both; what is there now is of the tile that came last.
    assert of_west.keys() <= both.keys()
    replaced = {cell for cell in of_west if both[cell] != of_west[cell]}
    assert 0 < len(replaced) < len(of_west) / 2
    assert [both[cell][0] for cell in replaced] == pytest.approx([20.0] * len(replaced))
    assert len(both) > len(of_west) + 20


def test_a_cell_that_lost_its_pixels_to_nodata_loses_its_rows(
    db: Connection, tmp_path: Path
) -> None:
    aggregated(put_tile(tmp_path, "west.tif", 10, WEST))
    assert stored(db)
    result = aggregated(put_tile(tmp_path, "west.tif", NODATA, WEST))
    assert (stored(db), result["cells_with_data"]) == ({}, 0)


def test_an_area_that_no_raster_reaches_says_so(db: Connection, tmp_path: Path) -> None:
    """A raster that stands on its corner has a box around it that it does not fill."""
    turned = Affine(70, 70, 480_000, 70, -70, 5_400_000)
    blob = put_tile(tmp_path, "turned.tif", 10, turned)
    result = aggregated(blob, bbox=[14.74, 48.82, 14.77, 48.86], resolution=8)
    assert (result["cells"], result["cells_beyond"] > 0) == (0, True)
    assert result["notes"] == ["No raster has a pixel in any of the cells that are wanted."]
