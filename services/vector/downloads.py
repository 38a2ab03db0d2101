"""Repairs and quarantined records of a report as GeoJSON, in parts of bounded size.

An answer of the Functions host is one piece in memory. A part is a FeatureCollection that names
the next one in its `links`.
"""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import urlencode

from core.job_definition import JsonObject
from infrastructure import vector_report_reader
from infrastructure.database import Connection
from services.access import ANYONE, Caller
from services.orchestration.paging import cursor_after, one_of
from services.vector.model import Reason, RepairKind
from services.vector.reports import after_cursor, read_rows

GEOJSON = "application/geo+json"

MAX_PART_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class Part:
    """A FeatureCollection, and the address of the next part where there is one."""

    body: bytes
    next_url: str | None


def repairs_geojson(
    job_id: str,
    *,
    kind: str | None = None,
    cursor: str | None = None,
    url: str = "",
    caller: Caller = ANYONE,
) -> Part:
    """The repairs: for each the geometry before, the one after, and the fault.

    `url` is the address of the download. Raises `NotFound`, `Forbidden` for what is restricted,
    `InvalidParameters`.
    """
    wanted = one_of(RepairKind, "kind", kind)
    return _part(job_id, "repair_features", cursor, {"kind": wanted}, url, caller)


def quarantine_geojson(
    job_id: str,
    *,
    reason: str | None = None,
    cursor: str | None = None,
    url: str = "",
    caller: Caller = ANYONE,
) -> Part:
    """Every quarantined record as a feature: its properties, and `_reason`, `_detail`,
    `_layer`, `_source_row`, `_raw`, `_raw_truncated`. As `repairs_geojson`."""
    wanted = one_of(Reason, "reason", reason)
    return _part(job_id, "quarantine_features", cursor, {"reason": wanted}, url, caller)


def _part(
    job_id: str,
    drawings: vector_report_reader.Drawings,
    cursor: str | None,
    only: dict[str, str | None],
    url: str,
    caller: Caller,
) -> Part:
    """Features until the part is full. All features of one id are in the same part."""
    (wanted,) = only.values()
    after = after_cursor(cursor)

    def read(connection: Connection) -> Part:
        body = bytearray(b'{"type": "FeatureCollection", "features": [\n')
        count, last = 0, after
        features = vector_report_reader.features(
            connection, job_id, drawings, after=after, only=wanted
        )
        rest: JsonObject = {}
        with closing(features):
            for number, feature in features:
                if len(body) > MAX_PART_BYTES and number != last:
                    query = {name: value for name, value in only.items() if value}
                    following = f"{url}?{urlencode({**query, 'cursor': cursor_after(last)})}"
                    rest["links"] = [{"rel": "next", "type": GEOJSON, "href": following}]
                    break
                body += (b",\n" if count else b"") + feature.encode()
                count, last = count + 1, number
        rest["numberReturned"] = count
        body += b"\n], " + json.dumps(rest).removeprefix("{").encode() + b"\n"
        return Part(bytes(body), rest["links"][0]["href"] if "links" in rest else None)

    return read_rows(job_id, caller, read)
