"""What is made of Natural Earth's layers, release by release."""

from __future__ import annotations

import pytest
from shapely import Point

from core.errors import InvalidParameters
from core.models.feature_table import ColumnType
from services.curated.mapping import Mapped, mapped
from services.curated.natural_earth.base import NaturalEarth
from services.curated.natural_earth.handlers import (
    NaturalEarthAdmin0,
    NaturalEarthAdmin1,
    NaturalEarthCoastlines,
    NaturalEarthLand,
)
from services.vector.model import Chunk, Finding, Kind, SourceColumn, SourceLayer
from tests.support.handler_runs import dataset
from tests.support.natural_earth import country, state
from tests.support.settings import app_settings

HANDLERS: tuple[NaturalEarth, ...] = (
    NaturalEarthAdmin0(),
    NaturalEarthAdmin1(),
    NaturalEarthCoastlines(),
    NaturalEarthLand(),
)
ADMIN0, ADMIN1, COASTLINES, LAND = HANDLERS
TEXT, INTEGER, REAL = ColumnType.TEXT, ColumnType.INTEGER, ColumnType.REAL
COUNTRY = tuple(country(Point(), "KEN", "Kenya")[1])
STATE = tuple(state(Point(), "USA-3514", "Minnesota")[1])
# Of a release before 5.
OLD_COUNTRY = tuple(
    {"GDP_MD": "GDP_MD_EST"}.get(name, name)
    for name in COUNTRY
    if name
    not in ("ISO_A2_EH", "ISO_N3_EH", "LABEL_X", "LABEL_Y", "NE_ID", "WIKIDATAID", "NAME_EN")
)


def layer(name: str, *attributes: str, of: str = "Polygon", count: int = 3) -> SourceLayer:
    return SourceLayer(
        name=name,
        kind=Kind.SHAPEFILE,
        driver="ESRI Shapefile",
        member=f"{name}.shp",
        features=count,
        columns=[SourceColumn(name=each, type=TEXT) for each in attributes],
        geometry_types={of: count},
        crs=Finding(value="EPSG:4326", confidence=1, source="file"),
        chunks=[Chunk(first_row=0, rows=count)],
    )


def takes(handler: NaturalEarth, *given: SourceLayer) -> list[str]:
    """The layers that the handler takes, by name."""
    return [each.name for each in given if handler.transform(dataset(), each) is not None]


def columns(handler: NaturalEarth, *attributes: str) -> Mapped:
    fields = handler.about.fields
    assert fields is not None
    return mapped(layer("any", *attributes), fields, source_version="5.1.1")


class TestLayers:
    @pytest.mark.parametrize("scale", ["10m", "50m", "110m"])
    def test_of_the_theme_are_taken_at_any_scale(self, scale: str) -> None:
        countries = layer(f"ne_{scale}_admin_0_countries", *COUNTRY)
        states = layer(f"ne_{scale}_admin_1_states_provinces", *STATE)
        coast = layer(f"ne_{scale}_coastline", "featurecla", of="LineString")
        land = layer(f"ne_{scale}_land", "featurecla", of="MultiPolygon")
        everything = (countries, states, coast, land)
        assert [takes(handler, *everything) for handler in HANDLERS] == [
            [each.name] for each in everything
        ]

    def test_of_a_point_of_view_and_without_lakes_are_taken_too(self) -> None:
        names = ["ne_10m_admin_0_countries_ind", "NE_10M_ADMIN_0_COUNTRIES_LAKES"]
        assert takes(ADMIN0, *(layer(name, *COUNTRY) for name in names)) == names

    def test_of_other_themes_are_left_whatever_their_attributes(self) -> None:
        names = ["ne_10m_admin_0_map_units", "ne_10m_admin_0_disputed_areas"]
        assert takes(ADMIN0, *(layer(name, *COUNTRY) for name in names)) == []
        lines = layer("ne_10m_rivers_lake_centerlines", "featurecla", of="LineString")
        assert takes(COASTLINES, lines) == []
        assert takes(LAND, layer("ne_10m_lakes", "featurecla")) == []

    def test_of_other_names_are_known_by_their_attributes(self) -> None:
        countries, states = layer("welt", *COUNTRY), layer("provinzen", *STATE)
        assert takes(ADMIN0, countries, states) == ["welt"]
        assert takes(ADMIN1, countries, states) == ["provinzen"]
        assert takes(ADMIN0, layer("parks", "NAME")) == []

    def test_of_the_wrong_dimension_are_left(self) -> None:
        labels = layer("ne_10m_land_ocean_label_points", "featurecla", of="Point")
        seams = layer("ne_10m_land_ocean_seams", "featurecla", of="LineString")
        assert takes(LAND, labels, seams) == []
        assert takes(COASTLINES, layer("ne_10m_coastline", "featurecla", of="Polygon")) == []
        assert takes(ADMIN0, layer("ne_10m_admin_0_countries", *COUNTRY, count=0)) == []

    def test_what_is_of_another_dimension_in_one_is_not_loaded(self) -> None:
        use = ADMIN0.transform(dataset(), layer("ne_10m_admin_0_countries", *COUNTRY))
        assert use is not None
        assert use.dimensions == (2,)


