# ruff: noqa: RUF001  # Cyrillic names are meant.
"""Where made-up sites lie and what they are called: countries, place names, designations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from local.standins.dice import Dice, Integers, Reals, Texts


@dataclass(frozen=True, slots=True)
class Language:
    """How a language names sites: syllables of places, and designations (own, English, type).

    A `{}` in a designation stands for the place.
    """

    syllables: tuple[str, ...]
    designations: tuple[tuple[str, str, str], ...]


_RAMSAR = "Wetland of International Importance (Ramsar Site)"
_ENGLISH = Language(
    ("ash", "brook", "car", "dun", "ford", "glen", "ham", "ley", "moor", "stone", "wick", "wold"),
    (
        ("{} National Park", "National Park", "National"),
        ("{} Nature Reserve", "Nature Reserve", "National"),
        ("{} State Forest", "State Forest", "National"),
        ("{}", _RAMSAR, "International"),
    ),
)
_FRENCH = Language(
    ("beau", "champ", "clair", "éven", "forêt", "mont", "orée", "saint", "vaux", "vière"),
    (
        ("Parc national de {}", "National Park", "National"),
        ("Réserve naturelle nationale de {}", "National Nature Reserve", "National"),
        ("Forêt classée de {}", "Classified Forest", "National"),
    ),
)
_GERMAN = Language(
    ("ähren", "bach", "feld", "grün", "hügel", "lauter", "moos", "öd", "stein", "wald"),
    (
        ("Naturschutzgebiet {}", "Nature Conservation Area", "National"),
        ("Landschaftsschutzgebiet {}", "Landscape Protection Area", "National"),
        (
            "FFH-Gebiet {}",
            "Site of Community Importance (Habitats Directive)",
            "Regional",
        ),
    ),
)
_SPANISH = Language(
    ("agua", "cañón", "cerro", "dorada", "llano", "ñandú", "peña", "río", "sierra", "verde"),
    (
        ("Parque Nacional {}", "National Park", "National"),
        ("Reserva Biológica {}", "Biological Reserve", "National"),
        ("Área de Conservación {}", "Conservation Area", "National"),
    ),
)
_ITALIAN = Language(
    ("alto", "bosco", "colle", "fiume", "là", "monte", "più", "prato", "rocca", "valle"),
    (
        ("Parco Nazionale {}", "National Park", "National"),
        ("Riserva Naturale {}", "Nature Reserve", "National"),
    ),
)
_PORTUGUESE = Language(
    ("água", "açu", "campo", "grão", "igapó", "mata", "pará", "sertão", "tapir", "várzea"),
    (
        ("Parque Nacional de {}", "National Park", "National"),
        ("Reserva Extrativista {}", "Extractive Reserve", "National"),
        ("Terra Indígena {}", "Indigenous Area", "National"),
    ),
)
_RUSSIAN = Language(
    ("бере", "вод", "гор", "лес", "мор", "озер", "рек", "сев", "тай", "утёс"),
    (
        ("Национальный парк {}", "National Park", "National"),
        ("Государственный заказник {}", "Zakaznik", "National"),
    ),
)
_JAPANESE = Language(
    ("青", "川", "北", "白", "島", "森", "山", "湖", "沼", "原"),
    (
        ("{}国立公園", "National Park", "National"),
        ("{}鳥獣保護区", "Wildlife Protection Area", "National"),
    ),
)


@dataclass(frozen=True, slots=True)
class Country:
    """A country by a box that lies well within it, and the neighbour it shares sites with."""

    iso3: str
    name: str
    region: str
    language: Language
    box: tuple[float, float, float, float]
    weight: float
    neighbour: str


COUNTRIES = (
    Country("USA", "United States", "North America", _ENGLISH, (-120, 31, -80, 47), 14, "CAN"),
    Country("CAN", "Canada", "North America", _ENGLISH, (-125, 50, -65, 62), 7, "USA"),
    Country("DEU", "Germany", "Europe", _GERMAN, (7.5, 48, 13, 53.5), 12, "FRA"),
    Country("FRA", "France", "Europe", _FRENCH, (-0.5, 44, 6.5, 49), 8, "ITA"),
    Country("ITA", "Italy", "Europe", _ITALIAN, (8, 44.5, 12, 46), 4, "FRA"),
    Country("GBR", "United Kingdom", "Europe", _ENGLISH, (-3.5, 51, 0.5, 55), 6, "FRA"),
    Country("ESP", "Spain", "Europe", _SPANISH, (-6, 37.5, -1, 42), 4, "PRT"),
    Country("PRT", "Portugal", "Europe", _PORTUGUESE, (-8.3, 37.5, -7, 41.5), 2, "ESP"),
    Country("RUS", "Russian Federation", "Asia", _RUSSIAN, (40, 52, 130, 66), 6, "KAZ"),
    Country("KAZ", "Kazakhstan", "Asia", _RUSSIAN, (55, 44, 80, 50), 1, "RUS"),
    Country("JPN", "Japan", "Asia", _JAPANESE, (133, 34, 140.5, 37), 4, "RUS"),
    Country("BRA", "Brazil", "South America", _PORTUGUESE, (-65, -20, -42, -3), 5, "PER"),
    Country("PER", "Peru", "South America", _SPANISH, (-78, -13, -71, -5), 2, "BRA"),
    Country("CRI", "Costa Rica", "Central America", _SPANISH, (-84.8, 9.5, -83.5, 10.5), 1, "PAN"),
    Country("PAN", "Panama", "Central America", _SPANISH, (-81, 8.3, -79, 8.9), 1, "CRI"),
    Country("COD", "Congo, DR", "Africa", _FRENCH, (18, -8, 28, 3), 1, "ZMB"),
    Country("ZMB", "Zambia", "Africa", _ENGLISH, (24, -15, 32, -11), 2, "COD"),
    Country("KEN", "Kenya", "Africa", _ENGLISH, (35, -2, 39, 3), 2, "TZA"),
    Country("TZA", "Tanzania", "Africa", _ENGLISH, (31, -9, 37, -3), 2, "KEN"),
    Country("MDG", "Madagascar", "Africa", _FRENCH, (45, -22, 48, -16), 1, "COD"),
    Country("AUS", "Australia", "Oceania", _ENGLISH, (118, -32, 148, -20), 8, "NZL"),
    Country("NZL", "New Zealand", "Oceania", _ENGLISH, (170, -44, 176, -38), 6, "AUS"),
)
_TRANSBOUNDARY = 0.004


@dataclass(frozen=True, slots=True)
class Places:
    """Where some records lie and what they are called, one entry each."""

    country: Integers  # of COUNTRIES
    longitude: Reals
    latitude: Reals
    name: Texts
    name_english: Texts
    designation: Texts
    designation_english: Texts
    designation_type: Texts
    iso3: Texts  # "FRA;ITA" for a site on a border


def places(dice: Dice) -> Places:
    """Throw them."""
    weights = np.array([country.weight for country in COUNTRIES])
    bounds = np.cumsum(weights / weights.sum())
    country = np.searchsorted(bounds[:-1], dice.uniform("country"), side="right")
    boxes = np.array([each.box for each in COUNTRIES])[country]
    longitude = boxes[:, 0] + (boxes[:, 2] - boxes[:, 0]) * dice.uniform("longitude")
    latitude = boxes[:, 1] + (boxes[:, 3] - boxes[:, 1]) * dice.uniform("latitude")
    shared = dice.happens("transboundary", _TRANSBOUNDARY)
    syllables = np.stack([dice.below(f"syllable {place}", 1000) for place in range(3)], axis=1)
    patterns = dice.below("designation", 1000)
    rows = [
        _named(COUNTRIES[of], parts, pattern, shares)
        for of, parts, pattern, shares in zip(
            country.tolist(), syllables.tolist(), patterns.tolist(), shared.tolist(), strict=True
        )
    ]
    texts = np.array(rows, dtype=object).reshape(len(rows), 6)
    return Places(country, longitude, latitude, *texts.T)


def _named(
    country: Country, parts: list[int], pattern: int, shared: bool
) -> tuple[str, str, str, str, str, str]:
    """Name, English name, designation, English designation, its type, ISO 3166-1 codes."""
    language = country.language
    place = "".join(language.syllables[part % len(language.syllables)] for part in parts)
    latin = "".join(_ENGLISH.syllables[part % len(_ENGLISH.syllables)] for part in parts)
    own, english, kind = language.designations[pattern % len(language.designations)]
    codes = f"{country.iso3};{country.neighbour}" if shared else country.iso3
    return (
        own.format(place.capitalize()),
        latin.capitalize(),
        own.replace("{}", "").strip() or english,
        english,
        kind,
        codes,
    )
