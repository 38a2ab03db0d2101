"""The files of one version of a dataset, in blob storage.

They lie under `<dataset_id>/<version>/` of the container of curated files. A download commits
what has come piece by piece, so the next attempt goes on where one was cut off, in whatever
process; what is complete is not fetched again. ::

    stored = files.download("lakes.zip", url)
    return files.ref(stored)

What a handler makes itself, `write` stores, complete or not at all. No address is kept: a
presigned one is a password.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobPrefix

from config import get_settings
from core.errors import NotFound, PermanentTaskError, TransientTaskError
from infrastructure import blob_storage
from infrastructure.blob_append import PIECE_BYTES, AppendBlob
from infrastructure.source_client import SourceClient, SourceUnavailable, source_client
from infrastructure.source_download import Address, Begun, Download, download
from services.curated.digests import Digests
from services.vector.source_files import SourceBlob, SourceRef, safe_name

# Of a blob's metadata, whose names are C# identifiers and whose values are ASCII.
_STATE = "geoforge_state"
_SOURCE = "geoforge_source"
_VALIDATOR = "geoforge_validator"
_SIZE = "geoforge_size"
_SHA256 = "geoforge_sha256"
_JOB = "geoforge_job_id"
_FETCHED = "geoforge_fetched_at"
_PARTIAL, _COMPLETE = "partial", "complete"

Check = Callable[[], None]
Progress = Callable[..., None]


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that is there whole. `validator` is the source's ETag or date of its last change."""

    name: str
    container: str
    path: str
    etag: str
    size: int
    sha256: str
    validator: str | None


