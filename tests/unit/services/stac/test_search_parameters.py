"""The parameters of a search, out of a query string and out of a body."""

from __future__ import annotations

from typing import Any

import pytest

from services.stac.search_parameters import (
    MAX_LIMIT,
    CollectionParameters,
    InvalidSearch,
    SearchParameters,
    from_body,
    from_query,
)

POINT = {"type": "Point", "coordinates": [1, 2]}
CLEAR = {"op": "<", "args": [{"property": "eo:cloud_cover"}, 10]}


def test_query_string_and_body_mean_the_same() -> None:
    by_query = from_query(
        SearchParameters,
        {
            "collections": "a,b",
            "ids": "x",
            "bbox": "1,2,3.5,4",
            "datetime": "../2020-01-01T00:00:00Z",
            "limit": "7",
            "token": "next:61:62",
            "filter": '{"op": "<", "args": [{"property": "eo:cloud_cover"}, 10]}',
            "filter-lang": "cql2-json",
            "sortby": "-datetime,+id",
            "fields": "id,-geometry",
        },
    )
    by_body = from_body(
        SearchParameters,
        {
            "collections": ["a", "b"],
            "ids": ["x"],
            "bbox": [1, 2, 3.5, 4],
            "datetime": "../2020-01-01T00:00:00Z",
            "limit": 7,
            "token": "next:61:62",
            "filter": CLEAR,
            "filter-lang": "cql2-json",
            "sortby": [{"field": "datetime", "direction": "desc"}, {"field": "id"}],
            "fields": {"include": ["id"], "exclude": ["geometry"]},
        },
    )
    assert by_query == by_body
    assert by_body.as_pgstac() == {
        "collections": ["a", "b"],
        "ids": ["x"],
        "bbox": [1, 2, 3.5, 4],
        "datetime": "../2020-01-01T00:00:00Z",
        "limit": 7,
        "token": "next:61:62",
        "filter": CLEAR,
        "filter-lang": "cql2-json",
        "sortby": [
            {"field": "datetime", "direction": "desc"},
            {"field": "id", "direction": "asc"},
        ],
        "fields": {"include": ["id"], "exclude": ["geometry"]},
    }


def test_nothing_given_asks_for_ten_items() -> None:
    assert from_query(SearchParameters, {}).as_pgstac()["limit"] == 10
    assert from_body(SearchParameters, {"bbox": None}).as_pgstac()["limit"] == 10


def test_a_limit_above_the_greatest_counts_as_the_greatest() -> None:
    assert from_query(SearchParameters, {"limit": "1000000"}).limit == MAX_LIMIT


def test_the_function_key_is_no_parameter() -> None:
    assert from_query(SearchParameters, {"code": "key"}) == SearchParameters()


def test_pgstac_is_given_a_geometry_where_a_box_crosses_the_antimeridian() -> None:
    search = from_body(SearchParameters, {"bbox": [170, -10, -160, 20]}).as_pgstac()
    assert "bbox" not in search
    assert search["intersects"]["type"] == "MultiPolygon"


@pytest.mark.parametrize(
    ("fields", "exclude"),
    [
        ("+geometry,-geometry", []),
        ("-properties,+properties.datetime", []),
        ("+properties,-properties.datetime", ["properties.datetime"]),
        ("-prop,+properties", ["prop"]),
    ],
)
def test_an_inclusion_wins_over_the_exclusion_around_it(fields: str, exclude: list[str]) -> None:
    search = from_query(SearchParameters, {"fields": fields}).as_pgstac()
    assert search["fields"]["exclude"] == exclude


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [("", True), ("id", False), ("id,links", True), ("-links", False), ("-geometry", True)],
)
def test_links_are_made_unless_the_fields_leave_them_out(fields: str, wanted: bool) -> None:
    assert from_query(SearchParameters, {"fields": fields}).wants_links is wanted


@pytest.mark.parametrize(
    ("params", "culprit"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"limit": "1_0"}, "limit"),
        ({"bbox": "[1,2,3,4]"}, "bbox"),
        ({"bbox": "1,2,3"}, "bbox"),
        ({"bbox": "1,2,nan,4"}, "bbox"),
        ({"datetime": "yesterday"}, "datetime"),
        ({"intersects": "POINT(1 2)"}, "intersects"),
        ({"intersects": "[1]"}, "intersects"),
        ({"bbox": "1,2,3,4", "intersects": '{"type":"Point","coordinates":[1,2]}'}, "intersects"),
        ({"token": "2"}, "token"),
        ({"filter": "eo:cloud_cover < 10"}, "filter"),
        ({"filter": "{}"}, "filter"),
        ({"filter-lang": "cql2-text"}, "filter-lang"),
        ({"filter-crs": "EPSG:3857"}, "filter-crs"),
        ({"ids": "a\x00"}, "ids"),
        ({"colection": "a"}, "colection"),
        ({"conf": '{"readonly": false}'}, "conf"),
    ],
)
def test_what_is_wrong_in_a_query_string_is_named(params: dict[str, str], culprit: str) -> None:
    with pytest.raises(InvalidSearch) as caught:
        from_query(SearchParameters, params)
    assert caught.value.status == 400
    assert [error["loc"][:2] for error in caught.value.errors] == [["query", culprit]]
    assert culprit in caught.value.message


@pytest.mark.parametrize(
    ("body", "culprit"),
    [
        ({"limit": "10"}, "limit"),
        ({"limit": True}, "limit"),
        ({"limit": 1.5}, "limit"),
        ({"bbox": "1,2,3,4"}, "bbox"),
        ({"bbox": [1, 2, 3, "4"]}, "bbox"),
        ({"collections": "a"}, "collections"),
        ({"ids": [1]}, "ids"),
        ({"intersects": {"type": "Point"}}, "intersects"),
        ({"bbox": [1, 2, 3, 4], "intersects": POINT}, "intersects"),
        ({"filter": {"op": "<"}}, "filter"),
        ({"filter": "a < 1"}, "filter"),
        ({"filter": CLEAR, "query": {"a": {"eq": 1}}}, "query"),
        ({"sortby": [{"field": "a", "direction": "up"}]}, "sortby"),
        ({"sortby": [{"field": ""}]}, "sortby"),
        ({"fields": ["id"]}, "fields"),
        ({"conf": {"nohydrate": True}}, "conf"),
    ],
)
def test_what_is_wrong_in_a_body_is_named(body: dict[str, Any], culprit: str) -> None:
    with pytest.raises(InvalidSearch) as caught:
        from_body(SearchParameters, body)
    assert {error["loc"][1] for error in caught.value.errors} == {culprit}


def test_collections_are_listed_by_id() -> None:
    search = from_query(CollectionParameters, {"offset": "20", "limit": "10"}).as_pgstac()
    by_id = [{"field": "id", "direction": "asc"}]
    assert search == {"limit": 10, "offset": 20, "sortby": by_id}


@pytest.mark.parametrize(("asked", "expected"), [(None, ["a"]), (["b", "a"], ["a"]), (["b"], [])])
def test_a_search_within_a_collection_finds_nothing_elsewhere(
    asked: list[str] | None, expected: list[str]
) -> None:
    assert SearchParameters(collections=asked).within("a").collections == expected
