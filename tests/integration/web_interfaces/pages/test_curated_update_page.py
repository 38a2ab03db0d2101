"""The form that asks for an update, sent as a browser sends it, with scripts and without."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Any, ClassVar
from urllib.parse import urlencode

import pytest

import jobs as job_types
from core.errors import Unavailable
from core.models.curated import CuratedDataset
from infrastructure import database
from infrastructure.database import Connection
from services.curated import asking, handlers
from services.curated.handler import About, Option
from services.curated.vector_file import VectorFile
from services.orchestration.submission import Submission
from tests.support import curated_pages as data
from tests.support.curated_datasets import forget_all
from tests.support.curated_pages import parks, registered
from tests.support.in_process import BASE, InProcessClient, Response
from tests.support.settings import app_settings

PAGE = "/api/interface/curated/parks"
FORM = f"{PAGE}/update"
HTMX = {"HX-Request": "true"}


class Plain(VectorFile):
    """A handler that can be asked for nothing but an update."""

    name = "plain"
    options: ClassVar[frozenset[Option]] = frozenset()


class Obliging(VectorFile):
    """A handler that can be asked for all that there is."""

    name = "obliging"
    options: ClassVar[frozenset[Option]] = frozenset({"days", "file"})


class Telling(VectorFile):
    """A handler whose source tells what has changed."""

    name = "telling"

    def describe(self, dataset: CuratedDataset) -> About:
        return About(key_columns=("code",), delivers="increment")


@pytest.fixture
def connection(ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    more = {handler.name: handler for handler in (Plain(), Obliging(), Telling())}
    monkeypatch.setattr(handlers, "_BY_NAME", {**handlers._BY_NAME, **more})
    with (
        app_settings(DATABASE_URL=ledger_url),
        database.connect(autocommit=True) as connection,
    ):
        job_types.discover()
        forget_all(connection)
        yield connection


@pytest.fixture
def client(connection: Connection) -> InProcessClient:
    # Imported here: who may open a page is settled at the import, from the settings.
    from web_interfaces.curated import interface, updating

    return InProcessClient(interface.bp, updating.bp)


def send(
    client: InProcessClient, headers: dict[str, str] | None = None, /, **texts: str
) -> Response:
    encoded = {"Content-Type": "application/x-www-form-urlencoded"}
    return client.call("POST", FORM, urlencode(texts).encode(), {**encoded, **(headers or {})})


def errors(answer: Response) -> dict[str, str]:
    """What is said beside each field."""
    found = re.findall(r'id="field-(\w+)-error">([^<]+)<', answer.text)
    return {name: unescape(text) for name, text in found}


def commands(answer: Response) -> list[str]:
    """The lines that a person copies into a shell."""
    (lines,) = re.findall(r"<pre[^>]*><code>(az .*?)</code>", answer.text, re.DOTALL)
    return unescape(lines).splitlines()


def parameters(connection: Connection, *names: str) -> list[dict[str, Any]]:
    """Some of the parameters of each update, oldest first."""
    rows = connection.execute("SELECT parameters FROM app.jobs ORDER BY created_at").fetchall()
    return [{name: row["parameters"].get(name) for name in names} for row in rows]


def shown(answer: Response) -> str:
    """What a reader sees, in one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


class TestDataset:
    def test_of_increments_is_up_to_date_as_of_a_moment(
        self, client: InProcessClient, connection: Connection
    ) -> None:
        dataset = registered(connection, "parks", handler="telling")
        data.published(connection, dataset, parks(20), source_version="2026-11-16T02:00:00Z")
        changes = {"added": 2, "updated": 1, "deleted": 0, "unchanged": 19}
        data.published(
            connection,
            dataset,
            parks(22),
            source_version="2026-11-19T02:00:00Z",
            changes=changes,
        )
        page = shown(client.get(PAGE))
        assert "Up to date as of 2026-11-19T02:00:00Z" in page
        assert "The last change 2 added, 1 updated, 0 deleted" in page

    def test_of_releases_shows_which_one_it_is(
        self, client: InProcessClient, connection: Connection
    ) -> None:
        dataset = registered(connection, "parks")
        data.published(connection, dataset, parks(20), source_version="May 2026")
        page = shown(client.get(PAGE))
        assert "Version of the source May 2026" in page
        assert "The last change" not in page

    def test_whose_definition_its_handler_would_not_take_any_more_is_shown(
        self, client: InProcessClient, connection: Connection
    ) -> None:
        registered(connection, "parks", source_config={"key_columns": "code"})
        assert client.get(PAGE).status == 200

    def test_leads_to_the_form_where_no_update_is_under_way(
        self, client: InProcessClient, connection: Connection
    ) -> None:
        registered(connection, "parks")
        assert f'href="{FORM}"' in client.get(PAGE).text
        data.under_way(connection, "parks")
        assert f'href="{FORM}"' not in client.get(PAGE).text


