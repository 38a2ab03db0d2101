"""Every raster of the sample data through process_raster: a verified COG and a valid Item, or a
refusal for the right reason."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rio_cogeo.cogeo import cog_validate

from services.ingest.documents import check_item
from services.stac.links import Addresses, linked_item
from tests.support import raster_job

_DATA = Path(os.environ.get("GEOFORGE_DATA", Path(__file__).parents[5] / "shared" / "data"))
_RASTERS = _DATA / "4_rasters"

pytestmark = [
    pytest.mark.usefixtures("app"),
    pytest.mark.skipif(
        not _RASTERS.is_dir(), reason=f"no sample rasters at {_RASTERS} (GEOFORGE_DATA)"
    ),
]

# What cannot become a COG that lies on the Earth, and why.
REFUSED = {
    "broken/gdal__corrupted_deflate_singlestrip.tif": "damaged_pixels",
    "broken/gdal__huge_raster_with_ovr_huge_block.tif": "raster_too_large",
    "broken/rasterio__corrupt.tif": "damaged_pixels",
    "rasterio__float_nan.tif": "crs_missing",
    "rasterio__rotated.tif": "crs_missing",
    "rio-tiler__cog_gcps.tif": "gcps_only",
    "rioxarray__cint16.tif": "gcps_only",
    "rioxarray__test_rpcs.tif": "rpcs_only",
    "terra__logo.tif": "not_on_earth",
}


def _names() -> list[str]:
    files = sorted(path for path in _RASTERS.rglob("*") if path.is_file())
    return [str(path.relative_to(_RASTERS)) for path in files]


@pytest.mark.parametrize("name", [name for name in _names() if name not in REFUSED])
def test_becomes_a_verified_cog_with_an_item(name: str, tmp_path: Path) -> None:
    blob = raster_job.put(name, _RASTERS / name)
    result = raster_job.publish(blob)
    verification = result["verification"]
    assert verification["valid_cog"]
    assert verification["compared"] == result["cog"]["width"] * result["cog"]["height"]
    if result["cog"]["lossless"]:
        assert verification["exact"]
    else:
        assert verification["mean_difference"] <= verification["bound"]

    published = raster_job.cog_of(result, tmp_path)
    valid, errors, warnings = cog_validate(str(published), strict=True, quiet=True)
    assert valid, (errors, warnings)
    with rasterio.open(published) as cog:
        assert cog.crs is not None
        assert not cog.transform.is_identity
        assert cog.read(1, window=((0, 1), (0, 1))).dtype == np.dtype(cog.dtypes[0])

    item = linked_item(raster_job.item_of(result), Addresses("https://geoforge.test"))
    check_item(item)
    west, south, east, north = item["bbox"]
    assert -180 <= west <= 180
    assert -180 <= east <= 180
    assert -90 <= south <= north <= 90
    assert {"data", "thumbnail", "overview"} <= set(item["assets"])
    assert item["properties"]["geoforge:raster_type"] == result["type"]


@pytest.mark.parametrize(("name", "code"), sorted(REFUSED.items()))
def test_is_refused_for_the_right_reason(name: str, code: str) -> None:
    blob = raster_job.put(name, _RASTERS / name)
    refused = raster_job.refusal(blob)
    assert refused.error_code == code
    assert Path(name).name in refused.message


@pytest.mark.parametrize("name", ["rio-tiler__cog_gcps.tif", "rioxarray__cint16.tif"])
def test_control_points_do_where_a_crs_is_wanted(name: str) -> None:
    blob = raster_job.put(name, _RASTERS / name)
    result = raster_job.publish(blob, target_crs="EPSG:4326")
    assert result["verification"]["exact"]
