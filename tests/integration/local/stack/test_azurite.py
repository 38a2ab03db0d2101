"""Azurite with its journal: what it has acknowledged outlives its process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobServiceClient, ContainerClient

from tests.servers import Azurite


@pytest.fixture
def own_azurite(scratch: Path, request: pytest.FixtureRequest) -> Iterator[Azurite]:
    """An Azurite that a test may kill without harm to others."""
    directory = scratch / request.node.name
    directory.mkdir()
    server = Azurite(directory)
    yield server
    server.stop()


def container(server: Azurite, name: str = "bronze") -> ContainerClient:
    service = BlobServiceClient.from_connection_string(server.connection_string)
    client = service.get_container_client(name)
    if not client.exists():
        client.create_container()
    return client


def kill_and_restart(server: Azurite) -> None:
    server.kill()
    server.start()


def test_every_kind_of_change_survives_a_kill(own_azurite: Azurite) -> None:
    blobs = container(own_azurite)
    for number in range(20):
        blobs.upload_blob(f"tiles/{number:02}.tif", b"x" * number, metadata={"n": str(number)})
    blobs.upload_blob("tiles/00.tif", b"replaced", overwrite=True)
    blobs.get_blob_client("tiles/01.tif").set_blob_metadata({"n": "changed"})
    blobs.delete_blobs(*(f"tiles/{number:02}.tif" for number in range(10, 20)))
    copy = blobs.get_blob_client("copy.tif")
    copy.start_copy_from_url(blobs.get_blob_client("tiles/09.tif").url)
    copied = copy.get_blob_properties()

    kill_and_restart(own_azurite)

    names = [f"tiles/{number:02}.tif" for number in range(10)]
    assert [blob.name for blob in blobs.list_blobs()] == ["copy.tif", *names]
    assert blobs.download_blob("tiles/00.tif").readall() == b"replaced"
    assert blobs.get_blob_client("tiles/01.tif").get_blob_properties().metadata == {"n": "changed"}
    after = copy.get_blob_properties()
    assert (after.etag, after.content_settings.content_md5) == (
        copied.etag,
        copied.content_settings.content_md5,
    )


def test_blocks_that_were_staged_can_be_committed_after_a_kill(own_azurite: Azurite) -> None:
    blob = container(own_azurite).get_blob_client("large.tif")
    blob.stage_block("AAAA", b"first ")
    blob.stage_block("BBBB", b"second")
    kill_and_restart(own_azurite)
    blob.commit_block_list(["AAAA", "BBBB"])
    kill_and_restart(own_azurite)
    assert blob.download_blob().readall() == b"first second"


def test_a_deleted_container_stays_deleted(own_azurite: Azurite) -> None:
    doomed = container(own_azurite, "doomed")
    doomed.upload_blob("a.json", b"{}")
    doomed.delete_container()
    kill_and_restart(own_azurite)
    assert not doomed.exists()
    again = container(own_azurite, "doomed")
    with pytest.raises(ResourceNotFoundError):
        again.download_blob("a.json")


def test_a_line_that_was_cut_off_is_passed_over(own_azurite: Azurite, scratch: Path) -> None:
    blobs = container(own_azurite)
    blobs.upload_blob("a.json", b"{}")
    own_azurite.kill()
    [journal] = (own_azurite.part.directory).glob("__azurite_db_blob__.json.journal.*")
    with journal.open("a") as file:
        file.write('{"name":"$BLOBS_COLLECTION$","id":99,"docu')
    own_azurite.start()
    assert [blob.name for blob in blobs.list_blobs()] == ["a.json"]


def test_the_journal_is_cut_when_the_database_is_saved(own_azurite: Azurite) -> None:
    directory = own_azurite.part.directory
    blobs = container(own_azurite)
    for number in range(50):
        blobs.upload_blob(f"{number}.json", b"{}")
    own_azurite.stop()
    assert sum(path.stat().st_size for path in directory.glob("*.journal.*")) == 0
    own_azurite.start()
    assert len(list(blobs.list_blobs())) == 50
