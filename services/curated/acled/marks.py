"""Up to when ACLED's changes have been read: the version of a dataset of events.

A mark is ACLED's own time at the moment when it was asked, so that whatever is uploaded later has
a later `timestamp`. An account may be kept from the newest events, by their dates; then the mark
says also up to which date it could see::

    2026-11-23T09:15:00Z
    2026-11-23T09:15:00Z (events to 2025-11-23)

A mark is kept nowhere but as the dataset's source_version: it moves with the publication of what
was read, and goes back with a rollback.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

_MARK = re.compile(
    r"(?P<at>\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})Z(?: \(events to (?P<until>\d{4}-\d{2}-\d{2})\))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Mark:
    """The moment, in UTC and whole seconds, and the last date that could be seen (None: all)."""

    at: datetime
    until: date | None = None

    @classmethod
    def of(cls, moment: datetime, until: date | None) -> Mark:
        """The mark of a moment: its second has not passed, and is read again."""
        return cls(moment.astimezone(UTC).replace(microsecond=0), until)

    @classmethod
    def parse(cls, version: str | None) -> Mark | None:
        """The mark that a version is; None for what is none, such as that of a mere backfill."""
        found = None if version is None else _MARK.fullmatch(version)
        if found is None:
            return None
        until = found["until"]
        try:
            return cls(
                datetime.fromisoformat(found["at"]).replace(tzinfo=UTC),
                None if until is None else date.fromisoformat(until),
            )
        except ValueError:  # of the right form, and no day of the calendar
            return None

    def __str__(self) -> str:
        seen = "" if self.until is None else f" (events to {self.until})"
        return f"{self.at:%Y-%m-%dT%H:%M:%SZ}{seen}"

    def opens(self, later: Mark) -> bool:
        """Whether dates that could not be seen at this mark can be seen at the other one."""
        return self.until is not None and (later.until is None or later.until > self.until)
