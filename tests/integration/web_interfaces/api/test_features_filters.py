"""OGC API - Features: what boxes, periods and the values of columns find."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

from core.models.feature_table import FeatureTable, GeometryColumn, TableName
from infrastructure import features_repository
from infrastructure.features_selection import condition
from services.features.parameters import items_request
from tests.servers import PostgresServer
from tests.support.feature_tables import create, publish
from tests.support.features_api import COUNT, ROOT, features_database, items, problem
from tests.support.in_process import InProcessClient
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


# -- filters


@pytest.mark.parametrize(
    ("box", "names"),
    [
        ("1,1,2,2", {"square"}),
        ("10,10,15,15", {"square"}),
        ("10.000001,10.000001,15,15", set()),
        ("-5,-5,0,0", {"square"}),
        ("5,5,5,5", {"square"}),
        ("21,18,22,19", set()),
        ("29,9,31,11", {"diagonal"}),
        ("179,-1,-179,1", {"beside 180", "beside -180"}),
        ("179.6,-1,-179,1", {"beside -180"}),
        ("-179,-1,179,30", {"square", "diagonal"}),
        ("-180,-90,180,90", {"square", "diagonal", "beside 180", "beside -180"}),
        ("1,1,-1000,2,2,1000", {"square"}),
        ("179.5,0,179.5,0", {"beside 180"}),
        ("179.5,-1,179.5,1", {"beside 180"}),
        ("0,5,180,5", {"square", "diagonal"}),
    ],
)
def test_a_box_finds_what_meets_it_and_what_has_no_place(
    api: InProcessClient, box: str, names: set[str]
) -> None:
    found = {each.properties["name"] for each in items(api, "shapes", bbox=box).features}
    assert found == {*names, "nowhere"}


@pytest.mark.parametrize(
    ("box", "names"),
    [
        ("14.9,49.4,15.1,49.6", {"p3"}),
        ("-180,-90,180,90", {"p1", "p2", "p3"}),
        ("11,47,19,49", {"p1", "p2"}),
        ("12,48,12,48", set()),
        ("-120,-50,-110,-40", set()),
        ("15,49,-170,51", {"p3"}),
    ],
)
def test_a_box_finds_in_a_projected_table(api: InProcessClient, box: str, names: set[str]) -> None:
    found = {each.properties["name"] for each in items(api, "projected", bbox=box).features}
    assert found == names


def test_a_point_of_a_projected_table_is_found_by_a_box_around_it(api: InProcessClient) -> None:
    for feature in items(api, "projected").features:
        assert feature.geometry is not None
        x, y = feature.geometry["coordinates"]
        box = ",".join(map(str, (x - 1e-6, y - 1e-6, x + 1e-6, y + 1e-6)))
        assert items(api, "projected", bbox=box).ids == [feature.id]


def test_heights_of_a_box_count_where_features_have_heights(api: InProcessClient) -> None:
    assert items(api, "high", bbox="0,0,15,2,2,25").ids == [20]
    assert items(api, "high", bbox="0,0,10,2,2,20").ids == [10, 20]
    assert items(api, "high", bbox="0,0,2,2").ids == [10, 20, 30]


@pytest.mark.parametrize(
    ("collection", "period", "ids"),
    [
        ("places", "2002-06-01T12:30:00.25Z", [3]),
        ("places", "2002-06-01T14:30:00.25+02:00", [3]),
        ("places", "2002-06-01T12:30:00Z", []),
        ("places", "2002-06-01", [3]),
        ("places", "../2001-06-01T12:30:00.25Z", [1, 2]),
        ("places", "/2000-12-31T00:00:00Z", [1]),
        ("places", "2034-01-01T00:00:00Z/", [35, 36]),
        ("places", "2001-01-01T00:00:00Z/2003-01-01T00:00:00Z", [2, 3]),
        ("other.dated", "2020-01-02T15:00:00Z", [2, 9]),
        ("other.dated", "2020-01-04T00:00:00Z/..", [4, 5, 9]),
        ("other.dated", "../2020-01-01T23:59:59Z", [1, 9]),
        ("local_time", "2020-01-01T02:00:00Z/2020-01-01T03:00:00Z", [2, 3]),
        # Nothing in it has a time, so everything matches.
        ("high", "1999-01-01T00:00:00Z", [10, 20, 30]),
    ],
)
def test_a_period_finds(api: InProcessClient, collection: str, period: str, ids: list[int]) -> None:
    assert items(api, collection, datetime=period).ids == ids


@pytest.mark.parametrize("number", [0, 7])
def test_every_queryable_finds_its_feature(api: InProcessClient, number: int) -> None:
    [feature] = items(api, "places", name=f"place {number}").features
    queryables = api.get(f"{ROOT}/collections/places/queryables").json()["properties"]
    for name in queryables:
        value = feature.properties[name]
        text = json.dumps(value) if isinstance(value, bool) else str(value)
        assert feature.id in items(api, "places", **{name: text}, limit=COUNT).ids, name
    assert items(api, "places", people="123").ids == []


def test_lists_are_shown_as_such_and_found_by_their_items(api: InProcessClient) -> None:
    schema = api.get(f"{ROOT}/collections/lists/schema").json()
    assert schema["properties"]["iso3"] == {"type": "array", "items": {"type": "string"}}
    shown = [feature.properties["iso3"] for feature in items(api, "lists").features]
    assert shown == [["FRA"], ["FRA", "ITA"], [], None, ["FRA;ITA"]]
    assert items(api, "lists", iso3="ITA").ids == [2]
    assert items(api, "lists", iso3="FRA").ids == [1, 2]
    assert items(api, "lists", iso3="{FRA}").ids == []
    operation = api.get(f"{ROOT}/api").json()["paths"]["/collections/lists/items"]["get"]
    [asked] = [each for each in operation["parameters"] if each.get("name") == "iso3"]
    assert asked["schema"] == {"type": "string"}


def test_a_filter_is_data_and_never_sql(api: InProcessClient) -> None:
    for text in ("'; DROP TABLE geo.places; --", "%(after)s", "%s", "{table}", '"'):
        assert items(api, "places", name=text).ids == []
        address = f"{ROOT}/collections/{quote(text, safe='')}/items"
        problem(api.get(address), 404)
    assert items(api, "places").numberMatched == COUNT


# -- the plans


@pytest.mark.parametrize("srid", [4326, 3857])
@pytest.mark.parametrize("box", ["10,10,11,11", "179,10,-169,11"])
def test_a_box_is_looked_up_in_the_spatial_index(database_url: str, srid: int, box: str) -> None:
    shape = FeatureTable(columns=(), geometry=GeometryColumn(type="Point", srid=srid))
    with psycopg.connect(database_url) as connection:
        create(connection, "grid", shape, [])
        connection.execute(
            "INSERT INTO geo.grid SELECT n, ST_Transform(ST_SetSRID(ST_Point("
            "(n %% 200) * 1.7 - 170, (n / 200) * 0.8 - 80), 4326), %s) "
            "FROM generate_series(0, 39999) AS n",
            (srid,),
        )
        connection.execute("ANALYZE geo.grid")
        publish(connection, "grid", shape, row_count=40_000, bbox=[-170.0, -80.0, 169.0, 80.0])
    with app_settings(DATABASE_URL=database_url):
        table = features_repository.published_table(TableName(table_name="grid"))
        where = condition(items_request({"bbox": box}, table).selection, shape, None)
        with features_repository.database.transaction() as connection:
            rows = connection.execute(
                sql.SQL("EXPLAIN SELECT gid FROM geo.grid WHERE {}").format(where.expression),
                where.parameters,
            ).fetchall()
    plan = "\n".join(row["QUERY PLAN"] for row in rows)
    assert "grid_geom_idx" in plan
    assert "Seq Scan" not in plan
