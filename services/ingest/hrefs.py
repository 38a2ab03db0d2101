"""What an href inside a STAC document points at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from core.blob_names import check_blob_path, resolve

# Links between STAC documents. The catalog makes most of them itself; the others lead to
# documents that are not copied.
_STRUCTURAL_RELS = frozenset(
    {"self", "root", "parent", "collection", "item", "items", "child", "children", "next", "prev",
     "first", "last", "canonical", "derived_from", "related", "alternate", "via", "source",
     "predecessor-version", "successor-version", "latest-version"}
)  # fmt: skip


class HrefError(ValueError):
    """The href leads nowhere that an ingest may go."""


@dataclass(frozen=True, slots=True)
class Inside:
    """A blob of the container. An href may be percent-encoded or not, which its text does
    not tell: `candidates` are the paths that it may mean, the likelier first.
    """

    candidates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outside:
    """Something elsewhere: an absolute address that is not in the container."""

    address: str


def locate(base: str, href: str, container_url: str) -> Inside | Outside:
    """What `href`, in the document at path `base`, points at.

    './x' and '../x' are relative to the document, '/x' to the container; an address under
    `container_url` (with or without a query, such as a SAS) is inside too. Raises `HrefError`
    for one that climbs out of the container, names a local file, or cannot be a blob's.
    """
    scheme = urlsplit(href).scheme.lower() if _looks_absolute(href) else ""
    try:
        if href.startswith("//"):
            return Outside(href)
        if not scheme:
            if not href:
                raise ValueError("is empty")
            return Inside(_spellings(base, href))
        if scheme == "file" or len(scheme) == 1:
            raise ValueError("names a file on somebody's computer")
        if scheme in ("http", "https"):
            inside = _under(href, container_url)
            if inside is not None:
                return Inside((check_blob_path(inside),))
        return Outside(href)
    except ValueError as error:
        raise HrefError(f"href {href!r} {error}") from None


def is_structural(link: Mapping[str, Any]) -> bool:
    """Whether a link leads to another STAC document of the tree that it came from."""
    return link.get("rel") in _STRUCTURAL_RELS


def is_absolute(href: str) -> bool:
    """Whether it leads to the same place from everywhere."""
    return _looks_absolute(href) or href.startswith("//")


def _looks_absolute(href: str) -> bool:
    """Whether it begins with a scheme: 'a:b' could be a file's name, 's3://b' is none."""
    head = href.split("/", 1)[0]
    return "://" in href or (len(head) > 1 and head[1] == ":" and head[0].isalpha())


def _spellings(base: str, href: str) -> tuple[str, ...]:
    literal = resolve(base, href)
    decoded = resolve(base, unquote(href))
    return (literal,) if decoded == literal else (literal, decoded)


def _under(href: str, container_url: str) -> str | None:
    """The blob's path if the address lies in the container."""
    there, here = urlsplit(href), urlsplit(container_url)
    prefix = here.path.rstrip("/") + "/"
    if there.netloc.lower() != here.netloc.lower() or not there.path.startswith(prefix):
        return None
    return unquote(there.path[len(prefix) :])
