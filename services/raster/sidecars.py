"""The files beside a raster that say something about it, told by their names."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# Behind the whole name of a raster, such as dem.tif.aux.xml, or in place of its ending.
SUFFIXES = (".aux.xml", ".ovr", ".msk", ".prj", ".wld", ".tfw", ".tifw", ".tiffw", ".pgw", ".pngw",
            ".jgw", ".jpgw", ".jpegw", ".j2w", ".jp2w")  # fmt: skip
# Parts of an Erdas Imagine raster: its pixels, where there are many, and its overviews.
_OF_IMAGINE = (".ige", ".rrd")


@dataclass(frozen=True, slots=True)
class Suffix:
    """How a sidecar's name goes on: behind the raster's whole name, or in place of its ending."""

    text: str
    behind_ending: bool


def suffix_of(name: str, raster: str) -> Suffix | None:
    """How a file's name goes on behind that of a raster; None where it does not belong to it.

    Both are names without folders; the case of letters does not matter.
    """
    stem, ending = posixpath.splitext(raster.lower())
    name = name.lower()
    suffixes = SUFFIXES + (_OF_IMAGINE if ending == ".img" else ())
    for suffix in suffixes:
        if name == raster.lower() + suffix:
            return Suffix(suffix, behind_ending=True)
        if name == stem + suffix:
            return Suffix(suffix, behind_ending=False)
    return None


def beside(raster: str, suffix: Suffix) -> str:
    """The name of a sidecar where GDAL looks for it: as the raster's is written, the suffix in
    small letters."""
    base = raster if suffix.behind_ending else posixpath.splitext(raster)[0]
    return base + suffix.text


def is_sidecar(name: str) -> bool:
    """Whether a file is a sidecar of some raster, by its ending."""
    return name.lower().endswith((*SUFFIXES, *_OF_IMAGINE))


def among(raster: Path, paths: Iterable[Path]) -> dict[str, Path]:
    """Those of the paths that lie beside the raster and belong to it, by the names under which
    GDAL looks for them."""
    found: dict[str, Path] = {}
    for path in paths:
        suffix = suffix_of(path.name, raster.name)
        if suffix is not None and path.parent == raster.parent:
            found.setdefault(beside(raster.name, suffix), path)
    return found
