"""What a GeoTIFF is, and whether it is a valid COG. Runs inside `infrastructure.sandbox`.

Only the GTiff driver may open the file, whatever its name says, and it reads nothing but the
file that it is given: no sidecar files, no directory listing, no network.
"""

from __future__ import annotations

import math
from typing import Any, BinaryIO

from infrastructure.one_file import OneFile

_NAME = "raster.tif"
_METRES_PER_DEGREE = 111_319.49


def probe_cog(size_bytes: int, raster: BinaryIO) -> dict[str, Any]:
    """COG verdict and raster facts of a GeoTIFF of `size_bytes`.

    Returns {valid, errors, warnings, raster: {crs, resolution_m, data_type, nodata,
    band_count, width, height}}. Raises what rasterio raises for a file that is not a
    readable GeoTIFF.
    """
    import rasterio
    from rasterio.abc import FileContainer
    from rio_cogeo.cogeo import cog_validate

    FileContainer.register(OneFile)
    with rasterio.open(_NAME, driver="GTiff", opener=OneFile(raster, size_bytes, _NAME)) as dataset:
        # The opened dataset's name stays good for as long as it is open: rio-cogeo opens it
        # again under that name, through the same file.
        valid, errors, warnings = cog_validate(dataset.name, quiet=True)
        if _is_truncated(dataset, size_bytes):
            valid, errors = False, [*errors, "The file ends before its last block: it is truncated"]
        nodata = dataset.nodata
        facts = {
            "crs": _crs(dataset),
            "resolution_m": _resolution_m(dataset),
            "data_type": dataset.dtypes[0],
            "nodata": nodata if nodata is not None and math.isfinite(nodata) else None,
            "band_count": dataset.count,
            "width": dataset.width,
            "height": dataset.height,
        }
    return {"valid": valid, "errors": errors, "warnings": warnings, "raster": facts}


def _is_truncated(dataset: Any, size_bytes: int) -> bool:
    """Whether the last block of the full resolution, a COG's last bytes, lies past the end."""
    rows, columns = dataset.block_shapes[0]
    block = f"{(dataset.width - 1) // columns}_{(dataset.height - 1) // rows}"
    offset = dataset.get_tag_item(f"BLOCK_OFFSET_{block}", "TIFF", bidx=1)
    length = dataset.get_tag_item(f"BLOCK_SIZE_{block}", "TIFF", bidx=1)
    # A sparse file has no such block.
    return bool(offset and length) and int(offset) + int(length) > size_bytes


def _crs(dataset: Any) -> str | None:
    """'EPSG:5070' where the CRS has a code, else its WKT; None where there is no CRS."""
    if not dataset.crs:
        return None
    authority = dataset.crs.to_authority()
    return ":".join(authority) if authority else str(dataset.crs.to_wkt())


def _resolution_m(dataset: Any) -> float | None:
    """Metres along a pixel's side, at the raster's centre; None where it is not on the Earth."""
    if not dataset.crs or not (dataset.crs.is_geographic or dataset.crs.is_projected):
        return None
    t = dataset.transform
    width, height = math.hypot(t.a, t.d), math.hypot(t.b, t.e)
    if dataset.crs.is_geographic:
        latitude = t.d * dataset.width / 2 + t.e * dataset.height / 2 + t.f
        width *= _METRES_PER_DEGREE * math.cos(math.radians(max(-90.0, min(90.0, latitude))))
        height *= _METRES_PER_DEGREE
    else:
        metres = float(dataset.crs.linear_units_factor[1])
        width, height = width * metres, height * metres
    return round((width + height) / 2, 6)
