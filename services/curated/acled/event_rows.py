"""ACLED's events as lines of CSV, which the rest of an update reads as it reads any file.

Each attribute is a column, as it comes: ACLED's own numbers are texts often enough, and one that
ACLED adds shows as a column more. Before them are three columns of ours: `event_id`, `source_url`
and `updated_at`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import orjson

from services.curated.acled.api import Deletion

Event = Mapping[str, Any]

# Those of ACLED's codebook, in its order.
ATTRIBUTES = (
    "event_id_cnty", "event_date", "year", "time_precision", "disorder_type", "event_type",
    "sub_event_type", "actor1", "assoc_actor_1", "inter1", "actor2", "assoc_actor_2", "inter2",
    "interaction", "civilian_targeting", "iso", "region", "country", "admin1", "admin2", "admin3",
    "location", "latitude", "longitude", "geo_precision", "source", "source_scale", "notes",
    "fatalities", "tags", "timestamp",
)  # fmt: skip
DELETION_COLUMNS = ("event_id_cnty", "timestamp")

_OWN = ("event_id", "source_url", "updated_at")
_EVENT_PATH = "/api/acled/read?event_id_cnty="
_PLAIN_ID = re.compile(r"[A-Z][A-Z0-9]{0,11}")
_NESTED = frozenset((dict, list, bool))


def event_id(event_id_cnty: str) -> int:
    """A number for an event that is the same for ever, and fits PostgreSQL's bigint.

    An id such as HND1343 is read as a number to the base of 36. Different ones are different
    numbers: written to that base, with capitals and without leading zeros, a number is the id
    again, and an id does not begin with a zero, for it begins with a letter. With 12 characters it
    is below 36^12 = 4.74e18, and so below 2^63 = 9.22e18.

    Any other text has a negative number, made of 63 bits of its SHA-256. Two texts may share one
    in theory; of a million, some do with a probability of 5e-8.
    """
    if _PLAIN_ID.fullmatch(event_id_cnty):
        return int(event_id_cnty, 36)
    digest = hashlib.sha256(event_id_cnty.encode("utf-8", "surrogatepass")).digest()
    return -1 - (int.from_bytes(digest[:8], "big") >> 1)


def source_url(origin: str, event_id_cnty: str) -> str:
    """Where ACLED's API, which is at `origin`, has an event, for those who have an account."""
    return f"{origin}{_EVENT_PATH}{quote(event_id_cnty, safe='')}"


def updated_at(timestamp: Any) -> str | None:
    """A Unix time as date and time with the zone, which is UTC; None for what is none."""
    try:
        return datetime.fromtimestamp(int(timestamp), UTC).isoformat()
    except (TypeError, ValueError, OverflowError, OSError):
        return None  # what is wrong with it shows in the column `timestamp` itself


def columns_of(names: Collection[str]) -> tuple[str, ...]:
    """The attributes that events have, in order: those of the codebook, then others by their
    names. Of no events it is the codebook's."""
    known = [name for name in ATTRIBUTES if not names or name in names]
    return (*known, *sorted(set(names).difference(ATTRIBUTES)))


def events_csv(
    blocks: Iterable[Iterable[Event]], names: Collection[str], origin: str
) -> Iterator[bytes]:
    """Blocks of events as CSV in UTF-8, with a line of names. `names` are the attributes that any
    of the events has, `origin` is that of ACLED's API."""
    attributes = columns_of(names)
    # In quotes, so that whoever looks at the file's beginning sees that it has them.
    yield _lines([(*_OWN, *attributes)], csv.QUOTE_ALL)
    for block in blocks:
        yield _lines(_row(event, attributes, origin) for event in block)


def deletions_csv(deletions: Iterable[Deletion]) -> Iterator[bytes]:
    """Deletions as CSV: the keys of events, and when they were deleted, in Unix seconds."""
    yield _lines([DELETION_COLUMNS], csv.QUOTE_ALL)
    yield _lines((deletion.event_id_cnty, deletion.deleted_at) for deletion in deletions)


def _row(event: Event, attributes: Sequence[str], origin: str) -> list[Any]:
    values = [event.get(name) for name in attributes]
    if not _NESTED.isdisjoint(map(type, values)):
        values = [
            orjson.dumps(value).decode() if type(value) in _NESTED else value for value in values
        ]
    key = event["event_id_cnty"]
    return [event_id(key), source_url(origin, key), updated_at(event.get("timestamp")), *values]


def _lines(rows: Iterable[Sequence[Any]], quoting: Any = csv.QUOTE_MINIMAL) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=quoting).writerows(rows)
    # No text of PostgreSQL holds a NUL. What is half a character is no UTF-8.
    return text.getvalue().replace("\0", "").encode("utf-8", "replace")
