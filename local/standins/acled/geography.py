"""Where made-up events lie: real countries and regions, made-up places within them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from local.standins.dice import Dice

# Codes by which the API filters regions; its rows name them.
REGIONS = {
    1: "Western Africa",
    2: "Middle Africa",
    3: "Eastern Africa",
    4: "Southern Africa",
    5: "Northern Africa",
    7: "South Asia",
    9: "Southeast Asia",
    11: "Middle East",
    12: "Europe",
    13: "Caucasus and Central Asia",
    14: "Central America",
    15: "South America",
    16: "Caribbean",
    17: "East Asia",
    18: "North America",
    19: "Oceania",
}

_PLACES = 120
_SPANISH = ("agua", "cañ", "ción", "dora", "güe", "lla", "ño", "peña", "quí", "río", "ver", "zúa")
_FRENCH = ("bâ", "dou", "gou", "kéné", "lou", "ma", "n'd", "oua", "ré", "sé", "tché", "zan")
_PORTUGUESE = ("aça", "bré", "ção", "guá", "itá", "jo", "mará", "nhã", "pó", "são", "tu", "vão")
_ARABIC = ("al", "bab", "dayr", "ghur", "hama", "jab", "khan", "qam", "shay", "tal", "umm", "zawr")
_SLAVIC = ("bere", "chern", "dny", "hora", "iv", "kram", "lysk", "mykol", "pol", "sta", "vil", "zh")
_ASIAN = ("bago", "chin", "dan", "htun", "kya", "lan", "mag", "nay", "pa", "sit", "thar", "wa")
_ENGLISH = ("ash", "bor", "dal", "fer", "glen", "kil", "lin", "mar", "nor", "stan", "ton", "wick")


@dataclass(frozen=True, slots=True)
class Country:
    """A country by a box that lies well within it.

    `code` is the prefix of its event ids, `iso` the number of ISO 3166-1, `weight` its share of
    the events.
    """

    code: str
    iso: int
    name: str
    region: int
    syllables: tuple[str, ...]
    box: tuple[float, float, float, float]
    weight: float


COUNTRIES = (
    Country("AFG", 4, "Afghanistan", 7, _ARABIC, (62, 31, 70, 36), 5),
    Country("BFA", 854, "Burkina Faso", 1, _FRENCH, (-4, 10.5, 1, 14), 3),
    Country("BRA", 76, "Brazil", 15, _PORTUGUESE, (-65, -20, -42, -3), 8),
    Country("CIV", 384, "Ivory Coast", 1, _FRENCH, (-7.5, 5.5, -3.5, 9.5), 1),
    Country("COD", 180, "Democratic Republic of Congo", 2, _FRENCH, (18, -8, 28, 3), 5),
    Country("COL", 170, "Colombia", 15, _SPANISH, (-76, 1.5, -71, 7), 5),
    Country("CUB", 192, "Cuba", 16, _SPANISH, (-79, 21.8, -77, 22.3), 0.3),
    Country("DEU", 276, "Germany", 12, _ENGLISH, (7.5, 48, 13, 53.5), 4),
    Country("DZA", 12, "Algeria", 5, _ARABIC, (-1, 28, 7, 35), 2),
    Country("FJI", 242, "Fiji", 19, _ENGLISH, (177.4, -18.1, 178.4, -17.6), 0.1),
    Country("FRA", 250, "France", 12, _FRENCH, (-0.5, 44, 6.5, 49), 4),
    Country("HND", 340, "Honduras", 14, _SPANISH, (-88.5, 14.2, -85.5, 15.5), 1),
    Country("IRQ", 368, "Iraq", 11, _ARABIC, (41, 31, 47, 36), 5),
    Country("JPN", 392, "Japan", 17, _ASIAN, (137, 35.2, 140, 36.5), 2),
    Country("KAZ", 398, "Kazakhstan", 13, _SLAVIC, (55, 44, 80, 50), 1),
    Country("KEN", 404, "Kenya", 3, _ENGLISH, (35, -2, 39, 3), 2),
    Country("MEX", 484, "Mexico", 18, _SPANISH, (-105, 19, -98, 28), 8),
    Country("MMR", 104, "Myanmar", 9, _ASIAN, (94.5, 17.5, 98, 25), 9),
    Country("NGA", 566, "Nigeria", 1, _ENGLISH, (4, 7, 12.5, 12.5), 5),
    Country("RUS", 643, "Russia", 12, _SLAVIC, (33, 50, 130, 62), 4),
    Country("SYR", 760, "Syria", 11, _ARABIC, (36.5, 33, 41, 36.5), 13),
    Country("UKR", 804, "Ukraine", 12, _SLAVIC, (24, 47, 38, 51), 18),
    Country("USA", 840, "United States", 18, _ENGLISH, (-120, 31, -80, 47), 10),
    Country("VEN", 862, "Venezuela", 15, _SPANISH, (-71.5, 7.5, -63, 10), 3),
    Country("ZAF", 710, "South Africa", 4, _ENGLISH, (20, -33, 30, -24), 3),
)
"""In the order of their codes."""

INDEX = {country.code: index for index, country in enumerate(COUNTRIES)}


@dataclass(frozen=True, slots=True)
class Place:
    """A settlement, with the coordinates that all events in it have, as the API writes them."""

    admin1: str
    admin2: str | None
    admin3: str | None
    location: str
    latitude: str
    longitude: str


@cache
def places(seed: int, country: int) -> tuple[Place, ...]:
    """The places of a country; every third has no admin3, which comes as '' or as null."""
    of = COUNTRIES[country]
    dice = Dice(seed, np.arange(_PLACES, dtype=np.int64) + (country << 32))
    west, south, east, north = of.box
    latitude = dice.uniform("latitude", south, north)
    longitude = dice.uniform("longitude", west, east)
    words = [
        [
            "".join(of.syllables[part % len(of.syllables)] for part in parts).title()
            for parts in zip(
                *(dice.below(f"{what} {n}", 997).tolist() for n in range(3)), strict=True
            )
        ]
        for what in ("location", "district", "ward")
    ]
    return tuple(
        Place(
            admin1=f"{words[1][number % 9]}",
            admin2=words[1][number % 40] if number % 25 else None,
            admin3=(ward, "", None)[number % 3],
            location=location if number % 10 else f"{location} - {ward} (north)",
            latitude=f"{lat:.4f}",
            longitude=f"{lon:.4f}",
        )
        for number, (location, ward, lat, lon) in enumerate(
            zip(words[0], words[2], latitude.tolist(), longitude.tolist(), strict=True)
        )
    )
