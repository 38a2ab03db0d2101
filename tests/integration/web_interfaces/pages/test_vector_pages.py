"""The pages of vector data as the server renders them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import pytest

from core.models.vector_report import RecordCounts
from infrastructure import database
from infrastructure import vector_report_repository as repository
from tests.support.in_process import InProcessClient, Response
from tests.support.ledger import add_job
from tests.support.settings import app_settings
from tests.support.vector_report import (
    HOSTILE,
    SOURCE,
    add_quarantined,
    add_report,
    add_table,
    forget_all,
    layer,
)

ROOT = "/api/interface/vector"


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
    # Imported here: who may open a page is settled at the import, from the settings.
    from web_interfaces.jobs import interface as jobs
    from web_interfaces.vector import interface as vector

    return InProcessClient(vector.bp, jobs.bp)


@pytest.fixture
def job_id(connection: database.Connection) -> str:
    job_id = add_job(connection, job_type="process_vector", status="completed_with_errors")
    add_report(connection, job_id)
    return job_id


def shown(answer: Response) -> str:
    """What a reader sees, in one line."""
    assert (answer.status, answer.media_type) == (200, "text/html")
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def links(answer: Response) -> list[str]:
    return [unescape(link) for link in re.findall(r'href="([^"]+)"', answer.text)]


class TestList:
    def test_shows_how_to_begin_when_nothing_is_published(self, client: InProcessClient) -> None:
        page = shown(client.get(ROOT))

        assert "Nothing is published yet" in page
        assert "curl -X POST http://geoforge.test/api/jobs/submit/process_vector" in page

    def test_shows_tables_and_runs(
        self, client: InProcessClient, connection: database.Connection, job_id: str
    ) -> None:
        add_table(connection, "parks", job_id)
        add_table(connection, "parcels", "9" * 64)

        answer = client.get(ROOT)

        page = shown(answer)
        assert "geo.parks Parks of New York 1,203" in page
        assert f"parks.kml {job_id[:8]} completed with errors 1,203 of 1,210 3 7 geo.parks" in page
        assert f"{ROOT}/{job_id}" in links(answer)
        assert "/api/features/collections/geo.parks/items" in links(answer)
        assert f"{ROOT}/{'9' * 64}" not in links(answer)
        assert "hx-get" not in answer.text

    def test_is_live_while_a_run_is_under_way(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        job_id = add_job(connection, job_type="process_vector", status="running")
        add_report(connection, job_id, counts=None)

        assert "hx-get" in client.get(ROOT).text

    def test_both_lists_are_paged_apart(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        for number in range(16):
            add_report(connection, f"{number:064x}")
        for number in range(26):
            add_table(connection, f"t{number:02}", "9" * 64, version=1)

        first = client.get(ROOT)
        (older,) = (link for link in links(first) if "runs=" in link)
        both = client.get(next(link for link in links(client.get(older)) if "tables=" in link))

        assert "00000000" in shown(client.get(older))
        assert "geo.t25" in shown(both)
        assert "geo.t24" not in shown(both)
        assert "00000000" in shown(both)


class TestTable:
    def test_offers_the_versions_that_are_kept(
        self, client: InProcessClient, connection: database.Connection, job_id: str
    ) -> None:
        add_table(connection, "parks", job_id)

        answer = client.get(f"{ROOT}/tables/geo.parks")

        page = shown(answer)
        assert "Geometry MultiPolygon, EPSG:4326" in page
        assert re.findall(r'data-url="([^"]+)" data-body="([^"]+)"', answer.text) == [
            ("/api/vector/geo.parks/rollback", "{&#34;version&#34;: 2}")
        ]

    def test_an_unknown_one_is_said_to_be(self, client: InProcessClient) -> None:
        answer = client.get(f"{ROOT}/tables/nothing")

        assert answer.status == 404
        assert "There is no published table" in unescape(answer.text)


class TestReport:
    def test_says_first_what_came_of_it(self, client: InProcessClient, job_id: str) -> None:
        page = shown(client.get(f"{ROOT}/{job_id}"))

        assert (
            "1,203 of 1,210 records loaded into geo.parks; 7 set aside, 3 geometries repaired."
            in page
        )
        assert "Read 1,210 Loaded 1,203 Set aside 7 Geometries repaired 3" in page
        assert "These counts do not add up" not in page

    def test_says_what_to_do_about_each_reason(self, client: InProcessClient, job_id: str) -> None:
        page = shown(client.get(f"{ROOT}/{job_id}"))

        assert "Duplicate 4 Geometry and all attributes equal" in page
        assert "Raise max_area_change if the repair is right" in page

    def test_says_what_was_changed(self, client: InProcessClient, job_id: str) -> None:
        page = shown(client.get(f"{ROOT}/{job_id}"))

        assert "Self-intersection 2 The boundary crossed itself" in page
        assert "Values of ACRES 2 Made null: not real." in page
        assert "Made multi-geometries 1,180" in page

    def test_says_how_sure_it_is_and_why(self, client: InProcessClient, job_id: str) -> None:
        page = shown(client.get(f"{ROOT}/{job_id}"))

        assert "Coordinates EPSG:4326 certain, the file says so" in page
        assert (
            "Encoding cp1252 likely, from the content Why the file says UTF-8, and is not" in page
        )
        assert "ACRES acres double precision very likely : 2 of 1,210 values" in page

    def test_draws_the_first_repair_and_then_the_chosen_one(
        self, client: InProcessClient, job_id: str
    ) -> None:
        first = client.get(f"{ROOT}/{job_id}")
        (other,) = (link for link in links(first) if "repair=" in link)
        second = client.get(other.partition("#")[0])

        assert first.text.count("drawn drawn-before") == first.text.count("drawn drawn-after") == 1
        assert "Record 12" in shown(first)
        assert "Record 40" in shown(second)
        assert "Area 1 km² to 0.98 km² \N{MINUS SIGN}2%" in shown(second)
        assert first.text != second.text

    def test_a_repair_without_geometries_is_said_to_be(
        self, client: InProcessClient, connection: database.Connection, job_id: str
    ) -> None:
        row = connection.execute(
            "SELECT repair_id FROM app.vector_repairs WHERE source_row = 77"
        ).fetchone()
        assert row is not None

        page = shown(client.get(f"{ROOT}/{job_id}?repair={row['repair_id']}"))

        assert "First fault at -73.920000, 40.810000" in page

    def test_names_the_tables_that_were_filled_and_not_their_siblings(
        self, client: InProcessClient, connection: database.Connection, job_id: str
    ) -> None:
        found = layer(tables=[{"table": "geo.parks"}, {"table": "geo.parks_points"}])
        repository.begin_report(connection, job_id, SOURCE, {"layers": [found] * 4, "notes": []})

        answer = client.get(f"{ROOT}/{job_id}")

        assert "Goes to geo.parks Note" in shown(answer)
        assert "geo.parks_points" not in answer.text
        assert '<details class="card layer">' in answer.text

    def test_says_which_attributes_no_column_takes(
        self, client: InProcessClient, connection: database.Connection, job_id: str
    ) -> None:
        found = layer()
        found["columns"][1]["column"] = None
        repository.begin_report(connection, job_id, SOURCE, {"layers": [found], "notes": []})

        page = shown(client.get(f"{ROOT}/{job_id}"))

        assert "ACRES not loaded double precision" in page

    def test_draws_a_record_that_was_set_aside(self, client: InProcessClient, job_id: str) -> None:
        listed = client.get(f"{ROOT}/{job_id}?reason=repair_changes_area")
        (draw,) = (link for link in links(listed) if "record=" in link)

        answer = client.get(draw.partition("#")[0])

        assert "reason=repair_changes_area" in draw
        assert answer.text.count("drawn drawn-before") == 2

    def test_what_strangers_wrote_stays_text(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        source = {**SOURCE, "files": [f"{HOSTILE}.kml"]}
        found = layer(name=HOSTILE, notes=[{"code": "x", "message": HOSTILE, "count": 1}])
        repository.begin_report(connection, "c" * 64, source, {"layers": [found], "notes": []})
        repository.record_chunk(
            connection,
            "c" * 64,
            0,
            0,
            RecordCounts(
                read=1,
                quarantined={HOSTILE: 1},
                repairs={HOSTILE: 1},
                value_faults={HOSTILE: {HOSTILE: 1}},
            ),
        )
        add_quarantined(connection, "c" * 64, 1, HOSTILE, detail=HOSTILE, raw=HOSTILE)

        for path in (f"{ROOT}/{'c' * 64}", ROOT):
            answer = client.get(path)
            assert "<script>alert" not in answer.text
            assert "alert('read')" in unescape(answer.text)

    def test_the_key_goes_along_with_every_link(self, client: InProcessClient, job_id: str) -> None:
        answer = client.get(f"{ROOT}/{job_id}?code=SECRET")

        inside = [
            link for link in links(answer) if link.startswith("/api") and "/static/" not in link
        ]
        assert inside
        assert all("code=SECRET" in link for link in inside)

    def test_of_a_run_under_way_is_live_and_brief(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        job_id = add_job(connection, job_type="process_vector", status="running")
        add_report(connection, job_id, counts=None)

        answer = client.get(f"{ROOT}/{job_id}")

        assert "hx-get" in answer.text
        assert "records cleaned so far" in shown(answer)
        assert "drawn-before" not in answer.text

    def test_of_a_failed_run_says_why(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        job_id = add_job(
            connection, job_type="process_vector", status="failed", error={"message": "No CRS."}
        )
        repository.begin_report(connection, job_id, SOURCE, {})

        page = shown(client.get(f"{ROOT}/{job_id}"))

        assert "The job failed before anything was read." in page
        assert "Why it failed No CRS." in page

    @pytest.mark.parametrize("query", ["repair=x", "repair=-1", "kind=odd", "record=99"])
    def test_a_choice_that_means_nothing_is_refused(
        self, client: InProcessClient, job_id: str, query: str
    ) -> None:
        assert client.get(f"{ROOT}/{job_id}?{query}").status in (404, 422)

    def test_an_unknown_one_is_said_to_be(self, client: InProcessClient) -> None:
        assert client.get(f"{ROOT}/{'f' * 64}").status == 404


def test_the_job_leads_to_its_report(
    client: InProcessClient, connection: database.Connection, job_id: str
) -> None:
    other = add_job(connection)

    assert f"{ROOT}/{job_id}" in links(client.get(f"/api/interface/jobs/{job_id}"))
    assert f"{ROOT}/{other}" not in links(client.get(f"/api/interface/jobs/{other}"))
