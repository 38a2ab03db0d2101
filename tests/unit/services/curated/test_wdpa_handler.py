"""Both schemas of WDPA fill the same columns, and only its layers of sites are taken."""

from __future__ import annotations

from typing import Any

import pytest

from core.models.curated import CuratedDataset
from core.models.feature_table import ColumnType
from services.curated.mapping import mapped
from services.curated.protected_area_styles import WDPA_BY_CATEGORY
from services.curated.wdpa_handler import (
    FIELDS_SINCE_2025,
    FIELDS_UNTIL_2025,
    WdpaHandler,
    citation,
)
from services.vector.plan import ColumnPlan
from tests.support.curated_layers import dataset, layer

UNTIL_2025 = (
    *("WDPAID", "WDPA_PID", "PA_DEF", "NAME", "ORIG_NAME", "DESIG", "DESIG_ENG", "DESIG_TYPE"),
    *("IUCN_CAT", "INT_CRIT", "MARINE", "REP_M_AREA", "GIS_M_AREA", "REP_AREA", "GIS_AREA"),
    *("NO_TAKE", "NO_TK_AREA", "STATUS", "STATUS_YR", "GOV_TYPE", "OWN_TYPE", "MANG_AUTH"),
    *("MANG_PLAN", "VERIF", "METADATAID", "SUB_LOC", "PARENT_ISO3", "ISO3"),
)
SINCE_2025 = (
    *("SITE_ID", "SITE_PID", "SITE_TYPE", "NAME_ENG", "NAME", "DESIG", "DESIG_ENG", "DESIG_TYPE"),
    *("IUCN_CAT", "INT_CRIT", "REALM", "REP_M_AREA", "GIS_M_AREA", "REP_AREA", "GIS_AREA"),
    *("NO_TAKE", "NO_TK_AREA", "STATUS", "STATUS_YR", "GOV_TYPE", "GOVSUBTYPE", "OWN_TYPE"),
    *("OWNSUBTYPE", "MANG_AUTH", "MANG_PLAN", "VERIF", "METADATAID", "PRNT_ISO3", "ISO3"),
    *("SUPP_INFO", "CONS_OBJ", "INLND_WTRS", "OECM_ASMT"),
)
NUMBERS = {
    **dict.fromkeys(("WDPAID", "REP_AREA", "GIS_AREA"), ColumnType.REAL),
    **dict.fromkeys(("SITE_ID", "STATUS_YR", "METADATAID"), ColumnType.INTEGER),
}

handler = WdpaHandler()


@pytest.fixture
def wdpa() -> CuratedDataset:
    return dataset("wdpa", "curated_wdpa_protected_areas")


def filled(names: tuple[str, ...], wdpa: CuratedDataset) -> dict[str, ColumnPlan]:
    """How the table's columns are filled from a layer of polygons with such attributes."""
    polygons = layer(*names, types=NUMBERS, MultiPolygon=9)
    use = handler.transform(wdpa, polygons)
    assert use is not None
    assert use.fields is not None
    plan = mapped(polygons, use.fields, source_version="May 2023")
    assert plan.missing == []
    assert plan.unmapped == []
    return {column.column.name: column for column in plan.columns}


def test_the_old_columns_fill_the_table(wdpa: CuratedDataset) -> None:
    columns = filled(UNTIL_2025, wdpa)
    assert columns["site_id"].source == "WDPAID"
    assert columns["site_pid"].source == "WDPA_PID"
    assert columns["name"].source == "ORIG_NAME"
    assert columns["name_eng"].source == "NAME"
    assert columns["realm"].source == "MARINE"
    assert columns["site_type"].source == "PA_DEF"
    assert columns["prnt_iso3"].source == "PARENT_ISO3"
    assert columns["sub_loc"].source == "SUB_LOC"
    assert columns["govsubtype"].source is None


def test_the_new_columns_fill_the_same_table(wdpa: CuratedDataset) -> None:
    columns = filled(SINCE_2025, wdpa)
    assert columns["site_id"].source == "SITE_ID"
    assert columns["name"].source == "NAME"
    assert columns["name_eng"].source == "NAME_ENG"
    assert columns["realm"].source == "REALM"
    assert columns["site_type"].source == "SITE_TYPE"
    assert columns["prnt_iso3"].source == "PRNT_ISO3"
    assert columns["sub_loc"].source is None
    old = filled(UNTIL_2025, wdpa)
    assert [each.column for each in columns.values()] == [each.column for each in old.values()]


