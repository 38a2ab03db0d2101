"""Why the child will not go on with a raster."""

from __future__ import annotations

from core.errors import GeoforgeError


class UnreadableRaster(GeoforgeError):
    """The file cannot be read; the message is a sentence that can be shown to its owner."""

    code = "unreadable_raster"


class RefersElsewhere(UnreadableRaster):
    """The file, or one beside it, names other files or addresses for GDAL to read."""

    code = "refers_elsewhere"
