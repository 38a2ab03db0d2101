"""The file that a job reads: which blobs it is, in which version, and local copies of them.

A copy is a cache and nothing more. Every task asks for one by the job's `SourceRef`; on a
worker that has none, or none any more, the blobs are fetched again, and are the same::

    ref = pin(parameters)
    with local_copy(ref, check=context.check, progress=context.progress) as source:
        read(source.root)
"""

from __future__ import annotations

import difflib
import hashlib
import itertools
import posixpath
import re
import tempfile
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from pydantic import BaseModel, ConfigDict

from config import get_settings
from core.errors import NotFound, PermanentTaskError
from infrastructure import blob_storage, metering
from infrastructure.blob_download import download
from infrastructure.blob_lookup import BlobVersion, head
from infrastructure.file_cache import Entry, FileCache
from infrastructure.source_client import source_client
from infrastructure.source_download import Download
from infrastructure.source_download import download as fetch_file

# What belongs to a shapefile and says something about it; indexes are left where they are.
_SHAPEFILE_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg", ".qpj")
_GEODATABASE = ".gdb"
_MAX_GEODATABASE_FILES = 100_000
# How much of a folder is looked through for a name that was meant.
_MAX_LISTED = 5000
_NAME_BYTES = 200
_FILES = "files"

Check = Callable[[], None]
Progress = Callable[..., None]


class _NamesABlob(Protocol):
    """What `pin` needs of a job's parameters."""

    @property
    def container_name(self) -> str | None: ...

    @property
    def blob_name(self) -> str | None: ...


