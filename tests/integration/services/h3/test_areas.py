"""Countries by their codes, out of the table that Natural Earth's are published in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import shapely

from core.errors import PermanentTaskError
from core.models.feature_table import Column, ColumnType, FeatureTable, GeometryColumn, TableName
from infrastructure.database import Connection
from services.curated.natural_earth.handlers import NaturalEarthAdmin0
from services.h3 import areas, cells
from services.h3.model import Box
from tests.support.published import connect, put

ADMIN0 = TableName(table_name="curated_admin0")
NAMES = ("adm0_a3", "iso_a3", "name", "name_long")
TABLE = FeatureTable(
    columns=tuple(Column(name=name, type=ColumnType.TEXT) for name in NAMES),
    geometry=GeometryColumn(type="MultiPolygon", srid=4326),
)
RWANDA = ("RWA", "RWA", "Rwanda", "Rwanda", "MULTIPOLYGON (((29 -3, 31 -3, 31 -1, 29 -1, 29 -3)))")
FRANCE = ("FRA", "FRA", "France", "France", "MULTIPOLYGON (((0 43, 7 43, 7 50, 0 50, 0 43)))")
# A part that has the code of the country, and one that has none.
CLIPPERTON = (
    "CLP", "FRA", "Clipperton I.", "Clipperton Island",
    "MULTIPOLYGON (((-109.3 10.2, -109.1 10.2, -109.1 10.4, -109.3 10.2)))",
)  # fmt: skip
SOMALILAND = (
    "SOL", "SOL", "Somaliland", "Somaliland",
    "MULTIPOLYGON (((43 8, 49 8, 49 11, 43 11, 43 8)))",
)  # fmt: skip
FIJI = (
    "FJI", "FJI", "Fiji", "Fiji",
    "MULTIPOLYGON (((177 -19, 180 -19, 180 -16, 177 -16, 177 -19)),"
    " ((-180 -19, -178 -19, -178 -16, -180 -16, -180 -19)))",
)  # fmt: skip
ALL = (RWANDA, FRANCE, CLIPPERTON, SOMALILAND, FIJI)


@pytest.fixture
def db(ledger_url: str) -> Iterator[Connection]:
    """A database in which no country is published."""
    with connect(ledger_url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS geo.curated_admin0 CASCADE")
        connection.execute("TRUNCATE app.published_tables, app.published_versions CASCADE")
        yield connection


def publish(db: Connection, rows: Sequence[tuple[Any, ...]] = ALL) -> None:
    put(db, rows, TABLE, target=ADMIN0, key_columns=["adm0_a3"])


def test_the_columns_are_those_that_natural_earth_is_published_with() -> None:
    fields = NaturalEarthAdmin0.about.fields
    assert fields is not None
    assert set(NAMES) <= {field.name for field in fields}
    assert NaturalEarthAdmin0.about.geometry == "MultiPolygon"


def test_a_country_has_its_polygon(db: Connection) -> None:
    publish(db)
    rwanda = areas.of_country(db, "RWA")
    assert rwanda.geometry.equals(shapely.box(29, -3, 31, -1))
    [bounds] = rwanda.boxes()
    found = cells.in_box(bounds, 5, rwanda)
    assert len(found) == cells.count_in_box(bounds, 5, rwanda) > 100
    assert rwanda.contains(*cells.centres(found)).all()


def test_a_country_has_the_parts_that_have_its_code(db: Connection) -> None:
    publish(db)
    france = areas.of_country(db, "FRA")
    assert len(shapely.get_parts(france.geometry)) == 2
    assert france.touches(Box(west=-110, south=10, east=-109, north=11))
    # By the code of its own, which ISO does not know, nothing but the part.
    assert areas.of_country(db, "CLP").boxes()[0].east < -109
    assert areas.of_country(db, "SOL").geometry.equals(shapely.box(43, 8, 49, 11))


def test_a_country_across_the_antimeridian_lies_in_two_boxes(db: Connection) -> None:
    publish(db)
    east, west = areas.of_country(db, "FJI").boxes()
    assert (east.west, east.east, west.west) == (177, 180, -180)


def test_an_unknown_code_is_refused_naming_those_near_it(db: Connection) -> None:
    publish(db)
    with pytest.raises(PermanentTaskError, match="has no country RWN") as unknown:
        areas.of_country(db, "RWN")
    assert unknown.value.error_code == "country_not_found"
    assert unknown.value.details["field"] == "iso3"
    assert "RWA is Rwanda" in unknown.value.message
    with pytest.raises(PermanentTaskError, match=r"has no country XQZ\.$"):
        areas.of_country(db, "XQZ")


def test_a_country_is_named_by_itself_and_not_by_a_part_of_it(db: Connection) -> None:
    publish(db, [CLIPPERTON, FRANCE])
    with pytest.raises(PermanentTaskError, match="FRA is France"):
        areas.of_country(db, "FRB")


def test_without_the_table_it_is_said_how_to_load_it(db: Connection) -> None:
    with pytest.raises(PermanentTaskError, match="datasets/admin0/update") as missing:
        areas.of_country(db, "RWA")
    assert missing.value.error_code == "curated_admin0_missing"
    other = FeatureTable(columns=TABLE.columns[2:], geometry=TABLE.geometry)
    put(db, [RWANDA[2:]], other, target=ADMIN0)
    with pytest.raises(PermanentTaskError, match="from Natural Earth"):
        areas.of_country(db, "RWA")
