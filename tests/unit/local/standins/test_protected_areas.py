"""Made-up protected areas come in WDPA's files and columns, and their truth is what they hold."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from local.standins.archives import Form
from local.standins.protected_area_columns import Columns
from local.standins.protected_areas import ProtectedAreas
from local.standins.register import Change
from local.standins.shapes import Flaws
from tests.support.standin_archives import Table, tables

AREAS = ProtectedAreas(
    polygons=900,
    points=60,
    vertices=20,
    flaws=Flaws(repairable=0.05, unrepairable=0.01),
    polygon_change=Change(added=9, edited=30, deleted=5),
    point_change=Change(added=2, edited=3, deleted=1),
)

UNTIL_2025 = [
    *("WDPAID", "WDPA_PID", "PA_DEF", "NAME", "ORIG_NAME", "DESIG", "DESIG_ENG", "DESIG_TYPE"),
    *("IUCN_CAT", "INT_CRIT", "MARINE", "REP_M_AREA", "GIS_M_AREA", "REP_AREA", "GIS_AREA"),
    *("NO_TAKE", "NO_TK_AREA", "STATUS", "STATUS_YR", "GOV_TYPE", "OWN_TYPE", "MANG_AUTH"),
    *("MANG_PLAN", "VERIF", "METADATAID", "SUB_LOC", "PARENT_ISO3", "ISO3", "SUPP_INFO"),
    "CONS_OBJ",
]
SINCE_2025 = [
    *("SITE_ID", "SITE_PID", "SITE_TYPE", "NAME_ENG", "NAME", "DESIG", "DESIG_ENG", "DESIG_TYPE"),
    *("IUCN_CAT", "INT_CRIT", "REALM", "REP_M_AREA", "GIS_M_AREA", "REP_AREA", "GIS_AREA"),
    *("NO_TAKE", "NO_TK_AREA", "STATUS", "STATUS_YR", "GOV_TYPE", "GOVSUBTYPE", "OWN_TYPE"),
    *("OWNSUBTYPE", "MANG_AUTH", "MANG_PLAN", "VERIF", "METADATAID", "PRNT_ISO3", "ISO3"),
    *("SUPP_INFO", "CONS_OBJ", "INLND_WTRS", "OECM_ASMT"),
]


@pytest.fixture(scope="module")
def since(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Table]:
    """The layers of release 1, as a GeoPackage."""
    return made(tmp_path_factory.mktemp("since"))


def made(folder: Path, number: int = 1, form: Form = Form.GEOPACKAGE, **options: Any) -> Any:
    return tables(AREAS.release(number, **options).write(folder, form), folder / "unpacked")


@pytest.mark.parametrize("form", [Form.FILE_GEODATABASE, Form.GEOPACKAGE])
@pytest.mark.parametrize(
    ("columns", "names"), [(Columns.UNTIL_2025, UNTIL_2025), (Columns.SINCE_2025, SINCE_2025)]
)
def test_layers_and_columns_are_those_of_a_release(
    tmp_path: Path, form: Form, columns: Columns, names: list[str]
) -> None:
    found = made(tmp_path, form=form, columns=columns)
    polygons = found["WDPA_WDOECM_poly_May2023_all"]
    points = found["WDPA_WDOECM_point_May2023_all"]
    assert polygons.names == names
    assert points.names == [name for name in names if not name.startswith("GIS_")]
    assert (polygons.geometry_type, points.geometry_type) == ("MultiPolygon", "MultiPoint")
    assert (len(polygons), len(points)) == (900, 60)
    assert found["WDPA_WDOECM_source_May2023_all"].geometry_type is None
    site = polygons.columns[names[0]]
    assert site.dtype.kind == ("f" if columns is Columns.UNTIL_2025 else "i")
    assert polygons.columns["STATUS_YR"].dtype.kind == "i"
    assert polygons.columns["GIS_AREA"].dtype.kind == "f"


def test_shapefiles_come_in_three_zips_with_short_names(tmp_path: Path) -> None:
    archive = AREAS.release(1, Columns.UNTIL_2025).write(tmp_path, Form.SHAPEFILES)
    stem = "WDPA_WDOECM_May2023_Public_all_shp"
    with zipfile.ZipFile(archive) as outer:
        inner = [name for name in outer.namelist() if name.endswith(".zip")]
        assert inner == [f"{stem}_{index}.zip" for index in range(3)]
        with zipfile.ZipFile(outer.open(inner[0])) as part:
            assert part.read(f"{stem}-polygons.cpg") == b"UTF-8"
    found = tables(archive, tmp_path / "unpacked")
    parts = [table for name, table in found.items() if name.endswith("polygons")]
    assert [len(part) for part in parts] == [300, 300, 300]
    for part in parts:
        assert part.names == [name[:10] for name in UNTIL_2025]
    names = {name for part in parts for name in part.columns["ORIG_NAME"]}
    assert any("国立公園" in name for name in names)


def test_a_release_is_the_same_whenever_it_is_made(tmp_path: Path) -> None:
    once, again = made(tmp_path / "once", 3), made(tmp_path / "again", 3)
    for name, table in once.items():
        for column, values in table.columns.items():
            assert values.tolist() == again[name].columns[column].tolist()


@pytest.mark.parametrize("form", list(Form))
def test_what_changed_is_what_the_truth_says(tmp_path: Path, form: Form) -> None:
    before = loadable_rows(made(tmp_path / "before", 1, form))
    after = loadable_rows(made(tmp_path / "after", 2, form))
    truth = AREAS.changes(1, 2)
    # By the contents of the files, which know nothing of the register.
    assert truth.added == after.keys() - before.keys()
    assert truth.deleted == before.keys() - after.keys()
    both = before.keys() & after.keys()
    assert truth.updated == {key for key in both if before[key] != after[key]}
    assert truth.unchanged == both - truth.updated
    assert truth.loaded == len(after)
    changed = len(truth.added), len(truth.updated), len(truth.deleted)
    assert all(0 < found <= most for found, most in zip(changed, (11, 33, 6), strict=True))


def test_records_beyond_repair_are_counted(since: dict[str, Table]) -> None:
    total = sum(len(table) for table in sites(since))
    assert total == 960
    truth = AREAS.changes(None, 1)
    assert truth.unloadable == total - len(loadable_rows(since)) > 0
    assert len(truth.added) == truth.loaded == total - truth.unloadable


def test_parcels_share_their_site_and_keys_are_unique(since: dict[str, Table]) -> None:
    polygons, points = sites(since)
    pids = [*polygons.columns["SITE_PID"], *points.columns["SITE_PID"]]
    assert len(set(pids)) == len(pids)
    parcels = [pid for pid in polygons.columns["SITE_PID"] if "_" in pid]
    assert parcels[:2] == ["70_1", "70_2"]
    for pid, site in zip(polygons.columns["SITE_PID"], polygons.columns["SITE_ID"], strict=True):
        assert pid.partition("_")[0] == str(site)


def test_values_are_those_of_wdpa(since: dict[str, Table]) -> None:
    columns = sites(since)[0].columns
    assert set(columns["IUCN_CAT"]) == {
        *("Ia", "Ib", "II", "III", "IV", "V", "VI"),
        *("Not Reported", "Not Assigned", "Not Applicable"),
    }
    assert set(columns["REALM"]) == {"Terrestrial", "Coastal", "Marine"}
    assert set(columns["SITE_TYPE"]) == {"PA", "OECM"}
    assert 0 in columns["STATUS_YR"]
    assert any(";" in iso3 for iso3 in columns["ISO3"])
    on_land = columns["REALM"] == "Terrestrial"
    assert not columns["REP_M_AREA"][on_land].any()
    assert set(columns["NO_TAKE"][on_land]) == {"Not Applicable"}


def test_old_columns_hold_codes_and_the_names_the_other_way_round(
    tmp_path: Path, since: dict[str, Table]
) -> None:
    new = sites(since)[0].columns
    old = sites(made(tmp_path, columns=Columns.UNTIL_2025))[0].columns
    assert old["NAME"].tolist() == new["NAME_ENG"].tolist()
    assert old["ORIG_NAME"].tolist() == new["NAME"].tolist()
    realms = np.array(["Terrestrial", "Coastal", "Marine"], dtype=object)
    assert realms[old["MARINE"].astype(int)].tolist() == new["REALM"].tolist()
    assert (old["PA_DEF"] == "1").tolist() == (new["SITE_TYPE"] == "PA").tolist()


def test_releases_are_named_by_their_month() -> None:
    assert AREAS.update_date(1) == "May 2023"
    assert AREAS.release(9).stem == "WDPA_WDOECM_Jan2024_Public_all"
    with pytest.raises(ValueError, match="no release 0"):
        AREAS.changes(0, 1)


def sites(found: dict[str, Table]) -> list[Table]:
    """The tables of polygons and of points."""
    return [table for table in found.values() if table.geometry_type is not None]


def loadable_rows(found: dict[str, Table]) -> dict[str, tuple[Any, ...]]:
    """The contents of all records with a geometry on the globe that encloses or marks something,
    by parcel."""
    rows: dict[str, tuple[Any, ...]] = {}
    for table in sites(found):
        geometry = table.geometry
        spread = shapely.area(shapely.envelope(geometry))
        top = shapely.bounds(geometry)[:, 3]
        fine = ~shapely.is_missing(geometry) & (top <= 90)
        if "oly" in (table.geometry_type or ""):
            fine &= spread > 0
        values = [table.columns[name].tolist() for name in table.names]
        key = table.names.index("SITE_PID")
        for at in np.flatnonzero(fine):
            row = tuple(column[at] for column in values)
            rows[row[key]] = (*row, geometry[at].wkb)
    return rows