class SourceBlob(BaseModel):
    """One blob in one version. `local` is its name under the root of the local copy."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    etag: str
    size: int
    local: str


class SourceRef(BaseModel):
    """The exact version of a source that all tasks of a job read; it travels as JSON.

    `path` is the blob that names the source: the file, a shapefile's .shp, or the folder of a
    File Geodatabase.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    container: str
    path: str
    blobs: tuple[SourceBlob, ...]

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(blob.size for blob in self.blobs)

    @property
    def names(self) -> list[str]:
        """The paths of its blobs, the one that names the source first; of a folder its own."""
        paths = [blob.path for blob in self.blobs]
        if self.path not in paths:
            return [self.path]
        return [self.path, *(path for path in paths if path != self.path)]

    @property
    def key(self) -> str:
        """The same for the same content, as far as storage's ETags say."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class LocalSource:
    """A local copy, there while its context is open; read it, and leave it as it is."""

    root: Path
    files: list[Path]
    entry: Entry
    check: Check

    def derived(self, name: str, make: Callable[[Path], None]) -> Path:
        """A folder made out of the files once, and kept with them for later tasks.

        `make` fills an empty folder. What it raises comes out, and nothing of it stays.
        """
        return self.entry.part(name, make, check=self.check)


def pin(parameters: _NamesABlob) -> SourceRef:
    """What `blob_name` in `container_name` is at this moment.

    That is one blob; a loose shapefile, if it is any part of one; or the folder of a File
    Geodatabase. Raises `NotFound` naming container and blob, with the name that may have been
    meant, `PermanentTaskError` (source_too_large) and `Unavailable`.
    """
    container, path = parameters.container_name, parameters.blob_name
    if container is None or path is None:
        raise ValueError("container_name and blob_name are not given")
    path = path.rstrip("/")
    named = head(container, path)
    if named is not None and named.metadata.get("hdi_isfolder") == "true":
        named = None  # a folder of a storage account with hierarchical names
    if named is None:
        ref = _geodatabase(container, path)
        if ref is None:
            raise not_found(container, path)
    elif Path(path).suffix.lower() in _SHAPEFILE_PARTS:
        ref = _shapefile(named)
    else:
        ref = pinned([named], path, [safe_name(posixpath.basename(path))])
    refuse_too_large(ref)
    return ref


def refuse_too_large(ref: SourceRef) -> None:
    """Raise `PermanentTaskError` (source_too_large) for more than a source may have."""
    limit = get_settings().max_source_bytes
    if ref.size > limit:
        raise PermanentTaskError(
            f"{ref.container}/{ref.path} has {ref.size:,} bytes, more than the {limit:,} that a "
            "source may have (GEOFORGE_MAX_SOURCE_BYTES).",
            code="source_too_large",
        )


def fetch_url(
    url: str, job_id: str, *, check: Check | None = None, progress: Progress | None = None
) -> SourceRef:
    """Store the file at an address among the job's own files, and pin that.

    Raises `SourceRefused` and `SourceUnavailable` of `infrastructure.source_client`, and
    `Unavailable`.
    """
    container = get_settings().work_container
    fetched = 0

    def arriving(source: Download) -> Iterator[bytes]:
        nonlocal fetched
        for part in source.iter_bytes():
            fetched += len(part)
            if progress is not None:
                progress(bytes_fetched=fetched, bytes_total=source.size)
            yield part

    limit = get_settings().max_source_bytes
    with fetch_file(source_client(), url, limit_bytes=limit, check=check or _go_on) as source:
        name = safe_name(source.name)
        # A late attempt must not replace what another one's plan has pinned.
        path = f"work/{job_id}/source/{uuid4().hex}/{name}"
        blob_storage.ensure_container(container)
        with blob_storage.faults(container, path):
            blob_storage.blob_client(container, path).upload_blob(arriving(source), overwrite=True)
    version = head(container, path)
    if version is None:
        raise NotFound(f"{container}/{path} was removed at once.", code="blob_not_found")
    metering.wrote(version.size)
    return pinned([version], path, [name])


@contextmanager
def local_copy(
    ref: SourceRef, *, check: Check | None = None, progress: Progress | None = None
) -> Iterator[LocalSource]:
    """The source's files on this worker's disk, fetched if they are not there yet.

    `check` is called now and then and may raise; `progress` is told `bytes_fetched` and
    `bytes_total`. Raises `PermanentTaskError` (source_changed, ...), `TransientTaskError`
    (not_enough_disk) and `Unavailable`.
    """
    cache = _cache()
    check = check or _go_on

    def fetch(folder: Path) -> None:
        cache.make_room(ref.size)
        _fetch(ref, folder, check, progress)

    with cache.entry(ref.key, check=check) as entry:
        root = entry.part(_FILES, fetch, check=check)
        yield LocalSource(root, [root / blob.local for blob in ref.blobs], entry, check)


def _cache() -> FileCache:
    settings = get_settings()
    folder = settings.source_cache_dir
    root = Path(folder) if folder else Path(tempfile.gettempdir()) / "geoforge-sources"
    return FileCache(root, settings.source_cache_bytes)


def _fetch(ref: SourceRef, folder: Path, check: Check, progress: Progress | None) -> None:
    fetched = 0

    def arrived(size: int) -> None:
        nonlocal fetched
        fetched += size
        if progress is not None:
            progress(bytes_fetched=fetched, bytes_total=ref.size)

    for blob in ref.blobs:
        check()
        target = folder / blob.local
        target.parent.mkdir(exist_ok=True)
        version = BlobVersion(ref.container, blob.path, blob.size, blob.etag)
        download(version, target, check=check, arrived=arrived)


def _go_on() -> None:
    """Nobody wants to stop."""


def pinned(versions: Sequence[BlobVersion], path: str, local: Sequence[str]) -> SourceRef:
    """These versions as one source, which `path` names; `local` are their local names."""
    return SourceRef(
        container=versions[0].container,
        path=path,
        blobs=tuple(
            SourceBlob(path=version.path, etag=version.etag, size=version.size, local=name)
            for version, name in zip(versions, local, strict=True)
        ),
    )


def _shapefile(named: BlobVersion) -> SourceRef:
    """The blob with what lies beside it under the same name, whatever the case of its letters.

    Locally all have the name of the .shp, and endings in small letters, as drivers expect.
    """
    stem, own_suffix = posixpath.splitext(named.path)
    found: dict[str, BlobVersion] = {}
    for written in dict.fromkeys([stem, *other_cases(stem)]):
        for version in listed(named.container, f"{written}."):
            suffix = version.path[len(written) :].lower()
            if suffix in _SHAPEFILE_PARTS:
                found.setdefault(suffix, version)
    found[own_suffix.lower()] = named
    present = [suffix for suffix in _SHAPEFILE_PARTS if suffix in found]
    main = found.get(".shp", named)
    name = posixpath.splitext(safe_name(posixpath.basename(main.path)))[0]
    return pinned([found[suffix] for suffix in present], main.path, [name + s for s in present])


def other_cases(stem: str) -> tuple[str, str]:
    """The path with its last part in small letters, and in capitals."""
    folder, name = posixpath.split(stem)
    return posixpath.join(folder, name.lower()), posixpath.join(folder, name.upper())


def _geodatabase(container: str, path: str) -> SourceRef | None:
    """The files of a File Geodatabase, which is a folder without folders in it."""
    if not path.lower().endswith(_GEODATABASE):
        return None
    versions = [
        version
        for version in itertools.islice(listed(container, f"{path}/"), _MAX_GEODATABASE_FILES)
        if "/" not in version.path[len(path) + 1 :]
    ]
    if not versions:
        return None
    folder = safe_name(posixpath.basename(path))
    names = [f"{folder}/{safe_name(posixpath.basename(version.path))}" for version in versions]
    return pinned(versions, path, names)


def listed(container: str, prefix: str) -> Iterator[BlobVersion]:
    """The blobs whose paths begin so. Raises `NotFound` for a missing container."""
    with blob_storage.faults(container):
        blobs = blob_storage.container_client(container).list_blobs(name_starts_with=prefix)
        for blob in blobs:
            yield BlobVersion.of(container, blob)


def not_found(container: str, path: str) -> NotFound:
    """Why there is no such blob, with the one that may have been meant."""
    if not blob_storage.container_exists(container):
        return NotFound(
            f"There is no container {container!r} in the storage account.",
            code="container_not_found",
            field="container_name",
            container=container,
        )
    details: dict[str, Any] = {"field": "blob_name", "container": container, "path": path}
    if next(listed(container, f"{path}/"), None) is not None:
        message = f"{path!r} in container {container!r} is a folder: name a blob in it."
    else:
        message = f"There is no blob {path!r} in container {container!r}."
        near = _nearest(container, path)
        if near is not None:
            message += f" Did you mean {near!r}?"
            details["did_you_mean"] = near
    return NotFound(message, code="blob_not_found", **details)


def _nearest(container: str, path: str) -> str | None:
    """A blob of the same folder whose name differs in the case of letters, or in a few."""
    folder, name = posixpath.split(path)
    prefix = f"{folder}/" if folder else ""
    names = [
        version.path[len(prefix) :]
        for version in itertools.islice(listed(container, prefix), _MAX_LISTED)
    ]
    same = [other for other in names if other.casefold() == name.casefold()]
    close = same or difflib.get_close_matches(name, names, n=1, cutoff=0.85)
    return prefix + close[0] if close else None


def safe_name(name: str) -> str:
    """A file name that means the same on every file system: no separators or controls, not
    hidden, not too long; the ending stays."""
    name = re.sub(r"[\x00-\x1f\x7f/\\:*?\"<>|]", "_", unicodedata.normalize("NFC", name))
    name = name.strip().rstrip(".")
    if not name or name.startswith("."):
        name = f"source{name}"
    stem, suffix = posixpath.splitext(name)
    while len((stem + suffix).encode()) > _NAME_BYTES:
        stem, suffix = (stem[:-1], suffix) if stem else ("source", "")
    return stem + suffix
