"""Made-up Key Biodiversity Areas in the columns of the World Database of KBAs.

A release comes as two shapefiles, of sites with a boundary (POL) and of those that are a point
(PNT). Which columns there are, and the case of their letters, differs from vintage to vintage.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from local.standins import shapes
from local.standins.archives import Form, Layer, Records, manual, pack, write
from local.standins.dice import Dice
from local.standins.places import COUNTRIES, Places, places
from local.standins.register import Change, Month, Register, State, Truth, compare
from local.standins.shapes import Flaws

_RUN = 20_000
_FIRST_POINT = 9_000_000

_STATUSES = {"confirmed": 96.0, "proposed": 2.0, "superseded": 1.5, "delisted": 0.5}
_CLASSES = {"Global": 55.0, "Regional": 30.0, "Global/ Regional to be determined": 15.0}


class Vintage(Enum):
    """Columns of a release, and how their names are written."""

    AREA_IN_SITAREA = "2019"
    CAPITALS = "2022"
    SINCE_2025 = "2025"


_COLUMNS = {
    Vintage.AREA_IN_SITAREA: (
        *("SitRecID", "Country", "ISO3", "NatName", "IntName", "SitArea", "IbaStatus"),
        *("KbaStatus", "AzeStatus", "AddedDate", "ChangeDate", "Source", "DelTxt", "DelGeom"),
        *("Shape_Leng", "Shape_Area"),
    ),
    Vintage.CAPITALS: (
        *("SITRECID", "COUNTRY", "ISO3", "NATNAME", "INTNAME", "SITAREAKM2", "SITLAT", "SITLONG"),
        *("IBASTATUS", "KBASTATUS", "AZESTATUS", "ADDEDDATE", "CHANGEDATE", "SOURCE", "DELTXT"),
        *("DELGEOM", "SHAPE_LENG", "SHAPE_AREA"),
    ),
    Vintage.SINCE_2025: (
        *("sitrecid", "region", "country", "iso3", "natname", "intname", "sitlat", "sitlong"),
        *("sitareakm2", "kbastatus", "kbaclass", "ibastatus", "legacykba", "azestatus"),
        *("lastupdate", "source", "deltxt", "repareakm2", "shape_leng", "shape_area"),
    ),
}


@dataclass(frozen=True)
class KeyBiodiversityAreas:
    """All releases, each of which follows from the seed; two a year, from `first` on."""

    polygons: int = 1_600
    points: int = 40
    seed: int = 20_230_901
    vertices: int = 60
    flaws: Flaws = field(default_factory=Flaws)
    first: str = "September 2023"

    def write(
        self, number: int, folder: Path, form: Form, vintage: Vintage = Vintage.SINCE_2025
    ) -> Path:
        """Make the archive of a release in a folder; its path."""
        month = Month.parse(self.update_date(number))
        stem = f"KBAsGlobal_{month.year}_{str(month).split()[0]}_01"
        folder.mkdir(parents=True, exist_ok=True)
        content = folder / f".{stem}_{form}"
        content.mkdir()
        polygons, points = self.states(number)
        layers = [
            Layer(
                f"{stem}_POL",
                "MultiPolygon",
                (self._polygons(run, vintage) for run in polygons.slices(_RUN)),
            ),
            Layer(
                f"{stem}_PNT",
                "MultiPoint",
                (self._points(run, vintage) for run in points.slices(_RUN)),
            ),
        ]
        write(content / (stem if form is Form.SHAPEFILES else f"{stem}.{form}"), form, layers)
        beside = {f"{stem}_metadata.pdf": manual("Metadata")}
        return pack(folder / f"{stem}_{form}.zip", content, beside=beside)

    def changes(self, before: int | None, after: int) -> Truth:
        """What differs, by SitRecID, and what stays; everything is added without `before`."""
        return compare(
            None if before is None else self.sites(before),
            self.sites(after),
            unloadable=sum(int((~self._loadable(state)).sum()) for state in self.states(after)),
        )

    def sites(self, number: int) -> dict[str, int]:
        """The sites of a release that can be loaded, and how often each has been edited."""
        found: dict[str, int] = {}
        for state in self.states(number):
            loadable = self._loadable(state)
            numbers = map(str, state.numbers[loadable].tolist())
            found.update(zip(numbers, state.revisions[loadable].tolist(), strict=True))
        return found

    def states(self, number: int) -> tuple[State, State]:
        """Which polygons and which points a release has."""
        return (
            Register(self.seed, self.polygons, Change.of(self.polygons)).state(number),
            Register(self.seed, self.points, Change.of(self.points), _FIRST_POINT).state(number),
        )

    def update_date(self, number: int) -> str:
        """How IBAT names a release: "September 2023"."""
        return str(Month.parse(self.first).later(6 * (number - 1)))

    def _loadable(self, state: State) -> npt.NDArray[np.bool_]:
        return shapes.are_loadable(Dice(self.seed, state.numbers), self.flaws)

    def _polygons(self, state: State, vintage: Vintage) -> Records:
        dice = Dice(self.seed, state.numbers)
        site = places(dice)
        found = shapes.areas(
            dice,
            site.longitude,
            site.latitude,
            # Each edit redraws the boundary.
            scale=(1 + 0.05 * state.revisions).astype(np.float64),
            vertices=self.vertices,
            flaws=self.flaws,
        )
        return Records(found.geometry, _columns(dice, state, site, found.km2, None, vintage))

    def _points(self, state: State, vintage: Vintage) -> Records:
        dice = Dice(self.seed, state.numbers)
        site = places(dice)
        geometry = shapes.points(
            dice, site.longitude + 0.01 * state.revisions, site.latitude, flaws=self.flaws
        )
        km2 = np.exp(dice.normal("reported area", 3.0, 1.5))
        return Records(geometry, _columns(dice, state, site, None, km2, vintage))


def _columns(
    dice: Dice,
    state: State,
    site: Places,
    km2: npt.NDArray[np.float64] | None,
    reported_km2: npt.NDArray[np.float64] | None,
    vintage: Vintage,
) -> dict[str, npt.NDArray[Any]]:
    """The columns of a vintage; a site has an area of its boundary or a reported one."""
    unknown = np.full(len(dice), np.nan)
    area = unknown if km2 is None else np.round(km2, 6)
    names = [COUNTRIES[of] for of in site.country.tolist()]
    year = 1998 + dice.below("added", 20)
    changed = year + dice.below("changed", 5) + state.revisions
    found = {
        "sitrecid": state.numbers.astype(np.int32),
        "region": np.array([each.region for each in names], dtype=object),
        "country": np.array([each.name for each in names], dtype=object),
        "iso3": np.array([each.iso3 for each in names], dtype=object),
        "natname": site.name,
        "intname": site.name_english,
        "sitarea": np.round(area * 100, 4),
        "sitareakm2": area,
        "repareakm2": unknown if reported_km2 is None else np.round(reported_km2, 2),
        "sitlat": np.round(site.latitude, 6),
        "sitlong": np.round(site.longitude, 6),
        "kbastatus": dice.pick("status", list(_STATUSES), list(_STATUSES.values())),
        "kbaclass": dice.pick("class", list(_CLASSES), list(_CLASSES.values())),
        "ibastatus": dice.pick("IBA", ["confirmed", None], [80, 20]),
        "azestatus": dice.pick("AZE", ["confirmed", None], [8, 92]),
        "legacykba": dice.pick("legacy", ["Yes", "No"], [70, 30]),
        "addeddate": np.array([f"{each}-06-30" for each in year.tolist()], dtype=object),
        "changedate": np.array([f"{each}-11-15" for each in changed.tolist()], dtype=object),
        "lastupdate": np.array([str(each) for each in changed.tolist()], dtype=object),
        "source": dice.pick("source", ["IBA Directory Process", "KBA assessment", "CEPF profile"]),
        "deltxt": dice.pick("notes", [None, "Digitised from a paper map", "From cadastral data"]),
        "delgeom": dice.pick("origin", ["Digitised", "Supplied"]),
        "shape_leng": np.sqrt(np.nan_to_num(area)),
        "shape_area": np.nan_to_num(area) / 12_364.0,
    }
    return {name: found[name.lower()] for name in _COLUMNS[vintage]}
