"""Made-up protected areas in the exact columns of WDPA, before late 2025 and since.

The names of columns, layers and files are WDPA's, and so are their types and the shares of the
values; the sites are invented, and a known share of them is broken. ::

    register = ProtectedAreas(polygons=300_000, points=10_000)
    archive = register.release(2).write(folder, Form.FILE_GEODATABASE)
    truth = register.changes(1, 2)

A real release may not be redistributed, so there is none in these tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from local.standins import shapes
from local.standins.archives import Form, Layer, Records, manual, pack, write
from local.standins.dice import Dice
from local.standins.places import Places, places
from local.standins.protected_area_columns import Columns, attributes, named, parcels, sources
from local.standins.register import Change, Month, Register, State, Truth, compare
from local.standins.shapes import Flaws

_RUN = 20_000
_SHAPEFILE_PARTS = 3
_FIRST_POINT = 90_000_000  # The numbers of points are above those of polygons.


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
            keys = parcels(state.numbers)[loadable].tolist()
            found.update(zip(keys, state.revisions[loadable].tolist(), strict=True))
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
                Layer(f"WDPA_WDOECM_source_{month}_all", None, [Records(None, sources())]),
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
        values = attributes(dice, state, site, found.km2, polygons=True)
        return Records(found.geometry, named(values, self.columns))

    def _run_of_points(self, state: State) -> Records:
        dice, site = _thrown(self.register.seed, state)
        moved = 0.01 * np.where(dice.below("kind of edit", 3) == 0, state.revisions, 0)
        geometry = shapes.points(
            dice, site.longitude + moved, site.latitude, flaws=self.register.flaws
        )
        km2 = np.exp(dice.normal("reported area", 1.0, 1.5))
        values = attributes(dice, state, site, km2, polygons=False)
        return Records(geometry, named(values, self.columns))


def _thrown(seed: int, state: State) -> tuple[Dice, Places]:
    dice = Dice(seed, state.numbers)
    return dice, places(dice)
