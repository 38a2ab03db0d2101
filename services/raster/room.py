"""The worker's disk: how much of it making a COG takes, and whether it was full.

A full disk says nothing of a raster. GDAL tells of one as it tells of damaged files, so it is
asked for before the work, and looked at during it.
"""

from __future__ import annotations

import errno
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from core.errors import TransientTaskError
from services.raster.files import Settled
from services.raster.model import Facts

# Of the decoded pixels: what lossless compression leaves of noisy ones, such as elevation in
# float32 or imagery of 16 bits; and what JPEG, WEBP and LERC with an error do.
_LOSSLESS, _LOSSY = 1 / 2, 1 / 8
# A GeoTIFF that is packed without loss, by any of these, or not at all, is packed about as small
# again. Not so those of JPEG and its kin: decoded they are many times as large.
_PACKED_WITHOUT_LOSS = frozenset({None, "DEFLATE", "LZW", "ZSTD", "PACKBITS", "LZMA"})
_REPACKED = 2
# All overviews together, each a quarter of the one before.
_OVERVIEWS = 1 / 3
# So much is asked for at most: an estimate of more may be far off. What is short of it after all
# shows by the call that fails.
_MOST_BYTES = 16 << 30

_ALMOST_NOTHING_BYTES = 64 << 20
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
# As strerror, and GDAL when it looks before it writes, say it.
_SAYS_FULL = ("No space left on device", "Disk quota exceeded", "Free disk space available is")


def for_cog(facts: Facts, settled: Settled) -> int:
    """Bytes that there are while a COG is made in one pass: its own, its overviews a second
    time, and the pixels of a warp, if it has one."""
    pixels = _encoded(facts, settled, settled.height)
    warped = 0.0 if settled.plan.warp_to is None else _decoded(facts, settled) * _LOSSLESS
    return int(min(pixels * (1 + 2 * _OVERVIEWS) + warped, _MOST_BYTES))


def for_strip(facts: Facts, settled: Settled, rows: int) -> int:
    """Bytes of a strip of so many rows."""
    return int(min(_encoded(facts, settled, rows), _MOST_BYTES))


def for_assembly(strips_bytes: int) -> int:
    """Bytes that there are while strips of so many are put together: each is removed when it is
    copied, but there are overviews, packed and encoded, and the COG with its own."""
    return 2 * strips_bytes


class Watch:
    """Looks at the disk of some folders while something writes there. GDAL removes what it could
    not finish, and does not say why: afterwards there is room again. So what counts is how little
    there was at any look, less the most that went from one look to the next."""

    def __init__(self, folders: Sequence[Path], check: Callable[[], None] | None) -> None:
        self._folders = folders
        self._check = check
        self._last = self._lowest = self._free()
        self._greatest_fall = 0

    def look(self) -> None:
        """Note how much is free, and call `check`."""
        self._note()
        if self._check is not None:
            self._check()

    def was_full(self, message: str) -> bool:
        """Whether what failed with this message may have had no room left."""
        self._note()
        left = self._lowest - self._greatest_fall
        return left < _ALMOST_NOTHING_BYTES or any(text in message for text in _SAYS_FULL)

    def _note(self) -> None:
        free = self._free()
        self._greatest_fall = max(self._greatest_fall, self._last - free)
        self._lowest = min(self._lowest, free)
        self._last = free

    def _free(self) -> int:
        return min((shutil.disk_usage(each).free for each in self._folders), default=sys.maxsize)


@contextmanager
def told(what: str) -> Iterator[None]:
    """Raise `TransientTaskError` (not_enough_disk) in place of an error that says that this
    process could not write."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise not_enough(f"{what}: {error.strerror}.") from error


def not_enough(message: str) -> TransientTaskError:
    """The error of work that found the disk full, and may find it otherwise later."""
    return TransientTaskError(
        f"{message} The worker's disk is full: there has to be more room in "
        "GEOFORGE_SOURCE_CACHE_DIR, or fewer jobs at a time.",
        code="not_enough_disk",
    )


def _encoded(facts: Facts, settled: Settled, rows: int) -> float:
    """Bytes of so many rows of the COG's full image, most likely at most."""
    plan = settled.plan
    share = rows / settled.height
    decoded = _decoded(facts, settled)
    if plan.compression == "NONE":
        return decoded * share
    if not plan.lossless:
        return decoded * _LOSSY * share
    if facts.driver == "GTiff" and facts.compression in _PACKED_WITHOUT_LOSS:
        grown = decoded / facts.decoded_bytes  # by a warp
        return min(decoded * _LOSSLESS, facts.file_bytes * grown * _REPACKED) * share
    return decoded * _LOSSLESS * share


def _decoded(facts: Facts, settled: Settled) -> float:
    """Bytes of all pixels of the COG's full image."""
    pixels = settled.width * settled.height
    return facts.decoded_bytes * pixels / (facts.width * facts.height)
