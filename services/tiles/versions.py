"""How a version of a table is named, and how in the addresses of its tiles."""

from __future__ import annotations

import zlib

from config import get_settings
from infrastructure.features_repository import PublishedTable

# Raised whenever tiles come out differently, so that nobody keeps the old ones.
_MAKE = 1


def version_token(table: PublishedTable) -> str:
    """The version's number, with what tells it from one of the same number of a table that was
    published under this name before: `7-650b643154000-1`."""
    microseconds = round(table.updated_at.timestamp() * 1_000_000)
    return f"{table.version}-{microseconds:x}-{_MAKE}"


def tiles_token(table: PublishedTable) -> str:
    """The version's name, and what else its tiles hang on: how large they may be, and whether
    everyone may keep them. `7-650b643154000-1-df9e9459`."""
    settings = get_settings()
    terms = (table.restricted, settings.tile_max_bytes, settings.tile_max_features)
    return f"{version_token(table)}-{zlib.crc32(repr(terms).encode()):08x}"
