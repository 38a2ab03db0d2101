"""Who takes part in a made-up event, and how its notes tell of it."""

from __future__ import annotations

from dataclasses import dataclass

from local.standins.acled.codebook import (
    CIVILIANS,
    COMMUNITY,
    MILITIA,
    OTHERS,
    PROTESTERS,
    REBELS,
    RIOTERS,
    STATE,
    Kind,
)
from local.standins.acled.geography import Country

_ACTORS = {
    STATE: (
        "Military Forces of {country} ({year}-)",
        "Police Forces of {country} ({year}-)",
        "Military Forces of {country} ({year}-) Air Force",
    ),
    REBELS: (
        "{code}LF: {name} Liberation Front",
        "Front de libération du {name}",
        "{name} People's Army",
    ),
    MILITIA: ("Unidentified Armed Group ({country})", "{name} Self-Defense Group"),
    COMMUNITY: ("{name} Communal Militia ({country})", "{name} Clan Militia ({country})"),
    RIOTERS: ("Rioters ({country})",),
    PROTESTERS: ("Protesters ({country})",),
    CIVILIANS: ("Civilians ({country})",),
    OTHERS: ("Private Security Forces ({country})", "Unidentified Military Forces"),
}
_ASSOCIATED = (
    "",
    None,
    "Labor Group ({country})",
    "Women ({country}); Students ({country})",
    "",
    "Farmers ({country}); Teachers ({country}); {name} Ethnic Group ({country})",
)
_CROWDS = ("no report", "dozens", "about 200", "hundreds", "at least 1,500", "around 20")


@dataclass(frozen=True, slots=True)
class Parties:
    """The fields of an event that say who did it to whom, and its crowd."""

    actor1: str
    assoc_actor_1: str | None
    inter1: str
    actor2: str | None
    assoc_actor_2: str | None
    inter2: str | None
    interaction: str
    civilian_targeting: str
    tags: str


def parties(kind: Kind, country: Country, variant: int) -> Parties:
    """One of several pairings that are known of a kind of event in a country.

    What is not there comes as null or as '', as it does from the API.
    """
    first = kind.first[variant % len(kind.first)] or CIVILIANS
    second = kind.second[variant // 2 % len(kind.second)]
    missing = None if variant % 2 else ""
    return Parties(
        actor1=_actor(first, country, variant),
        assoc_actor_1=_associated(country, variant),
        inter1=first,
        actor2=missing if second is None else _actor(second, country, variant + 1),
        assoc_actor_2=missing if second is None else _associated(country, variant + 3),
        inter2=missing if second is None else second,
        interaction=f"{first} only" if second is None else f"{first}-{second}",
        civilian_targeting="Civilian targeting" if second == CIVILIANS else "",
        tags=_tags(first, variant),
    )


def _actor(category: str, country: Country, variant: int) -> str:
    known = _ACTORS[category]
    return known[variant % len(known)].format(
        country=country.name,
        code=country.code,
        name=_name(country, variant),
        year=1990 + variant * 4,
    )


def _associated(country: Country, variant: int) -> str | None:
    pattern = _ASSOCIATED[variant % len(_ASSOCIATED)]
    return pattern and pattern.format(country=country.name, name=_name(country, variant))


def _name(country: Country, variant: int) -> str:
    syllables = country.syllables
    return (syllables[variant % len(syllables)] + syllables[-1 - variant % 3]).title()


def _tags(first: str, variant: int) -> str:
    if first not in (PROTESTERS, RIOTERS):
        return ""
    return f"crowd size={_CROWDS[variant % len(_CROWDS)]}"
