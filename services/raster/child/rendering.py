"""Pictures of a COG: thumbnails, previews and map tiles. Runs inside of the sandbox.

What draws takes a `RenderStyle` as JSON and emits a PNG to the sink `image`. `image` reads a
local file; the others are given a file in storage, which the parent reads in ranges.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

import numpy as np
import rasterio
from morecantile import Tile
from rasterio import Affine
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader
from rio_tiler.errors import NoOverviewWarning
from rio_tiler.io import Reader
from rio_tiler.models import ImageData

from services.raster.child.drawing import Colours, png, transparent
from services.raster.child.opening import open_ranges
from services.raster.child.placing import Bounds, geographic_bounds, pixel_at, turns_to, zooms
from services.raster.child.refusals import UnreadableRaster
from services.raster.rendering.model import RenderStyle

Emit = Callable[[str, bytes], None]

_FILE = "raster.tif"


def image(path: str, style: dict[str, Any], size: int, emit: Emit) -> dict[str, Any]:
    """A picture of the whole raster, its longer side of at most `size` pixels, in its own grid.

    Returns {width, height, bytes}.
    """
    with rasterio.open(path, driver="GTiff") as dataset, _reader(dataset) as reader:
        return _preview(reader, RenderStyle.model_validate(style), size, emit)


def preview(
    file_bytes: int, style: dict[str, Any], size: int, raster: BinaryIO, emit: Emit
) -> dict[str, Any]:
    """As `image`, of a file in storage."""
    with open_ranges(raster, _FILE, file_bytes) as dataset, _reader(dataset) as reader:
        return _preview(reader, RenderStyle.model_validate(style), size, emit)


def tile(
    file_bytes: int,
    style: dict[str, Any],
    z: int,
    x: int,
    y: int,
    size: int,
    raster: BinaryIO,
    emit: Emit,
) -> dict[str, Any]:
    """A tile of WebMercatorQuad, of `size` pixels along its side.

    It is transparent where the raster is not. Returns {empty}: whether the raster lies elsewhere.
    """
    drawn = RenderStyle.model_validate(style)
    with open_ranges(raster, _FILE, file_bytes) as dataset, _reader(dataset) as reader:
        _need_place(dataset)
        wanted = Tile(x=x, y=y, z=z)
        turns = turns_to(reader, wanted)
        if not turns:
            emit("image", transparent(size))
            return {"empty": True}
        picture, *others = [_tile(reader, wanted, size, drawn, turn) for turn in turns]
        for other in others:
            picture = _over(picture, other)
        _send(picture, drawn, reader, emit)
    return {"empty": False}


def point(file_bytes: int, longitude: float, latitude: float, raster: BinaryIO) -> dict[str, Any]:
    """The stored values of all bands at a place; null where there is no valid pixel.

    Returns {values: [number or null], inside}: whether the raster reaches there.
    """
    with open_ranges(raster, _FILE, file_bytes) as dataset, _reader(dataset) as reader:
        _need_place(dataset)
        middle = pixel_at(reader, longitude, latitude)
        if middle is None:
            return {"values": [None] * dataset.count, "inside": False}
        found = reader.point(*middle, coord_crs=reader.crs, indexes=list(dataset.indexes))
        masked = np.ma.getmaskarray(found.array)
        values = [
            None if hidden else _number(value)
            for value, hidden in zip(found.array.data, masked, strict=True)
        ]
    return {"values": values, "inside": True}


def place(file_bytes: int, raster: BinaryIO) -> dict[str, Any]:
    """Where a file in storage is drawn, and in which colours of its own.

    Returns {bounds, minzoom, maxzoom, palette}: west, south, east and north in degrees (west
    beyond east across the antimeridian) and the zooms, null where the raster has no place on the
    Earth; {value: #rrggbbaa} or null.
    """
    with open_ranges(raster, _FILE, file_bytes) as dataset, _reader(dataset) as reader:
        palette = None if reader.colormap is None else _hex(reader.colormap)
        if not (dataset.crs or dataset.gcps[1]):
            return {"bounds": None, "minzoom": None, "maxzoom": None, "palette": palette}
        bounds, (minzoom, maxzoom) = geographic_bounds(reader), zooms(reader)
        return {"bounds": bounds, "minzoom": minzoom, "maxzoom": maxzoom, "palette": palette}


def _tile(reader: Reader, tile: Tile, size: int, style: RenderStyle, turn: float) -> ImageData:
    """What a tile shows of the raster, moved to the east by `turn` of its own units."""
    options = _reading(style)
    if turn:
        moved = Affine.translation(turn, 0) @ reader.transform
        options["vrt_options"] = {"src_transform": moved}
    mercator = reader.tms.rasterio_crs
    return reader.part(
        cast(Bounds, tuple(reader.tms.xy_bounds(tile))),
        dst_crs=mercator,
        bounds_crs=mercator,
        width=size,
        height=size,
        **options,
    )


def _over(upper: ImageData, lower: ImageData) -> ImageData:
    """The upper picture, and the lower one where the upper has no valid pixel."""
    hidden = np.ma.getmaskarray(upper.array)
    upper.array = np.ma.MaskedArray(
        np.where(hidden, lower.data, upper.data),
        mask=hidden & np.ma.getmaskarray(lower.array),
    )
    if upper.alpha_mask is not None and lower.alpha_mask is not None:
        upper.alpha_mask = np.maximum(upper.alpha_mask, lower.alpha_mask)
    return upper


def _preview(reader: Reader, style: RenderStyle, size: int, emit: Emit) -> dict[str, Any]:
    picture = reader.preview(max_size=size, **_reading(style))
    sent = _send(picture, style, reader, emit)
    return {"width": picture.width, "height": picture.height, "bytes": sent}


@contextmanager
def _reader(dataset: DatasetReader) -> Iterator[Reader]:
    with warnings.catch_warnings():
        # A picture needs no georeference, and a small raster no overviews.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        warnings.simplefilter("ignore", NoOverviewWarning)
        with Reader(None, dataset=dataset) as reader:
            yield reader


def _need_place(dataset: DatasetReader) -> None:
    if not dataset.crs and not dataset.gcps[1]:
        raise UnreadableRaster(
            "The raster does not say where on the Earth it is (it has no CRS): there is a preview "
            "of it, but there are no tiles.",
            code="no_crs",
        )


def _reading(style: RenderStyle) -> dict[str, Any]:
    """What rio-tiler is told of a style: bands or expression, and how pixels are computed."""
    options: dict[str, Any] = {
        "resampling_method": style.resampling,
        "reproject_method": style.resampling,
        "nodata": style.nodata,
    }
    if style.expression is not None:
        return {**options, "expression": style.expression}
    return {**options, "indexes": list(style.bidx) or [1]}


def _send(picture: ImageData, style: RenderStyle, reader: Reader, emit: Emit) -> int:
    """Emit the picture; its bytes."""
    single = style.expression is None and len(style.bidx) <= 1
    data = png(picture, style, reader.colormap if single else None)
    emit("image", data)
    return len(data)


def _number(value: Any) -> float | None:
    """A pixel's value as JSON has it; the magnitude of a complex one."""
    number = float(abs(value)) if np.iscomplexobj(value) else value.item()
    return number if math.isfinite(number) else None


def _hex(palette: Colours) -> dict[str, str]:
    return {str(value): "#" + bytes(colour).hex() for value, colour in palette.items()}