def test_a_shapefile_cuts_a_name_short_and_may_write_it_in_small_letters(
    wdpa: CuratedDataset,
) -> None:
    names = tuple(name[:10].lower() for name in UNTIL_2025)
    assert filled(names, wdpa)["prnt_iso3"].source == "parent_iso"


def test_codes_become_the_words_of_the_newer_schema() -> None:
    fields = {field.name: field for field in FIELDS_UNTIL_2025}
    assert fields["realm"].values == {"0": "Terrestrial", "1": "Coastal", "2": "Marine"}
    assert fields["site_type"].values["1"] == "PA"
    assert fields["site_type"].values["0"] == "OECM"
    assert fields["status_yr"].values == {"0": None}
    assert fields["status_yr"].type is ColumnType.INTEGER
    for name in ("iso3", "prnt_iso3"):
        assert (fields[name].type, fields[name].split) == (ColumnType.TEXT_ARRAY, ";")


def test_what_only_one_schema_has_is_no_drift() -> None:
    optional = {field.name for field in FIELDS_SINCE_2025 if field.optional}
    of_one = {"sub_loc", "govsubtype", "ownsubtype", "inlnd_wtrs", "oecm_asmt"}
    assert optional == of_one | {"supp_info", "cons_obj", "gis_area", "gis_m_area"}


@pytest.mark.parametrize(
    ("counts", "dimensions"),
    [
        ({"MultiPolygon": 9}, (2,)),
        ({"Polygon": 5, "MultiPolygon": 4, "None": 2}, (2,)),
        ({"MultiPoint": 9}, (0,)),
        ({"Point": 9, "None": 1}, (0,)),
        # One point among polygons is a mistake, and not a layer of points.
        ({"MultiPolygon": 9, "Point": 1}, (2,)),
    ],
)
def test_a_layer_holds_polygons_or_points(
    wdpa: CuratedDataset, counts: dict[str, int], dimensions: tuple[int, ...]
) -> None:
    use = handler.transform(wdpa, layer(*SINCE_2025, **counts))
    assert use is not None
    assert use.dimensions == dimensions


@pytest.mark.parametrize(
    ("names", "counts"),
    [
        (("METADATAID", "DATA_TITLE", "RESP_PARTY"), {"None": 40}),
        (SINCE_2025, {"None": 40}),
        (SINCE_2025, {}),
        (SINCE_2025, {"MultiLineString": 3}),
        (("NAME", "ISO3"), {"MultiPolygon": 9}),
    ],
    ids=["sources", "no geometry", "empty", "lines", "another table"],
)
def test_other_layers_are_left_out(
    wdpa: CuratedDataset, names: tuple[str, ...], counts: dict[str, Any]
) -> None:
    assert handler.transform(wdpa, layer(*names, **counts)) is None


def test_a_record_is_a_parcel(wdpa: CuratedDataset) -> None:
    about = handler.describe(wdpa)
    assert about.key_columns == ("site_pid",)
    assert about.geometry == "Geometry"
    assert about.delivers == "snapshot"
    assert about.styles[0] is WDPA_BY_CATEGORY
    names = {field.name for field in about.fields or ()}
    assert {*about.key_columns, *about.ignored, *about.indexed} <= names


def test_the_credit_names_the_release(wdpa: CuratedDataset) -> None:
    assert "IUCN (2023), Protected Planet" in citation("May 2023")
    assert "[Online], May 2023, Cambridge, UK" in citation("May 2023")
    assert "(WDPA) and World Database on Other Effective" in citation("May 2023")
    assert "Protected and Conserved Areas (WDPCA) [Online], May 2026" in citation("May 2026")
    # A version without a year is named as it is.
    assert "IUCN, Protected Planet" in citation("release 7")
    assert "[Online], Cambridge, UK" in citation(None)
    assert handler.attribution("May 2026") == citation("May 2026")
