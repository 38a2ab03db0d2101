"""The columns of WDPA, before late 2025 and since, filled with made-up values in likely shares."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

from local.standins.dice import Dice, Integers, Reals, Texts
from local.standins.places import Places
from local.standins.register import State

Values = dict[str, npt.NDArray[Any]]

_PARCELS_EVERY = 140  # Of so many records two are parcels of one site.

_IUCN = {
    "Ia": 4.1, "Ib": 1.2, "II": 2.3, "III": 8.0, "IV": 22.0, "V": 14.5, "VI": 4.2,
    "Not Reported": 26.0, "Not Applicable": 14.5, "Not Assigned": 3.2,
}  # fmt: skip
_REALMS = {"0": 91.0, "1": 6.0, "2": 3.0}
_REALM_NAMES = {"0": "Terrestrial", "1": "Coastal", "2": "Marine"}
_STATUSES = {
    "Designated": 93.0, "Inscribed": 0.4, "Adopted": 1.0, "Established": 4.6, "Proposed": 1.0,
}  # fmt: skip
_GOVERNANCE = {
    "Federal or national ministry or agency": 32.0,
    "Sub-national ministry or agency": 30.0,
    "Government-delegated management": 4.0,
    "Collaborative governance": 2.0,
    "Joint governance": 1.5,
    "Non-profit organisations": 3.0,
    "Individual landowners": 5.0,
    "Indigenous peoples": 1.0,
    "Local communities": 1.0,
    "Not Reported": 20.5,
}
_OWNERS = {
    "State": 20.0, "Communal": 2.0, "Individual landowners": 6.0, "Non-profit organisations": 2.0,
    "Joint ownership": 1.0, "Multiple ownership": 4.0, "Not Reported": 65.0,
}  # fmt: skip
_VERIFIERS = {"State Verified": 92.0, "Expert Verified": 6.0, "Not Reported": 2.0}
_OECM_SHARE, _YEAR_UNKNOWN = 0.03, 0.08
_METADATA_RECORDS = 40


class Columns(Enum):
    """Which columns a release has."""

    UNTIL_2025 = "until_2025"
    SINCE_2025 = "since_2025"


def parcels(numbers: Integers) -> Texts:
    """SITE_PID: the site's id, or, for a parcel, with a number behind it (70_1, 70_2)."""
    sites, places = _sites(numbers).tolist(), _place_in_site(numbers).tolist()
    return np.array(
        [
            f"{site}_{place}" if place else str(site)
            for site, place in zip(sites, places, strict=True)
        ],
        dtype=object,
    )


def attributes(dice: Dice, state: State, site: Places, km2: Reals, *, polygons: bool) -> Values:
    """All that either schema has, under the names of the newer one; and MARINE and PA_DEF."""
    revised = state.revisions > 0
    edit = dice.below("kind of edit", 3)
    marine = _pick(dice, "realm", _REALMS)
    oecm = dice.happens("OECM", _OECM_SHARE)
    on_land = marine == "0"
    share_at_sea = np.select([on_land, marine == "2"], [0.0, 1.0], dice.uniform("at sea"))
    reported = np.round(km2 * dice.uniform("reported", 0.9, 1.1), 4)
    iucn = _pick(dice, "IUCN category", _IUCN)
    year = np.where(dice.happens("year unknown", _YEAR_UNKNOWN), 0, 1900 + dice.below("year", 124))
    plan = dice.pick("plan", ["Not Reported", "Management plan available", "No"], [80, 15, 5])
    plan = np.where(revised & (edit == 1), _numbered("Plan, revision", state), plan)
    gis = {"GIS_M_AREA": km2 * share_at_sea, "GIS_AREA": km2} if polygons else {}
    nothing = np.full(len(dice), "Not Applicable", dtype=object)
    no_take = np.where(
        on_land,
        nothing,
        dice.pick("no take", ["Not Reported", "All", "Part", "None"], [6, 1, 2, 1]),
    )
    return {
        "SITE_ID": _sites(state.numbers).astype(np.int32),
        "SITE_PID": parcels(state.numbers),
        "SITE_TYPE": np.where(oecm, "OECM", "PA").astype(object),
        "PA_DEF": np.where(oecm, "0", "1").astype(object),
        "NAME": site.name,
        "NAME_ENG": site.name_english,
        "DESIG": site.designation,
        "DESIG_ENG": site.designation_english,
        "DESIG_TYPE": site.designation_type,
        "IUCN_CAT": np.where(oecm, nothing, iucn),
        "INT_CRIT": np.where(
            site.designation_type == "International",
            dice.pick("criteria", ["(i)(iii)", "(ii)", "(vii)(x)"]),
            nothing,
        ),
        "MARINE": marine,
        "REALM": np.array([_REALM_NAMES[each] for each in marine], dtype=object),
        "REP_M_AREA": np.round(reported * share_at_sea, 4),
        "REP_AREA": reported + np.where(edit == 2, state.revisions, 0),
        **gis,
        "NO_TAKE": no_take,
        "NO_TK_AREA": np.where(no_take == "All", np.round(reported * share_at_sea, 4), 0.0),
        "STATUS": _pick(dice, "status", _STATUSES),
        "STATUS_YR": year.astype(np.int32),
        "GOV_TYPE": _pick(dice, "governance", _GOVERNANCE),
        "GOVSUBTYPE": nothing,
        "OWN_TYPE": _pick(dice, "owner", _OWNERS),
        "OWNSUBTYPE": nothing,
        "MANG_AUTH": dice.pick(
            "authority", ["Not Reported", "Ministry of Environment", "Regional council"], [5, 3, 2]
        ),
        "MANG_PLAN": plan,
        "VERIF": _pick(dice, "verifier", _VERIFIERS),
        "METADATAID": (1 + dice.below("metadata", _METADATA_RECORDS)).astype(np.int32),
        "SUB_LOC": np.array([f"{each[:2]}-{each[2]}" for each in site.iso3], dtype=object),
        "PRNT_ISO3": site.iso3,
        "ISO3": site.iso3,
        "SUPP_INFO": nothing,
        "CONS_OBJ": np.where(oecm, dice.pick("aim", ["Primary", "Secondary"]), nothing),
        "INLND_WTRS": dice.pick("inland waters", ["Not Reported", "Entirely", "Partially", "No"]),
        "OECM_ASMT": np.where(oecm, dice.pick("assessment", ["Full", "Partial"]), nothing),
    }


