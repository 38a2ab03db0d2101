"""How a version of a table is named in the addresses of its tiles."""

from __future__ import annotations

from infrastructure.features_repository import PublishedTable

# Raised whenever tiles come out differently, so that nobody keeps the old ones.
_MAKE = 1


def version_token(table: PublishedTable) -> str:
    """The version's number, with what tells it from one of the same number of a table that was
    published under this name before: `7-1f3a9c0e2b41`."""
    microseconds = round(table.updated_at.timestamp() * 1_000_000)
    return f"{table.version}-{microseconds:x}{_MAKE}"
