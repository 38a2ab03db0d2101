"""Downloads into real blob storage, from a server that breaks off, expires and changes."""

from __future__ import annotations

import hashlib
import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from core.errors import PermanentTaskError, TaskCancelled, TransientTaskError
from infrastructure import blob_storage, source_download
from infrastructure.blob_append import AppendBlob
from infrastructure.source_addresses import SourceRefused, SourceUnavailable
from services.curated import file_store
from services.curated.file_store import FileStore, StoredFile, folder_of
from services.vector.source_files import local_copy
from tests.support.file_server import File, FileServer, file_server
from tests.support.settings import app_settings

MIB = 1 << 20
CONTENT = random.Random(7).randbytes(12 * MIB + 12_345)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
ETAG = {"etag": '"v1"'}
PATH = "/archive.zip"
VERSION = "May 2023"
DATASET = "lakes"


@pytest.fixture(autouse=True)
def container(
    blob_connection_string: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """A container of the test's own, which is not there yet."""
    monkeypatch.setattr(source_download, "_FIRST_PAUSE_SECONDS", 0.01)
    name = f"curated-{random.SystemRandom().randrange(1 << 60):x}"
    with app_settings(
        AZURE_STORAGE_CONNECTION_STRING=blob_connection_string,
        GEOFORGE_CURATED_CONTAINER=name,
        GEOFORGE_ALLOWED_HOSTS="127.0.0.1",
        GEOFORGE_SOURCE_CACHE_DIR=str(tmp_path),
    ):
        yield name


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server() as server:
        yield server


def carry_on(**_: Any) -> None:
    """A check, or progress, that lets everything go on."""


def store(job_id: str = "job1", **options: Any) -> FileStore:
    options = {"check": carry_on, "progress": carry_on, **options}
    return FileStore(DATASET, options.pop("version", VERSION), job_id, **options)


def blob_of(container: str, name: str = "archive.zip", version: str = VERSION) -> AppendBlob:
    return AppendBlob.at(container, f"{DATASET}/{folder_of(version)}/{name}")


def content_of(stored: StoredFile) -> bytes:
    return blob_storage.read_bytes(stored.container, stored.path)


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "that never came about"
        time.sleep(0.02)


def test_a_file_is_stored_whole_and_fetched_once(server: FileServer, container: str) -> None:
    server.files[PATH] = File(CONTENT, {**ETAG})
    told: list[dict[str, Any]] = []
    files = store(progress=lambda **figures: told.append(figures))
    stored = files.download("archive.zip", server.url + PATH)
    assert stored == StoredFile(
        name="archive.zip",
        container=container,
        path="lakes/may-2023-1c6437e9/archive.zip",
        etag=stored.etag,
        size=len(CONTENT),
        sha256=SHA256,
        validator='"v1"',
    )
    assert content_of(stored) == CONTENT
    assert told[-1] == {"bytes_fetched": len(CONTENT), "bytes_total": len(CONTENT)}
    assert files.sha256_of(stored.path) == SHA256
    with local_copy(files.ref(stored)) as source:
        assert source.files[0].name == "archive.zip"
        assert source.files[0].read_bytes() == CONTENT
    # Another job uses it, in another process or not; another version does not.
    assert store("job2").download("archive.zip", server.url + PATH) == stored
    assert len(server.asked) == 1
    other = store(version="June 2023").download("archive.zip", server.url + PATH)
    assert other.path != stored.path
    assert len(server.asked) == 2


def test_a_killed_process_is_gone_on_with(server: FileServer, container: str) -> None:
    file = server.files[PATH] = File(CONTENT, {**ETAG}, holds=9 * MIB)
    script = f"""
from services.curated.file_store import FileStore
FileStore({DATASET!r}, {VERSION!r}, "job1", check=lambda: None, progress=lambda **_: None).download(
    "archive.zip", {server.url + PATH!r})
"""
    child = subprocess.Popen([sys.executable, "-c", script], env=os.environ)
    try:
        eventually(lambda: blob_of(container).size == 8 * MIB)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    file.holds = None
    file.released.set()
    stored = store().download("archive.zip", server.url + PATH)
    assert server.ranges() == [None, f"bytes={8 * MIB}-"]
    assert server.asked[-1].headers["if-range"] == '"v1"'
    assert stored.sha256 == SHA256
    assert content_of(stored) == CONTENT


def test_what_is_cancelled_is_gone_on_with(server: FileServer, container: str) -> None:
    server.files[PATH] = File(CONTENT, {**ETAG})

    def cancelled() -> None:
        if blob_of(container).size >= 4 * MIB:
            raise TaskCancelled("The job was cancelled.")

    with pytest.raises(TaskCancelled):
        store(check=cancelled).download("archive.zip", server.url + PATH)
    stored = store().download("archive.zip", server.url + PATH)
    assert server.ranges() == [None, f"bytes={4 * MIB}-"]
    assert (stored.sha256, content_of(stored)) == (SHA256, CONTENT)


def test_a_source_that_changed_in_between_is_begun_anew(server: FileServer, container: str) -> None:
    file = server.files[PATH] = File(CONTENT, {**ETAG}, breaks=[5 * MIB] + [0] * 9)
    with pytest.raises(SourceUnavailable, match="broke off again and again, at last after 5,2"):
        store().download("archive.zip", server.url + PATH)
    assert blob_of(container).size == 5 * MIB  # Also what does not fill a piece is kept.
    file.content, file.headers, file.breaks = CONTENT[::-1], {"etag": '"v2"'}, []
    stored = store().download("archive.zip", server.url + PATH)
    assert server.ranges()[-1] == f"bytes={5 * MIB}-"
    assert content_of(stored) == CONTENT[::-1]
    assert stored.validator == '"v2"'
    assert stored.sha256 == hashlib.sha256(CONTENT[::-1]).hexdigest()


def test_a_connection_that_keeps_breaking_off_arrives_if_it_goes_forward(
    server: FileServer,
) -> None:
    server.files[PATH] = File(CONTENT, {"last-modified": "Mon, 01 May 2023 10:00:00 GMT"})
    server.files[PATH].breaks = [2 * MIB, 4 * MIB, MIB, 0, 3 * MIB, 0, 0]
    stored = store().download("archive.zip", server.url + PATH)
    assert (stored.sha256, content_of(stored)) == (SHA256, CONTENT)
    begun_at = [None, 2, 6, 7, 7, 10, 10, 10]
    assert server.ranges() == [at and f"bytes={at * MIB}-" for at in begun_at]


def test_a_source_that_names_no_version_is_begun_anew(server: FileServer) -> None:
    file = server.files[PATH] = File(CONTENT, breaks=[6 * MIB])
    with pytest.raises(SourceUnavailable, match="broke off"):
        store().download("archive.zip", server.url + PATH)
    stored = store().download("archive.zip", server.url + PATH)
    assert server.ranges() == [None, None]
    assert (stored.sha256, content_of(stored)) == (SHA256, CONTENT)
    assert file.breaks == []


def test_an_address_that_expires_is_made_anew_and_kept_nowhere(
    server: FileServer, container: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    file = server.files[PATH] = File(CONTENT, {**ETAG}, breaks=[9 * MIB], signature="s3cret1")
    made: list[str] = []

    def address() -> str:
        if made:
            file.signature = "s3cret2"
        made.append(f"{server.url}{PATH}?sig=s3cret{len(made) + 1}")
        return made[-1]

    def expire(**_: Any) -> None:
        file.signature = "nobody knows"

    stored = store(progress=expire).download("archive.zip", address)
    assert (stored.sha256, content_of(stored)) == (SHA256, CONTENT)
    assert len(made) == 2
    assert [each.query["sig"] for each in server.asked] == ["s3cret1", "s3cret1", "s3cret2"]
    assert "s3cret" not in f"{caplog.text}{blob_of(container).metadata}{stored}"


def test_a_fresh_address_that_is_refused_is_not_asked_for_again(server: FileServer) -> None:
    file = server.files[PATH] = File(CONTENT, {**ETAG}, breaks=[MIB], signature="s3cret")
    made: list[str] = []

    def address() -> str:
        if made:
            file.signature = "nobody knows"
        made.append(f"{server.url}{PATH}?sig=s3cret")
        return made[-1]

    def expire() -> None:
        file.signature = "nobody knows"

    with pytest.raises(SourceRefused, match="answered 403") as raised:
        store(check=expire).download("archive.zip", address)
    assert "s3cret" not in f"{raised.value.as_record()} {raised.value!r}"
    assert len(made) == 2
    with pytest.raises(SourceRefused):
        store().download("archive.zip", address)
    assert len(made) == 3


def test_what_had_come_before_the_crash_is_not_asked_for_again(
    server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files[PATH] = File(CONTENT, {**ETAG})

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(AppendBlob, "describe", crash)
        with pytest.raises(KeyboardInterrupt):
            store().download("archive.zip", server.url + PATH)
    stored = store().download("archive.zip", server.url + PATH)
    assert len(server.asked) == 1
    assert stored == store().download("archive.zip", server.url + PATH)
    assert len(server.asked) == 1
    assert stored.sha256 == SHA256


def test_two_attempts_cannot_mix(server: FileServer, container: str) -> None:
    server.files[PATH] = File(CONTENT, {**ETAG})
    seen: list[int] = []

    def overtaken(**figures: Any) -> None:
        if not seen:
            # Another attempt, on a worker that has taken over the lease.
            other = server.files["/other"] = File(CONTENT, {**ETAG}, breaks=[MIB] + [0] * 5)
            with pytest.raises(SourceUnavailable):
                store().download("archive.zip", f"{server.url}/other")
            assert other.breaks == []
        seen.append(figures["bytes_fetched"])

    with pytest.raises(TransientTaskError, match="written by another attempt") as raised:
        store(progress=overtaken).download("archive.zip", server.url + PATH)
    assert raised.value.error_code == "blob_contended"
    assert blob_of(container).size == 5 * MIB
    assert store().download("archive.zip", server.url + PATH).sha256 == SHA256


@pytest.mark.parametrize(
    ("promised", "code"),
    [
        ({"expected_sha256": "0" * 64}, "checksum_differs"),
        ({"expected_md5": "0" * 32}, "checksum_differs"),
        ({"size": 5}, "source_incomplete"),
    ],
)
def test_a_file_that_is_not_what_was_promised_is_not_kept(
    server: FileServer, container: str, promised: dict[str, Any], code: str
) -> None:
    server.files[PATH] = File(CONTENT[:1000], {**ETAG})
    with pytest.raises(TransientTaskError) as raised:
        store().download("archive.zip", server.url + PATH, **promised)
    assert raised.value.error_code == code
    assert not blob_of(container).exists


def test_a_file_that_is_what_was_promised_is_kept(server: FileServer) -> None:
    server.files[PATH] = File(CONTENT, {**ETAG}, breaks=[5 * MIB] + [0] * 5)
    promised: dict[str, Any] = {
        "size": len(CONTENT),
        "expected_sha256": SHA256,
        "expected_md5": hashlib.md5(CONTENT, usedforsecurity=False).hexdigest(),
        "validator": '"v1"',
    }
    with pytest.raises(SourceUnavailable):
        store().download("archive.zip", server.url + PATH, **promised)
    assert store().download("archive.zip", server.url + PATH, **promised).size == len(CONTENT)


def test_a_source_that_is_not_the_one_that_was_asked_about(
    server: FileServer, container: str
) -> None:
    server.files[PATH] = File(CONTENT, {"etag": '"v2"'})
    with pytest.raises(PermanentTaskError, match="has changed since") as raised:
        store().download("archive.zip", server.url + PATH, validator='"v1"')
    assert raised.value.error_code == "source_changed"
    assert not blob_of(container).exists


def test_a_forced_update_fetches_again_what_other_jobs_have(server: FileServer) -> None:
    file = server.files[PATH] = File(b"old", {**ETAG})
    store("job1").download("archive.zip", server.url + PATH)
    file.content = b"new"
    stored = store("job2", fresh=True).download("archive.zip", server.url + PATH)
    assert content_of(stored) == b"new"
    # Its own second attempt goes on with what the first has brought.
    assert store("job2", fresh=True).download("archive.zip", server.url + PATH) == stored
    assert len(server.asked) == 2


def test_a_file_of_the_same_name_from_another_source_is_replaced(server: FileServer) -> None:
    server.files["/a"], server.files["/b"] = File(b"one"), File(b"two")
    store().download("archive.zip", f"{server.url}/a", source="a")
    stored = store().download("archive.zip", f"{server.url}/b", source="b")
    assert content_of(stored) == b"two"


def test_an_empty_file_and_one_without_a_length(server: FileServer) -> None:
    server.files["/empty"] = File(b"", {**ETAG})
    server.files[PATH] = File(CONTENT, {**ETAG}, says_length=False)
    assert store().download("empty", f"{server.url}/empty").size == 0
    assert store().download("archive.zip", server.url + PATH).sha256 == SHA256


def test_what_is_larger_than_a_source_may_be(server: FileServer, container: str) -> None:
    server.files[PATH] = File(CONTENT, {**ETAG})
    with (
        app_settings(
            AZURE_STORAGE_CONNECTION_STRING=os.environ["AZURE_STORAGE_CONNECTION_STRING"],
            GEOFORGE_CURATED_CONTAINER=container,
            GEOFORGE_ALLOWED_HOSTS="127.0.0.1",
            GEOFORGE_MAX_SOURCE_BYTES="1000",
        ),
        pytest.raises(SourceRefused, match="more than the 1,000 bytes"),
    ):
        store().download("archive.zip", server.url + PATH)


def test_old_files_are_tidied_away(server: FileServer, container: str) -> None:
    server.files[PATH] = File(b"x")
    assert file_store.tidy(DATASET, [VERSION], check=carry_on) == 0
    versions = ["April 2023", VERSION, "June 2023"]
    for version in versions:
        store(version=version).download("archive.zip", server.url + PATH)
    assert file_store.tidy(DATASET, versions[1:], check=carry_on) == 1
    kept = [blob_of(container, version=version).exists for version in versions]
    assert kept == [False, True, True]
    assert file_store.tidy("lake", [], check=carry_on) == 0


def test_versions_have_folders_of_their_own() -> None:
    folders = [folder_of(text) for text in ("May 2023", "may 2023", "May-2023", "…", "/" * 200)]
    assert len(set(folders)) == 5
    assert folders[0].startswith("may-2023-")
    assert folders[3].startswith("version-")
    assert all(len(folder) < 60 and "/" not in folder for folder in folders)


class TestWrite:
    def test_what_is_made_is_stored_whole_and_made_once(self, container: str) -> None:
        made: list[int] = []

        def pieces() -> Iterator[bytes]:
            for start in range(0, len(CONTENT), 1000):
                made.append(start)
                yield CONTENT[start : start + 1000]

        stored = store().write("events.csv", pieces(), source="January")
        assert (stored.size, stored.sha256) == (len(CONTENT), SHA256)
        assert content_of(stored) == CONTENT
        made.clear()
        again = store()
        assert again.write("events.csv", pieces(), source="January") == stored
        assert (made, again.sha256_of(stored.path)) == ([], SHA256)

    def test_what_is_made_of_something_else_replaces_it(self, container: str) -> None:
        first = store().write("events.csv", [b"january"], source="January")
        second = store().write("events.csv", [b"february"], source="February")
        assert content_of(second) == b"february"
        assert first.etag != second.etag

    def test_another_job_makes_its_own(self, container: str) -> None:
        store("job1").write("events.csv", [b"as it was"], source="January")
        stored = store("job2").write("events.csv", [b"as it is"], source="January")
        assert content_of(stored) == b"as it is"

    def test_what_broke_off_is_not_there_and_is_replaced(self, container: str) -> None:
        def broken() -> Iterator[bytes]:
            yield CONTENT
            raise SourceUnavailable("The source is down.")

        with pytest.raises(SourceUnavailable):
            store().write("events.csv", broken(), source="January")
        assert blob_of(container, "events.csv").metadata["geoforge_state"] == "partial"
        stored = store().write("events.csv", [b"all ", b"of it"], source="January")
        assert content_of(stored) == b"all of it"

    def test_one_that_comes_late_is_refused(self, container: str) -> None:
        def while_another_writes() -> Iterator[bytes]:
            yield b"late"
            store().write("events.csv", [b"in time"], source="January")

        with pytest.raises(TransientTaskError) as refused:
            store().write("events.csv", while_another_writes(), source="January")
        assert refused.value.error_code == "blob_contended"
        assert content_of(store().write("events.csv", [], source="January")) == b"in time"

    def test_it_stops_when_it_is_told_to_and_when_it_is_too_much(self, container: str) -> None:
        def cancelled() -> None:
            raise TaskCancelled("The job was cancelled.")

        with pytest.raises(TaskCancelled):
            store(check=cancelled).write("events.csv", [b"x"], source="January")
        with (
            app_settings(
                AZURE_STORAGE_CONNECTION_STRING=os.environ["AZURE_STORAGE_CONNECTION_STRING"],
                GEOFORGE_CURATED_CONTAINER=container,
                GEOFORGE_MAX_SOURCE_BYTES="1000",
            ),
            pytest.raises(PermanentTaskError, match="more than the 1,000 bytes"),
        ):
            store().write("events.csv", [b"x" * 600] * 2, source="January")

    def test_nothing_at_all_is_a_file_too(self, container: str) -> None:
        stored = store().write("events.csv", [], source="January")
        assert (stored.size, content_of(stored)) == (0, b"")
