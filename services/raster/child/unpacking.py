"""In the child: take the one raster out of an archive, with what belongs to it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from services.raster import sidecars
from services.raster.child import formats
from services.raster.child.refusals import RefersElsewhere, UnreadableRaster
from services.vector.formats import archives

RASTER = "raster"
_UNPACKED = "unpacked"
_SHOWN = 5
_PICTURES = frozenset({"PNG", "JPEG"})


def is_archive(path: str) -> bool:
    """Whether a file is an archive, and no raster."""
    file = Path(path)
    with file.open("rb") as stream:
        head = formats.head_of(stream)
    # Anything may stand behind a raster, the end of a zip included.
    return not formats.is_binary_raster(head) and archives.is_archive(file)


def unpack(path: str, into: str) -> str:
    """Unpack an archive and keep its raster in `into`/raster, with its sidecars and nothing
    else; the raster's name there.

    Raises `UnreadableRaster` (no_raster_in_archive, several_rasters_in_archive), and what
    `services.vector.formats.archives.unpack` raises: unreadable, encrypted, beyond the caps.
    """
    unpacked, kept = Path(into) / _UNPACKED, Path(into) / RASTER
    unpacked.mkdir()
    kept.mkdir()
    members = archives.unpack(Path(path), unpacked)
    paths = [unpacked / each.path for each in members if each.path is not None]
    raster = _the_raster(paths, unpacked)
    os.replace(raster, kept / raster.name)
    for name, sidecar in sidecars.among(raster, paths).items():
        os.replace(sidecar, kept / name)
    shutil.rmtree(unpacked)
    return raster.name


def _the_raster(paths: list[Path], root: Path) -> Path:
    """The one raster among the files. Pictures beside it are taken for quicklooks of it."""
    found: list[Path] = []
    pictures: list[Path] = []
    elsewhere: RefersElsewhere | None = None
    for path in paths:
        if sidecars.is_sidecar(path.name):
            continue
        with path.open("rb") as stream:
            head = formats.head_of(stream)
        try:
            driver = formats.driver_for(head, path.name, path.stat().st_size)
        except RefersElsewhere as error:
            elsewhere = error
            continue
        except UnreadableRaster:
            continue
        (pictures if driver in _PICTURES else found).append(path)
    found = found or pictures
    if len(found) > 1:
        raise UnreadableRaster(
            f"There are {len(found)} rasters in the archive ({_names(found, root)}), and one is "
            "wanted: "
            "send each by itself.",
            code="several_rasters_in_archive",
        )
    if not found:
        if elsewhere is not None:
            raise elsewhere
        raise UnreadableRaster(
            f"There is no raster in the archive, only {_names(paths, root)}.",
            code="no_raster_in_archive",
        )
    return found[0]


def _names(paths: list[Path], root: Path) -> str:
    names = [str(path.relative_to(root)) for path in sorted(paths)]
    return ", ".join([*names[:_SHOWN], *(["..."] if len(names) > _SHOWN else [])])
