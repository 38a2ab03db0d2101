"""Zip archives, sound and otherwise.

Members are found by the archive's directory, which is at its end. Where that is cut off, or
leads nowhere, the file is walked from one local header to the next instead. What a member is
worth is said by its CRC, not by the sizes that headers claim.
https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

from __future__ import annotations

import bz2
import itertools
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from services.vector.formats.archive_output import Damaged, Output, is_junk
from services.vector.formats.reader import UnreadableFile

LOCAL_HEADER = b"PK\x03\x04"
_DESCRIPTOR = b"PK\x07\x08"
_FIXED = struct.Struct("<4sHHHHHIIIHH")
_READ_BYTES = 256 << 10
_WRITE_BYTES = 1 << 20
_ENCRYPTED = 0x1
_SIZES_FOLLOW = 0x8
_UTF8 = 0x800
_UNKNOWN_SIZE = 0xFFFFFFFF
_ZIP64 = 0x0001
_STORED, _DEFLATED, _BZIP2 = 0, 8, 12
_OTHER_METHODS = {
    1: "Shrink",
    6: "Implode",
    9: "Deflate64, as Windows does with files over 2 GB",
    14: "LZMA",
    93: "Zstandard",
    95: "XZ",
    98: "PPMd",
    99: "a method that goes with encryption",
}


@dataclass(frozen=True, slots=True)
class _Entry:
    """A member as its headers describe it; None for what they leave open."""

    name: str
    header: int
    flags: int
    method: int
    crc: int | None
    compressed: int | None


@dataclass(slots=True)
class _Position:
    """How far a member's data was read, to go on from there."""

    end: int = 0


def unpack_zip(path: Path, output: Output) -> None:
    """Write the members of a zip archive. Raises `UnreadableFile` for one that is a bomb, is
    encrypted, or holds nothing that could be read.
    """
    with path.open("rb") as file:
        entries = _directory(file)
        if entries is None:
            _walk(file, output)
            return
        for entry in entries:
            output.budget.count()
            if _wanted(entry):
                output.write(entry.name, _contents(file, entry, _Position()))


def member_names(path: Path) -> list[str]:
    """The names in the archive's directory; none where it has no sound one."""
    with path.open("rb") as file:
        return [entry.name for entry in _directory(file) or []]


def _wanted(entry: _Entry) -> bool:
    if entry.name.endswith(("/", "\\")) or is_junk(entry.name):
        return False
    if entry.flags & _ENCRYPTED:
        raise UnreadableFile(
            f"{entry.name!r} in the archive is encrypted: pack it without a password."
        )
    return True


def _directory(file: BinaryIO) -> list[_Entry] | None:
    """The entries of the directory; None where it is missing or leads nowhere."""
    try:
        with zipfile.ZipFile(file) as archive:
            found = archive.infolist()
    # What zipfile raises for damaged directories is not only its own.
    except (zipfile.BadZipFile, struct.error, ValueError, OverflowError, OSError,
            NotImplementedError):  # fmt: skip
        return None
    spans: list[tuple[int, int]] = []
    for info in found:
        file.seek(max(info.header_offset, 0))
        if info.header_offset < 0 or file.read(len(LOCAL_HEADER)) != LOCAL_HEADER:
            return None
        spans.append((info.header_offset, info.header_offset + _FIXED.size + info.compress_size))
    spans.sort()
    if any(end > start for (_, end), (start, _) in itertools.pairwise(spans)):
        raise UnreadableFile(
            "Members of the archive share their bytes, as only in what is made to fill disks."
        )
    return [
        _Entry(
            _name(info.orig_filename, info.flag_bits),
            info.header_offset,
            info.flag_bits,
            info.compress_type,
            info.CRC,
            info.compress_size,
        )
        for info in found
    ]


def _name(name: str, flags: int) -> str:
    """The name as it was meant: many tools write UTF-8 and do not say so."""
    name = name.split("\0", 1)[0]
    if flags & _UTF8 or name.isascii():
        return name
    try:
        return name.encode("cp437").decode()
    except UnicodeError:
        return name


def _walk(file: BinaryIO, output: Output) -> None:
    """Write what can be found by local headers alone."""
    position = 0
    while (header := _find(file, position)) is not None:
        entry = _local_entry(file, header)
        position = header + len(LOCAL_HEADER)
        if entry is None:
            continue
        output.budget.count()
        if not _wanted(entry):
            continue
        reached = _Position()
        before = len(output.members)
        output.write(entry.name, _contents(file, entry, reached))
        if all(member.problem is None for member in output.members[before:]):
            position = reached.end


def _find(file: BinaryIO, start: int) -> int | None:
    """Where the next local header begins."""
    file.seek(start)
    window = b""
    while part := file.read(_READ_BYTES):
        window = window[-3:] + part
        at = window.find(LOCAL_HEADER)
        if at >= 0:
            return file.tell() - len(window) + at
    return None