class FileStore:
    """The files of one version of a dataset, for one job.

    With `fresh`, what another job has fetched is fetched again. `check` is called between parts
    and may raise; `progress` is told `bytes_fetched` and `bytes_total`.
    """

    def __init__(
        self,
        dataset_id: str,
        version: str,
        job_id: str,
        *,
        check: Check,
        progress: Progress,
        fresh: bool = False,
        client: SourceClient | None = None,
    ) -> None:
        self._container = get_settings().curated_container
        self._folder = f"{dataset_id}/{folder_of(version)}"
        self._job_id = job_id
        self._fresh = fresh
        self._check = check
        self._progress = progress
        self._client = client or source_client()
        self._checksums: dict[str, str] = {}

    def download(
        self,
        name: str,
        open_url: Address,
        *,
        source: str = "",
        headers: Mapping[str, str] | None = None,
        validator: str | None = None,
        size: int | None = None,
        expected_sha256: str | None = None,
        expected_md5: str | None = None,
    ) -> StoredFile:
        """Bring a file here, unless it is here already.

        `open_url` is the address, or makes one; it is called again where the server refuses in
        mid-download an address that it took before. `source` says in the dataset's own words
        what is behind it: a file of this name from another source is replaced. `headers` go to
        the address's origin only. `validator` is the ETag, or the date of the last change, that
        the content must have. `size` is in bytes, the digests are in hex.

        Raises `PermanentTaskError` (source_changed) where the source has another content,
        `SourceRefused`, `SourceUnavailable`, `TransientTaskError` (source_incomplete,
        checksum_differs, blob_contended) and `Unavailable`.
        """
        name = safe_name(name)
        wanted = _Wanted(_digest(source), validator, size, expected_sha256, expected_md5)
        blob = AppendBlob.at(self._container, f"{self._folder}/{name}")
        stored = _stored(name, blob)
        if stored is not None and self._is_ours(blob) and wanted.is_met_by(stored, blob.metadata):
            self._checksums[stored.path] = stored.sha256
            return stored
        begun, digests = self._begun(blob, wanted)
        if begun is None or not _is_all(blob, begun):
            with download(
                self._client,
                open_url,
                limit_bytes=get_settings().max_source_bytes,
                check=self._check,
                headers=headers,
                begun=begun,
            ) as arriving:
                digests = self._write(blob, arriving, wanted, digests)
        stored = self._complete(name, blob, wanted, digests)
        self._checksums[stored.path] = stored.sha256
        return stored

    def write(self, name: str, pieces: Iterable[bytes], *, source: str) -> StoredFile:
        """Store a file that the handler makes itself, unless this job has stored it already.

        `source` says in the dataset's own words what is in it: what this job has made of the same
        is used again, and then no piece is asked for. The file is there when all pieces are; what
        an attempt left that broke off is replaced.

        Raises what the pieces raise, `PermanentTaskError` (source_too_large),
        `TransientTaskError` (blob_contended) and `Unavailable`.
        """
        name = safe_name(name)
        wanted = _Wanted(_digest(source), None, None, None, None)
        blob = AppendBlob.at(self._container, f"{self._folder}/{name}")
        stored = _stored(name, blob)
        is_own = blob.metadata.get(_JOB) == self._job_id
        if stored is None or not is_own or not wanted.may_be(blob.metadata):
            digests = Digests(with_md5=wanted.md5 is not None)
            blob.begin({_STATE: _PARTIAL, _SOURCE: wanted.source, _JOB: self._job_id})
            self._append_all(blob, self._limited(name, pieces), digests, None)
            stored = self._complete(name, blob, wanted, digests)
        self._checksums[stored.path] = stored.sha256
        return stored

    def _limited(self, name: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
        limit, size = get_settings().max_source_bytes, 0
        for piece in pieces:
            self._check()
            size += len(piece)
            if size > limit:
                raise PermanentTaskError(
                    f"{name} has more than the {limit:,} bytes that a source may have "
                    "(GEOFORGE_MAX_SOURCE_BYTES).",
                    code="source_too_large",
                )
            yield piece

    def ref(self, *files: StoredFile) -> SourceRef:
        """The exact version of these files, for those who read them. The first names the source."""
        if not files:
            raise ValueError("a source has one file at least")
        return SourceRef(
            container=self._container,
            path=files[0].path,
            blobs=tuple(
                SourceBlob(path=file.path, etag=file.etag, size=file.size, local=file.name)
                for file in files
            ),
        )

    def sha256_of(self, path: str) -> str | None:
        """The checksum of a file that was brought here, by its path; None for any other."""
        return self._checksums.get(path)

    def discard(self) -> None:
        """Remove the files that were brought here: they are fetched again by whoever wants them.

        Raises `Unavailable`.
        """
        for path in self._checksums:
            _remove(self._container, path)
        self._checksums.clear()

    def _is_ours(self, blob: AppendBlob) -> bool:
        return not self._fresh or blob.metadata.get(_JOB) == self._job_id

    def _begun(self, blob: AppendBlob, wanted: _Wanted) -> tuple[Begun | None, Digests]:
        """What can be gone on with, and the digests of that; they are made by reading it."""
        digests = Digests(with_md5=wanted.md5 is not None)
        validator = _validator(blob.metadata)
        usable = (
            blob.is_append
            and blob.metadata.get(_STATE) == _PARTIAL
            and blob.size > 0
            and validator is not None
            and self._is_ours(blob)
            and wanted.may_be(blob.metadata)
        )
        if not usable or validator is None:
            return None, digests
        for part in blob.iter_bytes():
            self._check()
            digests.add(part)
        return Begun(blob.size, validator), digests

    def _write(
        self, blob: AppendBlob, arriving: Download, wanted: _Wanted, digests: Digests
    ) -> Digests:
        """Append what arrives; the digests of the whole file."""
        if wanted.validator is not None and arriving.validator != wanted.validator:
            raise PermanentTaskError(
                "The source has changed since its version was asked for: the next update takes "
                "what it offers now.",
                code="source_changed",
            )
        if arriving.position == 0:
            digests = Digests(with_md5=wanted.md5 is not None)
            blob.begin(self._facts(arriving, wanted))
        self._append_all(blob, arriving.iter_bytes(), digests, arriving.size)
        return digests

    def _append_all(
        self, blob: AppendBlob, parts: Iterable[bytes], digests: Digests, total: int | None
    ) -> None:
        buffer = bytearray()
        try:
            for part in parts:
                buffer += part
                while len(buffer) >= PIECE_BYTES:
                    self._append(blob, bytes(buffer[:PIECE_BYTES]), digests, total)
                    del buffer[:PIECE_BYTES]
        except SourceUnavailable:
            # The next attempt at a download goes on from here, also where little comes at a time.
            self._append(blob, bytes(buffer), digests, total)
            raise
        self._append(blob, bytes(buffer), digests, total)

    def _append(self, blob: AppendBlob, piece: bytes, digests: Digests, total: int | None) -> None:
        if piece:
            blob.append(piece)
            digests.add(piece)
            self._progress(bytes_fetched=blob.size, bytes_total=total)

    def _facts(self, arriving: Download, wanted: _Wanted) -> dict[str, str]:
        facts = {_STATE: _PARTIAL, _SOURCE: wanted.source, _JOB: self._job_id}
        if arriving.validator is not None:
            facts[_VALIDATOR] = quote(arriving.validator, safe="")
        if arriving.size is not None:
            facts[_SIZE] = str(arriving.size)
        return facts

    def _complete(
        self, name: str, blob: AppendBlob, wanted: _Wanted, digests: Digests
    ) -> StoredFile:
        """Check that the file is what was promised, and mark it so."""
        promised = wanted.size if wanted.size is not None else _size(blob.metadata)
        if promised is not None and blob.size != promised:
            blob.remove()
            raise TransientTaskError(
                f"{name} has {blob.size:,} bytes, and not the {promised:,} that the source says.",
                code="source_incomplete",
            )
        differs = digests.differ_from(wanted.sha256, wanted.md5)
        if differs is not None:
            blob.remove()
            raise TransientTaskError(
                f"The {differs} of {name} is not the one that the source says.",
                code="checksum_differs",
            )
        blob.describe(
            {
                **blob.metadata,
                _STATE: _COMPLETE,
                _SIZE: str(blob.size),
                _SHA256: digests.sha256,
                _JOB: self._job_id,
                _FETCHED: datetime.now(UTC).isoformat(timespec="seconds"),
            }
        )
        stored = _stored(name, blob)
        assert stored is not None  # Just made so, under the ETag of what was written.
        return stored


def tidy(dataset_id: str, keep: Collection[str], *, check: Check) -> int:
    """Remove the files of all versions of a dataset but these; the number of files removed.

    Raises `Unavailable`.
    """
    container = get_settings().curated_container
    kept = {folder_of(version) for version in keep}
    removed = 0
    try:
        for path in _listed(container, f"{dataset_id}/"):
            check()
            if path.split("/")[1] not in kept:
                removed += _remove(container, path)
    except NotFound:  # nothing was ever fetched
        return removed
    return removed


def dataset_ids() -> list[str]:
    """The datasets that have files here, and what else has a folder. Raises `Unavailable`."""
    container = get_settings().curated_container
    try:
        with blob_storage.faults(container):
            found = blob_storage.container_client(container).walk_blobs(delimiter="/")
            return [each.name.rstrip("/") for each in found if isinstance(each, BlobPrefix)]
    except NotFound:  # nothing was ever fetched
        return []


def folder_of(version: str) -> str:
    """The name of a version's folder: readable, and another one for every version."""
    readable = re.sub(r"[^a-z0-9]+", "-", version.lower()).strip("-")[:40].strip("-")
    return f"{readable or 'version'}-{hashlib.sha256(version.encode()).hexdigest()[:8]}"


def _listed(container: str, prefix: str) -> Iterator[str]:
    with blob_storage.faults(container):
        yield from blob_storage.container_client(container).list_blob_names(name_starts_with=prefix)


def _remove(container: str, path: str) -> bool:
    """Delete a blob; False where it was gone already."""
    with blob_storage.faults(container, path), suppress(ResourceNotFoundError):
        blob_storage.blob_client(container, path).delete_blob()
        return True
    return False


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is said of a file before it is there."""

    source: str
    validator: str | None
    size: int | None
    sha256: str | None
    md5: str | None

    def may_be(self, facts: Mapping[str, str]) -> bool:
        """Whether a file with these metadata is from this source, in this version of it."""
        return facts.get(_SOURCE) == self.source and self.validator in (None, _validator(facts))

    def is_met_by(self, stored: StoredFile, facts: Mapping[str, str]) -> bool:
        return (
            self.may_be(facts)
            and self.size in (None, stored.size)
            and self.sha256 in (None, stored.sha256)
        )


def _stored(name: str, blob: AppendBlob) -> StoredFile | None:
    """The file that the blob is, if all of it is there."""
    facts = blob.metadata
    if facts.get(_STATE) != _COMPLETE or str(blob.size) != facts.get(_SIZE):
        return None
    return StoredFile(
        name=name,
        container=blob.container,
        path=blob.path,
        etag=blob.etag,
        size=blob.size,
        sha256=facts[_SHA256],
        validator=_validator(facts),
    )


def _is_all(blob: AppendBlob, begun: Begun) -> bool:
    """Whether all had come when the earlier attempt was cut off."""
    return begun.received == _size(blob.metadata)


def _validator(facts: Mapping[str, str]) -> str | None:
    return unquote(facts[_VALIDATOR]) if _VALIDATOR in facts else None


def _size(facts: Mapping[str, str]) -> int | None:
    return int(facts[_SIZE]) if _SIZE in facts else None


def _digest(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()[:32]
