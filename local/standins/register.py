"""Which records there are in which release of a dataset, and how often each has been edited."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from local.standins.dice import Integers

_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)


@dataclass(frozen=True, slots=True)
class State:
    """The records of one release, in the order of their numbers, and how often each was edited."""

    numbers: Integers
    revisions: Integers

    def __len__(self) -> int:
        return len(self.numbers)

    def part(self, index: int, parts: int) -> State:
        """One of several runs of about the same length."""
        bounds = np.linspace(0, len(self), parts + 1).astype(int)
        chosen = slice(bounds[index], bounds[index + 1])
        return State(self.numbers[chosen], self.revisions[chosen])

    def slices(self, size: int) -> list[State]:
        """Runs of that many records at most; one empty run if there are none."""
        starts = range(0, len(self), size) or [0]
        return [
            State(self.numbers[start : start + size], self.revisions[start : start + size])
            for start in starts
        ]


@dataclass(frozen=True, slots=True)
class Change:
    """How many records differ from one release to the next."""

    added: int
    edited: int
    deleted: int

    @classmethod
    def of(cls, count: int) -> Change:
        """What a month brings to that many records: 1% added, 2% edited, 0.5% deleted."""
        return cls(*(max(1, round(count * share)) if count else 0 for share in (0.01, 0.02, 0.005)))


@dataclass(frozen=True)
class Register:
    """The records of a dataset through its releases, which count from 1.

    A number is given once: what is deleted does not come back.
    """

    seed: int
    count: int
    change: Change
    first_number: int = 1

    def state(self, release: int) -> State:
        """What the release holds. Raises ValueError for one below 1."""
        if release < 1:
            raise ValueError(f"releases count from 1, so there is no release {release}")
        return _state(self, release)

    def _next(self, before: State, release: int) -> State:
        chance = np.random.default_rng([self.seed, self.first_number, release])
        touched = min(len(before), self.change.edited + self.change.deleted)
        order = chance.permutation(len(before))[:touched]
        deleted, edited = order[: self.change.deleted], order[self.change.deleted :]
        revisions = before.revisions.copy()
        revisions[edited] += 1
        start = self.first_number + self.count + (release - 2) * self.change.added
        added = np.arange(start, start + self.change.added, dtype=np.int64)
        return State(
            np.concatenate([np.delete(before.numbers, deleted), added]),
            np.concatenate([np.delete(revisions, deleted), np.zeros_like(added)]),
        )


@lru_cache(maxsize=32)
def _state(register: Register, release: int) -> State:
    if release == 1:
        numbers = np.arange(register.first_number, register.first_number + register.count)
        return State(numbers.astype(np.int64), np.zeros(register.count, dtype=np.int64))
    return register._next(_state(register, release - 1), release)


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month, as releases are named after."""

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> Month:
        """From "May 2023". Raises ValueError."""
        name, _, year = text.partition(" ")
        if name not in _MONTHS or not year.isdigit():
            raise ValueError(f"{text!r} is no month such as 'May 2023'")
        return cls(int(year), _MONTHS.index(name) + 1)

    def later(self, months: int) -> Month:
        """So many months on."""
        years, month = divmod(self.month - 1 + months, 12)
        return Month(self.year + years, month + 1)

    def __str__(self) -> str:
        return f"{_MONTHS[self.month - 1]} {self.year}"

    @property
    def short(self) -> str:
        """As in the names of files: May2023."""
        return f"{_MONTHS[self.month - 1][:3]}{self.year}"


@dataclass(frozen=True, slots=True)
class Truth:
    """What differs between two releases, by key, of the records that can be loaded.

    It follows from the registers, not from any file. `unloadable` counts the records of the
    newer release that cannot be repaired.
    """

    added: frozenset[str]
    updated: frozenset[str]
    deleted: frozenset[str]
    unchanged: frozenset[str]
    unloadable: int

    @property
    def loaded(self) -> int:
        """Rows of the newer release."""
        return len(self.added) + len(self.updated) + len(self.unchanged)


def compare(
    before: dict[str, int] | None, after: dict[str, int], *, unloadable: int, all_new: bool = False
) -> Truth:
    """The truth of two releases, each {key: revision}. With `all_new` each record that stays
    counts as updated, as when the columns change their meaning."""
    before = before or {}
    common = before.keys() & after.keys()
    updated = {key for key in common if all_new or before[key] != after[key]}
    return Truth(
        added=frozenset(after.keys() - before.keys()),
        updated=frozenset(updated),
        deleted=frozenset(before.keys() - after.keys()),
        unchanged=frozenset(common - updated),
        unloadable=unloadable,
    )
