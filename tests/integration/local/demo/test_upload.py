"""Uploading a directory: what is there already is passed over."""

from __future__ import annotations

from pathlib import Path

from azure.storage.blob import ContainerClient

from local.demo.upload import Uploaded, upload


def test_only_what_has_changed_is_sent(blob_connection_string: str, tmp_path: Path) -> None:
    (tmp_path / "tiles").mkdir()
    files = [tmp_path / "collection.json", tmp_path / "tiles" / "a.tif"]
    files[0].write_text("{}")
    files[1].write_bytes(b"pixels")

    def run() -> Uploaded:
        return upload(blob_connection_string, "upload-test", tmp_path, files)

    assert run() == Uploaded(uploaded=2, unchanged=0, bytes_sent=8)
    assert run() == Uploaded(uploaded=0, unchanged=2, bytes_sent=0)
    files[0].write_text("{} ")
    assert run() == Uploaded(uploaded=1, unchanged=1, bytes_sent=3)

    with ContainerClient.from_connection_string(blob_connection_string, "upload-test") as client:
        blobs = {blob.name: blob.content_settings.content_type for blob in client.list_blobs()}
        assert blobs == {"collection.json": "application/json", "tiles/a.tif": "image/tiff"}
        assert client.download_blob("collection.json").readall() == b"{} "
