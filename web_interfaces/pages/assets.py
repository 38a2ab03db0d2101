"""The static files: stylesheet, scripts, icon, vendored libraries.

The files that exist are listed once, and only what is in the list is served: a path never
reaches the file system. Pages link to /api/interface/static/<version>/<file>, where the version
is a digest of all files, so that a browser may keep each for ever and still sees every change.
"""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from web_interfaces.pages.registry import ROOT

_FOLDER = Path(__file__).parent.parent / "static"
_SERVED = {".css", ".geojson", ".js", ".svg", ".png", ".woff2"}

# The registry of the machine is not asked: some say text/plain for scripts.
_TYPES = {
    ".css": "text/css",
    ".geojson": "application/geo+json",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is served."""

    content: bytes
    media_type: str
    digest: str


@lru_cache
def assets() -> dict[str, Asset]:
    """Every file that is served, by its path under static/."""
    found = {}
    for file in sorted(_FOLDER.rglob("*")):
        if file.suffix in _SERVED:
            content = file.read_bytes()
            kind = _TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0]
            found[file.relative_to(_FOLDER).as_posix()] = Asset(
                content, kind or "application/octet-stream", hashlib.sha256(content).hexdigest()
            )
    return found


@lru_cache
def version() -> str:
    """A digest of all files, in the addresses that pages use."""
    together = "".join(f"{path}:{asset.digest}\n" for path, asset in assets().items())
    return hashlib.sha256(together.encode()).hexdigest()[:12]


def url(path: str) -> str:
    """The address of a file. Raises KeyError for one that does not exist."""
    if path not in assets():
        raise KeyError(path)
    return f"{ROOT}/static/{version()}/{path}"


def find(path: str) -> tuple[Asset, bool] | None:
    """The file at `[<version>/]<file>`, and whether the address will always mean this content."""
    first, _, rest = path.partition("/")
    known = assets()
    if first == version() and rest in known:
        return known[rest], True
    # A page that was open while the app was updated asks for the version before.
    asset = known.get(path) or known.get(rest)
    return None if asset is None else (asset, False)
