"""Parts of a file at an address: always of the version that was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from core.errors import TaskCancelled
from infrastructure.source_client import SourceClient, SourceRefused, SourceUnavailable
from infrastructure.source_ranges import SourceRanges
from tests.support.file_server import File, FileServer, file_server
from tests.support.handler_runs import carry_on

PATH = "/lakes.zip"
CONTENT = bytes(range(256)) * 40
DATE = "Mon, 01 May 2023 10:00:00 GMT"


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server() as server:
        server.files[PATH] = File(CONTENT, {"etag": '"v1"'})
        yield server


def ranges(server: FileServer, **changed: Any) -> SourceRanges:
    known: dict[str, Any] = {"size": len(CONTENT), "validator": '"v1"', "check": carry_on}
    client = SourceClient(allowed_hosts=("127.0.0.1",))
    return SourceRanges(client, f"{server.url}{PATH}", **{**known, **changed})


def test_a_part_is_asked_for_by_version(server: FileServer) -> None:
    server.files[PATH].token = "secret"
    some = ranges(server, headers={"authorization": "Bearer secret"})
    assert some.read(100, 50) == CONTENT[100:150]
    [asked] = server.asked
    assert (asked.headers["range"], asked.headers["if-range"]) == ("bytes=100-149", '"v1"')


def test_at_the_end_there_is_less(server: FileServer) -> None:
    some = ranges(server)
    assert some.read(len(CONTENT) - 3, 50) == CONTENT[-3:]
    assert some.read(len(CONTENT), 50) == b""
    assert some.read(0, 0) == b""
    assert len(server.asked) == 1


@pytest.mark.parametrize("headers", [{}, {"last-modified": DATE}])
def test_a_date_names_a_version_too_and_there_may_be_none(
    server: FileServer, headers: dict[str, str]
) -> None:
    server.files[PATH].headers = headers
    validator = headers.get("last-modified")
    assert ranges(server, validator=validator).read(0, 5) == CONTENT[:5]
    assert server.asked[0].headers.get("if-range") == validator


def test_a_part_need_not_name_its_version_again(server: FileServer) -> None:
    size = len(CONTENT)
    server.files[PATH].answers.append((206, {"content-range": f"bytes 0-4/{size}"}, CONTENT[:5]))
    assert ranges(server).read(0, 5) == CONTENT[:5]


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (206, {"content-range": "bytes 0-4/10240", "etag": '"v2"'}),
        (206, {"content-range": "bytes 0-4/9999", "etag": '"v1"'}),
        (206, {"content-range": "bytes 5-9/10240", "etag": '"v1"'}),
        (206, {"etag": '"v1"'}),
        (200, {"etag": '"v2"'}),
        (416, {"content-range": "bytes */3"}),
    ],
    ids=["another etag", "another size", "another part", "no place", "whole", "no such place"],
)
def test_another_version_is_told(server: FileServer, status: int, headers: dict[str, str]) -> None:
    server.files[PATH].answers.append((status, headers, CONTENT[:5]))
    with pytest.raises(SourceUnavailable) as raised:
        ranges(server).read(0, 5)
    assert raised.value.error_code == "source_changed"


def test_a_version_that_is_larger_is_told_before_it_comes(server: FileServer) -> None:
    file = server.files[PATH]
    file.content, file.headers, file.holds = bytes(1 << 20), {"etag": '"v2"'}, 65536
    with pytest.raises(SourceUnavailable) as raised:
        ranges(server).read(0, 5)
    assert raised.value.error_code == "source_changed"


def test_a_server_without_ranges_is_left_at_its_first_bytes(server: FileServer) -> None:
    file = server.files[PATH]
    # The rest is held back for as long as the test goes on.
    file.ranges, file.holds, file.content = False, 65536, bytes(1 << 20)
    with pytest.raises(SourceRefused) as raised:
        ranges(server, size=1 << 20).read(100, 50)
    assert raised.value.error_code == "ranges_unsupported"


def test_what_is_compressed_on_its_way_is_no_part(server: FileServer) -> None:
    headers = {"content-range": "bytes 0-4/10240", "content-encoding": "gzip"}
    server.files[PATH].answers.append((206, headers, b"\x1f\x8b..."))
    with pytest.raises(SourceRefused) as raised:
        ranges(server).read(0, 5)
    assert raised.value.error_code == "ranges_unsupported"


@pytest.mark.parametrize("body", [CONTENT[:4], CONTENT[:6]], ids=["less", "more"])
def test_a_part_of_another_length_is_refused(server: FileServer, body: bytes) -> None:
    server.files[PATH].answers.append((206, {"content-range": "bytes 0-4/10240"}, body))
    with pytest.raises(SourceUnavailable) as raised:
        ranges(server).read(0, 5)
    assert raised.value.error_code == "source_incomplete"


def test_other_refusals_are_as_the_client_tells_them(server: FileServer) -> None:
    del server.files[PATH]
    with pytest.raises(SourceRefused, match="404"):
        ranges(server).read(0, 5)


def test_it_may_be_stopped_between_parts(server: FileServer) -> None:
    def stop() -> None:
        raise TaskCancelled("stopped")

    with pytest.raises(TaskCancelled):
        ranges(server, check=stop).read(0, 5)
    assert server.asked == []
