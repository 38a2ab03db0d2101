"""The bounds that maps ask for tiles within."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from core.models.feature_table import FeatureTable, GeometryColumn, TableName
from infrastructure.features_repository import PublishedTable
from services.tiles.links import bounds, template
from services.tiles.versions import tiles_token, version_token
from tests.support.settings import app_settings


def table(**known: Any) -> PublishedTable:
    facts: dict[str, Any] = {
        "name": TableName(table_name="parks"),
        "version": 7,
        "title": None,
        "description": None,
        "attribution": None,
        "restricted": False,
        "shape": FeatureTable(columns=(), geometry=GeometryColumn(type="Point", srid=4326)),
        "datetime_column": None,
        "row_count": 1,
        "bbox": None,
        "updated_at": datetime(2026, 5, 1, tzinfo=UTC),
    }
    return PublishedTable(**{**facts, **known})


@pytest.mark.parametrize(
    ("bbox", "expected"),
    [
        ((-10.0, 40.0, 20.0, 50.0), (-10, 40, 20, 50)),
        ((-180.0, -90.0, 180.0, 90.0), (-180, -85.051129, 180, 85.051129)),
        ((170.0, -20.0, -170.0, -10.0), (-180, -20, 180, -10)),
        ((0.0, 88.0, 1.0, 90.0), (0, 85.051129, 1, 85.051129)),
    ],
)
def test_bounds_are_those_of_the_data_within_the_map(bbox: Any, expected: Any) -> None:
    assert bounds(table(bbox=bbox)) == pytest.approx(expected, abs=2e-6)


def test_one_point_has_bounds_with_something_in_them() -> None:
    found = bounds(table(bbox=(0.0, 0.0, 0.0, 0.0)))
    assert found is not None
    west, south, east, north = found
    assert west < 0 < east
    assert south < 0 < north


def test_what_is_nowhere_has_none() -> None:
    assert bounds(table()) is None


def test_an_address_names_the_version() -> None:
    first = table()
    with app_settings():
        assert template(first, "https://x.test") == (
            f"https://x.test/api/tiles/parks/{{z}}/{{x}}/{{y}}.pbf?v={tiles_token(first)}"
        )
    again = table(updated_at=datetime(2026, 5, 1, 0, 0, 0, 1, tzinfo=UTC))
    assert len({version_token(each) for each in (first, again, table(version=8))}) == 3


def test_the_examples_are_as_tokens_are() -> None:
    assert version_token(table()) == "7-650b643154000-1"
    with app_settings():
        assert tiles_token(table()) == "7-650b643154000-1-df9e9459"


def test_an_address_is_another_one_where_tiles_or_their_readers_are_others() -> None:
    tokens = []
    for settings in (
        {},
        {"GEOFORGE_TILE_MAX_BYTES": "200000"},
        {"GEOFORGE_TILE_MAX_FEATURES": "500"},
    ):
        with app_settings(**settings):
            tokens += [tiles_token(table()), tiles_token(table(restricted=True))]
    assert len(set(tokens)) == 6