class TestFields:
    def test_are_those_that_the_handler_can_be_asked_for(
        self, client: InProcessClient, connection: Connection
    ) -> None:
        registered(connection, "parks", handler="plain")
        page = client.get(FORM).text
        assert 'name="force_update"' in page
        assert "from_date" not in page
        assert "blob_name" not in page

    def test_of_days_and_files_are_explained(
        self, client: InProcessClient, connection: Connection
    ) -> None:
        registered(connection, "parks", handler="obliging")
        page = client.get(FORM).text
        assert '<input type="date" id="field-from_date" name="from_date"' in page
        assert '<input type="date" id="field-to_date" name="to_date"' in page
        assert "A backfill: the records of these days are read again" in page

    def test_of_files_tell_how_one_is_uploaded_with_the_connection_string(
        self, client: InProcessClient, connection: Connection
    ) -> None:
        registered(connection, "parks", handler="obliging")
        assert commands(client.get(FORM)) == [
            "az storage container create -n uploads "
            '--connection-string "$AZURE_STORAGE_CONNECTION_STRING"',
            "az storage blob upload -c uploads -n parks.gpkg -f parks.gpkg "
            '--connection-string "$AZURE_STORAGE_CONNECTION_STRING"',
        ]

    def test_of_files_tell_how_one_is_uploaded_where_the_app_has_an_identity(
        self, client: InProcessClient, connection: Connection, ledger_url: str
    ) -> None:
        address = "https://example.org/a/parks%20%26%20%22$(lakes).gpkg?size=1"
        registered(connection, "parks", handler="obliging", source_url=address)
        with app_settings(
            DATABASE_URL=ledger_url,
            AZURE_STORAGE_CONNECTION_STRING="",
            AZURE_STORAGE_CONNECTION_STRING__accountUrl="https://parks.blob.core.windows.net",
        ):
            answer = client.get(FORM)
        name = "'parks & \"$(lakes).gpkg'"
        assert commands(answer) == [
            "az storage container create -n uploads --account-name parks --auth-mode login",
            f"az storage blob upload -c uploads -n {name} -f {name} "
            "--account-name parks --auth-mode login",
        ]
        assert "<code>az login</code>" in answer.text

    def test_an_update_under_way_is_linked(
        self, client: InProcessClient, connection: Connection
    ) -> None:
        registered(connection, "parks")
        job_id = data.under_way(connection, "parks")
        assert f"/api/interface/jobs/{job_id}" in client.get(FORM).text

    def test_of_an_unknown_dataset_are_not_shown(self, client: InProcessClient) -> None:
        answer = client.get(FORM)
        assert (answer.status, answer.media_type) == (404, "text/html")


class TestSending:
    def test_begins_the_update_and_goes_to_the_dataset(
        self, client: InProcessClient, connection: Connection
    ) -> None:
        registered(connection, "parks")

        answer = send(client, force_update="true", dry_run="true", request_id="r1")

        assert (answer.status, answer.headers["Location"]) == (303, PAGE)
        wanted = {"force_update": True, "dry_run": True, "request_id": "r1"}
        assert parameters(connection, *wanted) == [wanted]
        assert len(client.orchestrations.started) == 1

    def test_by_htmx_goes_there_too(self, client: InProcessClient, connection: Connection) -> None:
        registered(connection, "parks")
        answer = send(client, HTMX, request_id="r1")
        assert (answer.status, answer.headers["HX-Redirect"]) == (200, PAGE)
        assert parameters(connection, "force_update", "dry_run") == [
            {"force_update": False, "dry_run": False}
        ]

    def test_days_are_a_backfill_and_the_attempt_says_so(
        self, client: InProcessClient, connection: Connection
    ) -> None:
        registered(connection, "parks", handler="obliging")
        assert send(client, from_date="2024-02-01", to_date="2024-02-29").status == 303
        days = {"from_date": "2024-02-01", "to_date": "2024-02-29"}
        assert parameters(connection, *days) == [days]
        assert "days 2024-02-01 to 2024-02-29" in client.get(PAGE).text

    def test_an_uploaded_file_is_read_and_the_attempt_says_so(
        self, client: InProcessClient, connection: Connection
    ) -> None:
        registered(connection, "parks", handler="obliging")
        file = {"container_name": "uploads", "blob_name": "a/parks & lakes.zip"}
        assert send(client, **file).status == 303
        assert parameters(connection, *file) == [file]
        assert "file uploads/a/parks &amp; lakes.zip" in client.get(PAGE).text

    def test_twice_is_one_update(self, client: InProcessClient, connection: Connection) -> None:
        registered(connection, "parks")
        (request_id,) = re.findall(r'name="request_id" value="(\w+)"', client.get(FORM).text)
        first, again = (send(client, request_id=request_id) for _ in range(2))
        assert (first.status, again.status) == (303, 303)
        assert len(client.orchestrations.started) == 1

    def test_the_function_key_goes_along(
        self, client: InProcessClient, connection: Connection
    ) -> None:
        registered(connection, "parks")
        page = client.get(f"{FORM}?code=k%26y").text
        assert f'action="{FORM}?code=k%26y"' in page
        answer = client.call("POST", f"{FORM}?code=k%26y", b"request_id=1")
        assert answer.headers["Location"] == f"{PAGE}?code=k%26y"


