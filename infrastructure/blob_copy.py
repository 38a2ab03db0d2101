"""Copy a blob inside the storage account, by the service itself: no byte passes through here.

A copy is of one version of the source (its ETag), is polled to its end and verified, and the
target remembers in its metadata which version it came from. That makes a copy safe to repeat:
a target that holds this version already is left alone, and one that a crash left half-copied
is never taken for good.

Source and target lie in one account, so the request's own authorization covers both
(https://learn.microsoft.com/rest/api/storageservices/copy-blob#authorization).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError
from azure.storage.blob import BlobClient, BlobProperties

from core.errors import GeoforgeError, NotFound, TransientTaskError
from infrastructure import blob_storage, metering
from infrastructure.blob_lookup import BlobVersion, head

log = logging.getLogger(__name__)

SOURCE_ETAG = "geoforge_source_etag"
SOURCE_MD5 = "geoforge_source_md5"
COPIED_BY = "geoforge_job_id"

_FIRST_POLL_SECONDS = 0.05
_LONGEST_POLL_SECONDS = 5.0
_STALLED_SECONDS = 600.0
_RACES = 5


class CopyFault(StrEnum):
    """Why a blob was not copied."""

    TARGET_EXISTS = "target_exists"
    SOURCE_CHANGED = "source_changed"
    FAILED = "copy_failed"


class CopyRefused(GeoforgeError):
    """The copy cannot be made, and trying again would change nothing."""

    code = "copy_refused"

    def __init__(self, fault: CopyFault, message: str) -> None:
        super().__init__(message, code=fault)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Copied:
    """The target now holds the source's version; `moved` is False if it did so before."""

    moved: bool
    size: int


@dataclass(frozen=True, slots=True)
class CopyRules:
    """What to do about a target that exists.

    With `skip_existing` a target that holds the source's version stays; with `overwrite` one
    that holds anything else is replaced, without it the copy is refused.
    """

    job_id: str
    skip_existing: bool = True
    overwrite: bool = False


def copy_blob(
    source: BlobVersion,
    container: str,
    path: str,
    rules: CopyRules,
    *,
    check: Callable[[], None],
) -> Copied:
    """Bring this version of the source to container/path, verified.

    `check` is called while waiting and may raise: the copy is then undone. Raises
    `CopyRefused`, `NotFound` for a missing target container, `Unavailable` when storage is
    down and `TransientTaskError` when a copy makes no progress.
    """
    client = blob_storage.blob_client(container, path)
    for _ in range(_RACES):
        present = _settled(client, container, path, check)
        if present is not None and _holds(present, source):
            if present.metadata.get(COPIED_BY) == rules.job_id:
                return Copied(moved=True, size=source.size)  # By an attempt that was cut off.
            if rules.skip_existing:
                return Copied(moved=False, size=source.size)
        elif present is not None and not rules.overwrite:
            raise CopyRefused(
                CopyFault.TARGET_EXISTS,
                f"{container}/{path} exists and differs from {source.container}/{source.path}; "
                "set overwrite to replace it.",
            )
        if _start(client, source, present, rules):
            return _finish(client, source, container, path, check)
    raise TransientTaskError(
        f"Another writer keeps changing {container}/{path}.", code="target_contended"
    )


def _holds(target: BlobProperties, source: BlobVersion) -> bool:
    """Whether the target's content is the source's version."""
    if target.size != source.size:
        return False
    if target.metadata.get(SOURCE_ETAG) == source.etag:
        return True
    md5 = target.content_settings.content_md5
    return source.md5 is not None and md5 is not None and bytes(md5).hex() == source.md5


def _settled(
    client: BlobClient, container: str, path: str, check: Callable[[], None]
) -> BlobProperties | None:
    """The target once no copy to it is under way; None where there is no valid one."""
    present = blob_storage.properties(container, path)
    if present is not None and present.copy.status == "pending":
        present = _poll(client, container, path, check)
    if present is not None and present.copy.status in ("failed", "aborted"):
        _delete(client, container, path)
        return None
    return present


