"""Local files become blobs, whole or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import TaskCancelled
from infrastructure import blob_storage
from infrastructure.blob_upload import sha256_of, upload_file
from tests.support.settings import app_settings
from tests.support.stac_collection import new_container


@pytest.fixture(autouse=True)
def _app(blob_connection_string: str) -> Iterator[None]:
    with app_settings(AZURE_STORAGE_CONNECTION_STRING=blob_connection_string):
        yield


def nothing() -> None:
    """Nobody wants to stop."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "cog.tif"
    path.write_bytes(bytes(range(256)) * 130_000)  # 33 MB: several blocks
    return path


def test_a_file_of_several_blocks_arrives_as_it_is(file: Path) -> None:
    container = new_container()
    version = upload_file(file, container, "a/cog.tif", content_type="image/tiff", check=nothing)
    assert (version.container, version.path) == (container, "a/cog.tif")
    assert version.size == file.stat().st_size
    assert blob_storage.read_bytes(container, "a/cog.tif") == file.read_bytes()
    found = blob_storage.properties(container, "a/cog.tif")
    assert found is not None
    assert found.content_settings.content_type == "image/tiff"


def test_a_missing_container_is_made(file: Path) -> None:
    container = f"{new_container()}-new"
    upload_file(file, container, "cog.tif", content_type="image/tiff", check=nothing)
    assert blob_storage.container_exists(container)


def test_an_upload_that_is_stopped_leaves_what_was_there(file: Path) -> None:
    container = new_container()
    blob_storage.ensure_container(container)
    blob_storage.write_bytes(container, "cog.tif", b"before")
    looks = 0

    def cancelled() -> None:
        nonlocal looks
        looks += 1
        if looks > 2:
            raise TaskCancelled("The job was cancelled.")

    with pytest.raises(TaskCancelled):
        upload_file(file, container, "cog.tif", content_type="image/tiff", check=cancelled)
    assert blob_storage.read_bytes(container, "cog.tif") == b"before"


def test_the_digest_is_that_of_the_content(file: Path) -> None:
    assert sha256_of(file, check=nothing) == hashlib.sha256(file.read_bytes()).hexdigest()
