"""Which of many blobs are rasters, which belong to one, and which are neither: by their names.

Nothing is opened here. A raster that is not what its name says is refused when it is read.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from infrastructure.blob_lookup import BlobVersion
from services.raster import sidecars

# Endings of the formats that are read, and of archives that may hold one raster.
RASTERS = frozenset({".tif", ".tiff", ".gtiff", ".cog", ".jp2", ".j2k", ".j2c", ".jpx", ".img",
                     ".asc", ".dem", ".hgt", ".dt0", ".dt1", ".dt2", ".png", ".jpg", ".jpeg",
                     ".zip"})  # fmt: skip
_PICTURES = frozenset({".png", ".jpg", ".jpeg"})
# Beside those of any raster, the parts of an Erdas Imagine one.
_SUFFIXES = (*sidecars.SUFFIXES, ".ige", ".rrd")
# They are kept in the ledger, whose results are small; a path may have 1,024 characters.
_EXAMPLES = 20
_EXAMPLES_CHARACTERS = 4_000
_HIDDEN = re.compile(r"(^|/)(\.|__MACOSX/)")


class Skip(StrEnum):
    """Why a blob is passed over."""

    NOT_A_RASTER = "not_a_raster"
    SIDECAR = "sidecar_without_raster"
    PREVIEW = "picture_of_another_raster"
    HIDDEN = "hidden"
    OWN_OUTPUT = "made_by_geoforge"


@dataclass(frozen=True, slots=True)
class Selected:
    """A raster, and what belongs to it."""

    raster: BlobVersion
    beside: tuple[BlobVersion, ...] = ()


@dataclass(slots=True)
class Selection:
    """The rasters in the order of their paths; what was passed over, counted, and some of it."""

    rasters: list[Selected] = field(default_factory=list)
    skipped: Counter[Skip] = field(default_factory=Counter)
    examples: list[tuple[str, Skip]] = field(default_factory=list)

    def skip(self, path: str, why: Skip) -> None:
        self.skipped[why] += 1
        said = sum(len(example) for example, _ in self.examples)
        if len(self.examples) < _EXAMPLES and said + len(path) <= _EXAMPLES_CHARACTERS:
            self.examples.append((path, why))


def select(
    blobs: Iterable[BlobVersion],
    *,
    named: frozenset[str] = frozenset(),
    own: re.Pattern[str] | None = None,
) -> Selection:
    """Sort blobs into rasters with their sidecars, and all else.

    Those `named` are taken for rasters whatever they are called. Paths that `own` matches are
    passed over: what an earlier run has made of these very files.
    """
    selection = Selection()
    rasters: list[BlobVersion] = []
    others: list[BlobVersion] = []
    for blob in sorted(blobs, key=lambda each: each.path):
        if blob.path in named:
            rasters.append(blob)
        elif _is_folder(blob):
            continue
        elif _HIDDEN.search(blob.path):
            selection.skip(blob.path, Skip.HIDDEN)
        elif own is not None and own.match(blob.path):
            selection.skip(blob.path, Skip.OWN_OUTPUT)
        elif _ending(blob.path) in RASTERS:
            rasters.append(blob)
        else:
            others.append(blob)
    beside = _Beside(rasters)
    for blob in others:
        if not beside.take(blob):
            is_sidecar = sidecars.is_sidecar(blob.path)
            selection.skip(blob.path, Skip.SIDECAR if is_sidecar else Skip.NOT_A_RASTER)
    shown_by = _real_rasters(rasters)
    for raster in rasters:
        if raster.path not in named and _is_preview(raster.path, shown_by):
            selection.skip(raster.path, Skip.PREVIEW)
        else:
            selection.rasters.append(Selected(raster, tuple(beside.of(raster))))
    return selection


def sidecar_names(path: str) -> Iterator[str]:
    """Where what belongs to a raster may lie, in the spellings that are usual."""
    for base in (path, posixpath.splitext(path)[0]):
        for suffix in _SUFFIXES:
            yield base + suffix
            yield base + suffix.upper()


class _Beside:
    """Finds the rasters that a file lies beside, whatever the case of letters."""

    def __init__(self, rasters: Iterable[BlobVersion]) -> None:
        self._by_stem: dict[str, list[BlobVersion]] = defaultdict(list)
        self._found: dict[str, list[BlobVersion]] = defaultdict(list)
        for raster in rasters:
            self._by_stem[posixpath.splitext(raster.path)[0].casefold()].append(raster)

    def take(self, blob: BlobVersion) -> bool:
        """Whether the blob belongs to a raster; it is kept with each that it belongs to."""
        folder, name = posixpath.split(blob.path)
        taken = False
        for dot in range(len(name)):
            if name[dot] == ".":
                stem = posixpath.join(folder, name[:dot]).casefold()
                for raster in self._by_stem.get(stem, ()):
                    if sidecars.suffix_of(name, posixpath.basename(raster.path)) is not None:
                        self._found[raster.path].append(blob)
                        taken = True
        return taken

    def of(self, raster: BlobVersion) -> list[BlobVersion]:
        return self._found.get(raster.path, [])


def _real_rasters(rasters: Iterable[BlobVersion]) -> set[str]:
    """The stems of those that are no plain pictures."""
    return {
        posixpath.splitext(raster.path)[0].casefold()
        for raster in rasters
        if _ending(raster.path) not in _PICTURES
    }


def _is_preview(path: str, shown_by: set[str]) -> bool:
    """Whether it is a picture beside a raster of the same name, as archives deliver them."""
    return _ending(path) in _PICTURES and posixpath.splitext(path)[0].casefold() in shown_by


def _ending(path: str) -> str:
    return posixpath.splitext(path)[1].lower()


def _is_folder(blob: BlobVersion) -> bool:
    """Folders of a storage account with hierarchical names, and the marks that tools leave."""
    return blob.metadata.get("hdi_isfolder") == "true" or blob.path.endswith("/")
