"""The query parameters of /items."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from core.models.feature_table import FeatureTable, GeometryColumn, TableName
from infrastructure.features_repository import PublishedTable
from infrastructure.features_selection import Area
from services.features.parameters import (
    InvalidQuery,
    items_request,
    nothing_else,
    queryables,
)
from services.features.reference_systems import CRS84
from services.orchestration.paging import cursor_after
from tests.support.feature_tables import PLACES


def table(shape: FeatureTable = PLACES) -> PublishedTable:
    return PublishedTable(
        name=TableName(table_name="places"),
        version=1,
        title=None,
        description=None,
        attribution=None,
        restricted=False,
        shape=shape,
        datetime_column="seen",
        row_count=36,
        bbox=(-180.0, 0.0, 170.0, 0.0),
        updated_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def test_nothing_asked_for_is_everything() -> None:
    request = items_request({}, table())
    assert (request.limit, request.query) == (10, {})
    assert not request.selection.is_filter


def test_columns_can_be_asked_for_but_json_bytes_and_reserved_names() -> None:
    names = {column.name for column in queryables(table())}
    assert names == {each.name for each in PLACES.columns} - {"tags", "seal", "limit"}


def test_the_hosts_parameters_are_not_ours_unless_a_column_has_the_name() -> None:
    plain = table(FeatureTable(columns=(), geometry=None))
    assert items_request({"code": "key", "clientId": "default"}, plain).query == {}
    request = items_request({"code": "C1", "clientId": "default"}, table())
    assert request.selection.values == {"code": "C1"}
    assert request.query == {"code": "C1"}
    nothing_else({"code": "key"})


@pytest.mark.parametrize(
    ("text", "limit"),
    [("1", 1), ("0" * 20 + "7", 7), ("10000", 10_000), ("10001", 10_000), ("9" * 5000, 10_000)],
)
def test_a_limit_over_the_most_counts_as_the_most(text: str, limit: int) -> None:
    assert items_request({"limit": text}, table()).limit == limit


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("limit", "0"),
        ("limit", "00"),
        ("limit", "-1"),
        ("limit", "ten"),
        ("limit", ""),
        ("bbox", "1,2,3"),
        ("bbox-crs", "http://www.opengis.net/def/crs/EPSG/0/4326"),
        ("datetime", "soon"),
        ("cursor", "!"),
        ("cursor", cursor_after("x")),
        ("people", "many"),
        ("name", "a\0b"),
        ("nmae", "Oslo"),
        ("tags", "{}"),
        ("resultType", "hits"),
    ],
)
def test_what_cannot_be_used_is_a_400_that_names_it(name: str, text: str) -> None:
    with pytest.raises(InvalidQuery, match=name) as refused:
        items_request({"capital": "true", name: text}, table())
    assert refused.value.status == 400
    assert [error["loc"] for error in refused.value.errors] == [["query", name]]


def test_a_box_in_the_tables_own_crs_needs_no_bounds() -> None:
    box = {"bbox": "170,-1,-170,1", "bbox-crs": CRS84}
    assert items_request(box, table()).selection.areas == (
        Area((170, -1, 180, 1)),
        Area((-180, -1, -170, 1)),
    )


def test_a_box_for_a_projected_table_has_bounds() -> None:
    shape = FeatureTable(columns=(), geometry=GeometryColumn(type="Point", srid=3857))
    [area] = items_request({"bbox": "0,0,1,1"}, table(shape)).selection.areas
    assert area.stored is not None
    assert area.stored[2] > 111_000


def test_where_there_are_no_parameters_any_is_refused() -> None:
    with pytest.raises(InvalidQuery, match="there are none here"):
        nothing_else({"f": "json"})
