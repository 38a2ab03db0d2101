"""The events of a stand-in, and what becomes of them: new ones, edits, deletions."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import date

import numpy as np

from local.standins.acled import query
from local.standins.acled.clock import Clock
from local.standins.acled.codebook import FIELDS
from local.standins.acled.geography import COUNTRIES, INDEX
from local.standins.acled.past import Deletions, past
from local.standins.acled.query import Chosen, Condition
from local.standins.acled.rows import (
    EPOCH,
    Columns,
    Row,
    code_of,
    country_and_number,
    id_of,
)
from local.standins.acled.table import Table
from local.standins.dice import Dice, Integers

# These follow from an event's id and date, or are its own arguments.
_NOT_SAID = {"event_id_cnty", "event_date", "year", "iso", "region", "country", "timestamp"}
# How many answers to "which events" are remembered, so that the pages of a query are quick.
_SELECTIONS = 8
_NOWHERE = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Change:
    """Ids of events that came, were edited and went at once."""

    inserted: list[str]
    edited: list[str]
    deleted: list[str]


class Events:
    """What the API tells of events, and the truth that a test compares with.

    A change carries the clock's second, as an upload does, unless it is given another: ACLED's
    uploads may become visible later than their timestamp says.
    """

    def __init__(self, count: int, seed: int, clock: Clock) -> None:
        self._seed = seed
        self._clock = clock
        self._lock = threading.RLock()
        self._table, self._deletions = past(seed, count, clock.now())
        self._used = _highest_numbers(self._table.codes, self._deletions.codes)
        self._gone: dict[int, Table] = {}
        self._selections: dict[tuple[Condition, ...], Chosen] = {}

    def __len__(self) -> int:
        return len(self._table)

    # The truth.

    def rows(self) -> dict[str, Row]:
        """All events that there are, by id, as the API would send them."""
        return {row["event_id_cnty"]: row for row in self._table.rows()}

    def row(self, event_id: str) -> Row:
        """An event. Raises KeyError where there is none."""
        table = self._table
        return table[np.array([self._position(table, event_id)])].rows()[0]

    def deleted(self) -> list[tuple[str, int]]:
        """What was deleted, and when, as the API lists it."""
        listed = self._deletions
        return [
            (id_of(code), timestamp)
            for code, timestamp in zip(
                listed.codes.tolist(), listed.timestamps.tolist(), strict=True
            )
        ]

    def checksum(self) -> int:
        """The sum of all timestamps, which a copy of millions of events can be compared by."""
        return int(self._table.timestamps.sum())

    # What happens to them.

    def insert(
        self,
        *,
        country: str | None = None,
        event_date: date | None = None,
        timestamp: int | None = None,
        **said: str | None,
    ) -> str:
        """A new event; its id.

        Args:
            country: the prefix of its id, such as HND; default: some country.
            event_date: default: some day of the last three weeks.
            timestamp: Unix seconds; default: now.
            said: what other fields say; default: something made up.
        """
        with self._lock:
            inserted = self._new(1, country, event_date)
            self._change(_NOWHERE, inserted, timestamp, _checked(said))
            return id_of(int(inserted.codes[0]))

    def edit(
        self,
        event_id: str,
        *,
        event_date: date | None = None,
        timestamp: int | None = None,
        **said: str | None,
    ) -> Row:
        """Upload an event again with other contents; its new row. Raises KeyError."""
        with self._lock:
            position = np.array([self._position(self._table, event_id)])
            edited = _revised(self._table[position], event_date)
            self._change(position, edited, timestamp, _checked(said))
            return self.row(event_id)

    def delete(self, event_id: str, *, timestamp: int | None = None) -> None:
        """Take an event away and list it among the deleted. Raises KeyError."""
        with self._lock:
            self._delete(np.array([self._position(self._table, event_id)]), timestamp)

    def restore(self, event_id: str, *, timestamp: int | None = None) -> Row:
        """Upload an event again that was deleted here; its row. Its deletion stays listed, as of
        the time at which it happened. Raises KeyError."""
        with self._lock:
            was = self._gone.pop(_code(event_id))
            self._change(_NOWHERE, _revised(was, None), timestamp, was.said.get(_code(event_id)))
            return self.row(event_id)

    def churn(self, *, inserts: int = 0, edits: int = 0, deletes: int = 0, seed: int = 0) -> Change:
        """What a day brings: so many events come, others are edited, others go, at random."""
        with self._lock:
            order = np.random.default_rng([self._seed, seed]).permutation(len(self._table))
            edited, deleted = order[:edits], order[edits : edits + deletes]
            codes = self._table.codes
            change = Change(
                [],
                [id_of(code) for code in codes[edited].tolist()],
                [id_of(code) for code in codes[deleted].tolist()],
            )
            self._change(edited, _revised(self._table[edited], None), None, None)
            gone = np.flatnonzero(np.isin(self._table.codes, codes[deleted]))
            self._delete(gone, None)
            inserted = self._new(inserts, None, None)
            self._change(_NOWHERE, inserted, None, None)
            change.inserted.extend(id_of(code) for code in inserted.codes.tolist())
            return change

    # What the server asks.

    def chosen(self, conditions: tuple[Condition, ...]) -> tuple[Table, Chosen]:
        """The table of the moment, and where in it the events are that meet all conditions."""
        with self._lock:
            table, found = self._table, self._selections.get(conditions)
        if found is None:
            found = query.select(table, conditions)
            with self._lock:
                if table is self._table:
                    self._selections[conditions] = found
                while len(self._selections) > _SELECTIONS:
                    self._selections.pop(next(iter(self._selections)))
        return table, found

    def deletions(self) -> Deletions:
        """What is listed as deleted."""
        return self._deletions

    def _new(self, count: int, country: str | None, event_date: date | None) -> Columns:
        dice = Dice(self._seed, np.arange(count, dtype=np.int64) + sum(self._used) + (1 << 40))
        countries = (
            dice.below("new country", len(COUNTRIES))
            if country is None
            else np.full(count, INDEX[country])
        )
        today = (self._clock.today() - EPOCH).days
        days = (
            today - dice.below("new day", 21)
            if event_date is None
            else np.full(count, (event_date - EPOCH).days)
        )
        numbers = np.zeros(count, dtype=np.int64)
        for place, index in enumerate(countries.tolist()):
            self._used[index] += 1
            numbers[place] = self._used[index]
        nothing = np.zeros(count, dtype=np.int64)
        return Columns(code_of(countries, numbers), days, nothing, nothing)

    def _change(
        self, gone: Integers, come: Columns, timestamp: int | None, said: Row | None
    ) -> None:
        at = self._clock.timestamp() if timestamp is None else timestamp
        stamped = Columns(come.codes, come.days, np.full(len(come), at), come.revisions)
        told = self._table.said
        new = {code: {**told.get(code, {}), **said} for code in come.codes.tolist()} if said else {}
        self._put(self._table.changed(gone, stamped, new))

    def _delete(self, positions: Integers, timestamp: int | None) -> None:
        at = self._clock.timestamp() if timestamp is None else timestamp
        going = self._table[positions]
        self._gone.update(
            (code, going[np.array([place])]) for place, code in enumerate(going.codes.tolist())
        )
        self._deletions = self._deletions.followed_by(going.codes, at)
        self._put(self._table.changed(positions, Columns.none(), {}))

    def _put(self, table: Table) -> None:
        self._table = table
        self._selections.clear()

    @staticmethod
    def _position(table: Table, event_id: str) -> int:
        position = table.position(_code(event_id))
        if position is None:
            raise KeyError(event_id)
        return position


def _revised(table: Table, event_date: date | None) -> Columns:
    columns = table.columns()
    days = columns.days if event_date is None else np.full(len(table), (event_date - EPOCH).days)
    return Columns(columns.codes, days, columns.timestamps, columns.revisions + 1)


def _checked(said: Row) -> Row:
    if wrong := set(said) - (set(FIELDS) - _NOT_SAID):
        raise TypeError(f"{sorted(wrong)} follow from the event's id and date, or are no fields")
    return said


def _code(event_id: str) -> int:
    country, number = INDEX.get(event_id[:3]), event_id[3:]
    if country is None or not number.isdigit():
        raise KeyError(event_id)
    return int(code_of(country, int(number)))


def _highest_numbers(*codes: Integers) -> list[int]:
    countries, numbers = country_and_number(np.concatenate(codes))
    highest = np.zeros(len(COUNTRIES), dtype=np.int64)
    np.maximum.at(highest, countries, numbers)
    return [int(number) for number in highest]
