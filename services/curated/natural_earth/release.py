"""The release that files of Natural Earth say they are of.

Each archive has a text beside its shapefile, such as ne_10m_land.VERSION.txt, with nothing in it
but "5.1.1". The GeoPackage of all layers has one that is called VERSION.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence

from infrastructure.blob_lookup import BlobRanges, head
from infrastructure.range_file import Ranges
from infrastructure.remote_zip import read_member
from services.curated.natural_earth import layer_names
from services.vector.source_files import SourceRef

_VERSION_FILE = re.compile(r"(?:(?P<layer>.+)\.)?version(?:\.txt)?", re.IGNORECASE)
_RELEASE = re.compile(r"v?(\d+(?:\.\d+){0,3}(?:[-.]?[a-z][a-z0-9.]{0,15})?)", re.IGNORECASE)
_MAX_BYTES = 256
_BESIDE = ("VERSION.txt", "version.txt")


def in_archive(content: Ranges, theme: str) -> str | None:
    """The release of a zip archive; None where it does not say, or is none.

    Of an archive with several layers, that of the theme's.
    """

    def choose(names: Sequence[str]) -> str | None:
        return version_file(names, theme)

    text = read_member(content, choose, limit_bytes=_MAX_BYTES)
    return None if text is None else release(text)


def beside(ref: SourceRef) -> str | None:
    """The release of a loose file in a container, by the text that lies beside it:
    ne_10m_land.VERSION.txt of ne_10m_land.shp. None where there is no such text."""
    stem = posixpath.splitext(ref.path)[0]
    for name in _BESIDE:
        found = head(ref.container, f"{stem}.{name}")
        if found is not None and 0 < found.size <= _MAX_BYTES:
            return release(BlobRanges(ref.container, found.path, found.size).read(0, found.size))
    return None


def version_file(names: Sequence[str], theme: str) -> str | None:
    """The member that names the release of a theme, of those that an archive has.

    That of the theme's layer goes before those of its editions, and they before others. Where
    several of a kind are left, nobody knows whose they are.
    """
    layers: dict[str, str] = {}
    for name in names:
        found = _VERSION_FILE.fullmatch(posixpath.basename(name))
        if found is not None and not name.startswith("__MACOSX/"):
            layers[name] = found["layer"] or ""
    own = [name for name, layer in layers.items() if layer_names.is_called(layer, theme)]
    editions = [name for name, layer in layers.items() if layer_names.is_of(layer, theme)]
    chosen = own or editions or list(layers)
    return chosen[0] if len(chosen) == 1 else None


def release(text: bytes) -> str | None:
    """The release that a text names, such as "5.1.1"; None for any other text."""
    found = _RELEASE.fullmatch(text.decode("utf-8-sig", errors="replace").strip())
    return None if found is None else found[1]