def _place_in_site(numbers: Integers) -> Integers:
    """1 or 2 for the parcels of a site that has two, else 0."""
    place = (numbers + _PARCELS_EVERY // 2) % _PARCELS_EVERY
    return np.where(place < 2, place + 1, 0)


def _sites(numbers: Integers) -> Integers:
    """The number of the site: that of its first parcel."""
    sites: Integers = numbers - (_place_in_site(numbers) == 2)
    return sites


def _pick(dice: Dice, throw: str, shares: dict[str, float]) -> Texts:
    return dice.pick(throw, list(shares), list(shares.values()))


def _numbered(text: str, state: State) -> Texts:
    return np.array([f"{text} {number}" for number in state.revisions.tolist()], dtype=object)


_SINCE_2025 = (
    *("SITE_ID", "SITE_PID", "SITE_TYPE", "NAME_ENG", "NAME", "DESIG", "DESIG_ENG", "DESIG_TYPE"),
    *("IUCN_CAT", "INT_CRIT", "REALM", "REP_M_AREA", "GIS_M_AREA", "REP_AREA", "GIS_AREA"),
    *("NO_TAKE", "NO_TK_AREA", "STATUS", "STATUS_YR", "GOV_TYPE", "GOVSUBTYPE", "OWN_TYPE"),
    *("OWNSUBTYPE", "MANG_AUTH", "MANG_PLAN", "VERIF", "METADATAID", "PRNT_ISO3", "ISO3"),
    *("SUPP_INFO", "CONS_OBJ", "INLND_WTRS", "OECM_ASMT"),
)
# The old name, and under which one of `attributes` it is found.
_UNTIL_2025 = {
    "WDPAID": "SITE_ID", "WDPA_PID": "SITE_PID", "PA_DEF": "PA_DEF", "NAME": "NAME_ENG",
    "ORIG_NAME": "NAME", "DESIG": "DESIG", "DESIG_ENG": "DESIG_ENG", "DESIG_TYPE": "DESIG_TYPE",
    "IUCN_CAT": "IUCN_CAT", "INT_CRIT": "INT_CRIT", "MARINE": "MARINE",
    "REP_M_AREA": "REP_M_AREA", "GIS_M_AREA": "GIS_M_AREA", "REP_AREA": "REP_AREA",
    "GIS_AREA": "GIS_AREA", "NO_TAKE": "NO_TAKE", "NO_TK_AREA": "NO_TK_AREA", "STATUS": "STATUS",
    "STATUS_YR": "STATUS_YR", "GOV_TYPE": "GOV_TYPE", "OWN_TYPE": "OWN_TYPE",
    "MANG_AUTH": "MANG_AUTH", "MANG_PLAN": "MANG_PLAN", "VERIF": "VERIF",
    "METADATAID": "METADATAID", "SUB_LOC": "SUB_LOC", "PARENT_ISO3": "PRNT_ISO3", "ISO3": "ISO3",
    "SUPP_INFO": "SUPP_INFO", "CONS_OBJ": "CONS_OBJ",
}  # fmt: skip


def named(found: Values, columns: Columns) -> Values:
    """The columns of a schema, in its order; points have no GIS areas."""
    if columns is Columns.SINCE_2025:
        return {name: found[name] for name in _SINCE_2025 if name in found}
    found = {name: found[of] for name, of in _UNTIL_2025.items() if of in found}
    # The id was a real number.
    return {**found, "WDPAID": found["WDPAID"].astype(np.float64)}


def sources() -> Values:
    """The table that METADATAID points to, which has no geometries."""
    numbers = range(1, _METADATA_RECORDS + 1)
    texts: dict[str, Iterator[str]] = {
        "DATA_TITLE": (f"National list {number}" for number in numbers),
        "RESP_PARTY": (f"Ministry {number}" for number in numbers),
        "YEAR": (str(1980 + number) for number in numbers),
        "LANGUAGE": ("English" for _ in numbers),
        "CITATION": ("Not Reported" for _ in numbers),
    }
    return {
        "METADATAID": np.array(numbers, dtype=np.int32),
        **{name: np.array(list(values), dtype=object) for name, values in texts.items()},
    }
