"""Times as the API and the ledger's payloads write them."""

from __future__ import annotations

from datetime import UTC, datetime


def iso_utc(time: datetime) -> str:
    """ISO 8601 in UTC, to the millisecond: '2026-05-01T12:00:00.000Z'."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
