"""A file system of one file, for GDAL: it reads that file, and finds nothing beside it.

For children of `infrastructure.sandbox`, to which the parent reads a file in ranges. To be
given to `rasterio.open` as its opener.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, BinaryIO


@dataclass(frozen=True, slots=True)
class OneFile:
    """The file system that GDAL sees: the file `name`, of `size_bytes`, and nothing else."""

    file: BinaryIO
    size_bytes: int
    name: str

    def open(self, path: str, mode: str = "rb", **_: Any) -> BinaryIO:
        if not self.isfile(path) or "w" in mode or "+" in mode:
            raise FileNotFoundError(path)
        self.file.seek(0)
        return _Borrowed(self.file)  # type: ignore[return-value]

    def isfile(self, path: str) -> bool:
        return path.rsplit("/", 1)[-1] == self.name

    def isdir(self, _path: str) -> bool:
        return False

    def ls(self, _path: str) -> list[str]:
        return []

    def mtime(self, _path: str) -> int:
        return 0

    def rm(self, path: str) -> None:
        raise PermissionError(path)

    def size(self, _path: str) -> int:
        return self.size_bytes


class _Borrowed:
    """The one open file under a position of its own: GDAL opens a dataset more than once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._position = 0

    def read(self, size: int = -1) -> bytes:
        self._file.seek(self._position)
        data = self._file.read(size)
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence == 1:
            offset, whence = self._position + offset, 0
        self._position = self._file.seek(offset, whence)
        return self._position

    def tell(self) -> int:
        return self._position

    def close(self) -> None:
        """The file belongs to the sandbox, which closes it."""

    def __enter__(self) -> _Borrowed:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
