"""A small member of a zip archive that is somewhere else, without fetching the archive.

A zip archive has its directory at its end, so two or three ranges of it will do. ::

    text = read_member(ranges, lambda names: next(iter(names), None), limit_bytes=1000)
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence

from infrastructure.range_file import RangeFile, Ranges, TooMuchWanted

# Of an honest archive: the end with its directory, and a part with the member.
_MOST_BYTES = 2 << 20
# What is raised for archives that are damaged, encrypted or of a kind that zipfile does not know.
_UNREADABLE = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, OverflowError,
    NotImplementedError, RuntimeError, TooMuchWanted,
)  # fmt: skip
# Other methods are rare, and their decoders can be made to take much memory.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read_member(
    ranges: Ranges, choose: Callable[[Sequence[str]], str | None], *, limit_bytes: int
) -> bytes | None:
    """The content of the member that is chosen by the names that there are.

    None where nothing is chosen, where the member is larger than the limit, and for what is no
    zip archive that can be read so: one that is damaged, encrypted, or whose directory has more
    than some 2 MB. Raises what fetching the ranges raises.
    """
    try:
        with zipfile.ZipFile(RangeFile(ranges, limit_bytes=_MOST_BYTES)) as archive:
            name = choose([each.filename for each in archive.infolist() if not each.is_dir()])
            if name is None or archive.getinfo(name).compress_type not in _METHODS:
                return None
            with archive.open(name) as member:
                # What the directory says of sizes may be wrong.
                data = member.read(limit_bytes + 1)
    except _UNREADABLE:
        return None
    return data if len(data) <= limit_bytes else None
