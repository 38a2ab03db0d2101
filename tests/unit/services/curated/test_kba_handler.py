"""All vintages of the KBA columns fill one table."""

from __future__ import annotations

import pytest

from services.curated.kba_handler import FIELDS, KbaHandler, citation
from services.curated.mapping import mapped
from services.curated.protected_area_styles import KBA_BY_STATUS
from tests.support.curated_layers import dataset, layer

OLDER = (
    *("SitRecID", "Country", "ISO3", "NatName", "IntName", "SitArea", "IbaStatus", "KbaStatus"),
    *("AzeStatus", "AddedDate", "ChangeDate", "Source", "DelTxt", "DelGeom"),
)
NEWER = (
    *("SitRecID", "Region", "Country", "ISO3", "NatName", "IntName", "SitLat", "SitLong"),
    *("SitAreaKM2", "KbaStatus", "KbaClass", "IbaStatus", "LegacyKba", "AzeStatus", "LastUpdate"),
    *("Source", "DelTxt", "RepAreaKM2"),
)

handler = KbaHandler()
kbas = dataset("kbas", "curated_kbas")


def sources(*names: str) -> dict[str, str | None]:
    """Which attribute fills each column."""
    polygons = layer(*names, MultiPolygon=9)
    use = handler.transform(kbas, polygons)
    assert use is not None
    assert use.fields is not None
    plan = mapped(polygons, use.fields, source_version="May 2023")
    assert (plan.missing, plan.unmapped) == ([], [])
    return {column.column.name: column.source for column in plan.columns}


def test_each_case_of_letters_fills_the_table() -> None:
    as_written = sources(*NEWER)
    assert as_written["sit_rec_id"] == "SitRecID"
    for cased in (str.upper, str.lower):
        assert sources(*map(cased, NEWER)) == {
            column: None if name is None else cased(name) for column, name in as_written.items()
        }


def test_only_the_area_whose_unit_is_known_is_one_in_km2() -> None:
    older, newer = sources(*OLDER), sources(*NEWER)
    assert (older["area_km2"], older["sit_area"]) == (None, "SitArea")
    assert (newer["area_km2"], newer["sit_area"]) == ("SitAreaKM2", None)


def test_sites_are_polygons_or_points() -> None:
    for counts, dimensions in (({"MultiPolygon": 3}, (2,)), ({"Point": 3}, (0,))):
        use = handler.transform(kbas, layer(*NEWER, **counts))
        assert use is not None
        assert use.dimensions == dimensions


@pytest.mark.parametrize("names", [("NatName", "ISO3"), ("SITE_ID", "SITE_PID")])
def test_other_layers_are_left_out(names: tuple[str, ...]) -> None:
    assert handler.transform(kbas, layer(*names, MultiPolygon=3)) is None
    assert handler.transform(kbas, layer(*NEWER, **{"None": 3})) is None


def test_a_record_is_a_site() -> None:
    about = handler.describe(kbas)
    assert about.key_columns == ("sit_rec_id",)
    assert about.fields == FIELDS
    assert about.styles == (KBA_BY_STATUS,)
    assert {*about.key_columns, *about.ignored, *about.indexed} <= {each.name for each in FIELDS}


def test_the_credit_names_the_release() -> None:
    assert handler.attribution("September 2025") == citation("September 2025")
    assert citation("September 2025").startswith("BirdLife International (2025). Digital")
    assert "World Wildlife Fund. September 2025. Available at" in citation("September 2025")
    assert "World Wildlife Fund. Available at" in citation(None)
