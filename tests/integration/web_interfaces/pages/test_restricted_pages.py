"""What the pages show of restricted data, and to whom."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from html import unescape
from typing import Protocol

import pytest

from infrastructure import database
from tests.support.curated_datasets import forget_all
from tests.support.curated_pages import parks, published, registered
from tests.support.in_process import InProcessClient, Response
from tests.support.settings import app_settings
from tests.support.vector_report import add_report

KEY = "hunter2"


class Allowing(Protocol):
    def __call__(self, **settings: str) -> AbstractContextManager[None]: ...


@pytest.fixture
def allowing(ledger_url: str) -> Allowing:
    """The settings of this module, and others."""
    return lambda **settings: app_settings(DATABASE_URL=ledger_url, **settings)


@pytest.fixture
def connection(ledger_url: str) -> Iterator[database.Connection]:
    with (
        app_settings(DATABASE_URL=ledger_url),
        database.connect(autocommit=True) as connection,
    ):
        forget_all(connection)
        connection.execute(
            "TRUNCATE app.vector_reports, app.vector_chunks, app.vector_repairs,"
            " app.vector_quarantine"
        )
        yield connection


@pytest.fixture
def client(connection: database.Connection) -> InProcessClient:
    # Imported here: who may open a page is settled at the import, from the settings.
    from web_interfaces.curated import interface as curated
    from web_interfaces.vector import interface as vector

    return InProcessClient(curated.bp, vector.bp)


@pytest.fixture
def job_id(connection: database.Connection) -> str:
    """The job that has published a restricted dataset."""
    dataset = registered(connection, "parks", restricted=True)
    version = published(connection, dataset, parks(20), source_version="May 2026")
    add_report(connection, version.job_id)
    return version.job_id


def shown(answer: Response) -> str:
    """What a reader sees, in one line."""
    assert (answer.status, answer.media_type) == (200, "text/html")
    assert answer.headers["Cache-Control"] == "no-store"
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


@pytest.mark.usefixtures("job_id")
class TestMap:
    ADDRESS = "/api/interface/curated/parks"

    def test_a_panel_says_why_there_is_none_and_what_to_do(self, client: InProcessClient) -> None:
        answer = client.get(self.ADDRESS)

        page = shown(answer)
        assert "The map is restricted" in page
        assert "The terms of the source do not allow to show its data to everyone" in page
        assert "GEOFORGE_RESTRICTED_KEYS" in page
        assert "GEOFORGE_SHOW_RESTRICTED=1" in page
        # Nothing for a script to draw, to choose or to link to.
        for absent in ("data-map", "data-features", 'data-part="style"', 'data-part="hint"'):
            assert absent not in answer.text
        assert "Legend" in page
        assert "Parks Board & <b>Co</b>" in unescape(answer.text)

    def test_who_sends_a_known_key_has_the_map(
        self, client: InProcessClient, allowing: Allowing
    ) -> None:
        with allowing(GEOFORGE_RESTRICTED_KEYS=KEY):
            assert "The map is restricted" in shown(client.get(f"{self.ADDRESS}?code=wrong"))
            answer = client.get(f"{self.ADDRESS}?code={KEY}")
        assert "The map is restricted" not in shown(answer)
        assert "data-map" in answer.text
        collection = "/api/features/collections/curated_parks/items"
        assert f'data-features="{collection}"' in answer.text

    def test_everyone_has_it_where_the_setting_says_so(
        self, client: InProcessClient, allowing: Allowing
    ) -> None:
        with allowing(GEOFORGE_SHOW_RESTRICTED="1"):
            assert "data-map" in client.get(self.ADDRESS).text

    def test_azure_has_asked_for_the_key_of_the_page(
        self, client: InProcessClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WEBSITE_INSTANCE_ID", "0f3a")
        assert "data-map" in client.get(self.ADDRESS).text

    def test_azure_has_not_where_the_pages_are_anonymous(
        self, client: InProcessClient, allowing: Allowing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WEBSITE_INSTANCE_ID", "0f3a")
        with allowing(GEOFORGE_PAGES_AUTH="anonymous"):
            assert "data-map" not in client.get(self.ADDRESS).text


class TestReport:
    def test_has_counts_and_no_rows(self, client: InProcessClient, job_id: str) -> None:
        address = f"/api/interface/vector/{job_id}"
        for query in ("", "?repair=1", "?record=1", "?kind=self_intersection"):
            answer = client.get(f"{address}{query}")
            page = shown(answer)
            assert "The rows are restricted" in page
            assert "GEOFORGE_RESTRICTED_KEYS" in page
            assert "Set aside 7" in page
            for absent in ("coordinates", "Placemark", "equals record 19", "quarantine.geojson"):
                assert absent not in answer.text

    def test_has_the_rows_for_who_sends_a_known_key(
        self, client: InProcessClient, job_id: str, allowing: Allowing
    ) -> None:
        with allowing(GEOFORGE_RESTRICTED_KEYS=KEY):
            answer = client.get(f"/api/interface/vector/{job_id}?code={KEY}")
        assert "The rows are restricted" not in shown(answer)
        assert "equals record 19" in answer.text
        assert f"quarantine.geojson?code={KEY}" in answer.text


@pytest.mark.usefixtures("job_id")
class TestTable:
    FEATURES = "/api/features/collections/geo.curated_parks/items"

    def test_links_no_features_and_says_why(self, client: InProcessClient) -> None:
        assert self.FEATURES not in client.get("/api/interface/vector").text
        answer = client.get("/api/interface/vector/tables/curated_parks")
        assert self.FEATURES not in answer.text
        assert "The rows are restricted" in shown(answer)

    def test_links_them_for_who_sends_a_known_key(
        self, client: InProcessClient, allowing: Allowing
    ) -> None:
        with allowing(GEOFORGE_RESTRICTED_KEYS=KEY):
            for page in ("/api/interface/vector", "/api/interface/vector/tables/curated_parks"):
                assert f"{self.FEATURES}?code={KEY}" in client.get(f"{page}?code={KEY}").text
