"""What Azure allows as a container's name, and what we allow as a path inside one."""

from __future__ import annotations

import posixpath
import re
from typing import Annotated
from urllib.parse import unquote

from pydantic import AfterValidator, Field

_CONTAINER = re.compile(r"(?!.*--)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")


def check_container_name(name: str) -> str:
    """The name, if Azure allows it.

    Rules: 3 to 63 characters, lower-case letters, digits and single hyphens, beginning and
    ending with a letter or digit.
    https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
    """
    if not 3 <= len(name) <= 63 or not _CONTAINER.fullmatch(name):
        raise ValueError(
            "must be 3 to 63 characters: lower-case letters, digits and single hyphens, "
            "beginning and ending with a letter or digit"
        )
    return name


def check_blob_path(path: str) -> str:
    """The path, if it names a blob inside its container and nothing else."""
    if not path or len(path) > 1024:
        raise ValueError("must have 1 to 1,024 characters")
    if any(ord(character) < 32 or character == "\\" for character in path):
        raise ValueError("must not hold control characters or backslashes")
    if path.startswith("/"):
        raise ValueError("must be relative to its container, without a leading '/'")
    if any(part in ("", ".", "..") for part in unquote(path).split("/")):
        raise ValueError("must not hold empty, '.' or '..' parts")
    return path


def resolve(base: str, href: str) -> str:
    """The path of `href` as found in the file at `base`, both inside one container.

    'a/b/item.json' with '../../data/x.tif' -> 'data/x.tif'; a leading '/' starts at the
    container. Raises ValueError where it climbs out of the container.
    """
    joined = (
        href.lstrip("/") if href.startswith("/") else posixpath.join(posixpath.dirname(base), href)
    )
    path = posixpath.normpath(joined)
    if path == ".." or path.startswith("../") or path in (".", ""):
        raise ValueError("climbs out of the container")
    return check_blob_path(path)


ContainerName = Annotated[str, AfterValidator(check_container_name), Field(examples=["bronze-cdl"])]
BlobPath = Annotated[
    str, AfterValidator(check_blob_path), Field(examples=["collections/cdl/collection.json"])
]