def _local_entry(file: BinaryIO, header: int) -> _Entry | None:
    """The entry whose local header is there; None where it is none, or cut off."""
    file.seek(header)
    fixed = file.read(_FIXED.size)
    if len(fixed) < _FIXED.size:
        return None
    _, _, flags, method, _, _, crc, compressed, size, name_length, extra_length = _FIXED.unpack(
        fixed
    )
    raw = file.read(name_length)
    extra = file.read(extra_length)
    if not raw or len(raw) < name_length or len(extra) < extra_length:
        return None
    follows = bool(flags & _SIZES_FOLLOW)
    return _Entry(
        _name(raw.decode("utf-8" if flags & _UTF8 else "cp437", "replace"), flags),
        header,
        flags,
        method,
        None if follows else crc,
        None if follows else _long_size(compressed, size, extra),
    )


def _long_size(compressed: int, size: int, extra: bytes) -> int | None:
    """The compressed size, where need be out of the zip64 field."""
    if compressed != _UNKNOWN_SIZE:
        return compressed
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        body, extra = extra[4 : 4 + length], extra[4 + length :]
        offset = 8 if size == _UNKNOWN_SIZE else 0
        if kind == _ZIP64 and len(body) >= offset + 8:
            return int(struct.unpack_from("<Q", body, offset)[0])
    return None


def _contents(file: BinaryIO, entry: _Entry, reached: _Position) -> Iterator[bytes]:
    """A member's data, checked by its CRC. Raises `Damaged`."""
    file.seek(entry.header)
    fixed = file.read(_FIXED.size)
    if len(fixed) < _FIXED.size:
        raise Damaged("is cut off")
    name_length, extra_length = struct.unpack_from("<HH", fixed, 26)
    start = entry.header + _FIXED.size + name_length + extra_length
    reached.end = start
    crc = 0
    for part in _decompressed(file, start, entry, reached):
        crc = zlib.crc32(part, crc)
        yield part
    expected = entry.crc if entry.crc is not None else _crc_behind(file, reached.end)
    if expected is not None and crc != expected:
        raise Damaged("is damaged: its checksum differs")


def _decompressed(file: BinaryIO, start: int, entry: _Entry, reached: _Position) -> Iterator[bytes]:
    if entry.method == _STORED:
        if entry.compressed is None:
            raise Damaged("cannot be told from what follows it: its size is not stated")
        yield from _stored(file, start, entry.compressed)
        reached.end = start + entry.compressed
    elif entry.method == _DEFLATED:
        yield from _inflated(file, start, reached)
    elif entry.method == _BZIP2:
        yield from _bunzipped(file, start, reached)
    else:
        method = _OTHER_METHODS.get(entry.method, f"method {entry.method}")
        raise Damaged(f"is compressed with {method}, which is not read: pack it again as usual")


def _stored(file: BinaryIO, start: int, size: int) -> Iterator[bytes]:
    file.seek(start)
    while size > 0:
        part = file.read(min(size, _WRITE_BYTES))
        if not part:
            raise Damaged("is cut off")
        size -= len(part)
        yield part


def _inflated(file: BinaryIO, start: int, reached: _Position) -> Iterator[bytes]:
    """Deflated data says itself where it ends."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    position = start
    waiting = b""
    while not inflater.eof:
        if not waiting:
            file.seek(position)
            waiting = file.read(_READ_BYTES)
            position += len(waiting)
            if not waiting:
                raise Damaged("is cut off")
        try:
            data = inflater.decompress(waiting, _WRITE_BYTES)
        except zlib.error:
            raise Damaged("is damaged: it cannot be decompressed") from None
        waiting = inflater.unconsumed_tail
        yield data
    reached.end = position - len(inflater.unused_data)


def _bunzipped(file: BinaryIO, start: int, reached: _Position) -> Iterator[bytes]:
    decompressor = bz2.BZ2Decompressor()
    position = start
    while not decompressor.eof:
        part = b""
        if decompressor.needs_input:
            file.seek(position)
            part = file.read(_READ_BYTES)
            position += len(part)
            if not part:
                raise Damaged("is cut off")
        try:
            data = decompressor.decompress(part, _WRITE_BYTES)
        except OSError:
            raise Damaged("is damaged: it cannot be decompressed") from None
        yield data
    reached.end = position - len(decompressor.unused_data)


def _crc_behind(file: BinaryIO, position: int) -> int | None:
    """The CRC of a data descriptor, which may do without its signature."""
    file.seek(position, os.SEEK_SET)
    data = file.read(8)
    if data[:4] == _DESCRIPTOR:
        data = data[4:]
    return int.from_bytes(data[:4], "little") if len(data) >= 4 else None
