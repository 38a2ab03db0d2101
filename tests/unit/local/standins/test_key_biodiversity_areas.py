"""Made-up Key Biodiversity Areas come in the columns of their vintage."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.standins.archives import Form
from local.standins.key_biodiversity_areas import KeyBiodiversityAreas, Vintage
from tests.support.standin_archives import Table, tables

KBAS = KeyBiodiversityAreas(polygons=400, points=20, vertices=20)


def made(folder: Path, form: Form, vintage: Vintage, number: int = 1) -> dict[str, Table]:
    return tables(KBAS.write(number, folder, form, vintage), folder / "unpacked")


@pytest.mark.parametrize("form", list(Form))
@pytest.mark.parametrize(
    ("vintage", "key", "area"),
    [
        (Vintage.AREA_IN_SITAREA, "SitRecID", "SitArea"),
        (Vintage.CAPITALS, "SITRECID", "SITAREAKM2"),
        (Vintage.SINCE_2025, "sitrecid", "sitareakm2"),
    ],
)
def test_each_vintage_has_its_columns_and_its_letters(
    tmp_path: Path, form: Form, vintage: Vintage, key: str, area: str
) -> None:
    polygons, points = both(made(tmp_path, form, vintage))
    assert (len(polygons), len(points)) == (400, 20)
    for table in (polygons, points):
        assert table.names[0] == key
        assert area in table.names
    # A site that is a point has no area of a boundary.
    assert (polygons.columns[area] > 0).all()
    assert not (points.columns[area] > 0).any()


def test_names_beyond_ascii_survive_the_shapefile(tmp_path: Path) -> None:
    polygons, _ = both(made(tmp_path, Form.SHAPEFILES, Vintage.SINCE_2025))
    assert any("国立公園" in name for name in polygons.columns["natname"])


def test_the_truth_is_what_the_files_hold(tmp_path: Path) -> None:
    rows = []
    for number in (1, 2):
        found = both(made(tmp_path / str(number), Form.GEOPACKAGE, Vintage.SINCE_2025, number))
        rows.append(
            {
                str(site): (name, shape)
                for table in found
                for site, name, shape in zip(
                    table.columns["sitrecid"],
                    table.columns["lastupdate"],
                    (None if each is None else each.wkb for each in table.geometry),
                    strict=True,
                )
            }
        )
    before, after = rows
    truth = KBAS.changes(1, 2)
    loadable = KBAS.sites(2).keys()
    assert truth.added == (after.keys() - before.keys()) & loadable
    assert truth.deleted == (before.keys() - after.keys()) & KBAS.sites(1).keys()
    both_releases = before.keys() & loadable
    assert truth.updated == {key for key in both_releases if before[key] != after[key]}
    assert truth.unloadable == len(after) - len(loadable)
    assert truth.updated
    assert truth.added
    assert truth.deleted


def test_releases_are_half_a_year_apart() -> None:
    assert [KBAS.update_date(number) for number in (1, 2, 3)] == [
        *("September 2023", "March 2024", "September 2024")
    ]


def both(found: dict[str, Table]) -> tuple[Table, Table]:
    """The tables of polygons and of points."""
    [polygons] = [table for name, table in found.items() if name.endswith("_POL")]
    [points] = [table for name, table in found.items() if name.endswith("_PNT")]
    return polygons, points
