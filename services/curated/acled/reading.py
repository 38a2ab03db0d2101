"""Read all rows of a query that comes in pages, each once, although the rows may change meanwhile.

Pages are cut anew for every request. Where a row is entered, deleted or moved between two of
them, the rows behind it shift: one comes twice, or another one never. So what was read counts
only where it was the same set from the first page to the last:

- every page names the same total, and so many different rows have come;
- and no row of the query has been entered or edited since the first page was answered, or shortly
  before, as some become visible later than their time says. That rules out the case in which one
  row has gone and another has come, and the total is the same as before.

Else, and where the source names no total, the pages are read again, from the first. What comes
out twice in a row is taken for what the source has, also if it names a row twice itself: of those
the latest counts.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import count
from typing import IO, Any, Protocol, Self

import orjson

from services.curated.acled.transport import AcledRefused, AcledUnavailable

Row = dict[str, Any]

# The first reading, and three more.
_READINGS = 4
# How much later than its time says a row may become visible.
_LATE = timedelta(hours=48)
_IN_MEMORY_BYTES = 8 << 20
# A page of ACLED's has thousands, which take 25 MB as objects.
_BLOCK_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class Restriction:
    """What an account may not see: events after the day `until`, which lies so many units
    ("Months") back."""

    until: date | None
    quantity: int | None = None
    unit: str | None = None

    def __str__(self) -> str:
        back = f" ({self.quantity} {self.unit} back)" if self.quantity and self.unit else ""
        return f"events to {self.until or 'an unnamed day'}{back}"


@dataclass(frozen=True, slots=True)
class Page:
    """One answer. `total` is of the whole query, None where the source does not say."""

    rows: Sequence[Row]
    total: int | None
    restriction: Restriction | None
    server_time: datetime


class Query(Protocol):
    """What is read."""

    @property
    def what(self) -> str:
        """What its rows are called."""

    @property
    def id_name(self) -> str:
        """The attribute that holds a row's key."""

    @property
    def time_name(self) -> str:
        """The attribute that holds the Unix time of a row's last change."""

    def page(self, number: int, limit: int) -> Page:
        """A page, from 1 on, of so many rows at most."""

    def has_changed_since(self, moment: datetime) -> bool:
        """Whether a row of the query was entered or edited at the moment or later."""


