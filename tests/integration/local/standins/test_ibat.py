"""The stand-in for IBAT, asked over HTTP as a client would."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from local.stack.settings import CHECKOUT
from local.standins.ibat.control import control
from local.standins.ibat.library import Library
from local.standins.ibat.server import Ibat
from local.standins.key_biodiversity_areas import KeyBiodiversityAreas
from local.standins.protected_areas import ProtectedAreas

SIZE = 300_000
ROUTE = "/api/v2/data-downloads"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    file = tmp_path / "release.zip"
    file.write_bytes(bytes(range(256)) * (SIZE // 256 + 1))
    return file


@pytest.fixture
def ibat(archive: Path) -> Iterator[Ibat]:
    with Ibat() as started:
        started.publish("wdpa", "May 2023", archive)
        yield started


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30, trust_env=False) as started:
        yield started


def ask(client: httpx.Client, ibat: Ibat, **query: str) -> httpx.Response:
    """Ask for an address; credentials are right unless told otherwise."""
    right = {"dataset_name": "wdpa", "auth_key": ibat.key, "auth_token": ibat.token}
    return client.get(ibat.url + ROUTE, params={**right, **query})


def link(client: httpx.Client, ibat: Ibat) -> str:
    return str(ask(client, ibat).json()["download_url"])


def test_it_names_a_release_and_where_it_is(
    client: httpx.Client, ibat: Ibat, archive: Path
) -> None:
    answer = ask(client, ibat)
    assert answer.status_code == 200
    assert answer.json()["update_date"] == "May 2023"
    url = httpx.URL(answer.json()["download_url"])
    assert url.port != httpx.URL(ibat.url).port
    assert not {"auth_key", "auth_token"} & set(url.params)
    fetched = client.get(url)
    assert fetched.content == archive.read_bytes()
    etag = hashlib.md5(archive.read_bytes()).hexdigest()
    assert fetched.headers["ETag"] == f'"{etag}"'


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"auth_key": "wrong"}, 401),
        ({"auth_token": "wrong"}, 401),
        ({"auth_token": ""}, 400),
        ({"dataset_name": "kba"}, 400),
        ({"dataset_name": "redlist"}, 400),
    ],
)
def test_a_wrong_request_is_refused(
    client: httpx.Client, ibat: Ibat, query: dict[str, str], status: int
) -> None:
    answer = ask(client, ibat, **query)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_another_route_is_not_there(client: httpx.Client, ibat: Ibat) -> None:
    assert client.get(f"{ibat.url}/api/v1/data-downloads").status_code == 404
    assert client.post(ibat.url + ROUTE).status_code == 404
    # Steering is for a stand-in that runs by itself.
    assert client.get(f"{ibat.url}/_standin").status_code == 404


def test_it_is_busy_or_broken_as_often_as_asked_for(client: httpx.Client, ibat: Ibat) -> None:
    ibat.faults.answer(429, times=2, retry_after=7)
    ibat.faults.answer(500)
    ibat.faults.answer(200, body="<html>maintenance</html>")
    answers = [ask(client, ibat) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [429, 429, 500, 200, 200]
    assert answers[0].headers["Retry-After"] == "7"
    assert answers[3].text == "<html>maintenance</html>"
    assert answers[4].json()["update_date"] == "May 2023"


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [
        ("bytes=0-99", 0, 99),
        ("bytes=200000-", 200_000, None),
        ("bytes=-50", -50, None),
        ("bytes=100-99999999", 100, None),
    ],
)
def test_a_range_is_served(
    client: httpx.Client, ibat: Ibat, archive: Path, wanted: str, first: int, last: int | None
) -> None:
    answer = client.get(link(client, ibat), headers={"Range": wanted})
    whole = archive.read_bytes()
    right = whole[first:] if last is None else whole[first : last + 1]
    assert answer.status_code == 206
    assert answer.content == right
    start = len(whole) + first if first < 0 else first
    assert answer.headers["Content-Range"] == (
        f"bytes {start}-{start + len(right) - 1}/{len(whole)}"
    )


def test_a_range_behind_the_end_is_refused_and_nonsense_ignored(
    client: httpx.Client, ibat: Ibat, archive: Path
) -> None:
    url = link(client, ibat)
    size = archive.stat().st_size
    behind = client.get(url, headers={"Range": f"bytes={size}-"})
    assert behind.status_code == 416
    assert behind.headers["Content-Range"] == f"bytes */{size}"
    for header in ("bytes=9-3", "lines=1-2", "bytes=-"):
        assert client.get(url, headers={"Range": header}).status_code == 200


def test_a_range_of_a_file_that_has_changed_is_the_whole_new_one(
    client: httpx.Client, ibat: Ibat, archive: Path, tmp_path: Path
) -> None:
    url = link(client, ibat)
    etag = client.get(url).headers["ETag"]
    asked = {"Range": "bytes=10-", "If-Range": etag}
    assert client.get(url, headers=asked).status_code == 206
    changed = tmp_path / "again" / archive.name
    changed.parent.mkdir()
    changed.write_bytes(b"corrected")
    ibat.publish("wdpa", "May 2023", changed)
    answer = client.get(url, headers=asked)
    assert (answer.status_code, answer.content) == (200, b"corrected")


def test_an_address_expires(client: httpx.Client, ibat: Ibat) -> None:
    before = link(client, ibat)
    assert client.get(before).status_code == 200
    ibat.expire_links()
    answer = client.get(before)
    assert answer.status_code == 403
    assert "<Code>AccessDenied</Code><Message>Request has expired</Message>" in answer.text
    assert client.get(link(client, ibat)).status_code == 200
    ibat.link_seconds = -1
    assert client.get(link(client, ibat)).status_code == 403


@pytest.mark.parametrize("change", ["&auth_key=standin-key", "&x=", "&X-Amz-Expires=99999"])
def test_an_address_must_be_as_it_was_signed(client: httpx.Client, ibat: Ibat, change: str) -> None:
    answer = client.get(link(client, ibat) + change)
    assert answer.status_code == 403
    assert "SignatureDoesNotMatch" in answer.text


def test_an_address_without_a_signature_serves_nobody(client: httpx.Client, ibat: Ibat) -> None:
    url = link(client, ibat).partition("?")[0]
    assert client.get(url).status_code == 403


def test_another_method_was_not_signed(client: httpx.Client, ibat: Ibat) -> None:
    assert client.head(link(client, ibat)).status_code == 403


def test_credentials_that_come_along_are_noticed(client: httpx.Client, ibat: Ibat) -> None:
    assert client.get(link(client, ibat)).status_code == 200
    assert ibat.leaks == []
    client.get(link(client, ibat) + f"&auth_key={ibat.key}")
    client.get(link(client, ibat), headers={"X-Token": f"Token {ibat.token}"})
    answer = client.get(link(client, ibat), headers={"Authorization": "Bearer anything"})
    assert answer.status_code == 400
    assert "Only one auth mechanism allowed" in answer.text
    assert [leak.status for leak in ibat.leaks] == [403, 200]


def test_a_download_breaks_off(client: httpx.Client, ibat: Ibat, archive: Path) -> None:
    ibat.faults.truncate(100_000)
    got: list[bytes] = []
    with client.stream("GET", link(client, ibat)) as answer:
        assert int(answer.headers["Content-Length"]) == archive.stat().st_size
        with pytest.raises(httpx.RemoteProtocolError):
            got.extend(answer.iter_bytes())
    assert b"".join(got) == archive.read_bytes()[:100_000]
    assert ibat.requests[-1].sent == 100_000
    assert client.get(link(client, ibat)).content == archive.read_bytes()


def test_a_download_can_fail(client: httpx.Client, ibat: Ibat) -> None:
    ibat.faults.answer_download(503, retry_after=2)
    answer = client.get(link(client, ibat))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert client.get(link(client, ibat)).status_code == 200


def test_a_download_waits_until_it_is_let_go(
    client: httpx.Client, ibat: Ibat, archive: Path
) -> None:
    url = link(client, ibat)
    got: list[bytes] = []
    with ibat.faults.held(after_bytes=65_537) as hold:
        reader = threading.Thread(target=lambda: got.append(client.get(url).content))
        reader.start()
        assert hold.reached.wait(30)
        assert ibat.requests[-1].sent == 65_537
        assert got == []
    reader.join(30)
    assert got == [archive.read_bytes()]


def test_a_client_may_go_away_in_the_midst_of_it(
    client: httpx.Client, ibat: Ibat, archive: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    url = link(client, ibat)
    with ibat.faults.held(after_bytes=1000) as hold, client.stream("GET", url):
        assert hold.reached.wait(30)
    assert client.get(url).content == archive.read_bytes()
    assert capfd.readouterr().err == ""


def test_the_next_release_takes_the_place_of_the_one_before(
    client: httpx.Client, ibat: Ibat, tmp_path: Path
) -> None:
    before = link(client, ibat)
    newer = tmp_path / "newer.zip"
    newer.write_bytes(b"newer")
    ibat.publish("wdpa", "June 2023", newer)
    assert ask(client, ibat).json()["update_date"] == "June 2023"
    assert client.get(link(client, ibat)).content == b"newer"
    assert client.get(before).status_code == 200
    ibat.withdraw("wdpa")
    assert ask(client, ibat).status_code == 400


def test_nobody_is_served_after_its_end(client: httpx.Client, archive: Path) -> None:
    with Ibat() as ibat:
        ibat.publish("wdpa", "May 2023", archive)
        assert ask(client, ibat).status_code == 200
    with pytest.raises(httpx.TransportError):
        # On the connection that was kept open, or on a new one.
        ask(client, ibat)


def test_it_is_steered_over_http(client: httpx.Client, tmp_path: Path) -> None:
    with Ibat() as ibat:
        areas = ProtectedAreas(polygons=20, points=2, vertices=12)
        library = Library(tmp_path, areas, KeyBiodiversityAreas(polygons=20, points=2))
        ibat.control = control(ibat, library)
        library.offer(ibat, "wdpa", 1)
        steered = client.post(
            f"{ibat.url}/_standin/releases", json={"dataset_name": "wdpa", "number": 2}
        )
        assert steered.json() == {"dataset_name": "wdpa", "update_date": "June 2023"}
        assert ask(client, ibat).json()["update_date"] == "June 2023"
        fault = {"answer": 429, "times": 1, "retry_after": 3}
        client.post(f"{ibat.url}/_standin/faults", json=fault)
        assert ask(client, ibat).status_code == 429
        client.post(f"{ibat.url}/_standin/faults", json={"truncate": 10, "times": 5})
        client.post(f"{ibat.url}/_standin/faults", json={"clear": True})
        assert client.get(link(client, ibat)).status_code == 200
        state = client.get(f"{ibat.url}/_standin").json()
        assert state["releases"]["wdpa"]["update_date"] == "June 2023"
        assert [each["status"] for each in state["requests"] if each["path"] == ROUTE] == [
            *(200, 429, 200)
        ]
        # What it tells of requests holds no credentials.
        assert not re.search(f"{ibat.key}|{ibat.token}", json.dumps(state))
        for path, said in [
            ("/_standin/releases", {"dataset_name": "redlist", "number": 1}),
            ("/_standin/releases", {"dataset_name": "wdpa", "number": 0}),
            ("/_standin/releases", {}),
            ("/_standin/faults", {"explode": True}),
        ]:
            refused = client.post(ibat.url + path, json=said)
            assert (refused.status_code, "error" in refused.json()) == (400, True)


def test_it_runs_by_itself_and_prints_the_settings_to_use(client: httpx.Client) -> None:
    command = [
        *(sys.executable, "-m", "local.standins.ibat", "--polygons", "20", "--points", "2"),
        *("--kbas", "20", "--key", "k-1", "--token", "t-1", "--form", "gpkg"),
    ]
    with subprocess.Popen(
        command, cwd=CHECKOUT, env={**os.environ}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            lines = [process.stdout.readline().strip() for _ in range(5)]
            assert lines[:2] == ["# wdpa: May 2023", "# kba: May 2023"]
            settings = dict(line.split("=", 1) for line in lines[2:])
            assert settings["IBAT_AUTH_KEY"] == "k-1"
            query = {"dataset_name": "kba", "auth_key": "k-1", "auth_token": "t-1"}
            answer = client.get(settings["IBAT_URL"] + ROUTE, params=query)
            assert answer.json()["update_date"] == "May 2023"
            assert client.get(answer.json()["download_url"]).content[:2] == b"PK"
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
