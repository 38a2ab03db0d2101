"""Upload a local file as a blob, in blocks, and prove that it arrived."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from azure.storage.blob import ContentSettings

from core.errors import NotFound, TransientTaskError
from infrastructure import blob_storage, metering
from infrastructure.blob_lookup import BlobVersion, head

# Blocks that travel at the same time, and are in memory.
_CONNECTIONS = 4


def upload_file(
    source: Path,
    container: str,
    path: str,
    *,
    content_type: str,
    check: Callable[[], None],
) -> BlobVersion:
    """Write the file to container/path, whole or not at all; the version that is there then.

    A blob of that name is replaced, a missing container made. `check` is called between the
    blocks and may raise. Raises `TransientTaskError` where another size arrived, `Unavailable`
    when storage is down.
    """
    size = source.stat().st_size
    try:
        _upload(source, size, container, path, content_type, check)
    except NotFound:
        blob_storage.ensure_container(container)
        _upload(source, size, container, path, content_type, check)
    version = head(container, path)
    if version is None or version.size != size:
        raise TransientTaskError(
            f"{container}/{path} is not what was uploaded: another writer is at work there.",
            code="upload_contended",
        )
    metering.wrote(size)
    return version


def sha256_of(file: Path, *, check: Callable[[], None]) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(blob_storage.CHUNK_BYTES):
            check()
            digest.update(block)
    return digest.hexdigest()


def _upload(
    source: Path,
    size: int,
    container: str,
    path: str,
    content_type: str,
    check: Callable[[], None],
) -> None:
    with source.open("rb") as stream, blob_storage.faults(container, path):
        blob_storage.blob_client(container, path).upload_blob(
            _Watched(stream, check),  # type: ignore[arg-type]  # the SDK reads, and no more
            length=size,
            overwrite=True,
            max_concurrency=_CONNECTIONS,
            content_settings=ContentSettings(content_type=content_type),
        )


class _Watched:
    """A file whose reader looks up between blocks: the SDK has no other way to be stopped."""

    def __init__(self, stream: BinaryIO, check: Callable[[], None]) -> None:
        self._stream = stream
        self._check = check

    def read(self, size: int = -1) -> bytes:
        self._check()
        return self._stream.read(size)
