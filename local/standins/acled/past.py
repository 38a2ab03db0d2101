"""What was there before a stand-in was started: years of events, uploads and deletions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np

from local.standins.acled.geography import COUNTRIES
from local.standins.acled.rows import EPOCH, Columns, code_of
from local.standins.acled.table import Table
from local.standins.dice import Dice, Integers, Reals

FIRST_DAY = date(1997, 1, 1)

_DAY = 86_400
_TUESDAY = 5  # of the days since 1970-01-01, a Thursday, by their remainder of seven
_UPLOADS_BEGIN = 15 * 3600
_BATCHES, _BATCH_SECONDS = 40, 97
_EDITED, _DELETED = 0.2, 0.01


@dataclass(frozen=True, slots=True)
class Deletions:
    """What the deleted endpoint lists: ids as numbers, and when they were deleted."""

    codes: Integers
    timestamps: Integers

    def __len__(self) -> int:
        return len(self.codes)

    def followed_by(self, codes: Integers, timestamp: int) -> Deletions:
        """These, and others at some second."""
        return Deletions(
            np.concatenate([self.codes, codes]),
            np.concatenate([self.timestamps, np.full(len(codes), timestamp, dtype=np.int64)]),
        )


def past(seed: int, count: int, now: datetime) -> tuple[Table, Deletions]:
    """So many events up to the last upload, and those that were deleted until then.

    Events become more from year to year. They are uploaded on Tuesdays, in batches whose events
    share their second; a fifth was edited since, up to two years later. The numbers of a country
    grow with the days; where one is left out, its event was deleted.
    """
    last_upload = _last_tuesday(now)
    dice = Dice(seed, np.arange(count, dtype=np.int64))
    first, last = (FIRST_DAY - EPOCH).days, last_upload - 3
    share: Reals = ((np.arange(count) + 0.5) / max(count, 1)) ** (1 / 3)
    days: Integers = (first + share * (last - first + 1)).astype(np.int64)
    edited = dice.happens("edited", _EDITED)
    delay = 1 + dice.below("delay", 9)
    later = (dice.uniform("later") ** 3 * 730).astype(np.int64)
    uploaded = _uploads(dice, days + delay + np.where(edited, later, 0), last_upload)
    countries = _countries(dice)
    deleted = dice.happens("deleted", _DELETED)
    numbers = _numbers(countries, 1 + deleted)
    columns = Columns(code_of(countries, numbers), days, uploaded, edited.astype(np.int64))
    gone = Deletions(
        code_of(countries, numbers - 1)[deleted],
        _uploads(dice, days + delay + 30, last_upload)[deleted],
    )
    return Table.of(seed, columns), gone


def _last_tuesday(now: datetime) -> int:
    """The last day of uploads that is over."""
    yesterday: int = (now.astimezone(UTC).date() - timedelta(days=1) - EPOCH).days
    return yesterday - (yesterday - _TUESDAY) % 7


def _uploads(dice: Dice, days: Integers, last: int) -> Integers:
    """The seconds in which something is uploaded that is ready on some days."""
    tuesdays: Integers = np.minimum(days + (_TUESDAY - days) % 7, last)
    return tuesdays * _DAY + _UPLOADS_BEGIN + dice.below("batch", _BATCHES) * _BATCH_SECONDS


def _countries(dice: Dice) -> Integers:
    weights = np.cumsum([country.weight for country in COUNTRIES])
    thrown = dice.uniform("country", high=float(weights[-1]))
    countries: Integers = np.searchsorted(weights[:-1], thrown, side="right").astype(np.int64)
    return countries


def _numbers(countries: Integers, steps: Integers) -> Integers:
    """Numbers that grow by their steps within each country."""
    numbers = np.zeros_like(countries)
    for country in range(len(COUNTRIES)):
        of_country = countries == country
        numbers[of_country] = np.cumsum(steps[of_country])
    return numbers
