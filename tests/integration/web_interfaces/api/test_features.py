"""OGC API - Features over published tables in PostgreSQL."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlencode

import psycopg
import pytest
from jsonschema import Draft202012Validator

from infrastructure import features_repository
from tests.servers import PostgresServer
from tests.support import published
from tests.support.features_api import (
    COUNT,
    NAMED,
    ROOT,
    Collection,
    Collections,
    Conformance,
    Feature,
    FeatureCollection,
    LandingPage,
    features_database,
    items,
    problem,
    read,
)
from tests.support.in_process import BASE, InProcessClient
from tests.support.settings import app_settings
from web_interfaces.api import features


@pytest.fixture(scope="module")
def url(postgres_server: PostgresServer, migrated_template: str) -> str:
    """A database with published tables, which tests only read."""
    return features_database(postgres_server, migrated_template)


@pytest.fixture(scope="module")
def api(url: str) -> Iterator[InProcessClient]:
    with app_settings(DATABASE_URL=url):
        yield InProcessClient(features.bp)


# -- what there is


def test_the_landing_page_leads_to_everything(api: InProcessClient) -> None:
    page: LandingPage = read(api.get(ROOT), LandingPage)
    assert page.href("self") == f"{BASE}{ROOT}"
    conformance: Conformance = read(api.get(page.href("conformance")), Conformance)
    assert "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core" in conformance.conformsTo
    read(api.get(page.href("data")), Collections)
    definition = api.get(page.href("service-desc"))
    assert definition.media_type == "application/vnd.oai.openapi+json;version=3.0"


def test_collections_are_listed_as_each_is_described(api: InProcessClient) -> None:
    found: Collections = read(api.get(f"{ROOT}/collections"), Collections)
    assert [each.id for each in found.collections] == [
        "empty", "high", "laea", "lists", "local_time", "numbers", "places", "projected",
        "shapes", "vanished", "other.dated", "other.lost",
    ]  # fmt: skip
    for each in found.collections:
        if each.id != "vanished":
            assert read(api.get(each.href("self")), Collection) == each


def test_a_collection_says_what_is_known_of_it(api: InProcessClient) -> None:
    found: Collection = read(api.get(f"{ROOT}/collections/places"), Collection)
    assert (found.title, found.description, found.attribution) == (
        "Places",
        "Places on the equator",
        "Nobody",
    )
    assert found.extent is not None
    assert found.extent.spatial is not None
    assert found.extent.spatial.bbox == [(-180, 0, 170, 0)]
    assert found.extent.temporal is not None
    assert found.extent.temporal.interval == [
        ("2000-06-01T12:30:00.25Z", "2035-06-01T12:30:00.25Z")
    ]
    assert found.crs == [found.storageCrs] == ["http://www.opengis.net/def/crs/OGC/1.3/CRS84"]
    projected: Collection = read(api.get(f"{ROOT}/collections/projected"), Collection)
    assert projected.storageCrs == "http://www.opengis.net/def/crs/EPSG/0/32633"
    dated: Collection = read(api.get(f"{ROOT}/collections/other.dated"), Collection)
    assert dated.extent is not None
    assert dated.extent.spatial is None
    assert dated.extent.temporal is not None
    assert dated.extent.temporal.interval == [("2020-01-01T00:00:00Z", "2020-01-05T23:59:59Z")]


def test_a_collection_may_be_named_with_its_schema(api: InProcessClient) -> None:
    found: Collection = read(api.get(f"{ROOT}/collections/geo.places"), Collection)
    assert found.id == "places"
    assert found.href("items") == f"{BASE}{ROOT}/collections/places/items"


def test_queryables_and_schema_are_json_schemas_that_name_themselves(api: InProcessClient) -> None:
    for name in ("queryables", "schema"):
        address = f"{ROOT}/collections/places/{name}"
        answer = api.get(address)
        assert answer.media_type == "application/schema+json"
        schema = answer.json()
        Draft202012Validator.check_schema(schema)
        assert schema["$id"] == f"{BASE}{address}"
    queryables = api.get(f"{ROOT}/collections/places/queryables").json()["properties"]
    assert queryables["name"] == {"type": "string", "description": "What people call it"}
    assert "seal" not in queryables


def test_features_are_as_their_schema_says(api: InProcessClient) -> None:
    schema = api.get(f"{ROOT}/collections/places/schema").json()
    roles = {name: each.get("x-ogc-role") for name, each in schema["properties"].items()}
    assert {name: role for name, role in roles.items() if role} == {
        "gid": "id",
        "seen": "primary-instant",
        "geom": "primary-geometry",
    }
    assert schema["properties"]["geom"]["format"] == "geometry-point"
    validator = Draft202012Validator(schema)
    for feature in items(api, "places").features:
        assert feature.properties.keys() | {"gid", "geom"} == roles.keys()
        validator.validate({"gid": feature.id, **feature.properties})


def test_the_definition_has_each_collection_s_parameters(api: InProcessClient) -> None:
    document = api.get(f"{ROOT}/api").json()
    assert document["openapi"].startswith("3.0.")
    assert document["servers"] == [{"url": f"{BASE}{ROOT}"}]
    operation = document["paths"]["/collections/places/items"]["get"]
    names = set()
    for parameter in operation["parameters"]:
        if "$ref" in parameter:
            assert parameter["$ref"].startswith("#/components/parameters/")
            parameter = document["components"]["parameters"][parameter["$ref"].split("/")[-1]]
        Draft202012Validator.check_schema(parameter["schema"])
        names.add(parameter["name"])
    assert {"bbox", "datetime", "limit", "name", "people"} <= names
    operations = [each["get"]["operationId"] for each in document["paths"].values()]
    assert len(operations) == len(set(operations))
    for path, methods in document["paths"].items():
        unreadable = ("{", "vanished", "secret/items", "lost/items")
        if not any(part in path for part in unreadable):
            assert api.get(f"{ROOT}{path}".rstrip("/")).status == 200, path
        assert methods["get"]["responses"]["200"]["content"]


# -- what a feature is


def test_a_feature_has_its_columns_as_json(api: InProcessClient) -> None:
    answer = api.get(f"{ROOT}/collections/places/items/3")
    found = answer.json()
    links = found.pop("links")
    feature: Feature = Feature.model_validate(found)
    assert feature.geometry == {"type": "Point", "coordinates": [-160, 0]}
    assert feature.properties == {
        "name": "place 2",
        "people": 2_000_000_000_000,
        "area": 0.5,
        "capital": True,
        "founded": "1902-01-31",
        "opens": "08:02:00",
        "surveyed": "2002-06-01T12:30:00",
        "seen": "2002-06-01T12:30:00.25+00:00",
        "tags": {"number": 2},
        "seal": base64.b64encode(b"\2" * 60).decode(),
        "code": "C2",
        "feature": "a column of this name",
        "limit": 2,
    }
    assert answer.media_type == "application/geo+json"
    assert [(each["rel"], each["href"]) for each in links] == [
        ("self", f"{BASE}{ROOT}/collections/places/items/3"),
        ("collection", f"{BASE}{ROOT}/collections/places"),
    ]


def test_numbers_that_json_has_not_are_null(api: InProcessClient) -> None:
    values = [feature.properties["value"] for feature in items(api, "numbers").features]
    assert values == [1.5, None, None, None, None, 1e308]


def test_what_has_no_geometry_is_served_with_null(api: InProcessClient) -> None:
    shapes = {each.properties["name"]: each.geometry for each in items(api, "shapes").features}
    assert shapes["nowhere"] is None
    assert {each.geometry for each in items(api, "numbers").features} == {None}


def test_a_projected_table_is_served_in_degrees(api: InProcessClient) -> None:
    middle = items(api, "projected", name="p3").features[0].geometry
    assert middle is not None
    assert middle["coordinates"] == pytest.approx([15.0, 49.495], abs=1e-3)
    assert len(str(middle["coordinates"][1]).partition(".")[2]) <= 9


UTM33 = "http://www.opengis.net/def/crs/EPSG/0/32633"
ETRS_LAEA = "http://www.opengis.net/def/crs/EPSG/0/3035"
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"


@pytest.mark.parametrize(
    ("collection", "gid", "crs", "coordinates"),
    [
        ("projected", 3, UTM33, [500_000, 5_482_500]),
        ("projected", 3, CRS84, [15, 49.495135347]),
        ("laea", 1, ETRS_LAEA, [3_210_000, 4_321_000]),
        ("laea", 1, CRS84, [10, 52]),
        ("places", 19, CRS84, [0, 0]),
    ],
)
def test_coordinates_come_in_the_crs_that_is_asked_for(
    api: InProcessClient, collection: str, gid: int, crs: str, coordinates: list[float]
) -> None:
    query = urlencode({"crs": crs})
    one = api.get(f"{ROOT}/collections/{collection}/items/{gid}?{query}")
    assert one.json()["geometry"]["coordinates"] == coordinates
    assert api.get(one.json()["links"][0]["href"]).text == one.text
    page = api.get(f"{ROOT}/collections/{collection}/items?{query}&limit=100")
    found = {each["id"]: each["geometry"]["coordinates"] for each in page.json()["features"]}
    assert found[gid] == coordinates
    assert one.headers["Content-Crs"] == page.headers["Content-Crs"] == f"<{crs}>"


@pytest.mark.parametrize(
    ("collection", "box", "crs", "ids"),
    [
        ("projected", "499999,5482499,500001,5482501", UTM33, [3]),
        ("projected", "500000,5482500,500000,5482500", UTM33, [3]),
        ("projected", "0,0,1,1", UTM33, []),
        ("laea", "3209999,4320999,3210001,4321001", ETRS_LAEA, [1]),
        ("laea", "4320999,3209999,4321001,3210001", ETRS_LAEA, []),
        ("laea", "10,52,10,52", CRS84, [1]),
    ],
)
def test_a_box_may_be_in_the_crs_of_the_table(
    api: InProcessClient, collection: str, box: str, crs: str, ids: list[int]
) -> None:
    assert items(api, collection, bbox=box, bbox_crs=crs).ids == ids


def test_what_has_no_degrees_can_be_read_as_it_is_stored(api: InProcessClient) -> None:
    address = f"{ROOT}/collections/other.lost/items"
    assert problem(api.get(address), 500)["code"] == "outside_projection"
    stored = api.get(f"{address}?{urlencode({'crs': UTM33})}").json()["features"]
    assert stored[0]["geometry"]["coordinates"] == [1e12, 1e12]


def test_a_collection_offers_its_own_crs(api: InProcessClient) -> None:
    found: Collection = read(api.get(f"{ROOT}/collections/laea"), Collection)
    assert (found.crs, found.storageCrs) == ([CRS84, ETRS_LAEA], ETRS_LAEA)
    address = f"{ROOT}/collections/places/items?{urlencode({'crs': ETRS_LAEA})}"
    assert problem(api.get(address), 400)["errors"][0]["loc"] == ["query", "crs"]


def test_heights_are_served(api: InProcessClient) -> None:
    geometry = items(api, "high", limit=1).features[0].geometry
    assert geometry == {"type": "Point", "coordinates": [1, 1, 10]}


# -- pages


def test_pages_hold_every_feature_once(api: InProcessClient) -> None:
    page = items(api, "places", limit=10)
    pages = [page]
    while pages[-1].next:
        pages.append(read(api.get(pages[-1].next), FeatureCollection))
    assert [each.numberReturned for each in pages] == [10, 10, 10, 6]
    assert [gid for each in pages for gid in each.ids] == list(range(1, COUNT + 1))
    assert {each.numberMatched for each in pages} == {COUNT}
    assert page.href("self") == f"{BASE}{ROOT}/collections/places/items?limit=10"


def test_a_page_that_is_just_full_is_the_last(api: InProcessClient) -> None:
    assert items(api, "places", limit=COUNT).next is None
    assert items(api, "empty").next is None


def test_the_default_and_the_most(api: InProcessClient) -> None:
    assert items(api, "places").numberReturned == 10
    assert items(api, "places", limit=10**30).numberReturned == COUNT


def test_a_filter_stays_on_while_paging(api: InProcessClient) -> None:
    page = items(api, "places", limit=5, capital="true", bbox="-180,-1,0,1")
    found = page.ids
    assert page.numberMatched == 10
    while page.next:
        page = read(api.get(page.next), FeatureCollection)
        assert page.numberMatched is None
        found += page.ids
    assert found == [gid for gid in range(1, 20) if gid % 2]


def test_large_features_make_short_pages(
    api: InProcessClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = items(api, "places", limit=1).numberReturned
    assert size == 1
    monkeypatch.setattr(features_repository, "PAGE_BYTES", 500)
    page = items(api, "places", limit=30)
    assert 1 < page.numberReturned < 10
    found = page.ids
    while page.next:
        page = read(api.get(page.next), FeatureCollection)
        assert page.numberReturned >= 1
        found += page.ids
    assert found == list(range(1, COUNT + 1))
    monkeypatch.setattr(features_repository, "PAGE_BYTES", 1)
    assert items(api, "places", limit=30).ids == [1]


def test_a_function_key_is_not_repeated_in_links(api: InProcessClient) -> None:
    page = items(api, "shapes", limit=1, code="key")
    assert "code" not in page.href("self") + (page.next or "")
    of_a_column = items(api, "places", code="C1")
    assert "code=C1" in of_a_column.href("self")
    assert of_a_column.ids == [2]


# -- what is refused


@pytest.mark.parametrize(
    "address",
    ["?f=json", "/api?f=json", "/conformance?x=1", "/collections?limit=5",
     "/collections/places?f=json", "/collections/places/items?nmae=Oslo",
     "/collections/places/items?bbox=1,2", "/collections/places/items?datetime=soon",
     "/collections/places/items?limit=0", "/collections/places/items?people=many",
     "/collections/places/items?bbox=0,0,1,1&bbox-crs=EPSG:3857",
     "/collections/places/items/1?f=json", "/collections/places/queryables?f=json",
     "/collections/places/schema?f=json"],
)  # fmt: skip
def test_a_parameter_that_cannot_be_used_is_a_400(api: InProcessClient, address: str) -> None:
    found = problem(api.get(f"{ROOT}{address}"), 400)
    [error] = found["errors"]
    assert error["loc"][0] == "query"
    assert str(error["loc"][1]) in found["detail"]


@pytest.mark.parametrize(
    ("address", "missing"),
    [
        ("/collections/nope", "no collection 'nope'"),
        ("/collections/nope/items", "no collection 'nope'"),
        ("/collections/nope/items/1", "no collection 'nope'"),
        ("/collections/nope/schema", "no collection 'nope'"),
        ("/collections/unpublished/items", "no collection 'unpublished'"),
        ("/collections/pg_catalog.pg_class/items", "no collection 'pg_class'"),
        ("/collections/other.places/items", "no collection 'places'"),
        ("/collections/nul%00/items", "no collection"),
        ("/collections/vanished/items", "does not exist"),
        ("/collections/places/items/999", "no feature '999'"),
        ("/collections/places/items/x", "no feature 'x'"),
        ("/collections/places/items/99999999999999999999", "no feature"),
    ],
)
def test_what_is_missing_is_named(api: InProcessClient, address: str, missing: str) -> None:
    assert missing in problem(api.get(f"{ROOT}{address}"), 404)["detail"]


def test_features_say_whom_to_credit(api: InProcessClient) -> None:
    assert items(api, "places", limit=1).attribution == "Nobody"
    assert api.get(f"{ROOT}/collections/places/items/1").json()["attribution"] == "Nobody"
    assert "attribution" not in api.get(f"{ROOT}/collections/empty/items").json()


def test_scripts_of_any_origin_may_read(api: InProcessClient) -> None:
    for address in ("", "/collections/places/items", "/collections/nope"):
        answer = api.get(f"{ROOT}{address}")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert api.call("OPTIONS", f"{ROOT}/collections/places/items").status == 204


def test_a_request_that_takes_too_long_is_stopped(api: InProcessClient, url: str) -> None:
    with (
        psycopg.connect(url) as swapping,
        app_settings(DATABASE_URL=url, GEOFORGE_FEATURES_TIMEOUT_SECONDS="0.2"),
    ):
        swapping.execute("LOCK TABLE geo.places")
        found = problem(api.get(f"{ROOT}/collections/places/items"), 503)
        assert found["code"] == "features_timeout"
        assert "0.2 s" in found["detail"]


def test_a_database_that_is_gone_is_a_503() -> None:
    with app_settings(GEOFORGE_DATABASE_TIMEOUT_SECONDS="0.5"):
        found = problem(InProcessClient(features.bp).get(f"{ROOT}/collections"), 503)
    assert found["code"] == "database_unavailable"


# -- while tables are replaced


def test_a_reader_never_sees_a_table_missing_empty_or_mixed(database_url: str) -> None:
    """Tables of two shapes and lengths are published in turns while they are read."""
    versions = {"code": (published.TABLE, 20), "name": (NAMED, 50)}
    stop, begun = threading.Event(), threading.Event()
    failures: list[Exception] = []
    swaps = 0

    def publish_for_ever() -> None:
        nonlocal swaps
        try:
            with published.connect(database_url, autocommit=True) as connection:
                while not stop.is_set():
                    for shape, count in versions.values():
                        row = ("park",) if shape is NAMED else (1, "park")
                        published.put(connection, [(*row, (n, 0)) for n in range(count)], shape)
                        begun.set()
                        swaps += 1
        except Exception as error:
            failures.append(error)
            begun.set()

    api = InProcessClient(features.bp)
    publisher = threading.Thread(target=publish_for_ever)
    seen: set[int] = set()
    with app_settings(DATABASE_URL=database_url):
        publisher.start()
        try:
            assert begun.wait(60)
            deadline = time.monotonic() + 120
            reads = 0
            while reads < 100 or ((swaps < 10 or len(seen) < 2) and time.monotonic() < deadline):
                page = items(api, "parks", limit=100)
                columns = page.features[0].properties.keys()
                count = 20 if columns == {"code", "name"} else 50
                assert page.numberMatched == page.numberReturned == count
                assert all(each.properties.keys() == columns for each in page.features)
                seen.add(count)
                reads += 1
        finally:
            stop.set()
            publisher.join()
    assert failures == []
    assert swaps >= 10
    assert seen == {20, 50}
