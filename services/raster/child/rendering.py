"""Pictures of a COG: thumbnails, previews and map tiles. Runs inside of the sandbox.

Each function draws the raster in a `RenderStyle` (as JSON) and emits the PNG to the sink
`image`. A local file is named by its path, one in storage is read through the parent.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rio_tiler.errors import NoOverviewWarning
from rio_tiler.io import Reader
from rio_tiler.models import ImageData

from services.raster.child.drawing import png
from services.raster.rendering.model import RenderStyle

Emit = Callable[[str, bytes], None]


def image(path: str, style: dict[str, Any], size: int, emit: Emit) -> dict[str, Any]:
    """A picture of the whole raster, its longer side of at most `size` pixels, in its own grid.

    Returns {width, height, bytes}.
    """
    with rasterio.open(path, driver="GTiff") as dataset, _reader(dataset) as reader:
        return _preview(reader, RenderStyle.model_validate(style), size, emit)


def _preview(reader: Reader, style: RenderStyle, size: int, emit: Emit) -> dict[str, Any]:
    picture = reader.preview(max_size=size, **_reading(style))
    data = _sent(picture, style, reader, emit)
    return {"width": picture.width, "height": picture.height, "bytes": len(data)}


@contextmanager
def _reader(dataset: Any) -> Iterator[Reader]:
    with warnings.catch_warnings():
        # A picture needs no georeference, and a small raster no overviews.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        warnings.simplefilter("ignore", NoOverviewWarning)
        with Reader(None, dataset=dataset) as reader:
            yield reader


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


def _sent(picture: ImageData, style: RenderStyle, reader: Reader, emit: Emit) -> bytes:
    single = style.expression is None and len(style.bidx) <= 1
    data = png(picture, style, reader.colormap if single else None)
    emit("image", data)
    return data
