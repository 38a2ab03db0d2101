"""The files of a raster: the blob with what lies beside it, pinned, and copied to this machine."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from config import get_settings
from infrastructure.blob_lookup import BlobVersion, head
from infrastructure.file_cache import FileCache
from infrastructure.sandbox import Sandbox
from services.raster import children, sidecars
from services.vector import source_files
from services.vector.source_files import LocalSource, SourceRef

Check = Callable[[], None]
Progress = Callable[..., None]

_UNPACKING = "services.raster.child.unpacking"
_PRJ = "services.raster.child.prj"
_ARCHIVE = "archive"
_RASTER = "raster"
_NAME = "name.json"


def pin(container: str, path: str) -> SourceRef:
    """The raster at this path as it is at this moment, with its sidecars: world file, .prj,
    .aux.xml, overviews and mask, whatever the case of their letters.

    Raises `NotFound` naming container and blob, with the name that may have been meant,
    `PermanentTaskError` (source_too_large) and `Unavailable`.
    """
    named = head(container, path)
    if named is None or named.metadata.get("hdi_isfolder") == "true":
        raise source_files.not_found(container, path)
    name = source_files.safe_name(posixpath.basename(path))
    beside = _sidecars(named, name)
    ref = source_files.pinned([named, *beside.values()], path, [name, *beside])
    source_files.refuse_too_large(ref)
    return ref


def pin_url(
    url: str, job_id: str, *, check: Check | None = None, progress: Progress | None = None
) -> SourceRef:
    """Store the raster at an address among the job's own files, and pin that; see
    `source_files.fetch_url`. What lies beside it at its site is not looked for."""
    return source_files.fetch_url(url, job_id, check=check, progress=progress)


def local_copy(
    ref: SourceRef, *, check: Check | None = None, progress: Progress | None = None
) -> AbstractContextManager[LocalSource]:
    """The files on this worker's disk while the context is open; see `source_files.local_copy`."""
    return source_files.local_copy(ref, check=check, progress=progress)


def make_room(source: LocalSource, wanted: int) -> None:
    """Have `wanted` more bytes free beside the local copy, others' copies evicted for it.

    Raises `TransientTaskError` and `PermanentTaskError` (not_enough_disk), as
    `FileCache.make_room` does.
    """
    FileCache(source.entry.folder.parent, get_settings().source_cache_bytes).make_room(wanted)


def raster_path(source: LocalSource, child: Sandbox, check: Check | None) -> Path:
    """The raster itself: the file, or what was unpacked from a zip archive that holds one. The
    CRS of a .prj beside it is heeded, whatever the format.

    Raises `PermanentTaskError`: no_raster_in_archive, several_rasters_in_archive, and others for
    an archive that cannot be unpacked, or a raster that cannot be opened.
    """
    path = _raster_in(source, child, check)
    if path.with_suffix(".prj").exists():
        children.call(child, f"{_PRJ}:heed", {"path": str(path)}, check=check, what=path.name)
    return path


def _raster_in(source: LocalSource, child: Sandbox, check: Check | None) -> Path:
    file = source.files[0]

    def unpack(into: Path) -> None:
        name = children.call(
            child,
            f"{_UNPACKING}:unpack",
            {"path": str(file), "into": str(into)},
            check=check,
            what=file.name,
        )
        (into / _NAME).write_text(json.dumps(name))

    if not children.call(
        child, f"{_UNPACKING}:is_archive", {"path": str(file)}, check=check, what=file.name
    ):
        return file
    folder = source.derived(_ARCHIVE, unpack)
    name: str = json.loads((folder / _NAME).read_text())
    return folder / _RASTER / name


def _sidecars(named: BlobVersion, local: str) -> dict[str, BlobVersion]:
    """What lies beside a blob and belongs to it, by the names that the local copies get."""
    found: dict[str, BlobVersion] = {}
    own = posixpath.basename(named.path)
    stem, _ = posixpath.splitext(named.path)
    for written in dict.fromkeys([stem, *source_files.other_cases(stem)]):
        for version in source_files.listed(named.container, f"{written}."):
            suffix = sidecars.suffix_of(posixpath.basename(version.path), own)
            if suffix is not None:
                found.setdefault(sidecars.beside(local, suffix), version)
    return found
