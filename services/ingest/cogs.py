"""Which of the copied files are GeoTIFFs, and whether they are valid COGs.

A file that is not is reported, not quarantined: it is in the catalog, and can be converted.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from infrastructure.blob_lookup import BlobRanges
from infrastructure.sandbox import Limits, Sandbox, SandboxError, SandboxFault
from services.ingest.files import CogReport, InvalidCog, SourceDocument, SourceFile

_LIMITS = Limits(memory_bytes=512 << 20, cpu_seconds=20, wall_seconds=60)
_PROBE = "infrastructure.raster_probe:probe_cog"
_SUFFIXES = (".tif", ".tiff", ".gtiff", ".cog")
_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MAX_REASONS = 5


class CogChecks:
    """The COG checks of one copy task, in one child process."""

    def __init__(self, container: str, check: Callable[[], None]) -> None:
        self._container = container
        self._check = check
        self._sandbox = Sandbox(_LIMITS, preload=("rasterio", "rio_cogeo.cogeo"))
        self._verdicts: dict[str, list[str]] = {}
        self._rasters: Counter[tuple[str, bool, str]] = Counter()
        self._facts: dict[str, str] = {}
        self._report = CogReport()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._sandbox.close()

    @property
    def report(self) -> CogReport:
        """What was found so far; equal raster facts of an asset key are counted together."""
        self._report.rasters = [
            {"asset": asset, "is_data": is_data, "count": count, **json.loads(facts)}
            for (asset, is_data, facts), count in sorted(self._rasters.items())
        ]
        return self._report

    def look_at(self, source: SourceDocument, each: SourceFile) -> None:
        """Check the file if it is an item's GeoTIFF; one that several items share, once."""
        if not each.is_asset:
            return
        name = each.place[1]
        asset = source.document["assets"][name]
        path = each.source.path
        if path not in self._verdicts:
            blob = BlobRanges(self._container, path, each.source.size)
            if not _is_geotiff(asset, blob):
                return
            self._verdicts[path] = reasons = self._probe(blob)
            self._report.checked += 1
            if reasons:
                identifier = source.document["id"]
                invalid = InvalidCog(identifier, str(name), path, reasons[:_MAX_REASONS])
                self._report.invalid.append(invalid)
            else:
                self._report.valid += 1
        if path in self._facts:
            is_data = "data" in (asset.get("roles") or [])
            self._rasters[str(name), is_data, self._facts[path]] += 1

    def _probe(self, blob: BlobRanges) -> list[str]:
        """Why the file is not a valid COG; empty if it is."""
        try:
            found: dict[str, Any] = self._sandbox.call(
                _PROBE, {"size_bytes": blob.size}, sources={"raster": blob}, check=self._check
            )
        except SandboxError as error:
            if error.fault is SandboxFault.RAISED:
                return [_why_unreadable(blob)]
            return [error.message]
        self._facts[blob.path] = json.dumps(found["raster"], sort_keys=True)
        return list(found["errors"]) if not found["valid"] else []


def _why_unreadable(blob: BlobRanges) -> str:
    """In the user's words: GDAL's would name the pipe through which it read."""
    if not blob.size:
        return "The file is empty."
    if blob.size < len(_MAGIC[0]) or blob.read(0, len(_MAGIC[0])) not in _MAGIC:
        return "The file is not a GeoTIFF."
    return (
        "The file begins as a GeoTIFF does but cannot be read as one: it is damaged, or of a kind "
        "that GDAL does not read."
    )


def _is_geotiff(asset: dict[str, Any], blob: BlobRanges) -> bool:
    """By media type or name; by the first bytes where neither says anything."""
    media_type = (asset.get("type") or "").lower()
    name = blob.path.rsplit("/", 1)[-1].lower()
    if media_type.startswith("image/tiff") or name.endswith(_SUFFIXES):
        return True
    if media_type or "." in name or blob.size < len(_MAGIC[0]):
        return False
    return blob.read(0, len(_MAGIC[0])) in _MAGIC
