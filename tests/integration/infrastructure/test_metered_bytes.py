"""Bytes from and to storage are counted on every way that there is, once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from infrastructure import blob_storage
from infrastructure.blob_append import AppendBlob
from infrastructure.blob_blocks import BlockCache, CachedBlob
from infrastructure.blob_copy import CopyRules, copy_blob
from infrastructure.blob_download import download
from infrastructure.blob_lookup import BlobRanges, BlobVersion, head
from infrastructure.blob_storage import CHUNK_BYTES, BlobWorkspace
from infrastructure.blob_upload import upload_file
from infrastructure.metering import Meter
from tests.support.settings import app_settings
from tests.support.stac_collection import new_container

# More than a request takes: some ways go by several threads then.
LARGE = 2 * CHUNK_BYTES + 5


def carry_on() -> None:
    """A check that lets everything go on."""


@pytest.fixture(autouse=True)
def _app(blob_connection_string: str) -> Iterator[None]:
    with app_settings(AZURE_STORAGE_CONNECTION_STRING=blob_connection_string):
        yield


@pytest.fixture
def container() -> str:
    return new_container("metered")


def put(container: str, size: int) -> BlobVersion:
    blob_storage.write_bytes(container, "a.bin", bytes(size))
    version = head(container, "a.bin")
    assert version is not None
    return version


def bytes_of(meter: Meter) -> tuple[int, int]:
    """Read and written."""
    cost = meter.cost()
    return cost.bytes_read, cost.bytes_written


def test_the_files_of_a_job(container: str) -> None:
    meter, workspace = Meter(), BlobWorkspace("ab" * 32)
    with meter.running():
        workspace.write_bytes("a", bytes(100))
        workspace.write_json("b", [1, 2])
        workspace.read_bytes("a")
        assert not workspace.exists("c")
    assert bytes_of(meter) == (100, 106)


def test_files_that_come_and_go(container: str, tmp_path: Path) -> None:
    source, target, meter = tmp_path / "source", tmp_path / "target", Meter()
    source.write_bytes(bytes(LARGE))
    with meter.running():
        version = upload_file(
            source, container, "a.bin", content_type="application/octet-stream", check=carry_on
        )
    assert bytes_of(meter) == (0, LARGE)
    with meter.running():
        download(version, target, check=carry_on, arrived=lambda _: None)
    assert bytes_of(meter) == (LARGE, LARGE)


def test_ranges(container: str) -> None:
    version, meter = put(container, 1000), Meter()
    ranges = BlobRanges(container, version.path, version.size)
    with meter.running():
        ranges.read(10, 300)
    assert bytes_of(meter) == (300, 0)


def test_what_is_in_memory_still_is_not_read_again(container: str) -> None:
    blob, meter = CachedBlob(put(container, 1000), BlockCache()), Meter()
    with meter.running():
        blob.read(0, 10)
        blob.read(500, 10)
    assert bytes_of(meter) == (1000, 0)


def test_blobs_that_grow(container: str) -> None:
    meter = Meter()
    with meter.running():
        blob = AppendBlob.at(container, "grows")
        blob.begin({})
        blob.append(bytes(100))
        blob.append(bytes(50))
        assert len(b"".join(blob.iter_bytes())) == 150
    assert bytes_of(meter) == (150, 150)


def test_copies_that_storage_makes(container: str) -> None:
    version, meter = put(container, 1000), Meter()
    with meter.running():
        for moved in (True, False):
            copied = copy_blob(
                version, container, "b.bin", CopyRules("a" if moved else "b"), check=carry_on
            )
            assert copied.moved is moved
    # The second time it is there already.
    assert bytes_of(meter) == (1000, 1000)