class Rows:
    """The rows of a query, each once. They lie in a file for the moment, so this is a context
    manager, or is closed with `close`. `restriction` is what the account may not see of them."""

    def __init__(self, spool: _Spool, restriction: Restriction | None):
        self.restriction = restriction
        self._spool = spool

    def __len__(self) -> int:
        return len(self._spool.latest)

    @property
    def names(self) -> frozenset[str]:
        """The attributes that any of the rows has."""
        return frozenset(self._spool.names)

    def __iter__(self) -> Iterator[Row]:
        for block in self.blocks():
            yield from block

    def blocks(self) -> Iterator[list[Row]]:
        """The rows, some at a time, in the source's order."""
        return self._spool.blocks()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back the room that the rows take."""
        self._spool.close()


def read(
    query: Query,
    *,
    limit: int,
    check: Callable[[], None],
    progress: Callable[..., None] | None = None,
) -> Rows:
    """All rows of a query as they were at one moment.

    Raises `AcledUnavailable` (source_changing) where they do not hold still, and what the query
    raises.
    """
    before: _Reading | None = None
    try:
        for _ in range(_READINGS):
            reading = _Reading(query, limit)
            try:
                reading.read(check, progress)
                is_sound = reading.is_sound(before)
            except BaseException:
                reading.spool.close()
                raise
            if is_sound:
                return Rows(reading.spool, reading.restriction)
            if before is not None:
                before.spool.close()
            before = reading
        raise AcledUnavailable(
            f"ACLED's {query.what} change while they are read: {_READINGS} times the pages did "
            f"not fit together; the last time {len(reading.spool.latest):,} different ones came, "
            f"of {reading.total_named()}.",
            code="source_changing",
        )
    finally:
        if before is not None:
            before.spool.close()


class _Spool:
    """Rows on their way: the pages in a file, and by key where the latest row is."""

    def __init__(self) -> None:
        self.latest: dict[str, tuple[int, int]] = {}
        self.names: set[str] = set()
        self.rows = 0
        # Closed by `close`, as it outlives this block.
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(  # noqa: SIM115
            max_size=_IN_MEMORY_BYTES
        )
        self._ends: list[int] = []

    def append(self, rows: Sequence[Row], keys: Sequence[tuple[str, int]]) -> None:
        """Add rows. `keys` are their keys and times of change."""
        for key, changed_at in keys:
            if key not in self.latest or self.latest[key][0] < changed_at:
                self.latest[key] = (changed_at, self.rows)
            self.rows += 1
        for row in rows:
            if not self.names.issuperset(row):
                self.names.update(row)
        for block in range(0, len(rows), _BLOCK_ROWS):
            self._file.write(orjson.dumps(rows[block : block + _BLOCK_ROWS]))
            self._ends.append(self._file.tell())

    def blocks(self) -> Iterator[list[Row]]:
        """The latest row of each key, some at a time."""
        wanted = {position for _, position in self.latest.values()}
        position = start = 0
        for end in self._ends:
            self._file.seek(start)
            rows = orjson.loads(self._file.read(end - start))
            yield [row for number, row in enumerate(rows, position) if number in wanted]
            position, start = position + len(rows), end

    def close(self) -> None:
        self._file.close()


class _Reading:
    """One attempt to read all pages."""

    def __init__(self, query: Query, limit: int) -> None:
        self.spool = _Spool()
        self.restriction: Restriction | None = None
        self.began: datetime
        self._query = query
        self._limit = limit
        # Those with rows.
        self._pages = 0
        self._totals: set[int | None] = set()

    def read(self, check: Callable[[], None], progress: Callable[..., None] | None) -> None:
        """Read until there are as many rows as the source names, or to an empty page; not to the
        end where the total changes on the way."""
        for number in count(1):
            check()
            is_last = self._take(self._query.page(number, self._limit))
            if progress is not None:
                progress(**{f"{self._query.what}_read": self.spool.rows})
            if is_last:
                return

    def _take(self, page: Page) -> bool:
        """Keep a page, which is not held on to; whether it is the last."""
        if not self._totals:
            self.began = page.server_time
        self.restriction = page.restriction or self.restriction
        self._totals.add(page.total)
        known = len(self.spool.latest)
        if page.rows:
            self._pages += 1
            self.spool.append(page.rows, [self._key(row) for row in page.rows])
        if len(self._totals) > 1:
            return True
        if page.total is None:
            return len(self.spool.latest) == known
        return not page.rows or self.spool.rows >= page.total

    def is_sound(self, before: _Reading | None) -> bool:
        """Whether this is all that the source had at one moment."""
        if len(self._totals) > 1:
            return False
        [total] = self._totals
        if total not in (None, self.spool.rows):
            return False
        if before is not None and self._has_what(before):
            return True
        if len(self.spool.latest) < self.spool.rows:
            return False
        # One page that holds all of a query was cut at one moment.
        if self._pages <= 1 and (total is not None or self.spool.rows < self._limit):
            return True
        return total is not None and not self._query.has_changed_since(self.began - _LATE)

    def total_named(self) -> str:
        """The totals that the source has named."""
        named = sorted(total for total in self._totals if total is not None)
        return " or ".join(f"{total:,}" for total in named) or "an unnamed number"

    def _has_what(self, before: _Reading) -> bool:
        return (
            before._totals == self._totals
            and before.spool.rows == self.spool.rows
            and before.spool.latest.keys() == self.spool.latest.keys()
            and all(
                before.spool.latest[key][0] == changed_at
                for key, (changed_at, _) in self.spool.latest.items()
            )
        )

    def _key(self, row: Row) -> tuple[str, int]:
        try:
            key, changed_at = row[self._query.id_name], int(row[self._query.time_name])
        except (KeyError, TypeError, ValueError):
            key, changed_at = None, 0
        if not isinstance(key, str) or not key:
            raise AcledRefused(
                f"ACLED sends {self._query.what} without {self._query.id_name} or with a "
                f"{self._query.time_name} that is no number.",
                code="acled_bad_answer",
            )
        return key, changed_at
