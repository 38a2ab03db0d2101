"""The events that there are at a moment, as columns in the order of the API's pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import orjson

from local.standins.acled.rows import Columns, Row, render
from local.standins.dice import Integers

_CODE_BITS = 40
_LAST_DAY = 1 << 20


def _keys(days: Integers, codes: Integers) -> Integers:
    """Numbers that are in order where the pages are: the latest day first, then by id."""
    return (_LAST_DAY - days) << _CODE_BITS | codes


@dataclass(frozen=True)
class Table:
    """All events of a moment. It does not change: a change makes another one.

    So a page is answered from one state, whatever happens meanwhile. Twenty bytes an event, and
    what rows have been told to say (`said`, by code) instead of what is made up for them.
    """

    seed: int
    keys: Integers
    timestamps: Integers
    revisions: Integers
    said: Mapping[int, Row] = field(default_factory=dict)

    @classmethod
    def of(cls, seed: int, columns: Columns) -> Table:
        """A table of events in any order."""
        keys = _keys(columns.days, columns.codes)
        order = np.argsort(keys)
        return cls(seed, keys[order], columns.timestamps[order], columns.revisions[order])

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def codes(self) -> Integers:
        """The ids as numbers."""
        return self.keys & ((1 << _CODE_BITS) - 1)

    @property
    def days(self) -> Integers:
        """The days of the events, from 1970-01-01."""
        return _LAST_DAY - (self.keys >> _CODE_BITS)

    def between(self, first_day: int, last_day: int) -> slice:
        """Where the events of some days are, both included."""
        bounds = np.array([_LAST_DAY - last_day, _LAST_DAY - first_day + 1], dtype=np.int64)
        start, stop = np.searchsorted(self.keys, bounds << _CODE_BITS).tolist()
        return slice(start, max(start, stop))

    def __getitem__(self, chosen: slice | Integers) -> Table:
        """Some of the events, in the order asked for."""
        return replace(
            self,
            keys=self.keys[chosen],
            timestamps=self.timestamps[chosen],
            revisions=self.revisions[chosen],
        )

    def position(self, code: int) -> int | None:
        """Where an event is; None where there is none."""
        found = np.flatnonzero(self.codes == code)
        return int(found[0]) if len(found) else None

    def changed(self, gone: Integers, come: Columns, said: Mapping[int, Row]) -> Table:
        """Another table: without those at the positions `gone`, with others instead.

        `said` is added to what rows have been told to say; what concerns no row any more goes.
        """
        keys = np.delete(self.keys, gone)
        added = _keys(come.days, come.codes)
        order = np.argsort(added)
        places = np.searchsorted(keys, added[order])
        dropped = set(self.codes[gone].tolist()) - set(come.codes.tolist())
        kept = {code: row for code, row in self.said.items() if code not in dropped}
        return replace(
            self,
            keys=np.insert(keys, places, added[order]),
            timestamps=np.insert(np.delete(self.timestamps, gone), places, come.timestamps[order]),
            revisions=np.insert(np.delete(self.revisions, gone), places, come.revisions[order]),
            said={**kept, **said},
        )

    def columns(self) -> Columns:
        """The events, one entry each."""
        return Columns(self.codes, self.days, self.timestamps, self.revisions)

    def json(self) -> list[str]:
        """The rows as the API sends them."""
        rows = render(self.seed, self.columns())
        if self.said:
            for place, code in enumerate(self.codes.tolist()):
                if code in self.said:
                    row = {**orjson.loads(rows[place]), **self.said[code]}
                    rows[place] = orjson.dumps(row).decode()
        return rows

    def rows(self) -> list[Row]:
        """The rows, read."""
        read: list[Row] = orjson.loads(f"[{','.join(self.json())}]")
        return read