class TestColumns:
    def test_of_release_5_are_all_filled(self) -> None:
        for handler, attributes in ((ADMIN0, COUNTRY), (ADMIN1, STATE)):
            found = columns(handler, *attributes)
            filled = {plan.column.name for plan in found.columns if plan.source is not None}
            assert {plan.column.name for plan in found.columns} - filled == {"source_version"}
            assert found.missing == []
        assert columns(ADMIN0, *COUNTRY).unmapped == ["NAME_AR"]

    def test_of_older_releases_are_filled_as_far_as_they_go(self) -> None:
        found = columns(ADMIN0, *OLD_COUNTRY)
        assert found.missing == [], "that they come and go is no drift"
        assert found.unmapped == ["NAME_AR"]
        sources = {plan.column.name: plan.source for plan in found.columns}
        assert sources["gdp_md"] == "GDP_MD_EST"
        assert (sources["label_x"], sources["wikidataid"]) == (None, None)

    def test_codes_come_from_what_has_one(self) -> None:
        asked = {
            plan.column.name: [plan.source, *plan.otherwise]
            for plan in columns(ADMIN0, *COUNTRY).columns
        }
        assert asked["iso_a3"] == ["ISO_A3", "ISO_A3_EH", "ADM0_A3"]
        assert asked["iso_a2"] == ["ISO_A2", "ISO_A2_EH"]
        assert asked["iso_n3"] == ["ISO_N3", "ISO_N3_EH"]

    def test_what_is_not_known_is_null_but_a_place_may_be_at_99_degrees(self) -> None:
        values = {plan.column.name: plan.values for plan in columns(ADMIN0, *COUNTRY).columns}
        assert all(values[name]["-99"] is None for name in ("iso_a3", "population", "economy"))
        assert (values["label_x"], values["label_y"]) == ({}, {})

    def test_the_name_of_a_column_that_was_misspelled_once(self) -> None:
        found = columns(COASTLINES, "scalerank", "featurecla", "min_zooom")
        assert [plan.source for plan in found.columns] == [
            *("featurecla", "scalerank", "min_zooom", None),
        ]


class TestDefinitions:
    @pytest.mark.parametrize("handler", HANDLERS, ids=lambda handler: str(handler.name))
    def test_are_taken_as_they_are_seeded(self, handler: NaturalEarth) -> None:
        handler.check_definition(dataset(source_url="https://naciscdn.org/a.zip"))
        in_container = {"container_name": "bronze-vectors", "blob_name": "ne/a.zip"}
        with app_settings():
            handler.check_definition(dataset(source_config=in_container))
        assert handler.options == {"file"}
        assert handler.describe(dataset()).one_layer
        assert "Natural Earth" in str(handler.attribution("5.1.1"))
        assert str(handler.describe(dataset()).licence).startswith("Public domain")

    @pytest.mark.parametrize("name", ["key_columns", "wkt_column"])
    def test_may_not_say_what_the_handler_knows(self, name: str) -> None:
        value = ["name"] if name == "key_columns" else "geom"
        with pytest.raises(InvalidParameters, match="natural_earth_land") as refused:
            LAND.check_definition(
                dataset(source_url="https://naciscdn.org/a.zip", source_config={name: value})
            )
        assert refused.value.errors == [
            {"loc": ["source_config", name], "msg": "is not for natural_earth_land"}
        ]

    def test_must_name_a_file(self) -> None:
        with pytest.raises(InvalidParameters, match="source_url"):
            LAND.check_definition(dataset())
