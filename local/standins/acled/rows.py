"""Made-up events as the API writes them: a row follows from its number, its day and its revision.

Nothing of a row is kept: it is written when it is asked for, by vectorised throws and from pieces
of JSON that are put together once, so that a page of 5,000 takes some hundredths of a second.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from functools import cache, lru_cache
from typing import Any

import numpy as np

from local.standins.acled.codebook import KINDS
from local.standins.acled.geography import COUNTRIES, REGIONS, places
from local.standins.acled.parties import parties
from local.standins.dice import Dice, Integers

Row = dict[str, Any]

EPOCH = date(1970, 1, 1)

_NUMBER_BITS = 32
# More than an event is ever edited.
_REVISIONS = 1 << 10
# How many pairings of actors there are of a kind of event in a country.
_VARIANTS = 8
_SOURCES = (
    ("Example Daily", "National"),
    ("El Correo de Ejemplo", "Subnational"),
    ("Radio Exemple; Agence Exemple", "National-Regional"),
    ("Twitter: @example; Example Live Map", "New media-National"),
    ("Example Human Rights Watchers", "Other"),
    ("Příklad deník; Beispiel", "National"),
    ("Example Wire", "International"),
    ("Local Partner of Example", "Local partner-Other"),
)
_ENDINGS = (
    " No further details were given.",
    " The report could not be confirmed by other sources; the number of those who were there "
    "differs between them, and the lower one is taken.",
    "\nThe event was reported with a delay of some days. Coded at the time of the first report.",
    " According to residents, shops stayed closed on the day after, and the road to the market was "
    "blocked until the evening; the authorities did not comment.",
    " ",
)
_KIND_BOUNDS = np.cumsum([kind.weight for kind in KINDS]) / sum(kind.weight for kind in KINDS)
_DEADLY = np.array([kind.deadly for kind in KINDS])
_DEATHS = np.array([kind.deaths for kind in KINDS])


@dataclass(frozen=True, slots=True)
class Columns:
    """Some events, one entry each: all that tells one from the next.

    `codes` are their ids as numbers, `days` count from 1970-01-01, `timestamps` are Unix seconds,
    and `revisions` is how often each was edited.
    """

    codes: Integers
    days: Integers
    timestamps: Integers
    revisions: Integers

    @classmethod
    def none(cls) -> Columns:
        """No events."""
        nothing = np.zeros(0, dtype=np.int64)
        return cls(nothing, nothing, nothing, nothing)

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, chosen: slice | Integers) -> Columns:
        return Columns(
            self.codes[chosen], self.days[chosen], self.timestamps[chosen], self.revisions[chosen]
        )


def code_of(country: int | Integers, number: int | Integers) -> Any:
    """The number that stands for an id: of a country's index, and of its event's number."""
    return country << _NUMBER_BITS | number


def country_and_number(code: Any) -> tuple[Any, Any]:
    """What a code, or an array of them, is made of."""
    return code >> _NUMBER_BITS, code & ((1 << _NUMBER_BITS) - 1)


def id_of(code: int) -> str:
    """As in HND1343."""
    country, number = country_and_number(code)
    return f"{COUNTRIES[country].code}{number}"


def render(seed: int, columns: Columns) -> list[str]:
    """The events as JSON objects with all 31 fields, in pure ASCII, as the API sends them."""
    lasting = Dice(seed, columns.codes)
    revised = Dice(seed, columns.codes * _REVISIONS + columns.revisions)
    countries, numbers = country_and_number(columns.codes)
    kinds = np.searchsorted(_KIND_BOUNDS[:-1], lasting.uniform("kind"), side="right")
    throws = zip(
        countries.tolist(),
        numbers.tolist(),
        columns.days.tolist(),
        columns.timestamps.tolist(),
        columns.revisions.tolist(),
        kinds.tolist(),
        lasting.below("parties", _VARIANTS).tolist(),
        # Squared, so that few places have most of the events.
        (lasting.uniform("place") ** 2).tolist(),
        lasting.below("source", len(_SOURCES)).tolist(),
        _precision(lasting, "time precision").tolist(),
        _precision(revised, "geo precision").tolist(),
        _fatalities(revised, kinds).tolist(),
        strict=True,
    )
    rows = []
    for (
        country, number, day, timestamp, revision,
        kind, variant, place, source, time_precision, geo_precision, fatalities,
    ) in throws:  # fmt: skip
        when, year, told = _day(day)
        who = _who(country, kind, variant)
        where = _where(seed, country)
        located, location = where[int(place * len(where))]
        rows.append(
            f'{{"event_id_cnty":"{COUNTRIES[country].code}{number}","event_date":"{when}",'
            f'"year":"{year}","time_precision":"{time_precision}",{who.fields},'
            f'{_land(country)},{located},"geo_precision":"{geo_precision}",{_SOURCE_FIELDS[source]},'
            f'"notes":"{told}{who.before}{location}{who.after}{_revised(revision)}",'
            f'"fatalities":"{fatalities}","tags":"{who.tags}","timestamp":"{timestamp}"}}'
        )
    return rows


def _precision(dice: Dice, throw: str) -> Integers:
    """1, seldom 2, hardly ever 3."""
    values: Integers = np.searchsorted((0.75, 0.96), dice.uniform(throw), side="right") + 1
    return values


def _fatalities(dice: Dice, kinds: Integers) -> Integers:
    """How many died: mostly none; exponentially distributed where some did."""
    deaths = 1 - np.log(1 - dice.uniform("fatalities")) * np.maximum(_DEATHS[kinds] - 1, 0)
    values: Integers = np.where(dice.uniform("deadly") < _DEADLY[kinds], deaths, 0).astype(np.int64)
    return values


# The pieces below are the same in many rows. They end up within f-strings, so they are JSON.


@dataclass(frozen=True, slots=True)
class _Who:
    """Fields from disorder_type to civilian_targeting, and the notes around the location."""

    fields: str
    before: str
    after: str
    tags: str


def _members(fields: Row) -> str:
    """The members of an object without its braces, as PHP escapes them."""
    return json.dumps(fields, separators=(",", ":"))[1:-1].replace("/", "\\/")


def _text(value: str) -> str:
    """A string without its quotes, as PHP escapes it."""
    return json.dumps(value)[1:-1].replace("/", "\\/")


@cache
def _who(country: int, kind: int, variant: int) -> _Who:
    of = KINDS[kind]
    pairing = asdict(parties(of, COUNTRIES[country], variant))
    tags = pairing.pop("tags")
    types = {
        "disorder_type": of.disorder_type,
        "event_type": of.event_type,
        "sub_event_type": of.sub_event_type,
    }
    before, _, after = of.story.partition("{2}")
    names = (pairing["actor1"], pairing["actor2"] or "others")
    ending = _ENDINGS[variant % len(_ENDINGS)]
    return _Who(
        _members({**types, **pairing}),
        _text(before.format(*names)),
        _text(f"{after.format(*names)}{ending}"),
        _text(tags),
    )


@cache
def _where(seed: int, country: int) -> tuple[tuple[str, str], ...]:
    """Of each place of a country the fields from admin1 to longitude, and its name."""
    return tuple(
        (_members(asdict(place)), _text(place.location)) for place in places(seed, country)
    )


@cache
def _land(country: int) -> str:
    of = COUNTRIES[country]
    return _members({"iso": str(of.iso), "region": REGIONS[of.region], "country": of.name})


@lru_cache(maxsize=1 << 16)
def _day(day: int) -> tuple[str, int, str]:
    """A day as in 2021-03-05, its year, and as the notes begin with it."""
    on = EPOCH + timedelta(days=day)
    return on.isoformat(), on.year, f"On {on.day} {on:%B %Y}, "


@cache
def _revised(revision: int) -> str:
    return f" [Revision {revision}]" if revision else ""


_SOURCE_FIELDS = tuple(
    _members({"source": name, "source_scale": scale}) for name, scale in _SOURCES
)
