"""Parts of blobs that were read a moment ago, kept in memory.

A map asks for dozens of tiles of one COG, each of which needs its header and some of its blocks,
partly the same ones::

    source = CachedBlob(version)         # for `infrastructure.sandbox`
    source.read(offset, length)

A blob is read in whole blocks. Those of all blobs share one budget; what was used longest ago
makes room.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache

from azure.core import MatchConditions
from azure.core.exceptions import ResourceModifiedError

from core.errors import Conflict
from infrastructure import blob_storage, metering
from infrastructure.blob_lookup import BlobVersion

BLOCK_BYTES = 128 << 10
_BUDGET_BYTES = 96 << 20

_Key = tuple[str, str, str, int]


class BlobChanged(Conflict):
    """The blob has been written anew since it was looked up."""

    code = "blob_changed"


class BlockCache:
    """Blocks by blob, version and number, for any number of threads."""

    def __init__(self, budget_bytes: int = _BUDGET_BYTES) -> None:
        self._budget = budget_bytes
        self._held = 0
        self._blocks: OrderedDict[_Key, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: _Key) -> bytes | None:
        with self._lock:
            block = self._blocks.get(key)
            if block is not None:
                self._blocks.move_to_end(key)
            return block

    def put(self, key: _Key, block: bytes) -> None:
        with self._lock:
            before = self._blocks.pop(key, None)
            self._held += len(block) - (0 if before is None else len(before))
            self._blocks[key] = block
            while self._held > self._budget and len(self._blocks) > 1:
                _, oldest = self._blocks.popitem(last=False)
                self._held -= len(oldest)

    @property
    def held_bytes(self) -> int:
        """Bytes of all blocks."""
        return self._held


@cache
def shared() -> BlockCache:
    """The process's cache."""
    return BlockCache()


@dataclass(frozen=True, slots=True)
class CachedBlob:
    """One version of a blob as a source of byte ranges. Raises `BlobChanged` for another one."""

    version: BlobVersion
    cache: BlockCache

    @property
    def size(self) -> int:
        """Bytes in all."""
        return self.version.size

    def read(self, offset: int, length: int) -> bytes:
        """At most `length` bytes from `offset`; fewer only at the end."""
        end = min(offset + length, self.size)
        if end <= offset:
            return b""
        first, last = offset // BLOCK_BYTES, (end - 1) // BLOCK_BYTES
        data = b"".join(self._blocks(first, last))
        begin = offset - first * BLOCK_BYTES
        return data[begin : begin + end - offset]

    def _blocks(self, first: int, last: int) -> list[bytes]:
        """The blocks from `first` to `last`; neighbours that are missing come in one request."""
        found = {number: self.cache.get(self._key(number)) for number in range(first, last + 1)}
        number = first
        while number <= last:
            if found[number] is not None:
                number += 1
                continue
            beyond = number
            while beyond <= last and found[beyond] is None:
                beyond += 1
            data = self._download(number * BLOCK_BYTES, (beyond - number) * BLOCK_BYTES)
            for each in range(number, beyond):
                start = (each - number) * BLOCK_BYTES
                found[each] = block = data[start : start + BLOCK_BYTES]
                self.cache.put(self._key(each), block)
            number = beyond
        return [block for block in found.values() if block is not None]

    def _key(self, number: int) -> _Key:
        return self.version.container, self.version.path, self.version.etag, number

    def _download(self, offset: int, length: int) -> bytes:
        container, path = self.version.container, self.version.path
        with blob_storage.faults(container, path):
            try:
                stream = blob_storage.blob_client(container, path).download_blob(
                    offset=offset,
                    length=min(length, self.size - offset),
                    etag=f'"{self.version.etag}"',
                    match_condition=MatchConditions.IfNotModified,
                )
                data = stream.readall()
            except ResourceModifiedError as error:
                raise BlobChanged(
                    f"{container}/{path} has been written anew: ask again.",
                    container=container,
                    path=path,
                ) from error
        metering.read(len(data))
        return data