def _start(
    client: BlobClient, source: BlobVersion, present: BlobProperties | None, rules: CopyRules
) -> bool:
    """Start the copy; False when the target changed since it was looked at."""
    guard: dict[str, Any] = (
        {"match_condition": MatchConditions.IfMissing}
        if present is None
        else {"match_condition": MatchConditions.IfNotModified, "etag": present.etag}
    )
    try:
        with blob_storage.faults(client.container_name, client.blob_name):
            client.start_copy_from_url(
                blob_storage.blob_client(source.container, source.path).url,
                metadata=_metadata(source, rules),
                source_etag=f'"{source.etag}"',
                source_match_condition=MatchConditions.IfNotModified,
                **guard,
            )
    except ResourceExistsError:
        return False  # Created meanwhile, or 409 PendingCopyOperation: look again.
    except NotFound as error:
        if error.error_code == "container_not_found" and not blob_storage.container_exists(
            client.container_name
        ):
            raise
        raise _changed(source) from error
    except HttpResponseError as error:
        if error.status_code == 412:
            # Services differ in which code says whose condition failed.
            now = head(source.container, source.path)
            if now is None or now.etag != source.etag:
                raise _changed(source) from error
            return False
        code = getattr(error, "error_code", None) or error.reason
        raise _failed(source, f"storage answered {error.status_code} {code}") from error
    return True


def _metadata(source: BlobVersion, rules: CopyRules) -> dict[str, str]:
    """The source's own metadata, which a copy with metadata would drop, and where it is from."""
    metadata = {**source.metadata, SOURCE_ETAG: source.etag, COPIED_BY: rules.job_id}
    metadata.pop(SOURCE_MD5, None)
    return metadata if source.md5 is None else {**metadata, SOURCE_MD5: source.md5}


def _finish(
    client: BlobClient,
    source: BlobVersion,
    container: str,
    path: str,
    check: Callable[[], None],
) -> Copied:
    """Poll the copy to its end and verify it. Nothing of a copy that went wrong stays."""
    try:
        target = _poll(client, container, path, check)
        if target is None or target.metadata.get(SOURCE_ETAG) != source.etag:
            raise TransientTaskError(
                f"{container}/{path} was replaced while it was copied.", code="target_contended"
            )
        if target.copy.status != "success":
            raise _failed(source, f"{target.copy.status}: {target.copy.status_description}")
        if target.size != source.size:
            raise _failed(source, f"{target.size} bytes arrived of {source.size}")
        md5 = target.content_settings.content_md5
        if source.md5 is not None and md5 is not None and bytes(md5).hex() != source.md5:
            raise _failed(source, "the MD5 of the copy differs")
        if source.md5 is None:
            # No digest to compare: the copy is whole if the source still is that version.
            now = head(source.container, source.path)
            if now is None or now.etag != source.etag:
                raise _changed(source)
    except TransientTaskError:
        raise
    except BaseException:
        _undo(client, container, path)
        raise
    # They have not come by here, and yet storage has read and written them for this.
    metering.read(source.size)
    metering.wrote(source.size)
    return Copied(moved=True, size=source.size)


def _poll(
    client: BlobClient, container: str, path: str, check: Callable[[], None]
) -> BlobProperties | None:
    """The target's properties when no copy to it is pending any more."""
    delay = _FIRST_POLL_SECONDS
    progress, since = None, time.monotonic()
    while True:
        target = blob_storage.properties(container, path)
        if target is None or target.copy.status != "pending":
            return target
        check()
        if target.copy.progress != progress:
            progress, since = target.copy.progress, time.monotonic()
        elif time.monotonic() - since > _STALLED_SECONDS:
            _undo(client, container, path)
            raise TransientTaskError(
                f"The copy to {container}/{path} made no progress for "
                f"{_STALLED_SECONDS / 60:.0f} minutes.",
                code="copy_stalled",
            )
        time.sleep(delay)
        delay = min(delay * 2, _LONGEST_POLL_SECONDS)


def _undo(client: BlobClient, container: str, path: str) -> None:
    """Abort a pending copy and remove its target. What storage refuses here is logged: a
    target with a pending or failed copy is not taken for good by a later attempt either."""
    try:
        target = client.get_blob_properties()
        if target.copy.status == "pending":
            client.abort_copy(target)
        client.delete_blob()
    except AzureError as error:
        log.warning("could not clean up %s/%s after a failed copy: %s", container, path, error)


def _delete(client: BlobClient, container: str, path: str) -> None:
    try:
        with blob_storage.faults(container, path):
            client.delete_blob()
    except NotFound:
        return  # Another attempt was faster.


def _changed(source: BlobVersion) -> CopyRefused:
    return CopyRefused(
        CopyFault.SOURCE_CHANGED,
        f"{source.container}/{source.path} was changed or removed while the job ran.",
    )


def _failed(source: BlobVersion, why: str) -> CopyRefused:
    return CopyRefused(
        CopyFault.FAILED, f"{source.container}/{source.path} could not be copied: {why}."
    )
