"""Which of many blobs exist, and in which version; and reading one in ranges.

A listing answers for 5,000 blobs in one request, a HEAD for one. `find` lists the folders that
the wanted blobs share, and asks singly only where a folder holds few of them.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from itertools import islice

from azure.storage.blob import BlobProperties

from core.errors import NotFound
from infrastructure import blob_storage, metering

# The SDK keeps this many connections; more threads would only open and drop others.
CONCURRENCY = 10
_MAX_LISTINGS = 64
_WORTH_LISTING = 8
# A folder may hold much that nobody asked for: give up listing it when it shows.
_ALWAYS_LISTED = 5000
_MAX_LISTED_PER_WANTED = 20


@dataclass(frozen=True, slots=True)
class BlobVersion:
    """One version of a blob. `etag` is without quotes, `md5` in hex where storage knows it."""

    container: str
    path: str
    size: int
    etag: str
    md5: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, container: str, properties: BlobProperties) -> BlobVersion:
        md5 = properties.content_settings.content_md5
        return cls(
            container=container,
            path=properties.name,
            size=properties.size,
            etag=properties.etag.strip('"'),
            md5=bytes(md5).hex() if md5 else None,
            metadata=dict(properties.metadata or {}),
        )


@dataclass(frozen=True, slots=True)
class BlobRanges:
    """A blob as a source of byte ranges, for `infrastructure.sandbox`."""

    container: str
    path: str
    size: int

    def read(self, offset: int, length: int) -> bytes:
        """At most `length` bytes from `offset`; fewer only at the end."""
        with blob_storage.faults(self.container, self.path):
            client = blob_storage.blob_client(self.container, self.path)
            data = client.download_blob(offset=offset, length=length).readall()
        metering.read(len(data))
        return data


def head(container: str, path: str) -> BlobVersion | None:
    """The blob's present version, or None where there is none."""
    properties = blob_storage.properties(container, path)
    return None if properties is None else BlobVersion.of(container, properties)


def find(
    container: str, paths: Collection[str], *, check: Callable[[], None]
) -> dict[str, BlobVersion]:
    """The wanted blobs that exist, by path. `check` is called between requests and may raise.

    Raises `NotFound` where there is no such container, `Unavailable` when storage is down.
    """
    found: dict[str, BlobVersion] = {}
    single: list[str] = []
    for prefix, wanted in _by_prefix(paths).items():
        if len(wanted) < _WORTH_LISTING:
            single.extend(wanted)
            continue
        listed, complete = _list(container, prefix, wanted, check)
        found.update(listed)
        if not complete:
            single.extend(wanted - listed.keys())
    if single and not blob_storage.container_exists(container):
        raise NotFound(
            f"There is no container {container!r} in the storage account.",
            code="container_not_found",
            container=container,
        )
    with metering.Threads(CONCURRENCY, thread_name_prefix="head") as threads:
        remaining = iter(single)
        while chunk := list(islice(remaining, CONCURRENCY * 10)):
            check()
            for version in threads.map(lambda path: head(container, path), chunk):
                if version is not None:
                    found[version.path] = version
    return found


def _by_prefix(paths: Collection[str]) -> dict[str, set[str]]:
    """The paths under at most `_MAX_LISTINGS` prefixes, none of which lies in another."""
    folders = {posixpath.dirname(path) for path in paths}
    while len(folders) > _MAX_LISTINGS:
        folders = {posixpath.dirname(folder) for folder in folders}
    groups: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        ancestors = _ancestors(path)
        # The highest folder that was chosen covers the ones below it.
        groups[next(folder for folder in ancestors if folder in folders)].add(path)
    return {f"{folder}/" if folder else "": wanted for folder, wanted in groups.items()}


def _ancestors(path: str) -> Iterator[str]:
    """'a/b/c.tif' -> '', 'a', 'a/b'."""
    yield ""
    position = path.find("/")
    while position >= 0:
        yield path[:position]
        position = path.find("/", position + 1)


def _list(
    container: str, prefix: str, wanted: set[str], check: Callable[[], None]
) -> tuple[dict[str, BlobVersion], bool]:
    """The wanted blobs under the prefix, and whether the listing went far enough to know."""
    found: dict[str, BlobVersion] = {}
    last = max(wanted)
    budget = _ALWAYS_LISTED + len(wanted) * _MAX_LISTED_PER_WANTED
    with blob_storage.faults(container):
        blobs = blob_storage.container_client(container).list_blobs(
            name_starts_with=prefix, include=["metadata"]
        )
        for count, blob in enumerate(blobs):
            if count % 1000 == 0:
                check()
            if blob.name in wanted:
                found[blob.name] = BlobVersion.of(container, blob)
            # Listings come in the order of names.
            if blob.name >= last:
                return found, True
            if count >= budget:
                return found, False
    return found, True
