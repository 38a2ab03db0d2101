"""IBAT's data sets, from a server that answers as IBAT's documentation says, and as it should
not."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest

from core.errors import (
    InvalidParameters,
    PermanentTaskError,
    TaskCancelled,
    TransientTaskError,
)
from core.models.curated import CuratedDataset
from infrastructure import blob_storage, source_download
from infrastructure.source_addresses import SourceUnavailable
from services.curated import ibat_base
from services.curated.handler import About, RemoteVersion
from services.curated.ibat_base import IbatHandler
from tests.support.file_server import File, FileServer, file_server
from tests.support.handler_runs import dataset, run, store
from tests.support.settings import app_settings

KEY, TOKEN, SIGNATURE = "k3y-of-ours", "t0ken&of=ours", "s1gnature"
SECRETS = (KEY, TOKEN, "t0ken", SIGNATURE)
API = "/api/v2/data-downloads"
ARCHIVE = "/downloads/WDPA_May2023.zip"
CONTENT = b"PK" + bytes(200_000)


class Lakes(IbatHandler):
    name = "lakes"
    title = "Lakes"
    dataset_name = "lakes"

    def describe(self, dataset: CuratedDataset) -> About:
        return About()


@pytest.fixture
def ibat() -> Iterator[FileServer]:
    with file_server() as server:
        yield server


@pytest.fixture
def downloads() -> Iterator[FileServer]:
    with file_server() as server:
        server.files[ARCHIVE] = File(CONTENT, {"etag": '"a"'}, signature=SIGNATURE)
        yield server


@pytest.fixture(autouse=True)
def _app(
    ibat: FileServer,
    downloads: FileServer,
    blob_connection_string: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    monkeypatch.setattr(source_download, "_FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(ibat_base, "_PAUSES_SECONDS", (0.01, 0.02, 0.04))
    offer(ibat, downloads)
    with app_settings(
        AZURE_STORAGE_CONNECTION_STRING=blob_connection_string,
        GEOFORGE_CURATED_CONTAINER="curated-ibat",
        GEOFORGE_ALLOWED_HOSTS="127.0.0.1",
        IBAT_URL=ibat.url,
        IBAT_AUTH_KEY=KEY,
        IBAT_AUTH_TOKEN=TOKEN,
    ):
        yield


def offer(ibat: FileServer, downloads: FileServer, update_date: str = "May 2023") -> None:
    url = f"{downloads.url}{ARCHIVE}?sig={SIGNATURE}"
    answer(ibat, {"download_url": url, "update_date": update_date})


def answer(ibat: FileServer, body: Any) -> None:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    ibat.files[API] = File(data, {"content-type": "application/json"})


def no_secret_in(*shown: object) -> None:
    for secret in SECRETS:
        assert secret not in " ".join(map(str, shown))


def test_the_published_release_is_known_by_its_date_in_one_request(
    ibat: FileServer, downloads: FileServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    facts = {"update_date": "May 2023", "dataset_name": "lakes"}
    remote = Lakes().check(run(dataset(source_version="May 2023")))
    assert remote == RemoteVersion("May 2023", facts=facts)
    [asked] = ibat.asked
    assert asked.query == {"dataset_name": "lakes", "auth_key": KEY, "auth_token": TOKEN}
    assert downloads.asked == []
    no_secret_in(caplog.text, remote)
    # Of a new one also the size is wanted.
    new = Lakes().check(run(dataset(source_version="April 2023")))
    assert new == RemoteVersion("May 2023", size=len(CONTENT), facts=facts)
    assert downloads.ranges() == ["bytes=0-0"]
    no_secret_in(caplog.text, new)


def test_a_release_is_fetched_without_the_credentials(
    ibat: FileServer, downloads: FileServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    this = run()
    remote = Lakes().check(this)
    ref = Lakes().fetch(this, remote, store(this, "May 2023"))
    assert blob_storage.read_bytes(ref.container, ref.path) == CONTENT
    assert [blob.local for blob in ref.blobs] == ["WDPA_May2023.zip"]
    properties = blob_storage.properties(ref.container, ref.path)
    assert properties is not None
    assert downloads.ranges() == ["bytes=0-0", "bytes=0-0", None]
    for asked in downloads.asked:
        no_secret_in(asked.headers)
        assert "authorization" not in asked.headers
        assert asked.query == {"sig": SIGNATURE}
    no_secret_in(caplog.text, ref, properties.metadata)
    # Of what is here, no more than the first byte is asked for.
    assert Lakes().fetch(this, remote, store(this, "May 2023")) == ref
    assert downloads.ranges()[3:] == ["bytes=0-0"]


@pytest.mark.parametrize(
    "repaired",
    [
        File(CONTENT[::-1], {"etag": '"b"'}, signature=SIGNATURE),
        File(CONTENT + b"the other half", {}, signature=SIGNATURE),
    ],
    ids=["another ETag", "another size"],
)
def test_an_archive_that_is_repaired_under_its_date_is_fetched_again(
    downloads: FileServer, repaired: File
) -> None:
    if "etag" not in repaired.headers:
        downloads.files[ARCHIVE].headers = {}
    first = run()
    remote = Lakes().check(first)
    Lakes().fetch(first, remote, store(first, "May 2023"))
    downloads.files[ARCHIVE] = repaired
    another = run(first.dataset)
    ref = Lakes().fetch(another, remote, store(another, "May 2023"))
    assert blob_storage.read_bytes(ref.container, ref.path) == repaired.content


def test_an_address_that_expires_in_mid_download_is_asked_for_again(
    ibat: FileServer, downloads: FileServer
) -> None:
    this = run()
    remote = Lakes().check(this)
    file = downloads.files[ARCHIVE]
    file.content, file.breaks = bytes(9 << 20), [5 << 20]

    def renew(**_: Any) -> None:
        file.signature = "second"
        url = f"{downloads.url}{ARCHIVE}?sig=second"
        answer(ibat, {"download_url": url, "update_date": "May 2023"})

    ref = Lakes().fetch(this, remote, store(this, "May 2023", progress=renew))
    assert ref.size == 9 << 20
    assert len(ibat.asked) == 3
    assert downloads.asked[-1].query == {"sig": "second"}
    assert downloads.ranges()[-1] == f"bytes={5 << 20}-"


def test_a_release_that_is_gone_by_the_time_of_its_fetch(
    ibat: FileServer, downloads: FileServer
) -> None:
    this = run()
    remote = Lakes().check(this)
    offer(ibat, downloads, "June 2023")
    with pytest.raises(PermanentTaskError, match="offers 'June 2023'") as raised:
        Lakes().fetch(this, remote, store(this, "May 2023"))
    assert raised.value.error_code == "source_changed"


def test_a_busy_ibat_is_asked_again_when_it_says(ibat: FileServer) -> None:
    ibat.files[API].answers = [(429, {"retry-after": "1"}, b"slow down"), (500, {}, b"")]
    begun = time.monotonic()
    assert Lakes().check(run()).version == "May 2023"
    assert time.monotonic() - begun >= 1
    assert len(ibat.asked) == 3


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_one_that_stays_down_is_left_for_later(
    ibat: FileServer, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ibat.files[API].answers = [(status, {}, b"")] * 9
    with pytest.raises(TransientTaskError, match=f"'lakes'.*answered {status}") as raised:
        Lakes().check(run())
    assert raised.value.error_code == "ibat_unavailable"
    assert len(ibat.asked) == 4
    no_secret_in(caplog.text, raised.value.as_record(), repr(raised.value))


def test_nobody_there(ibat: FileServer) -> None:
    ibat.close()
    with pytest.raises(TransientTaskError, match="does not take connections") as raised:
        Lakes().check(run())
    assert raised.value.error_code == "ibat_unavailable"


def test_waiting_ends_when_the_job_does(ibat: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ibat_base, "_PAUSES_SECONDS", (3600.0,))
    ibat.files[API].answers = [(500, {}, b"")]

    def cancelled() -> None:
        raise TaskCancelled("The job was cancelled.")

    with pytest.raises(TaskCancelled):
        Lakes().check(run(check=cancelled))


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (400, "ibat_bad_request", "IBAT_AUTH_KEY and IBAT_AUTH_TOKEN"),
        (401, "ibat_unauthorized", "refused the credentials in IBAT_AUTH_KEY"),
        (403, "ibat_unauthorized", "IBAT_AUTH_TOKEN"),
        (404, "ibat_refused", "answered 404"),
        (302, "ibat_refused", "redirect, which is not followed"),
    ],
)
def test_a_refusal_is_told_without_the_credentials(
    ibat: FileServer,
    downloads: FileServer,
    status: int,
    code: str,
    says: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    body = f'{{"error": "{KEY} {TOKEN}"}}'.encode()
    elsewhere = f"{downloads.url}/login?auth_key={KEY}"
    ibat.files[API].answers = [(status, {"location": elsewhere} if status == 302 else {}, body)]
    with pytest.raises(PermanentTaskError, match=says) as raised:
        Lakes().check(run())
    assert raised.value.error_code == code
    assert len(ibat.asked) == 1
    assert downloads.asked == []
    no_secret_in(caplog.text, raised.value.as_record(), repr(raised.value))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"<html>", "it is not JSON"),
        (b"[]", "no JSON object"),
        ({"download_url": "https://x.test/a"}, "no update_date"),
        ({"download_url": "https://x.test/a", "update_date": " "}, "no update_date"),
        ({"download_url": "https://x.test/a", "update_date": 2023}, "no update_date"),
        ({"download_url": "https://x.test/a", "update_date": "a\0b"}, "no update_date"),
        ({"update_date": "May 2023"}, "no download_url"),
        ({"download_url": None, "update_date": "May 2023"}, "no download_url"),
        ({"download_url": f"ftp://x/{KEY}", "update_date": "May 2023"}, "is no address"),
        ({"download_url": "/relative", "update_date": "May 2023"}, "is no address"),
    ],
)
def test_an_answer_that_cannot_be_used(ibat: FileServer, body: Any, says: str) -> None:
    answer(ibat, body)
    with pytest.raises(PermanentTaskError, match=says) as raised:
        Lakes().check(run())
    assert raised.value.error_code == "ibat_bad_answer"
    no_secret_in(raised.value.as_record())


def test_an_address_on_a_private_network_is_not_fetched_from(
    ibat: FileServer, downloads: FileServer
) -> None:
    answer(ibat, {"download_url": "http://169.254.169.254/latest", "update_date": "May 2023"})
    this = run()
    with pytest.raises(PermanentTaskError, match="private network"):
        Lakes().check(this)
    with pytest.raises(PermanentTaskError, match="private network"):
        Lakes().fetch(this, RemoteVersion("May 2023"), store(this, "May 2023"))


@pytest.mark.parametrize("name", ["IBAT_AUTH_KEY", "IBAT_AUTH_TOKEN"])
def test_nothing_is_asked_without_credentials(ibat: FileServer, name: str) -> None:
    settings = {"IBAT_URL": ibat.url, "IBAT_AUTH_KEY": KEY, "IBAT_AUTH_TOKEN": TOKEN, name: " "}
    with (
        app_settings(GEOFORGE_ALLOWED_HOSTS="127.0.0.1", **settings),
        pytest.raises(PermanentTaskError, match=name) as raised,
    ):
        Lakes().check(run())
    assert raised.value.error_code == "credentials_missing"
    assert ibat.asked == []


def test_what_a_definition_may_say(ibat: FileServer) -> None:
    handler = Lakes()
    assert handler.credentials(dataset()) == ("IBAT_AUTH_KEY", "IBAT_AUTH_TOKEN")
    handler.check_definition(dataset())
    handler.check_definition(dataset(source_url=f"{ibat.url}/data"))
    with pytest.raises(InvalidParameters) as raised:
        handler.check_definition(
            dataset(source_url="https://elsewhere.test/x", source_config={"auth_key": KEY})
        )
    assert [error["loc"] for error in raised.value.errors] == [
        ["source_url"],
        ["source_config", "auth_key"],
    ]
    no_secret_in(raised.value.errors, raised.value)


def test_an_interrupted_download_is_transient(ibat: FileServer, downloads: FileServer) -> None:
    this = run()
    remote = Lakes().check(this)
    downloads.files[ARCHIVE].breaks = [1000] + [0] * 5
    with pytest.raises(SourceUnavailable, match="broke off again and again") as raised:
        Lakes().fetch(this, remote, store(this, "May 2023"))
    no_secret_in(raised.value.as_record())
    assert Lakes().fetch(this, remote, store(this, "May 2023")).size == len(CONTENT)
    assert downloads.ranges()[-1] == "bytes=1000-"
