"""Copies inside the storage account, on real blob storage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from azure.storage.blob import BlobProperties

from core.errors import NotFound, TaskCancelled
from infrastructure import blob_copy, blob_storage
from infrastructure.blob_copy import Copied, CopyFault, CopyRefused, CopyRules, copy_blob
from infrastructure.blob_lookup import BlobRanges, BlobVersion, find, head
from tests.support.settings import app_settings
from tests.support.stac_collection import new_container

PATH = "a folder/x#1 ü.tif"
RULES = CopyRules(job_id="first")
ANEW = CopyRules(job_id="second", skip_existing=False)
REPLACE = CopyRules(job_id="third", overwrite=True)


def carry_on() -> None:
    """A check that lets everything go on."""


@pytest.fixture(autouse=True)
def _app(blob_connection_string: str) -> Iterator[None]:
    with app_settings(AZURE_STORAGE_CONNECTION_STRING=blob_connection_string):
        yield


@pytest.fixture
def bronze() -> str:
    return new_container("bronze")


@pytest.fixture
def silver() -> str:
    return new_container("silver")


def put(container: str, data: bytes, path: str = PATH) -> BlobVersion:
    blob_storage.write_bytes(container, path, data)
    version = head(container, path)
    assert version is not None
    return version


def copy(source: BlobVersion, container: str, rules: CopyRules = RULES) -> Copied:
    return copy_blob(source, container, source.path, rules, check=carry_on)


def test_a_copy_is_whole_and_remembers_where_it_is_from(bronze: str, silver: str) -> None:
    source = put(bronze, b"data" * 1000)
    blob_storage.blob_client(bronze, PATH).set_blob_metadata({"owner": "us"})
    source = head(bronze, PATH) or source
    assert copy(source, silver) == Copied(moved=True, size=4000)
    target = head(silver, PATH)
    assert target is not None
    assert (target.size, target.md5) == (4000, source.md5)
    assert target.metadata == {
        "owner": "us",
        "geoforge_source_etag": source.etag,
        "geoforge_source_md5": source.md5,
        "geoforge_job_id": "first",
    }
    assert blob_storage.read_bytes(silver, PATH) == b"data" * 1000


def test_a_target_that_holds_the_version_is_left_alone(bronze: str, silver: str) -> None:
    source = put(bronze, b"data")
    copy(source, silver)
    before = head(silver, PATH)
    # The same job finds its own work, another one finds it done.
    assert copy(source, silver) == Copied(moved=True, size=4)
    assert copy(source, silver, CopyRules(job_id="other")) == Copied(moved=False, size=4)
    assert head(silver, PATH) == before
    assert copy(source, silver, ANEW).moved
    assert head(silver, PATH) != before


def test_equal_bytes_by_whatever_way_are_the_version(bronze: str, silver: str) -> None:
    source = put(bronze, b"data")
    put(silver, b"data")
    assert copy(source, silver) == Copied(moved=False, size=4)


def test_a_target_that_differs_is_replaced_only_when_asked(bronze: str, silver: str) -> None:
    source = put(bronze, b"data")
    put(silver, b"other")
    with pytest.raises(CopyRefused) as caught:
        copy(source, silver)
    assert caught.value.fault is CopyFault.TARGET_EXISTS
    assert blob_storage.read_bytes(silver, PATH) == b"other"
    assert copy(source, silver, REPLACE).moved
    assert blob_storage.read_bytes(silver, PATH) == b"data"


@pytest.mark.parametrize("gone", [False, True])
def test_a_source_that_changed_is_not_copied(bronze: str, silver: str, gone: bool) -> None:
    source = put(bronze, b"data")
    if gone:
        blob_storage.blob_client(bronze, PATH).delete_blob()
    else:
        put(bronze, b"datA")
    with pytest.raises(CopyRefused) as caught:
        copy(source, silver)
    assert caught.value.fault is CopyFault.SOURCE_CHANGED
    assert head(silver, PATH) is None


def test_a_missing_target_container_is_named(bronze: str) -> None:
    source = put(bronze, b"data")
    with pytest.raises(NotFound, match="no-such-silver"):
        copy(source, "no-such-silver")


def test_a_copy_that_arrives_wrong_is_removed(
    bronze: str, silver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = put(bronze, b"data")
    wrong = BlobVersion(**{**_fields(source), "md5": "0" * 32})
    with pytest.raises(CopyRefused, match="MD5"):
        copy(wrong, silver)
    assert head(silver, PATH) is None


def _fields(version: BlobVersion) -> dict[str, Any]:
    return {name: getattr(version, name) for name in BlobVersion.__dataclass_fields__}


class SlowStorage:
    """Says of a target that its copy is pending for so many looks, then how it ended."""

    def __init__(self, looks: int, status: str = "success") -> None:
        self._looks = looks
        self._status = status
        self._original = blob_storage.properties

    def __call__(self, container: str, path: str) -> BlobProperties | None:
        found = self._original(container, path)
        if found is not None and found.copy.id is not None:
            self._looks -= 1
            found.copy.status = "pending" if self._looks >= 0 else self._status
        return found


def test_a_slow_copy_is_waited_for(
    bronze: str, silver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = put(bronze, b"data")
    monkeypatch.setattr(blob_storage, "properties", SlowStorage(looks=3))
    assert copy(source, silver) == Copied(moved=True, size=4)


def test_a_copy_that_fails_leaves_nothing(
    bronze: str, silver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = put(bronze, b"data")
    with monkeypatch.context() as patch:
        patch.setattr(blob_storage, "properties", SlowStorage(looks=1, status="failed"))
        with pytest.raises(CopyRefused) as caught:
            copy(source, silver)
    assert caught.value.fault is CopyFault.FAILED
    assert head(silver, PATH) is None


def test_a_half_copied_target_of_a_crash_is_not_taken_for_good(
    bronze: str, silver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The earlier attempt died; its copy was pending, and then storage gave it up."""
    source = put(bronze, b"data")
    copy(source, silver)
    looks = SlowStorage(looks=2, status="aborted")
    monkeypatch.setattr(blob_storage, "properties", looks)
    deleted: list[str] = []
    original = blob_copy._delete

    def note(client: Any, container: str, path: str) -> None:
        deleted.append(path)
        original(client, container, path)
        looks._status = "success"

    monkeypatch.setattr(blob_copy, "_delete", note)
    assert copy(source, silver).moved
    assert deleted == [PATH]


