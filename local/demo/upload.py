"""Brings a directory into a container, passing over what is there already."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient, ContainerClient, ContentSettings

_CONTENT_TYPES = {".json": "application/json", ".tif": "image/tiff", ".png": "image/png"}


@dataclass(frozen=True)
class Uploaded:
    """What came of an upload: numbers of files, and the bytes that were sent."""

    uploaded: int
    unchanged: int
    bytes_sent: int


def upload(connection_string: str, container: str, root: Path, files: list[Path]) -> Uploaded:
    """Upload files under their paths below a root, unless a blob of the same content is there.

    Raises:
        azure.core.exceptions.AzureError: the storage does not take them.
    """
    with BlobServiceClient.from_connection_string(connection_string) as service:
        client = service.get_container_client(container)
        known = _digests(client)
        sent = [_upload(client, root, path, known) for path in files]
    uploaded = [size for size in sent if size is not None]
    return Uploaded(len(uploaded), len(files) - len(uploaded), sum(uploaded))


def _digests(client: ContainerClient) -> dict[str, bytes]:
    """The MD5 of each blob in the container, which is made where it is missing."""
    try:
        client.create_container()
    except ResourceExistsError:
        return {
            blob.name: bytes(blob.content_settings.content_md5 or b"")
            for blob in client.list_blobs()
        }
    return {}


def _upload(client: ContainerClient, root: Path, path: Path, known: dict[str, bytes]) -> int | None:
    """Upload one file; its size, or None where it is there already."""
    name = path.relative_to(root).as_posix()
    content = path.read_bytes()
    digest = hashlib.md5(content, usedforsecurity=False).digest()
    if known.get(name) == digest:
        return None
    client.upload_blob(
        name,
        content,
        overwrite=True,
        content_settings=ContentSettings(
            content_type=_CONTENT_TYPES.get(path.suffix, "application/octet-stream"),
            content_md5=bytearray(digest),
        ),
    )
    return len(content)
