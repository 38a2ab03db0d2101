"""A blob that grows piece by piece, and survives the process that writes it.

::

    blob = AppendBlob.at(container, path)       # what an earlier attempt left, if anything
    if not blob.is_append:
        blob.begin({"state": "partial"})
    blob.append(piece)                          # committed when it returns
    blob.describe({"state": "complete"})

Every change is made under the ETag of the one before, and every piece at the place where the
last one ended: of two writers the slower one is refused, and nothing of theirs is mixed.
https://learn.microsoft.com/rest/api/storageservices/append-block
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.storage.blob import BlobType

from core.errors import NotFound, TransientTaskError
from infrastructure import blob_storage, metering

# What every version of the service takes as one piece; a blob may have 50,000 of them.
PIECE_BYTES = 4 * 1024 * 1024
_CONDITION_FAILED = (409, 412)


class AppendBlob:
    """One blob as this writer knows it: changes of others show as a refusal of the next one."""

    def __init__(self, container: str, path: str) -> None:
        self.container = container
        self.path = path
        self.size = 0
        self.metadata: dict[str, str] = {}
        self.is_append = False
        self._etag: str | None = None

    @classmethod
    def at(cls, container: str, path: str) -> AppendBlob:
        """The blob as it is now, or as it may be begun. Raises `Unavailable`."""
        blob = cls(container, path)
        present = blob_storage.properties(container, path)
        if present is not None:
            blob.size = present.size
            blob.metadata = dict(present.metadata or {})
            blob.is_append = present.blob_type == BlobType.APPENDBLOB
            blob._etag = present.etag
        return blob

    @property
    def exists(self) -> bool:
        return self._etag is not None

    @property
    def etag(self) -> str:
        """The ETag without quotes. Raises ValueError where there is no blob yet."""
        if self._etag is None:
            raise ValueError(f"{self.container}/{self.path} does not exist")
        return self._etag.strip('"')

    def begin(self, metadata: Mapping[str, str]) -> None:
        """Make it an empty append blob, in place of what was there.

        Raises `TransientTaskError` (blob_contended) where another writer was quicker.
        """
        try:
            self._create(metadata)
        except NotFound:
            blob_storage.ensure_container(self.container)
            self._create(metadata)
        self.size, self.metadata, self.is_append = 0, dict(metadata), True

    def append(self, piece: bytes) -> None:
        """Add at most `PIECE_BYTES`; they are kept when this returns. Raises as `begin`."""
        with self._one_writer():
            answer = self._client().append_block(
                piece, length=len(piece), appendpos_condition=self.size, **self._unchanged()
            )
        metering.wrote(len(piece))
        self.size += len(piece)
        self._etag = str(answer["etag"])

    def describe(self, metadata: Mapping[str, str]) -> None:
        """Replace the blob's metadata. Raises as `begin`."""
        with self._one_writer():
            answer = self._client().set_blob_metadata(dict(metadata), **self._unchanged())
        self.metadata = dict(metadata)
        self._etag = str(answer["etag"])

    def remove(self) -> None:
        """Delete the blob. Raises as `begin`."""
        with self._one_writer():
            self._client().delete_blob(**self._unchanged())
        self.size, self.metadata, self.is_append, self._etag = 0, {}, False, None

    def iter_bytes(self) -> Iterator[bytes]:
        """What was written so far, in parts of bounded size."""
        if self.size == 0:
            return
        with self._one_writer():
            stream = self._client().download_blob(length=self.size, offset=0, **self._unchanged())
            for part in stream.chunks():
                metering.read(len(part))
                yield part

    def _create(self, metadata: Mapping[str, str]) -> None:
        condition: dict[str, Any] = (
            self._unchanged() if self.exists else {"match_condition": MatchConditions.IfMissing}
        )
        with self._one_writer():
            answer = self._client().create_append_blob(metadata=dict(metadata), **condition)
        self._etag = str(answer["etag"])

    def _unchanged(self) -> dict[str, Any]:
        return {"etag": f'"{self.etag}"', "match_condition": MatchConditions.IfNotModified}

    def _client(self) -> Any:
        return blob_storage.blob_client(self.container, self.path)

    @contextmanager
    def _one_writer(self) -> Iterator[None]:
        """Turn the refusal of a condition, and all else that storage raises, into our errors."""
        try:
            with blob_storage.faults(self.container, self.path):
                yield
        except NotFound as error:
            if error.error_code == "container_not_found" or not self.exists:
                raise
            raise self._contended() from error
        except ResourceExistsError as error:
            raise self._contended() from error
        except HttpResponseError as error:
            if error.status_code in _CONDITION_FAILED:
                raise self._contended() from error
            raise

    def _contended(self) -> TransientTaskError:
        return TransientTaskError(
            f"{self.container}/{self.path} is being written by another attempt.",
            code="blob_contended",
        )
