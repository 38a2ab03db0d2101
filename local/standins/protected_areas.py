"""Made-up protected areas in the exact columns of WDPA, before late 2025 and since.

The names of columns, layers and files are WDPA's, and so are their types and the shares of the
values; the sites are invented, and a known share of them is broken. ::

    register = ProtectedAreas(polygons=300_000, points=10_000)
    archive = register.release(2).write(folder, Form.FILE_GEODATABASE)
    truth = register.changes(1, 2)

A real release may not be redistributed, so there is none in these tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from local.standins import shapes
from local.standins.archives import Form, Layer, Records, manual, pack, write
from local.standins.dice import Dice, Texts
from local.standins.places import Places, places
from local.standins.register import Change, Month, Register, State, Truth, compare
from local.standins.shapes import Flaws

_RUN = 20_000
_SHAPEFILE_PARTS = 3
_FIRST_POINT = 90_000_000  # The numbers of points are above those of polygons.
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


@dataclass(frozen=True)
class ProtectedAreas:
    """All releases, each of which follows from the seed.

    Release 1 has exactly so many polygons and points, of so many vertices on average. From one
    to the next so many records are added, edited and deleted; without numbers, what a month is
    wont to bring. `first` is the month of release 1.
    """

    polygons: int = 2_000
    points: int = 150
    seed: int = 20_230_501
    vertices: int = 50
    flaws: Flaws = field(default_factory=Flaws)
    polygon_change: Change | None = None
    point_change: Change | None = None
    first: str = "May 2023"

    def release(self, number: int, columns: Columns = Columns.SINCE_2025) -> ProtectedAreasRelease:
        """A release; they count from 1."""
        return ProtectedAreasRelease(self, number, columns)

    def changes(self, before: int | None, after: int, *, all_new: bool = False) -> Truth:
        """What differs, by parcel, and what stays; everything is added where `before` is None.

        `all_new` is for releases of different columns: every parcel that stays has then changed.
        """
        return compare(
            None if before is None else self.parcels(before),
            self.parcels(after),
            unloadable=sum(
                int((~shapes.are_loadable(Dice(self.seed, state.numbers), self.flaws)).sum())
                for state in self.states(after)
            ),
            all_new=all_new,
        )

    def parcels(self, number: int) -> dict[str, int]:
        """The parcels of a release that can be loaded, and how often each has been edited."""
        found: dict[str, int] = {}
        for state in self.states(number):
            loadable = shapes.are_loadable(Dice(self.seed, state.numbers), self.flaws)
            parcels = _parcels(state.numbers)[loadable].tolist()
            found.update(zip(parcels, state.revisions[loadable].tolist(), strict=True))
        return found

    def states(self, number: int) -> tuple[State, State]:
        """Which polygons and which points a release has."""
        of_polygons = self.polygon_change or Change.of(self.polygons)
        of_points = self.point_change or Change.of(self.points)
        return (
            Register(self.seed, self.polygons, of_polygons).state(number),
            Register(self.seed, self.points, of_points, _FIRST_POINT).state(number),
        )

    def update_date(self, number: int) -> str:
        """How IBAT names a release: "May 2023"."""
        return str(Month.parse(self.first).later(number - 1))


@dataclass(frozen=True)
class ProtectedAreasRelease:
    """One release: its files are made when they are asked for."""

    register: ProtectedAreas
    number: int
    columns: Columns

    @property
    def update_date(self) -> str:
        """How IBAT names it."""
        return self.register.update_date(self.number)

    @property
    def stem(self) -> str:
        """What its files are called: WDPA_WDOECM_May2023_Public_all."""
        return f"WDPA_WDOECM_{Month.parse(self.update_date).short}_Public_all"

    def write(self, folder: Path, form: Form) -> Path:
        """Make the archive in a folder; its path.

        A File Geodatabase or GeoPackage has the layers of polygons and points and the table of
        sources. Shapefiles come in three zips within the zip, each with polygons and points.
        """
        folder.mkdir(parents=True, exist_ok=True)
        content = folder / f".{self.stem}_{form}"
        content.mkdir()
        polygons, points = self.register.states(self.number)
        beside = {
            "Resources_in_English/WDPA_WDOECM_Manual_1_6.pdf": manual("User manual"),
        }
        if form is Form.SHAPEFILES:
            for index in range(_SHAPEFILE_PARTS):
                part = content / f"{self.stem}_shp_{index}"
                write(
                    part,
                    form,
                    [
                        self._polygons(
                            f"{self.stem}_shp-polygons", polygons.part(index, _SHAPEFILE_PARTS)
                        ),
                        self._points(
                            f"{self.stem}_shp-points", points.part(index, _SHAPEFILE_PARTS)
                        ),
                    ],
                )
                pack(part.with_suffix(".zip"), part, beside=beside)
            return pack(folder / f"{self.stem}_shp.zip", content, beside=beside)
        month = Month.parse(self.update_date).short
        write(
            content / f"{self.stem}.{form}",
            form,
            [
                self._polygons(f"WDPA_WDOECM_poly_{month}_all", polygons),
                self._points(f"WDPA_WDOECM_point_{month}_all", points),
                Layer(f"WDPA_WDOECM_source_{month}_all", None, [_sources()]),
            ],
        )
        return pack(folder / f"{self.stem}_{form}.zip", content, beside=beside)

    def _polygons(self, name: str, state: State) -> Layer:
        return Layer(name, "MultiPolygon", map(self._run_of_polygons, state.slices(_RUN)))

    def _points(self, name: str, state: State) -> Layer:
        return Layer(name, "MultiPoint", map(self._run_of_points, state.slices(_RUN)))

    def _run_of_polygons(self, state: State) -> Records:
        dice, site = _thrown(self.register.seed, state)
        found = shapes.areas(
            dice,
            site.longitude,
            site.latitude,
            # One edit in three redraws the outline.
            scale=1 + 0.05 * np.where(dice.below("kind of edit", 3) == 0, state.revisions, 0),
            vertices=self.register.vertices,
            flaws=self.register.flaws,
        )
        attributes = _attributes(dice, state, site, found.km2, polygons=True)
        return Records(found.geometry, _named(attributes, self.columns))

    def _run_of_points(self, state: State) -> Records:
        dice, site = _thrown(self.register.seed, state)
        moved = 0.01 * np.where(dice.below("kind of edit", 3) == 0, state.revisions, 0)
        geometry = shapes.points(
            dice, site.longitude + moved, site.latitude, flaws=self.register.flaws
        )
        km2 = np.exp(dice.normal("reported area", 1.0, 1.5))
        attributes = _attributes(dice, state, site, km2, polygons=False)
        return Records(geometry, _named(attributes, self.columns))


def _thrown(seed: int, state: State) -> tuple[Dice, Places]:
    dice = Dice(seed, state.numbers)
    return dice, places(dice)


def _is_parcel(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """1 or 2 for the parcels of a site that has two, else 0."""
    place = (numbers + _PARCELS_EVERY // 2) % _PARCELS_EVERY
    return np.where(place < 2, place + 1, 0)


def _parcels(numbers: npt.NDArray[np.int64]) -> Texts:
    """SITE_PID: the site's id, or, for a parcel, with a number behind it (70_1, 70_2)."""
    parcels = _is_parcel(numbers)
    sites = numbers - (parcels == 2)
    return np.array(
        [
            f"{site}_{parcel}" if parcel else str(site)
            for site, parcel in zip(sites.tolist(), parcels.tolist(), strict=True)
        ],
        dtype=object,
    )


