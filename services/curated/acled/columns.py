"""The columns of the table of ACLED's events.

Names and meanings are those of ACLED's codebook (https://acleddata.com/knowledge-base/codebook).
`event_id`, `source_url` and `updated_at` are ours: see `services.curated.acled.event_rows`. What
ACLED gives as a code at one time and as its meaning at another is text.
"""

from __future__ import annotations

from core.models.feature_table import ColumnType
from services.curated.handler import Field

_INTEGER, _REAL, _TEXT = ColumnType.INTEGER, ColumnType.REAL, ColumnType.TEXT


def _field(name: str, comment: str, type_: ColumnType = _TEXT) -> Field:
    """A column that an attribute of its own name fills."""
    return Field(name, type_, (name,), comment=comment)


FIELDS: tuple[Field, ...] = (
    _field("event_id", "Number of the event, made of event_id_cnty: one for each", _INTEGER),
    _field("event_id_cnty", "The event's id at ACLED, such as HND1343: the key"),
    _field("event_date", "Day of the event", ColumnType.DATE),
    _field("year", "Year of the event", _INTEGER),
    _field("time_precision", "1: the day is known, 2: the week, 3: the month", _INTEGER),
    _field("disorder_type", "Political violence, demonstrations, strategic developments"),
    _field("event_type", "One of the six types of events"),
    _field("sub_event_type", "Type of the event, closer"),
    _field("actor1", "One of the two sides"),
    _field("assoc_actor_1", "Who was with actor1, or what it is part of; several by semicolons"),
    _field("inter1", "What kind of actor actor1 is"),
    _field("actor2", "The other side, where there is one"),
    _field("assoc_actor_2", "Who was with actor2, or what it is part of; several by semicolons"),
    _field("inter2", "What kind of actor actor2 is"),
    _field("interaction", "Which kinds of actors met"),
    _field("civilian_targeting", "Says so where civilians were the main target"),
    _field("iso", "ISO 3166-1 numeric code of the country", _INTEGER),
    _field("region", "Region of the world"),
    _field("country", "Country in which it happened"),
    _field("admin1", "Largest division of the country"),
    _field("admin2", "Second largest division"),
    _field("admin3", "Third largest division"),
    _field("location", "Name of the place"),
    _field("latitude", "Degrees north, WGS 84", _REAL),
    _field("longitude", "Degrees east, WGS 84", _REAL),
    _field("geo_precision", "1: the place is known, 2: its surroundings, 3: its region", _INTEGER),
    _field("source", "Who reported it; several by semicolons"),
    _field("source_scale", "How far the sources reach, from local to international"),
    _field("notes", "What happened, in words"),
    _field("fatalities", "Reported deaths; 0 where none is known of", _INTEGER),
    _field("tags", "More of the event, such as crowd size; several by semicolons"),
    _field("timestamp", "When ACLED entered or last edited it, in Unix seconds", _INTEGER),
    _field("updated_at", "The same as a moment", ColumnType.TIMESTAMPTZ),
    _field("source_url", "The event at ACLED, for holders of an account"),
)
