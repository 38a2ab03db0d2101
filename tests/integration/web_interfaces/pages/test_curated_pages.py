"""The pages of curated datasets as the server renders them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape

import pytest

import jobs as job_types
from core.models.curated import UpdateStatus
from infrastructure import database
from tests.support import curated_pages as data
from tests.support.curated_datasets import begin, forget_all
from tests.support.curated_pages import attempt, dry_run, held, parks, published, registered
from tests.support.in_process import InProcessClient, Response
from tests.support.settings import app_settings

ROOT = "/api/interface/curated"


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
    from web_interfaces.curated import interface as curated

    return InProcessClient(curated.bp)


def shown(answer: Response) -> str:
    """What a reader sees, in one line."""
    assert (answer.status, answer.media_type) == (200, "text/html")
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def buttons(answer: Response) -> dict[str, str]:
    """The address that each action calls, by the id of its button."""
    found = re.findall(r'id="([\w-]+)" data-action="\w+" data-url="([^"]+)"', answer.text)
    return {name: unescape(address) for name, address in found}


class TestList:
    def test_shows_how_to_begin_when_nothing_is_registered(self, client: InProcessClient) -> None:
        page = shown(client.get(ROOT))

        assert "No dataset is registered yet" in page
        assert "curl -X POST http://geoforge.test/api/curated/datasets" in page

    def test_says_how_each_dataset_is(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        dataset = registered(connection, "parks", enabled=True, update_schedule="0 2 1 * *")
        published(connection, dataset, parks(20), source_version="May 2026")
        registered(connection, "by_hand", name="Sites by hand", source_type="manual")

        answer = client.get(ROOT)

        page = shown(answer)
        assert "All 2 Enabled 1 Failed or held 0" in page
        assert "Parks of Europe current" in page
        assert "Version of the source May 2026 Rows 20 Published just now Next run in" in page
        assert "completed, 20 added, 0 updated, 0 deleted" in page
        assert "Sites by hand never updated" in page
        assert "Next run by hand only Last attempt none yet" in page
        assert buttons(answer) == {"disable-parks": "/api/curated/datasets/parks/disable"}

    def test_leads_to_the_form_of_each_dataset_that_is_not_being_updated(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        registered(connection, "parks")
        registered(connection, "lakes")
        data.under_way(connection, "lakes")

        page = client.get(f"{ROOT}?code=k%26y").text

        assert f'href="{ROOT}/parks/update?code=k%26y">Update</a>' in page
        assert f"{ROOT}/lakes/update" not in page

    def test_says_why_one_is_not_as_it_should_be(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        registered(connection, "lakes", name="Lakes", enabled=True)
        attempt(connection, "lakes", UpdateStatus.FAILED, error_message="It answered 503.")
        registered(connection, "wdpa", name="WDPA", handler="wdpa")

        page = shown(client.get(ROOT))

        assert "Lakes failed Update Disable It answered 503." in page
        assert "IBAT_AUTH_KEY" in page

    def test_can_be_filtered(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        registered(connection, "parks", enabled=True)
        shrunk = registered(connection, "shrunk", name="Shrunk")
        held(connection, shrunk, parks(5), source_version="2")

        assert 'id="dataset-shrunk"' not in client.get(f"{ROOT}?show=enabled").text
        failed = client.get(f"{ROOT}?show=failed")
        assert 'id="dataset-shrunk"' in failed.text
        assert 'id="dataset-parks"' not in failed.text

    def test_says_how_many_were_looked_at_where_there_are_more(
        self,
        client: InProcessClient,
        connection: database.Connection,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        from web_interfaces.curated import interface

        monkeypatch.setattr(interface, "_MOST_DATASETS", 2)
        for number in range(3):
            registered(connection, f"parks{number}", enabled=number == 0)

        assert "These are the first 2 datasets;" in shown(client.get(ROOT))
        assert "Looked at were the first 2 datasets;" in shown(client.get(f"{ROOT}?show=enabled"))

    def test_offers_no_second_update_while_one_is_under_way(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        registered(connection, "rivers", enabled=True)
        job_id = data.under_way(connection, "rivers")

        answer = client.get(ROOT)

        assert "updating" in shown(answer)
        assert f"/api/interface/jobs/{job_id}" in answer.text
        assert set(buttons(answer)) == {"disable-rivers"}


class TestDataset:
    def test_offers_the_versions_that_can_be_brought_back(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        dataset = registered(connection, "parks")
        published(connection, dataset, parks(20), source_version="May 2026")
        published(connection, dataset, parks(22), source_version="June 2026")

        answer = client.get(f"{ROOT}/parks")

        page = shown(answer)
        assert "2 current June 2026 22" in page
        assert "1 May 2026 20 20 added, 0 updated, 0 deleted report" in page
        assert buttons(answer)["restore-parks-1"] == "/api/curated/datasets/parks/rollback"
        (body,) = re.findall(r'data-action="restore".*?data-body="([^"]+)"', answer.text)
        assert json.loads(unescape(body)) == {"to_version": 1}
        assert "version 1, May 2026 of the source, 20 rows." in unescape(answer.text)

    def test_shows_a_held_version_with_what_it_would_change(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        dataset = registered(connection, "parks")
        published(connection, dataset, parks(20), source_version="1")
        version = held(connection, dataset, parks(5), source_version="2")

        answer = client.get(f"{ROOT}/parks")

        page = shown(answer)
        assert "Version 2 of the source is held" in page
        assert "failed The number of rows changes by 75%, from 20 to 5." in page
        assert "Added 0 Changed 1 Removed 15 Unchanged 4 Rows then 5" in page
        assert "Columns new in the source: remarks" in page
        assert "Removed: 15 rows code 0 code 1" in page
        address = "/api/curated/datasets/parks"
        assert buttons(answer)[f"publish-parks-{version.version_id}"] == f"{address}/publish"
        assert buttons(answer)[f"discard-parks-{version.version_id}"] == f"{address}/discard"

    def test_one_that_came_too_late_can_only_be_discarded(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        dataset = registered(connection, "parks")
        version = held(connection, dataset, parks(5), source_version="2")
        connection.execute(
            "UPDATE app.curated_versions SET base_version = 7 WHERE version_id = %s",
            (version.version_id,),
        )

        answer = client.get(f"{ROOT}/parks")

        assert "it cannot be published any more" in shown(answer)
        assert f"publish-parks-{version.version_id}" not in buttons(answer)
        assert f"discard-parks-{version.version_id}" in buttons(answer)

    def test_shows_the_plan_of_the_last_dry_run_until_something_is_published(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        dataset = registered(connection, "parks")
        published(connection, dataset, parks(20), source_version="May 2026")
        dry_run(connection, dataset, source_version="June 2026")
        page = shown(client.get(f"{ROOT}/parks"))
        assert "What an update would change" in page
        assert "Changed: 1 row code 0: name, geom" in page
        assert "would change: 2 added, 1 updated, 0 deleted" in page

        published(connection, dataset, parks(22), source_version="June 2026")
        assert "What an update would change" not in shown(client.get(f"{ROOT}/parks"))

    def test_the_map_is_described_without_a_script(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        dataset = registered(connection, "parks")
        published(connection, dataset, parks(20), source_version="May 2026")

        answer = client.get(f"{ROOT}/parks")

        assert '<option value="/api/styles/curated_parks/iucn-category">' in answer.text
        assert "Ia Strict nature reserve Ib Wilderness area" in shown(answer)
        assert "Where the data are: longitude -10 to 36, latitude 36 to 52" in answer.text
        assert "Parks Board & <b>Co</b>" in unescape(answer.text)
        assert "<b>Co</b>" not in answer.text

    def test_what_has_no_place_yet_has_no_map(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        nowhere = [(1, "Somewhere", "II", None)]
        published(connection, registered(connection, "parks"), nowhere, source_version="1")

        page = shown(client.get(f"{ROOT}/parks"))

        assert "Nothing in it has a place yet." in page
        assert "no geometry" not in page

    def test_names_missing_settings_and_no_secret(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        registered(connection, "wdpa", handler="wdpa")

        page = shown(client.get(f"{ROOT}/wdpa"))

        assert "Credentials are missing" in page
        assert "IBAT_AUTH_KEY , IBAT_AUTH_TOKEN" in page

    def test_shows_no_query_of_an_address(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        address = "https://data.example.org/parks?ticket=hunter2"
        registered(connection, "parks", source_url=address, source_config={"also": [address]})

        answer = client.get(f"{ROOT}/parks")

        assert "Source https://data.example.org/parks?***" in shown(answer)
        assert "hunter2" not in answer.text

    def test_one_whose_handler_is_not_there_is_shown_all_the_same(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        registered(connection, "events", handler="not_yet")

        page = shown(client.get(f"{ROOT}/events"))

        assert "no handler 'not_yet'" in page
        assert "Handler not_yet" in page

    def test_attempts_are_paged(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        registered(connection, "parks")
        for number in range(16):
            attempt(connection, "parks", UpdateStatus.SKIPPED, source_version=f"v{number}")

        first = client.get(f"{ROOT}/parks")
        (older,) = re.findall(r'id="history-next" href="([^"]+)"', first.text)
        second = client.get(unescape(older))

        assert "skipped hand v15" in shown(first)
        assert "skipped hand v0" not in shown(first)
        assert "skipped hand v0" in shown(second)

    def test_an_unknown_one_is_said_to_be(self, client: InProcessClient) -> None:
        answer = client.get(f"{ROOT}/nothing")

        assert answer.status == 404
        assert "There is no curated dataset" in unescape(answer.text)
        assert client.get(f"{ROOT}/a%00b").status == 404

    def test_the_function_key_goes_along(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        registered(connection, "parks")
        begin(connection, "parks")

        links = re.findall(r'href="(/api/interface/curated[^"]*)"', client.get(
            f"{ROOT}/parks?code=k%26y"
        ).text)  # fmt: skip

        assert links
        assert all("code=k%26y" in link for link in links)


class TestForm:
    def test_explains_the_schedule(self, client: InProcessClient) -> None:
        page = shown(client.get(f"{ROOT}/datasets/new"))
        assert "Nightly at 02:00 UTC" in page

        part = shown(client.get(f"{ROOT}/datasets/schedule?update_schedule=0+4+*+*+1"))
        assert part.startswith("Every Monday at 04:00 UTC")

    def test_says_what_is_wrong_with_one(self, client: InProcessClient) -> None:
        part = client.get(f"{ROOT}/datasets/schedule?update_schedule=0+2+30+2+*")
        assert "'0 2 30 2 *' never falls due" in shown(part)

    def test_begins_with_what_is_registered(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        registered(connection, "parks", source_config={"key_columns": ["code"]})

        page = client.get(f"{ROOT}/parks/edit").text

        assert re.search(r'data-field="key_columns"[^>]*data-into="source_config"', page)
        assert re.search(r'name="key_columns"[^>]* value="code"', page)
        assert 'data-method="PUT"' in page
        assert re.search(r'data-etag="&#34;1-[0-9a-f]+&#34;"', page)


def test_the_page_of_an_update_leads_to_its_dataset(
    connection: database.Connection,
) -> None:
    from web_interfaces.jobs import interface as jobs

    registered(connection, "parks")
    job_id = begin(connection, "parks")

    page = InProcessClient(jobs.bp).get(f"/api/interface/jobs/{job_id}").text

    assert f'href="{ROOT}/parks"' in page


def test_a_job_similar_to_an_update_is_another_update(connection: database.Connection) -> None:
    job_types.discover()
    from web_interfaces.jobs import interface as jobs

    registered(connection, "parks")
    job_id = begin(connection, "parks", status="completed")
    page = InProcessClient(jobs.bp).get(f"/api/interface/jobs/{job_id}")
    again = re.search(r'id="action-again" href="([^"]+)"', page.text)
    assert again is not None
    assert unescape(again[1]) == "/api/interface/jobs/new/curated_update?dataset_id=parks"
