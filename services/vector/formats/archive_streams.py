"""Tar archives and single compressed files, read from their beginning to their end."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from services.vector.formats.archive_output import Budget, Damaged, Output, is_junk

_READ_BYTES = 1 << 20
_BLOCK = 512
_Decompressor = gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile
# What the decompressors raise for data that is cut off or damaged.
_FAULTS = (EOFError, OSError, zlib.error, lzma.LZMAError)


def is_tar(head: bytes) -> bool:
    """Whether a file's first 512 bytes are the header of a tar archive, by its checksum."""
    try:
        tarfile.TarInfo.frombuf(head[:_BLOCK], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def unpack_tar(path: Path, output: Output) -> None:
    """Write the files of a tar archive."""
    with path.open("rb") as file:
        damage = _unpack_tar_stream(file, output, charged=False)
        file.seek(max(path.stat().st_size - _BLOCK, 0))
        if damage is None and file.read().strip(b"\0"):
            damage = "has no mark of its end and may be cut off"
    _note_damage(output, damage)


def unpack_compressed(path: Path, kind: str, output: Output) -> None:
    """Write what is in a gzip, bzip2 or xz file: a tar archive's members, or the one file."""
    with path.open("rb") as file, _decompressor(file, kind) as inside:
        source = _Charged(inside, output.budget)
        stream = io.BufferedReader(source, _READ_BYTES)
        if is_tar(stream.peek(_BLOCK)):
            damage = _unpack_tar_stream(stream, output, charged=True)
            _note_damage(output, source.fault or damage)
        else:
            output.budget.count()
            output.write(_name_inside(path), _parts(stream, source), charged=True, keep_part=True)


def _decompressor(file: BinaryIO, kind: str) -> _Decompressor:
    if kind == "gzip":
        return gzip.GzipFile(fileobj=file, mode="rb")
    return bz2.BZ2File(file) if kind == "bzip2" else lzma.LZMAFile(file)


class _Charged(io.RawIOBase):
    """Decompressed data, each byte of which is charged to the budget, also in members of a tar
    that nobody wants. It ends where it cannot be decompressed any further; `fault` then says
    why.
    """

    def __init__(self, inside: _Decompressor, budget: Budget) -> None:
        self.fault: str | None = None
        self._inside = inside
        self._budget = budget

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self.fault is not None:
            return 0
        try:
            # Not `read`, which forgets what came before a fault.
            data = self._inside.read1(len(buffer))
        except _FAULTS as error:
            self.fault = _why(error)
            return 0
        self._budget.spend(len(data))
        buffer[: len(data)] = data
        return len(data)


def _why(error: BaseException) -> str:
    if isinstance(error, EOFError):
        return "is cut off"
    if isinstance(error, lzma.LZMAError) and "memory" in str(error).lower():
        return "needs too much memory to be decompressed"
    return "is damaged: it cannot be decompressed"


def _name_inside(path: Path) -> str:
    """parks.geojson.gz holds parks.geojson."""
    known = path.suffix.lower() in (".gz", ".bz2", ".xz", ".tgz", ".tbz2", ".txz", ".z")
    return path.stem if known else path.name


def _parts(stream: io.BufferedReader[_Charged], source: _Charged) -> Iterator[bytes]:
    while part := stream.read1(_READ_BYTES):
        yield part
    if source.fault is not None:
        raise Damaged(source.fault)


def _unpack_tar_stream(
    stream: BinaryIO | io.BufferedReader[_Charged], output: Output, *, charged: bool
) -> str | None:
    """Write the members of a tar archive; what is wrong with it, if it ends before its end."""
    try:
        with tarfile.open(fileobj=stream, mode="r|", errors="surrogateescape") as archive:
            for info in archive:
                output.budget.count()
                _unpack_tar_member(archive, info, output, charged=charged)
    except (tarfile.TarError, EOFError, ValueError, OverflowError):
        return "is damaged"
    return None


def _note_damage(output: Output, damage: str | None) -> None:
    if damage is not None:
        output.note("the rest", f"The archive {damage}: what comes before is kept.")


def _unpack_tar_member(
    archive: tarfile.TarFile, info: tarfile.TarInfo, output: Output, *, charged: bool
) -> None:
    name = _text(info.name)
    if info.isdir() or is_junk(name):
        return
    if not info.isreg() or info.issparse():
        # A sparse file has as many bytes as its header cares to say.
        kind = "a link" if info.issym() or info.islnk() else "no ordinary file"
        output.note(name, f"{name} is {kind}, and not unpacked.")
        return
    inside = archive.extractfile(info)
    assert inside is not None  # a regular file
    output.write(name, _tar_contents(cast(BinaryIO, inside)), charged=charged)


def _tar_contents(inside: BinaryIO) -> Iterator[bytes]:
    try:
        while part := inside.read(_READ_BYTES):
            yield part
    except (tarfile.TarError, EOFError):
        raise Damaged("is cut off") from None


def _text(name: str) -> str:
    """A name out of bytes that may be of any encoding: UTF-8 as a rule, else that of old tools."""
    raw = name.encode("utf-8", "surrogateescape")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")
