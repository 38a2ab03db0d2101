"""The STAC API over a catalog in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.servers import PostgresServer
from tests.support import stac_data
from tests.support.in_process import BASE, InProcessClient, Response
from tests.support.settings import app_settings
from tests.support.stac_data import EMPTY, ITEMS, WORLD
from web_interfaces.api import stac

ROOT = f"{BASE}/api/stac"


@pytest.fixture(scope="module")
def catalog(postgres_server: PostgresServer, migrated_template: str) -> str:
    """A database with the test catalog, which tests only read."""
    url = postgres_server.create_database(migrated_template)
    stac_data.load(url)
    return url


@pytest.fixture(scope="module")
def api(catalog: str) -> Iterator[InProcessClient]:
    with app_settings(DATABASE_URL=catalog):
        yield InProcessClient(stac.bp)


def ids(page: Response) -> list[str]:
    assert page.status == 200, page.text
    return [feature["id"] for feature in page.json()["features"]]


def href(document: dict[str, Any], rel: str) -> str | None:
    return next((str(link["href"]) for link in document["links"] if link["rel"] == rel), None)


def problem(answer: Response, status: int) -> dict[str, Any]:
    assert (answer.status, answer.media_type) == (
        status,
        "application/problem+json",
    ), answer.text[:500]
    found: dict[str, Any] = answer.json()
    return found


def test_the_landing_page_leads_to_everything(api: InProcessClient) -> None:
    page = api.get("/api/stac").json()
    assert page["type"] == "Catalog"
    assert page["conformsTo"] == api.get(href(page, "conformance") or "").json()["conformsTo"]
    children = [link["href"] for link in page["links"] if link["rel"] == "child"]
    assert [api.get(child).json()["id"] for child in children] == [EMPTY, WORLD]
    searches = {link["method"] for link in page["links"] if link["rel"] == "search"}
    assert searches == {"GET", "POST"}
    assert href(page, "service-desc") == f"{BASE}/api/openapi.json"


def test_collections_are_listed_by_id_and_page_both_ways(api: InProcessClient) -> None:
    everything = api.get("/api/stac/collections").json()
    assert [each["id"] for each in everything["collections"]] == [EMPTY, WORLD]
    assert (everything["numberMatched"], href(everything, "next")) == (2, None)
    first = api.get("/api/stac/collections?limit=1").json()
    second = api.get(href(first, "next") or "").json()
    assert [each["id"] for each in second["collections"]] == [WORLD]
    assert href(second, "next") is None
    assert api.get(href(second, "prev") or "").json()["collections"] == first["collections"]


def test_collections_are_found_by_place_and_time(api: InProcessClient) -> None:
    assert api.get("/api/stac/collections?bbox=0,50,10,60").json()["numberMatched"] == 0
    assert api.get("/api/stac/collections?bbox=170,0,-170,10").json()["numberMatched"] == 2
    later = api.get("/api/stac/collections?datetime=2030-01-01T00:00:00Z/..").json()
    assert later["numberMatched"] == 0


def test_a_collection_has_the_links_of_the_api_and_keeps_its_own(api: InProcessClient) -> None:
    answer = api.get(f"/api/stac/collections/{WORLD}")
    assert answer.media_type == "application/json"
    found = answer.json()
    assert href(found, "self") == f"{ROOT}/collections/{WORLD}"
    assert href(found, "items") == f"{ROOT}/collections/{WORLD}/items"
    assert href(found, "license") == "https://creativecommons.org/publicdomain/zero/1.0/"
    assert href(found, "root") == href(found, "parent") == ROOT


def test_an_item_is_served_as_it_was_stored_but_for_its_links(api: InProcessClient) -> None:
    answer = api.get(f"/api/stac/collections/{WORLD}/items/item-07")
    assert answer.media_type == "application/geo+json"
    found, stored = answer.json(), stac_data.item(7)
    assert {**found, "links": None} == {**stored, "links": None}
    assert href(found, "parent") == href(found, "collection") == f"{ROOT}/collections/{WORLD}"
    assert href(found, "derived_from") == "https://bronze.test/source.json"


@pytest.mark.parametrize(
    ("address", "missing"),
    [
        ("/collections/nope", "no collection 'nope'"),
        ("/collections/nope/items", "no collection 'nope'"),
        ("/collections/nope/items/item-01", "no collection 'nope'"),
        ("/collections/nope/queryables", "no collection 'nope'"),
        (f"/collections/{WORLD}/items/nope", "no item 'nope'"),
        (f"/collections/{EMPTY}/items/item-01", "no item 'item-01'"),
        ("/collections/nul%00", "NUL"),
    ],
)
def test_what_is_missing_is_named(api: InProcessClient, address: str, missing: str) -> None:
    assert missing in problem(api.get(f"/api/stac{address}"), 404)["detail"]


def test_pages_hold_every_item_once_by_get_and_by_post(api: InProcessClient) -> None:
    page = api.get(f"/api/stac/search?collections={WORLD}&limit=10").json()
    by_get = [page]
    while address := href(by_get[-1], "next"):
        by_get.append(api.get(address).json())

    body: dict[str, Any] = {"collections": [WORLD], "limit": 10}
    by_post = [api.post("/api/stac/search", body).json()]
    while following := [link for link in by_post[-1]["links"] if link["rel"] == "next"]:
        [link] = following
        assert (link["method"], link["merge"]) == ("POST", True)
        by_post.append(api.post(link["href"], {**body, **link["body"]}).json())

    for pages in (by_get, by_post):
        found = [feature["id"] for page in pages for feature in page["features"]]
        assert len(found) == len(set(found)) == ITEMS
        assert [page["numberReturned"] for page in pages] == [10, 10, 10, 6]
        assert {page["numberMatched"] for page in pages} == {ITEMS}

    back = api.get(href(by_get[2], "prev") or "").json()
    assert back["features"] == by_get[1]["features"]
    assert href(by_get[0], "prev") is None


def test_items_of_a_collection_page_and_filter(api: InProcessClient) -> None:
    address = f"/api/stac/collections/{WORLD}/items"
    first = api.get(f"{address}?limit=20&sortby=id")
    assert first.media_type == "application/geo+json"
    assert href(first.json(), "self") == f"{BASE}{address}?limit=20&sortby=id"
    rest = api.get(href(first.json(), "next") or "")
    assert ids(first) + ids(rest) == [f"item-{number:02d}" for number in range(ITEMS)]
    assert ids(api.get(f"/api/stac/collections/{EMPTY}/items")) == []


@pytest.mark.parametrize(
    ("search", "numbers"),
    [
        ({"ids": ["item-03", "item-30", "nope"]}, {3, 30}),
        ({"ids": ["item-03"], "collections": [EMPTY]}, set()),
        ({"bbox": [2, 0, 13, 5]}, {18, 19}),
        ({"bbox": [2, 0, -50, 13, 5, 50]}, {18, 19}),
        ({"bbox": [171, 0, -171, 5]}, {35, 0}),
        ({"bbox": [2, 0, 2, 0]}, {18}),
        ({"intersects": {"type": "Point", "coordinates": [2, 0]}}, {18}),
        ({"datetime": "2020-03-01T00:00:00Z"}, {2}),
        ({"datetime": "2022-11-01T00:00:00Z/.."}, {34, 35}),
        ({"datetime": "../2020-02-01T00:00:00Z"}, {0, 1}),
        ({"filter": {"op": "<", "args": [{"property": "eo:cloud_cover"}, 2]}}, {0, 1}),
        ({"filter": {"op": "between", "args": [{"property": "eo:cloud_cover"}, 5, 6]}}, {5, 6}),
        ({"filter": {"op": "in", "args": [{"property": "id"}, ["item-09"]]}}, {9}),
        (
            {
                "filter": {
                    "op": "and",
                    "args": [
                        {"op": "like", "args": [{"property": "platform"}, "ev%"]},
                        {
                            "op": "s_intersects",
                            "args": [
                                {"property": "geometry"},
                                {"type": "LineString", "coordinates": [[2, 0], [23, 0]]},
                            ],
                        },
                        {
                            "op": "t_after",
                            "args": [{"property": "datetime"}, {"date": "2021-07-02"}],
                        },
                    ],
                }
            },
            {20},
        ),
        ({"query": {"eo:cloud_cover": {"gte": 34}}}, {34, 35}),
    ],
)
def test_a_search_finds_by_post_and_by_get(
    api: InProcessClient, search: dict[str, Any], numbers: set[int]
) -> None:
    expected = {f"item-{number:02d}" for number in numbers}
    assert set(ids(api.post("/api/stac/search", search))) == expected
    texts = {
        name: ",".join(map(str, value))
        if isinstance(value, list)
        else json.dumps(value)
        if isinstance(value, dict)
        else value
        for name, value in search.items()
    }
    query = "&".join(f"{name}={quote(text)}" for name, text in texts.items())
    assert set(ids(api.get(f"/api/stac/search?{query}"))) == expected


def test_items_are_sorted_and_trimmed(api: InProcessClient) -> None:
    page = api.get("/api/stac/search?sortby=%2Bproperties.eo:cloud_cover&limit=2&fields=bbox")
    assert ids(page) == ["item-00", "item-01"]
    assert page.json()["features"][0].keys() == {"id", "collection", "bbox"}
    newest = api.get("/api/stac/search?limit=1&fields=-assets")
    assert ids(newest) == ["item-35"]
    assert "assets" not in newest.json()["features"][0]


@pytest.mark.parametrize(
    ("body", "culprit"),
    [
        ({"filter": {"op": "levitates", "args": []}}, "filter"),
        ({"filter": {"op": "=", "args": [1]}}, "filter"),
        ({"filter": {"op": "<", "args": [{"property": "datetime"}, "soon"]}}, "filter"),
        ({"filter": {"op": "=", "args": [{"property": ""}, 1]}}, "filter"),
        ({"filter": {"op": "=", "args": [{"property": "a\u0000"}, 1]}}, "filter"),
        ({"query": {"eo:cloud_cover": {"floats": 1}}}, "query"),
        ({"token": "next:776f726c64:6e6f7065"}, "token"),
        ({"token": "next:ff:ff"}, "token"),
        ({"sortby": [{"field": "properties."}]}, "sortby"),
        ({"filter": {"op": "=", "args": [{"property": "a"}, 1]}, "token": "next:61:62"}, "token"),
    ],
)
def test_what_pgstac_refuses_is_blamed_on_its_parameter(
    api: InProcessClient, body: dict[str, Any], culprit: str
) -> None:
    found = problem(api.post("/api/stac/search", body), 400)
    assert [error["loc"] for error in found["errors"]] == [["body", culprit]]


def test_a_filter_is_data_and_never_sql(api: InProcessClient) -> None:
    text = "'); DROP TABLE pgstac.items; --"
    for search in (
        {"filter": {"op": "=", "args": [{"property": "platform"}, text]}},
        {"filter": {"op": "=", "args": [{"property": text}, 1]}},
        {"sortby": [{"field": text}]},
        {"ids": [text]},
        {"fields": {"include": [text]}},
    ):
        assert api.post("/api/stac/search", search).status in (200, 400)
    assert len(ids(api.get("/api/stac/search?limit=100"))) == ITEMS


def test_a_body_that_is_no_object_is_refused(api: InProcessClient) -> None:
    problem(api.call("POST", "/api/stac/search", b"{"), 400)
    problem(api.call("POST", "/api/stac/search", b"[]"), 400)


def test_queryables_are_a_schema_that_names_itself(api: InProcessClient) -> None:
    for address in ("/api/stac/queryables", f"/api/stac/collections/{WORLD}/queryables"):
        answer = api.get(address)
        assert answer.media_type == "application/schema+json"
        assert answer.json()["$id"] == f"{BASE}{address}"
        assert "datetime" in answer.json()["properties"]


def test_scripts_of_any_origin_may_read(api: InProcessClient) -> None:
    for answer in (api.get("/api/stac"), api.get("/api/stac/collections/nope")):
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    preflight = api.call("OPTIONS", "/api/stac/search")
    assert preflight.status == 204
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert "Content-Type" in preflight.headers["Access-Control-Allow-Headers"]


def test_twenty_parallel_searches_agree_and_write_nothing(
    api: InProcessClient, catalog: str
) -> None:
    with ThreadPoolExecutor(20) as threads:
        answers = list(
            threads.map(lambda _: api.post("/api/stac/search", {"limit": 36}), range(60))
        )
    assert {tuple(ids(answer)) for answer in answers} == {tuple(ids(answers[0]))}
    with psycopg.connect(catalog) as connection:
        written = connection.execute(
            "SELECT (SELECT count(*) FROM pgstac.searches), "
            "(SELECT count(*) FROM pgstac.search_wheres)"
        ).fetchone()
    assert written == (0, 0)


def test_an_empty_catalog_answers_too(database_url: str) -> None:
    api = InProcessClient(stac.bp)
    with app_settings(DATABASE_URL=database_url):
        assert api.get("/api/stac").status == 200
        assert api.get("/api/stac/collections").json()["collections"] == []
        assert ids(api.get("/api/stac/search")) == []
        assert api.get("/api/stac/queryables").json()["properties"] == {}


def test_what_is_not_committed_is_not_found(database_url: str) -> None:
    stac_data.load(database_url)
    new = {**stac_data.item(1), "id": "item-new"}
    api = InProcessClient(stac.bp)
    with app_settings(DATABASE_URL=database_url):
        with psycopg.connect(database_url) as loading:
            loading.execute("SET search_path = pgstac, public")
            loading.execute("SELECT pgstac.create_item(%s)", (Jsonb(new),))
            assert api.get("/api/stac/search?limit=1").json()["numberMatched"] == ITEMS
            assert ids(api.get("/api/stac/search?ids=item-new")) == []
        # Counts are of this moment, not of a cache.
        assert api.get("/api/stac/search?limit=1").json()["numberMatched"] == ITEMS + 1
        assert ids(api.get("/api/stac/search?ids=item-new")) == ["item-new"]


def test_a_database_that_is_gone_is_a_503() -> None:
    with app_settings(GEOFORGE_DATABASE_TIMEOUT_SECONDS="0.5"):
        found = problem(InProcessClient(stac.bp).get("/api/stac/search"), 503)
    assert found["code"] == "database_unavailable"
