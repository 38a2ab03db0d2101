"""Quality reports and published tables over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from shapely import Point

from core.models.feature_table import TableName
from infrastructure import database
from services.publishing import checks, publish, staging
from services.vector import downloads, tables
from tests.support.in_process import BASE, InProcessClient
from tests.support.ledger import add_job
from tests.support.settings import app_settings
from tests.support.vector_report import (
    HOSTILE,
    PARKS,
    SHAPE,
    add_quarantined,
    add_report,
    add_table,
    forget_all,
)
from web_interfaces.api.vector import bp


@pytest.fixture
def connection(ledger_url: str) -> Iterator[database.Connection]:
    with (
        app_settings(DATABASE_URL=ledger_url),
        database.connect(autocommit=True) as connection,
    ):
        forget_all(connection)
        yield connection


@pytest.fixture
def client(connection: database.Connection) -> InProcessClient:
    return InProcessClient(bp)


@pytest.fixture
def job_id(connection: database.Connection) -> str:
    job_id = add_job(connection, job_type="process_vector", status="completed_with_errors")
    add_report(connection, job_id)
    return job_id


class TestReport:
    def test_says_what_became_of_every_record(self, client: InProcessClient, job_id: str) -> None:
        report = client.get(f"/api/vector/reports/{job_id}").json()

        assert report["summary"] == (
            "1,203 of 1,210 records loaded into geo.parks; 7 set aside, 3 geometries repaired."
        )
        assert report["status"] == "completed_with_errors"
        assert report["source"]["name"] == "bronze-vectors/nyc/parks.kml"
        counts = report["counts"]
        assert counts["read"] == counts["loaded"] + counts["quarantined"] == 1210
        assert counts["quarantined_by_reason"] == {
            "duplicate": 4,
            "malformed": 2,
            "repair_changes_area": 1,
        }
        assert list(counts["quarantined_by_reason"]) == [
            "duplicate",
            "malformed",
            "repair_changes_area",
        ]
        assert counts["repairs_by_kind"] == {"self_intersection": 2, "ring_closed": 1, "spike": 1}
        assert counts["value_faults"] == [{"column": "ACRES", "reason": "not_real", "values": 2}]
        assert counts["balanced"] is True
        assert report["tables"] == [{"table": PARKS, "version": 3, "loaded": 1203, "rows": 1203}]

    def test_tells_what_was_inferred_and_why(self, client: InProcessClient, job_id: str) -> None:
        (layer,) = client.get(f"/api/vector/reports/{job_id}").json()["layers"]

        assert layer["encoding"]["value"] == "cp1252"
        assert "byte 0x92 is an apostrophe in cp1252" in layer["encoding"]["evidence"]
        assert {each["name"]: each["column"] for each in layer["columns"]} == {
            "Park Name": "park_name",
            "ACRES": "acres",
        }
        assert layer["counts"]["read"] == 1210

    def test_of_a_run_under_way_counts_what_is_staged(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        job_id = add_job(connection, job_type="process_vector", status="running")
        add_report(connection, job_id, counts=None)

        report = client.get(f"/api/vector/reports/{job_id}").json()

        assert report["finished_at"] is None
        assert report["counts"]["loaded"] == 1203
        assert report["summary"].startswith("1,203 of 1,210 records cleaned so far; 7 set aside")

    def test_outlives_its_job(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        add_report(connection, "a" * 64)

        assert client.get(f"/api/vector/reports/{'a' * 64}").json()["status"] is None

    @pytest.mark.parametrize(
        ("accept", "status"),
        [
            ("", 200),
            ("*/*", 200),
            ("application/json", 200),
            ("application/json, text/html;q=0.5", 200),
            ("text/html;q=x, application/json;q=0.1", 200),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", 303),
        ],
    )
    def test_a_browser_is_sent_to_the_page(
        self, client: InProcessClient, job_id: str, accept: str, status: int
    ) -> None:
        answer = client.get(f"/api/vector/reports/{job_id}?code=KEY", Accept=accept)

        assert answer.status == status
        assert answer.headers["Vary"] == "Accept"
        if status == 303:
            assert answer.headers["Location"] == f"/api/interface/vector/{job_id}?code=KEY"

    @pytest.mark.parametrize("job_id", ["f" * 64, "short", "..%2f"])
    @pytest.mark.parametrize("tail", ["", "/repairs", "/quarantine", "/quarantine.geojson"])
    def test_there_is_none_of_an_unknown_job(
        self, client: InProcessClient, job_id: str, tail: str
    ) -> None:
        answer = client.get(f"/api/vector/reports/{job_id}{tail}")

        assert (answer.status, answer.json()["code"]) == (404, "unknown_report")
        assert answer.media_type == "application/problem+json"

    def test_the_list_is_newest_first_and_paged(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        for name in "abc":
            add_report(connection, name * 64)

        first = client.get("/api/vector/reports?limit=2").json()
        second = client.get(f"/api/vector/reports?limit=2&cursor={first['next']}").json()

        found = [each["job_id"][0] for each in first["reports"] + second["reports"]]
        assert found == ["c", "b", "a"]
        assert second["next"] is None
        assert first["reports"][0]["counts"] == {
            "read": 1210,
            "loaded": 1203,
            "quarantined": 7,
            "repaired": 3,
        }


class TestRepairs:
    def test_say_where_and_how_much(self, client: InProcessClient, job_id: str) -> None:
        page = client.get(f"/api/vector/reports/{job_id}/repairs").json()

        first = page["repairs"][0]
        assert (first["source_row"], first["kinds"]) == (12, ["self_intersection"])
        assert first["fault_at"] == [-73.97, 40.775]
        assert first["area_change"] == pytest.approx(-0.02)
        assert first["length_change"] == pytest.approx(-0.025)
        assert [each["drawn"] for each in page["repairs"]] == [True, True, False]

    def test_are_filtered_and_paged(self, client: InProcessClient, job_id: str) -> None:
        address = f"/api/vector/reports/{job_id}/repairs?kind=self_intersection&limit=1"
        first = client.get(address).json()
        second = client.get(f"{address}&cursor={first['next']}").json()

        rows = [each["source_row"] for each in first["repairs"] + second["repairs"]]
        assert rows == [12, 77]
        assert second["next"] is None

    def test_come_as_geojson(self, client: InProcessClient, job_id: str) -> None:
        answer = client.get(f"/api/vector/reports/{job_id}/repairs?f=geojson&kind=spike")

        assert answer.media_type == "application/geo+json"
        features = answer.json()["features"]
        roles = {each["properties"]["_role"]: each["geometry"]["type"] for each in features}
        assert roles == {"before": "Polygon", "after": "MultiPolygon", "fault": "Point"}
        assert features[0]["properties"]["_kinds"] == ["ring_closed", "spike"]

    @pytest.mark.parametrize("query", ["kind=odd", "f=shp", "limit=0", "cursor=x", "knd=spike"])
    def test_refuse_a_query_that_means_nothing(
        self, client: InProcessClient, job_id: str, query: str
    ) -> None:
        answer = client.get(f"/api/vector/reports/{job_id}/repairs?{query}")

        assert answer.status == 422
        assert answer.json()["errors"][0]["loc"] == ["query", query.partition("=")[0]]


class TestQuarantine:
    def test_shows_the_record_and_its_raw_text(self, client: InProcessClient, job_id: str) -> None:
        page = client.get(f"/api/vector/reports/{job_id}/quarantine?reason=malformed").json()

        assert [each["source_row"] for each in page["quarantine"]] == [3, 9]
        first = page["quarantine"][0]
        assert first["properties"] == {"Park Name": "Park 3", "ACRES": 1.5}
        assert HOSTILE in first["raw"]

    def test_every_row_is_in_the_download(self, client: InProcessClient, job_id: str) -> None:
        answer = client.get(f"/api/vector/reports/{job_id}/quarantine.geojson")

        assert answer.media_type == "application/geo+json"
        assert "attachment" in answer.headers["Content-Disposition"]
        collection = answer.json()
        assert collection["numberReturned"] == len(collection["features"]) == 7
        first = collection["features"][0]
        assert first["geometry"] is None
        assert first["properties"]["Park Name"] == "Park 3"
        assert first["properties"]["_reason"] == "malformed"
        assert first["properties"]["_source_row"] == 3
        assert first["properties"]["_raw"].startswith("<Placemark>")
        assert collection["features"][-1]["geometry"]["type"] == "Polygon"

    def test_a_long_download_comes_in_parts(
        self, client: InProcessClient, job_id: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(downloads, "MAX_PART_BYTES", 600)
        address = f"/api/vector/reports/{job_id}/quarantine.geojson?reason=duplicate"
        rows: list[int] = []
        parts = 0
        while address:
            answer = client.get(address)
            part = answer.json()
            rows += [each["properties"]["_source_row"] for each in part["features"]]
            parts += 1
            (link,) = part.get("links") or [None]
            assert (link is not None) == ("Link" in answer.headers)
            address = link["href"] if link else ""
            assert address == "" or f"<{address}>" in answer.headers["Link"]
            assert address.startswith(BASE) or not address

        assert rows == [20, 21, 22, 23]
        assert parts > 1

    def test_a_geometry_that_json_cannot_hold_is_left_out(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        add_report(connection, "d" * 64)
        add_quarantined(
            connection, "d" * 64, 99, "bad_coordinate", geometry=Point(float("nan"), 1.0)
        )
        add_quarantined(
            connection, "d" * 64, 100, "bad_coordinate", geometry=Point(float("inf"), 1.0)
        )

        text = client.get(f"/api/vector/reports/{'d' * 64}/quarantine.geojson").text

        def refuse(constant: str) -> None:
            raise AssertionError(f"{constant} in JSON")

        features = json.loads(text, parse_constant=refuse)["features"]
        assert [each["geometry"] for each in features[-2:]] == [None, None]

    def test_an_empty_quarantine_is_an_empty_collection(
        self, client: InProcessClient, connection: database.Connection, job_id: str
    ) -> None:
        connection.execute("DELETE FROM app.vector_quarantine")

        collection = client.get(f"/api/vector/reports/{job_id}/quarantine.geojson").json()

        assert (collection["type"], collection["features"]) == ("FeatureCollection", [])


class TestTables:
    def test_say_what_they_hold_and_whence(
        self, client: InProcessClient, connection: database.Connection, job_id: str
    ) -> None:
        add_table(connection, "parks", job_id)
        add_table(connection, "parcels", "9" * 64)

        parcels, parks = client.get("/api/vector/tables").json()["tables"]

        assert (parks["table"], parks["version"], parks["rows"]) == ("geo.parks", 3, 1203)
        assert parks["geometry"] == {"type": "MultiPolygon", "srid": 4326, "has_z": False}
        assert parks["columns"][1] == {"name": "acres", "type": "double precision"}
        assert parks["size_bytes"] >= 0
        assert parks["links"]["report"] == f"{BASE}/api/vector/reports/{job_id}"
        assert parks["links"]["features"] == f"{BASE}/api/features/collections/geo.parks/items"
        assert parcels["links"]["report"] is None

    def test_are_paged_by_name(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        for name in ("roads", "parks", "rivers"):
            add_table(connection, name, "9" * 64, version=1)

        found: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = client.get(
                "/api/vector/tables?limit=2" + (f"&cursor={cursor}" if cursor else "")
            ).json()
            found += [each["table"] for each in page["tables"]]
            cursor = page["next"]

        assert found == ["geo.parks", "geo.rivers", "geo.roads"]

    @pytest.mark.parametrize("name", ["parks", "geo.parks"])
    def test_versions_are_newest_first(
        self, client: InProcessClient, connection: database.Connection, name: str
    ) -> None:
        add_table(connection, "parks", "9" * 64)

        page = client.get(f"/api/vector/tables/{name}/versions?limit=2").json()
        rest = client.get(
            f"/api/vector/tables/{name}/versions?limit=2&cursor={page['next']}"
        ).json()

        versions = page["versions"] + rest["versions"]
        assert page["table"] == "geo.parks"
        assert [(each["version"], each["current"], each["restorable"]) for each in versions] == [
            (3, True, False),
            (2, False, True),
            (1, False, False),
        ]

    @pytest.mark.parametrize("name", ["nothing", "other.parks", 'Pa"rks', "a.b.c"])
    def test_an_unknown_one_is_not_found(
        self, client: InProcessClient, connection: database.Connection, name: str
    ) -> None:
        add_table(connection, "parks", "9" * 64)

        for answer in (
            client.get(f"/api/vector/tables/{name}"),
            client.get(f"/api/vector/tables/{name}/versions"),
            client.post(f"/api/vector/{name}/rollback", {}),
        ):
            assert (answer.status, answer.json()["code"]) == (404, "unknown_table")


class TestRollback:
    def publish(self, connection: database.Connection, job: str, names: list[str]) -> None:
        """Publish geo.parks anew with these rows, as a job does."""
        staging.create(connection, "incoming", SHAPE)
        for number, name in enumerate(names, start=1):
            connection.execute(
                """INSERT INTO geo_staging.incoming (gid, name, geom)
                   VALUES (%s, %s, ST_Multi(ST_MakeEnvelope(0, 0, 1, 1, 4326)))""",
                (number, name),
            )
        with connection.transaction():
            checks.finish(connection, "incoming", SHAPE, key_columns=())
            publish.publish(
                connection,
                TableName(table_name="parks"),
                "incoming",
                SHAPE,
                mode="replace",
                provenance=publish.Provenance(job_id=job, source=f"{job[0]}.kml"),
            )

    def names(self, connection: database.Connection) -> list[str]:
        rows = connection.execute("SELECT name FROM geo.parks ORDER BY gid").fetchall()
        return [row["name"] for row in rows]

    def test_brings_the_version_before_back(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        self.publish(connection, "a" * 64, ["old"])
        self.publish(connection, "b" * 64, ["new", "newer"])

        answer = client.post("/api/vector/parks/rollback", {})

        assert answer.status == 200, answer.text
        table = answer.json()
        assert (table["table"], table["version"], table["rows"]) == ("geo.parks", 3, 1)
        assert table["source"] == "a.kml"
        assert self.names(connection) == ["old"]
        newest = client.get("/api/vector/tables/parks/versions").json()["versions"][0]
        assert (newest["change"], newest["restores"]) == ("rollback", 1)

    def test_brings_a_named_version_back(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        for job in "abc":
            self.publish(connection, job * 64, [job])

        answer = client.post("/api/vector/geo.parks/rollback", {"version": 1})

        assert (answer.status, answer.json()["version"]) == (200, 4)
        assert self.names(connection) == ["a"]

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            ({}, 409, "version_not_kept"),
            ({"version": 1}, 409, "is_current"),
            ({"version": 7}, 404, "unknown_version"),
        ],
    )
    def test_says_what_cannot_be_brought_back(
        self,
        client: InProcessClient,
        connection: database.Connection,
        body: dict[str, int],
        status: int,
        code: str,
    ) -> None:
        self.publish(connection, "a" * 64, ["only"])

        answer = client.post("/api/vector/parks/rollback", body)

        assert (answer.status, answer.json()["code"]) == (status, code)
        assert self.names(connection) == ["only"]

    def test_a_table_that_was_changed_by_hand_is_left_as_it_is(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        self.publish(connection, "a" * 64, ["old"])
        self.publish(connection, "b" * 64, ["new"])
        connection.execute("ALTER TABLE geo.parks ADD COLUMN note text")

        answer = client.post("/api/vector/parks/rollback", {})

        assert (answer.status, answer.json()["code"]) == (409, "table_changed")
        assert self.names(connection) == ["new"]

    def test_a_table_in_use_is_waited_for_and_then_left(
        self,
        client: InProcessClient,
        connection: database.Connection,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(tables, "_PATIENCE_SECONDS", 0.3)
        self.publish(connection, "a" * 64, ["old"])
        self.publish(connection, "b" * 64, ["new"])
        with database.connect() as reader:
            reader.execute("SELECT * FROM geo.parks")

            answer = client.post("/api/vector/parks/rollback", {})

            assert (answer.status, answer.json()["code"]) == (503, "table_busy")
            assert answer.headers["Retry-After"]
        assert self.names(connection) == ["new"]

    @pytest.mark.parametrize(
        "body", [{"version": "2"}, {"version": 0}, {"version": 2**31}, {"versoin": 2}]
    )
    def test_refuses_a_body_that_means_nothing(
        self, client: InProcessClient, connection: database.Connection, body: dict[str, object]
    ) -> None:
        add_table(connection, "parks", "9" * 64)

        answer = client.post("/api/vector/parks/rollback", body)

        assert answer.status == 422
        assert answer.json()["errors"][0]["loc"] == list(body)


def test_a_report_with_nothing_in_it_is_shown_too(
    client: InProcessClient, connection: database.Connection
) -> None:
    connection.execute(
        "INSERT INTO app.vector_reports (job_id, source) VALUES (%s, '{}')", ("e" * 64,)
    )

    report = client.get(f"/api/vector/reports/{'e' * 64}").json()

    assert report["counts"]["read"] == 0
    assert report["layers"] == []
    assert report["summary"] == "The source holds no records."