def _attributes(
    dice: Dice, state: State, site: Places, km2: npt.NDArray[np.float64], *, polygons: bool
) -> dict[str, npt.NDArray[Any]]:
    """All that either schema has, under the names of the newer one; and MARINE and PA_DEF."""
    parcels = _is_parcel(state.numbers)
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
        "SITE_ID": (state.numbers - (parcels == 2)).astype(np.int32),
        "SITE_PID": _parcels(state.numbers),
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
# The old name, and under which one of `_attributes` it is found.
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


def _named(
    attributes: dict[str, npt.NDArray[Any]], columns: Columns
) -> dict[str, npt.NDArray[Any]]:
    """The columns of a schema, in its order; points have no GIS areas."""
    if columns is Columns.SINCE_2025:
        return {name: attributes[name] for name in _SINCE_2025 if name in attributes}
    found = {name: attributes[of] for name, of in _UNTIL_2025.items() if of in attributes}
    # The id was a real number.
    return {**found, "WDPAID": found["WDPAID"].astype(np.float64)}


def _sources() -> Records:
    """The table that METADATAID points to, which has no geometries."""
    numbers = range(1, _METADATA_RECORDS + 1)
    texts: dict[str, Iterator[str]] = {
        "DATA_TITLE": (f"National list {number}" for number in numbers),
        "RESP_PARTY": (f"Ministry {number}" for number in numbers),
        "YEAR": (str(1980 + number) for number in numbers),
        "LANGUAGE": ("English" for _ in numbers),
        "CITATION": ("Not Reported" for _ in numbers),
    }
    return Records(
        None,
        {
            "METADATAID": np.array(numbers, dtype=np.int32),
            **{name: np.array(list(values), dtype=object) for name, values in texts.items()},
        },
    )
