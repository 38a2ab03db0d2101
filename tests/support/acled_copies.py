"""What the table of ACLED's events has to hold, and what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from infrastructure.database import Connection
from local.standins.acled.server import Acled
from services.curated.acled.columns import FIELDS
from services.curated.acled.event_rows import ATTRIBUTES, event_id

TABLE = "geo.curated_acled_events"

# The attributes that are numbers in the table and texts at ACLED.
_NUMBERS = ("year", "time_precision", "iso", "geo_precision", "fatalities", "timestamp")
_COLUMNS = ", ".join(f'"{field.name}"' for field in FIELDS)

Rows = dict[str, dict[str, Any]]


def truth(acled: Acled) -> Rows:
    """What the table should hold: each event of the source by its id, in all columns."""
    return {key: _as_row(event, acled.url) for key, event in acled.events.rows().items()}


def copied(connection: Connection) -> Rows:
    """What the table holds. What is not said is null or an empty text, there as here."""
    rows = connection.execute(
        f"SELECT {_COLUMNS}, ST_X(geom) AS x, ST_Y(geom) AS y, ST_SRID(geom) AS srid FROM {TABLE}"
    ).fetchall()
    found = {
        row["event_id_cnty"]: {name: None if value == "" else value for name, value in row.items()}
        for row in rows
    }
    assert len(found) == len(rows)
    return found


def _as_row(event: Mapping[str, Any], origin: str) -> dict[str, Any]:
    said = {name: None if event[name] in (None, "") else str(event[name]) for name in ATTRIBUTES}
    numbers = {name: _number(said[name]) for name in _NUMBERS}
    key, longitude, latitude = (
        str(said[name]) for name in ("event_id_cnty", "longitude", "latitude")
    )
    return {
        **said,
        **numbers,
        "event_date": date.fromisoformat(str(said["event_date"])),
        "longitude": float(longitude),
        "latitude": float(latitude),
        "event_id": event_id(key),
        "updated_at": datetime.fromtimestamp(int(str(said["timestamp"])), UTC),
        "source_url": f"{origin}/api/acled/read?event_id_cnty={key}",
        "x": float(longitude),
        "y": float(latitude),
        "srid": 4326,
    }


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)