def test_a_cancelled_copy_is_undone(
    bronze: str, silver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = put(bronze, b"data")
    checks: list[int] = []

    def cancel() -> None:
        checks.append(1)
        if len(checks) == 2:
            raise TaskCancelled("cancelled")

    with monkeypatch.context() as patch:
        patch.setattr(blob_storage, "properties", SlowStorage(looks=100))
        with pytest.raises(TaskCancelled):
            copy_blob(source, silver, PATH, RULES, check=cancel)
    assert head(silver, PATH) is None


def test_a_lookup_finds_what_is_there(bronze: str) -> None:
    paths = {f"many/{n:03}.bin" for n in range(30)} | {"alone/x", "ü/é"}
    for path in paths:
        blob_storage.write_bytes(bronze, path, b"x")
    wanted = {*paths, "many/gone", "nowhere/at/all"}
    assert find(bronze, wanted, check=carry_on).keys() == paths
    assert find(bronze, set(), check=carry_on) == {}
    with pytest.raises(NotFound, match="no-such-bronze"):
        find("no-such-bronze", {"x"}, check=carry_on)


def test_a_lookup_gives_up_listing_a_crowded_folder(
    bronze: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infrastructure.blob_lookup._ALWAYS_LISTED", 5)
    monkeypatch.setattr("infrastructure.blob_lookup._MAX_LISTED_PER_WANTED", 1)
    for number in range(40):
        blob_storage.write_bytes(bronze, f"crowd/{number:03}", b"x")
    wanted = {f"crowd/{number:03}" for number in (0, 3, 20, 25, 30, 33, 36, 38, 39)}
    assert find(bronze, wanted | {"crowd/gone"}, check=carry_on).keys() == wanted


def test_ranges_of_a_blob(bronze: str) -> None:
    blob_storage.write_bytes(bronze, "x", b"0123456789")
    ranges = BlobRanges(bronze, "x", 10)
    assert ranges.read(3, 4) == b"3456"
    assert ranges.read(8, 10) == b"89"
