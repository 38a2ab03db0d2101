"""Download one version of a blob into a local file, in several ranges at a time."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError

from core.errors import NotFound, PermanentTaskError, TransientTaskError
from infrastructure import blob_storage, metering
from infrastructure.blob_lookup import BlobVersion

# Measured with ranges of 8 MiB: two connections double the rate of one, eight add nothing on
# one machine, and a storage account serves each at some 60 MB/s.
_CONNECTIONS = 4
_AHEAD = 2 * _CONNECTIONS


def download(
    version: BlobVersion,
    target: Path,
    *,
    check: Callable[[], None],
    arrived: Callable[[int], None],
) -> None:
    """Write the blob's content to a new file; at most some 70 MB of it are in memory.

    `check` is called between ranges and may raise; `arrived` is told the bytes of each range.
    Every range is asked for under the version's ETag, and must have its full length. Raises
    `PermanentTaskError` (source_changed, blob_archived) where there is no such version to be
    had any more, `Unavailable` when storage is down.
    """
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.truncate(descriptor, version.size)
        _fill(descriptor, version, check, arrived)
    finally:
        os.close(descriptor)


def _fill(
    descriptor: int,
    version: BlobVersion,
    check: Callable[[], None],
    arrived: Callable[[int], None],
) -> None:
    starts = iter(range(0, version.size, blob_storage.CHUNK_BYTES))
    pending: list[Future[int]] = []
    with metering.Threads(_CONNECTIONS, thread_name_prefix="download") as threads:
        try:
            while True:
                for start in starts:
                    pending.append(threads.submit(_copy_range, version, start, descriptor))
                    if len(pending) == _AHEAD:
                        break
                if not pending:
                    return
                length = pending.pop(0).result()
                metering.read(length)
                arrived(length)
                check()
        except BaseException:
            for future in pending:
                future.cancel()
            raise


def _copy_range(version: BlobVersion, start: int, descriptor: int) -> int:
    """Copy one range of the blob to its place in the file; its bytes."""
    length = min(blob_storage.CHUNK_BYTES, version.size - start)
    try:
        with blob_storage.faults(version.container, version.path):
            data = (
                blob_storage.blob_client(version.container, version.path)
                .download_blob(
                    offset=start,
                    length=length,
                    etag=f'"{version.etag}"',
                    match_condition=MatchConditions.IfNotModified,
                )
                .readall()
            )
    except NotFound as error:
        raise _changed(version) from error
    except HttpResponseError as error:
        if error.status_code == 412:
            raise _changed(version) from error
        if getattr(error, "error_code", None) == "BlobArchived":
            raise PermanentTaskError(
                f"{version.container}/{version.path} is in the archive tier: it must be "
                "rehydrated before it can be read.",
                code="blob_archived",
            ) from error
        raise
    if len(data) != length:
        raise TransientTaskError(
            f"{len(data):,} of {length:,} bytes arrived of a range of "
            f"{version.container}/{version.path}.",
            code="source_incomplete",
        )
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, start)
        view, start = view[written:], start + written
    return length


def _changed(version: BlobVersion) -> PermanentTaskError:
    return PermanentTaskError(
        f"{version.container}/{version.path} was changed or removed while the job ran: "
        "submit it again to read what is there now.",
        code="source_changed",
        container=version.container,
        path=version.path,
    )