class TestRefusals:
    def test_are_told_beside_their_fields_and_nothing_is_lost(
        self, client: InProcessClient, connection: Connection
    ) -> None:
        registered(connection, "parks", handler="obliging")

        answer = send(
            client,
            from_date="2024-03-01",
            to_date="2024-02-29",
            container_name="Up",
            force_update="true",
            request_id="r1",
        )

        assert answer.status == 422
        assert "must be 3 to 63 characters" in errors(answer)["container_name"]
        answer = send(client, from_date="2024-03-01", to_date="2024-02-29", request_id="r1")
        assert errors(answer) == {"to_date": "must not be before the first day"}
        assert re.search(r'name="from_date"[^>]*value="2024-03-01"', answer.text)
        assert re.search(r'name="to_date"[^>]*aria-invalid="true" autofocus', answer.text)
        assert 'name="request_id" value="r1"' in answer.text
        assert parameters(connection) == []

    def test_come_to_htmx_as_the_form_alone(
        self, client: InProcessClient, connection: Connection
    ) -> None:
        registered(connection, "parks", handler="obliging")
        answer = send(client, HTMX, container_name="uploads")
        assert answer.status == 200
        assert "<html" not in answer.text
        assert errors(answer) == {"blob_name": "must be given too: container and path name a file"}

    def test_of_what_the_form_does_not_have_are_told_above_it(
        self, client: InProcessClient, connection: Connection
    ) -> None:
        registered(connection, "parks", handler="plain")
        answer = send(client, from_date="2024-02-01")
        assert answer.status == 422
        assert 'role="alert">from_date: is not for this dataset' in answer.text

    def test_of_a_second_update_name_the_job_of_the_first(
        self, client: InProcessClient, connection: Connection
    ) -> None:
        registered(connection, "parks")
        job_id = data.under_way(connection, "parks")
        answer = send(client)
        assert answer.status == 409
        assert f"parks is being updated already, by job {job_id}" in answer.text
        assert f'<a href="/api/interface/jobs/{job_id}">See that job</a>' in answer.text

    def test_a_page_of_another_site_cannot_send_it(
        self, client: InProcessClient, connection: Connection
    ) -> None:
        registered(connection, "parks")
        elsewhere = {"Origin": "https://elsewhere.example", "Host": BASE[7:]}
        answer = send(client, elsewhere, from_date="2024-02-01")
        assert (answer.status, answer.media_type) == (403, "text/html")
        assert "Pages of another site may not send this request" in shown(answer)
        # Nor fill it in.
        assert "2024-02-01" not in answer.text
        assert parameters(connection) == []

    def test_a_form_beyond_the_limit_is_not_read(
        self, client: InProcessClient, connection: Connection, ledger_url: str
    ) -> None:
        registered(connection, "parks")
        with app_settings(DATABASE_URL=ledger_url, GEOFORGE_MAX_REQUEST_BYTES="1024"):
            answer = send(client, blob_name="x" * 2000)
        assert answer.status == 413
        assert "at most 1024 are accepted" in shown(answer)
        assert "xxx" not in answer.text

    def test_of_what_is_down_are_told_above_the_form(
        self, client: InProcessClient, connection: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        registered(connection, "parks", handler="obliging")

        def down(*_: object, **__: object) -> Submission:
            raise Unavailable("The ledger does not answer.")

        monkeypatch.setattr(asking, "begin", down)
        page = send(client, from_date="2024-02-01", request_id="r1")
        assert page.status == 503
        part = send(client, HTMX, from_date="2024-02-01", request_id="r1")
        # What is no success htmx would not show.
        assert part.status == 200
        assert "<html" not in part.text
        for answer in (page, part):
            assert 'role="alert">The ledger does not answer.</p>' in answer.text
            assert re.search(r'name="from_date"[^>]*value="2024-02-01"', answer.text)
            assert 'name="request_id" value="r1"' in answer.text

    @pytest.mark.parametrize("headers", [{}, HTMX])
    def test_where_there_is_no_form_are_a_page_that_says_why(
        self, client: InProcessClient, headers: dict[str, str]
    ) -> None:
        answer = send(client, headers)
        assert answer.status == 404
        # What static/js/live.js looks for.
        assert "<h1 data-error>There is no curated dataset 'parks'" in unescape(answer.text)
