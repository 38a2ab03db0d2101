"""Previews, tiles and values of published rasters, read by children that see nothing else.

A child serves the requests for one version of one blob, and waits a while for more of them. The
parts of the blob that it asks for are kept in memory for the next request.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any

from core.errors import Conflict, Unavailable
from core.job_definition import JsonObject
from infrastructure import blob_blocks
from infrastructure.blob_blocks import CachedBlob
from infrastructure.blob_lookup import BlobVersion
from infrastructure.sandbox import Limits, SandboxError, SandboxFault
from infrastructure.sandbox_pool import SandboxPool
from services.raster import children
from services.raster.child.gdal_environment import PRELOAD
from services.raster.model import RasterModel, Survey
from services.raster.rendering.model import RenderStyle
from services.raster.rendering.published import PublishedRaster

_CHILD = "services.raster.child"
_LIMITS = Limits(memory_bytes=768 << 20, cpu_seconds=20, wall_seconds=30)
_PRELOAD = (*PRELOAD, "rio_tiler.io", f"{_CHILD}.rendering", f"{_CHILD}.surveying")

# Pictures that are drawn at the same time. Others wait a while, then are turned away.
_AT_ONCE = max(2, os.cpu_count() or 1)
_WAIT_SECONDS = 15.0
# Options of a survey: nothing is said of the raster but what its file says.
_AS_IT_IS = {"raster_type": "auto", "nodata": None, "source_crs": None}
# A person who looks at a map moves it every few seconds.
_IDLE_SECONDS = 20.0
_KNOWN = 512


class Inspected(RasterModel):
    """What is known of a published raster, and where it is drawn.

    `bounds` are west, south, east and north in degrees, west beyond east across the antimeridian;
    None, with the zooms, for a raster without a place on the Earth. `palette` holds the colours
    (#rrggbbaa) that the file itself has.
    """

    survey: Survey
    bounds: tuple[float, float, float, float] | None = None
    minzoom: int | None = None
    maxzoom: int | None = None
    palette: dict[int, str] | None = None

    @property
    def tile_bounds(self) -> tuple[float, float, float, float] | None:
        """The bounds of its tiles: maps ask for none in a box whose west lies beyond its east."""
        if self.bounds is None:
            return None
        west, south, east, north = self.bounds
        return self.bounds if west <= east else (-180.0, south, 180.0, north)


def preview(raster: PublishedRaster, style: RenderStyle, size: int) -> bytes:
    """A PNG of the whole raster in its own grid, its longer side of at most `size` pixels."""
    return _drawn(raster, "preview", {"style": style.model_dump(mode="json"), "size": size})


def tile(raster: PublishedRaster, style: RenderStyle, z: int, x: int, y: int, size: int) -> bytes:
    """A PNG of a tile of WebMercatorQuad; transparent where the raster is not.

    Raises `Conflict` (no_crs) for a raster without a place on the Earth.
    """
    arguments = {"style": style.model_dump(mode="json"), "z": z, "x": x, "y": y, "size": size}
    return _drawn(raster, "tile", arguments)


def point(raster: PublishedRaster, longitude: float, latitude: float) -> JsonObject:
    """{values, inside} of the bands at a place, as stored; see `child.rendering.point`."""
    arguments = {"longitude": longitude, "latitude": latitude}
    result: JsonObject = _call(raster.blob, "rendering:point", arguments)
    return result


def inspect(raster: PublishedRaster) -> Inspected:
    """What the raster is and where, found out once for each version of its blob."""
    return _inspected(raster.blob.container, raster.blob.path, raster.blob.size, raster.blob.etag)


@lru_cache(_KNOWN)
def _inspected(container: str, path: str, size: int, etag: str) -> Inspected:
    blob = BlobVersion(container, path, size, etag)
    survey = _call(
        blob,
        "surveying:survey_ranges",
        {"size": size, "name": path, "options": _AS_IT_IS},
        sized=False,
    )
    place = _call(blob, "rendering:place", {})
    return Inspected.model_validate({"survey": survey, **place})


def _drawn(raster: PublishedRaster, what: str, arguments: dict[str, Any]) -> bytes:
    pieces: list[bytes] = []
    _call(raster.blob, f"rendering:{what}", arguments, into=pieces)
    return b"".join(pieces)


def _call(
    blob: BlobVersion,
    function: str,
    arguments: dict[str, Any],
    *,
    into: list[bytes] | None = None,
    sized: bool = True,
) -> Any:
    """What a function of the child's returns. With `into`, it draws an image into that list.

    Raises `Conflict` for a raster that cannot be read or drawn, `Unavailable` where that takes
    too long or too many others are being drawn, `BlobChanged`.
    """
    source = CachedBlob(blob, blob_blocks.shared())
    if sized:
        arguments = {"file_bytes": blob.size, **arguments}
    with (
        _turn(),
        _pool().borrow(
            f"{blob.container}/{blob.path}#{blob.etag}",
            limits=_LIMITS,
            environment=children.environment(),
            preload=_PRELOAD,
            readable=[],
        ) as child,
    ):
        try:
            return child.call(
                f"{_CHILD}.{function}",
                arguments,
                sources={"raster": source},
                sinks=None if into is None else {"image": into.append},
            )
        except SandboxError as error:
            raise _told(blob, error) from error


def _told(blob: BlobVersion, error: SandboxError) -> Conflict | Unavailable:
    message = f"{blob.container}/{blob.path} cannot be drawn. {error.message}"
    if error.fault is SandboxFault.TIMED_OUT:
        message += " A raster without overviews takes long: process_raster makes a COG of it."
        return Unavailable(message, code="rendering_timeout")
    if error.fault is SandboxFault.KILLED:
        return Unavailable(message, code="rendering_stopped")
    return Conflict(message, code=error.raised_code or "raster_not_drawn")


_turns = threading.BoundedSemaphore(_AT_ONCE)


@contextmanager
def _turn() -> Iterator[None]:
    if not _turns.acquire(timeout=_WAIT_SECONDS):
        raise Unavailable(
            f"{_AT_ONCE} pictures are being drawn, and no turn came within "
            f"{_WAIT_SECONDS:.0f} s: try again.",
            code="rendering_busy",
        )
    try:
        yield
    finally:
        _turns.release()


@cache
def _pool() -> SandboxPool:
    pool = SandboxPool(idle_seconds=_IDLE_SECONDS, max_idle=2 * _AT_ONCE)
    atexit.register(pool.close)
    return pool
