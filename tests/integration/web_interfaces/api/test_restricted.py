"""Who is shown the rows of restricted tables: every address that gives some of them away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from core.models.feature_table import Column, ColumnType, FeatureTable, GeometryColumn
from infrastructure import database
from tests.support.curated_datasets import begin, register
from tests.support.feature_tables import create, publish
from tests.support.in_process import InProcessClient, Response
from tests.support.ledger import add_job
from tests.support.settings import app_settings
from tests.support.vector_report import add_report, add_table
from web_interfaces.api import features, stac, styles, tiles, vector

KEY = "hunter2"
SHAPE = FeatureTable(
    columns=(Column(name="name", type=ColumnType.TEXT),),
    geometry=GeometryColumn(type="Point", srid=4326),
)
ITEMS = "/api/features/collections/secret/items"
TILE = "/api/tiles/secret/0/0/0.pbf"
ADDRESSES = (ITEMS, f"{ITEMS}/1", TILE)
ROWS = ("repairs", "repairs?f=geojson", "quarantine", "quarantine.geojson")


@pytest.fixture(scope="module")
def connection(ledger_url: str) -> Iterator[database.Connection]:
    with (
        app_settings(DATABASE_URL=ledger_url),
        database.connect(autocommit=True) as connection,
    ):
        rows = [
            {"gid": gid, "name": f"hidden {gid}", "geom": "SRID=4326;POINT(1 1)"} for gid in (1, 2)
        ]
        for name, restricted in (("secret", True), ("plain", False)):
            create(connection, name, SHAPE, rows)
            publish(
                connection,
                name,
                SHAPE,
                row_count=2,
                restricted=restricted,
                attribution="A source",
                bbox=[1.0, 1.0, 1.0, 1.0],
            )
        yield connection


@pytest.fixture
def client(connection: database.Connection) -> InProcessClient:
    return InProcessClient(features.bp, tiles.bp, styles.bp, stac.bp, vector.bp)


@pytest.fixture
def allowing(ledger_url: str) -> Any:
    """The settings of this module, and others."""
    return lambda **settings: app_settings(DATABASE_URL=ledger_url, **settings)


def refused(answer: Response) -> str:
    """What a refusal says."""
    assert (answer.status, answer.media_type) == (403, "application/problem+json"), answer.text
    problem = answer.json()
    assert (problem["code"], problem["status"]) == ("restricted", 403)
    assert "GEOFORGE_RESTRICTED_KEYS" in problem["detail"]
    assert "GEOFORGE_SHOW_RESTRICTED" in problem["detail"]
    return str(problem["detail"])


def with_key(address: str, key: str) -> str:
    return f"{address}{'&' if '?' in address else '?'}code={key}"


@pytest.mark.parametrize("address", ADDRESSES)
class TestTables:
    def test_rows_are_refused(self, client: InProcessClient, address: str) -> None:
        assert "'secret'" in refused(client.get(address))
        assert client.get(address.replace("secret", "plain")).status == 200

    def test_a_key_that_the_app_does_not_know_opens_nothing(
        self, client: InProcessClient, allowing: Any, address: str
    ) -> None:
        refused(client.get(with_key(address, KEY)))
        with allowing(GEOFORGE_RESTRICTED_KEYS="another,one-more"):
            refused(client.get(with_key(address, KEY)))
            refused(client.get(address, **{"x-functions-key": KEY}))
            refused(client.get(with_key(address, "")))
            # The header is what the Functions host looks at first.
            refused(client.get(with_key(address, "another"), **{"x-functions-key": KEY}))

    def test_who_sends_a_known_key_is_shown_them(
        self, client: InProcessClient, allowing: Any, address: str
    ) -> None:
        with allowing(GEOFORGE_RESTRICTED_KEYS=f"another,{KEY}"):
            for answer in (
                client.get(address, **{"X-Functions-Key": KEY}),
                client.get(with_key(address, KEY)),
            ):
                assert answer.status == 200
                assert answer.headers["Cache-Control"] == "private, no-store"

    def test_the_setting_shows_them_to_everyone(
        self, client: InProcessClient, allowing: Any, address: str
    ) -> None:
        with allowing(GEOFORGE_SHOW_RESTRICTED="1"):
            answer = client.get(address)
            assert answer.status == 200
            assert answer.headers["Cache-Control"] == "private, no-store"


def test_what_hides_a_tile_hides_that_it_is_unchanged(
    client: InProcessClient, allowing: Any
) -> None:
    with allowing(GEOFORGE_SHOW_RESTRICTED="1"):
        etag = client.get(TILE).headers["ETag"]
        assert client.get(TILE, **{"If-None-Match": etag}).status == 304
    refused(client.get(TILE, **{"If-None-Match": etag}))
    refused(client.get(TILE, **{"If-None-Match": "*"}))


def test_azure_has_asked_for_the_key_of_tiles_and_not_of_features(
    client: InProcessClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBSITE_INSTANCE_ID", "0f3a")
    assert client.get(TILE).status == 200
    refused(client.get(ITEMS))
    monkeypatch.setenv("FUNCTIONS_CORETOOLS_ENVIRONMENT", "true")
    refused(client.get(TILE))


def test_the_next_page_is_asked_for_with_the_same_key(
    client: InProcessClient, allowing: Any
) -> None:
    with allowing(GEOFORGE_RESTRICTED_KEYS=KEY):
        first = client.get(with_key(f"{ITEMS}?limit=1", KEY)).json()
        [following] = [each["href"] for each in first["links"] if each["rel"] == "next"]
        second = client.get(following).json()
        assert [each["id"] for each in (*first["features"], *second["features"])] == [1, 2]
        # One that was sent as a header is not put into addresses.
        assert KEY not in client.get(f"{ITEMS}?limit=1", **{"x-functions-key": KEY}).text
        # Nor into those of what everyone may see.
        assert KEY not in client.get(with_key(ITEMS.replace("secret", "plain"), KEY)).text


def test_scripts_of_other_sites_may_send_a_key(client: InProcessClient) -> None:
    answer = client.call("OPTIONS", ITEMS)
    assert "X-Functions-Key" in answer.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize(
    "address",
    [
        "/api/features/collections/secret",
        "/api/features/collections/secret/schema",
        "/api/features/collections/secret/queryables",
        "/api/tiles/secret/tilejson.json",
        "/api/styles/secret",
        "/api/styles/secret/legend",
        "/api/vector/tables/secret",
    ],
)
def test_what_is_known_of_the_table_is_open(client: InProcessClient, address: str) -> None:
    answer = client.get(address)
    assert answer.status == 200
    assert "hidden" not in answer.text


@pytest.mark.parametrize(
    "address",
    [
        "/api/features/collections/secret",
        ITEMS,
        f"{ITEMS}/1",
        "/api/tiles/secret/tilejson.json",
        "/api/styles/secret",
        "/api/styles/secret/legend",
        "/api/styles/secret/legend?f=svg",
    ],
)
def test_the_source_is_credited_wherever_it_is_shown(
    client: InProcessClient, allowing: Any, address: str
) -> None:
    with allowing(GEOFORGE_SHOW_RESTRICTED="1"):
        assert "A source" in client.get(address).text


@pytest.fixture(params=["update", "publication", "deleted"])
def job_id(request: pytest.FixtureRequest, connection: database.Connection) -> Iterator[str]:
    """A job with a report whose rows are restricted, each for another reason."""
    connection.execute("TRUNCATE app.curated_datasets, app.curated_update_log, app.vector_reports")
    if request.param == "publication":
        found: str = add_job(connection, job_type="process_vector", status="completed")
        add_table(connection, "published", found, version=1)
        connection.execute(
            "UPDATE app.published_tables SET restricted = true WHERE table_name = 'published'"
        )
    else:
        register(connection, restricted=True)
        found = begin(connection, "lakes", status="completed")
        connection.execute(
            "INSERT INTO app.curated_update_log (dataset_id, job_id, update_type, status)"
            " VALUES ('lakes', %s, 'manual', 'completed')",
            (found,),
        )
        if request.param == "deleted":
            connection.execute("DELETE FROM app.curated_datasets")
    add_report(connection, found)
    yield found
    connection.execute("DROP TABLE IF EXISTS geo.published")
    connection.execute("DELETE FROM app.published_tables WHERE table_name = 'published'")
    connection.execute("DELETE FROM app.published_versions WHERE table_name = 'published'")


class TestReports:
    @pytest.mark.parametrize("rows", ROWS)
    def test_rows_are_shown_to_holders_of_a_key(
        self, client: InProcessClient, allowing: Any, job_id: str, rows: str
    ) -> None:
        address = f"/api/vector/reports/{job_id}/{rows}"
        assert job_id in refused(client.get(address))
        with allowing(GEOFORGE_RESTRICTED_KEYS=KEY):
            refused(client.get(with_key(address, "wrong")))
            answer = client.get(with_key(address, KEY))
            assert answer.status == 200
            assert answer.headers["Cache-Control"] == "private, no-store"
            assert client.get(address, **{"x-functions-key": KEY}).status == 200
        with allowing(GEOFORGE_SHOW_RESTRICTED="1"):
            assert client.get(address).status == 200

    def test_the_report_has_its_counts_and_quotes_no_value(
        self, client: InProcessClient, allowing: Any, job_id: str
    ) -> None:
        address = f"/api/vector/reports/{job_id}"
        report = client.get(address).json()
        assert report["rows_withheld"] is True
        assert report["counts"]["read"] == 1210
        columns = [column for layer in report["layers"] for column in layer["columns"]]
        assert columns
        assert not any(column["evidence"] for column in columns)
        with allowing(GEOFORGE_RESTRICTED_KEYS=KEY):
            report = client.get(with_key(address, KEY)).json()
        assert report["rows_withheld"] is False
        columns = [column for layer in report["layers"] for column in layer["columns"]]
        assert any(column["evidence"] for column in columns)


def test_the_rows_of_any_other_report_are_open(
    client: InProcessClient, connection: database.Connection
) -> None:
    connection.execute("TRUNCATE app.curated_datasets, app.curated_update_log, app.vector_reports")
    register(connection)
    update = begin(connection, "lakes", status="completed")
    connection.execute(
        "INSERT INTO app.curated_update_log (dataset_id, job_id, update_type, status)"
        " VALUES ('lakes', %s, 'manual', 'completed')",
        (update,),
    )
    for job in (update, add_job(connection, job_type="process_vector", status="completed")):
        add_report(connection, job)
        for rows in ROWS:
            assert client.get(f"/api/vector/reports/{job}/{rows}").status == 200
