"""TIFF files as directories and encoded blocks: read them, and write them anew as a COG.

No pixel is decoded here. What is read are files that GDAL's COG driver has just written, so only
little-endian TIFFs are known, classic or BigTIFF; strangers' files are GDAL's to read.

Sources: TIFF 6.0, sections 2 and 15 (https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf);
BigTIFF (https://www.awaresystems.be/imaging/tiff/bigtiff.html); the layout of a COG, what it
says of itself before its first directory, and the four bytes before and after each block
(https://gdal.org/en/stable/drivers/raster/cog.html, "Header ghost area" and "Tile data leader and
trailer").
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

NEW_SUBFILE_TYPE = 254
IMAGE_WIDTH = 256
IMAGE_LENGTH = 257
BITS_PER_SAMPLE = 258
TILE_OFFSETS = 324
TILE_BYTE_COUNTS = 325
GDAL_METADATA = 42112

Offsets = NDArray[np.int64]

_SHORT, _LONG, _LONG8 = 3, 4, 16
# Bytes of one value, by the number of its type: TIFF 6.0 page 15, then those of BigTIFF.
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4,
               16: 8, 17: 8, 18: 8}  # fmt: skip
_INTEGERS = {_SHORT: "<u2", _LONG: "<u4", _LONG8: "<u8"}
_LEADER = struct.Struct("<I")
_TRAILER_BYTES = 4
_FRAMING = _LEADER.size + _TRAILER_BYTES


class NotSuchATiff(ValueError):
    """The file is no TIFF of the kind that this module reads."""


@dataclass(frozen=True, slots=True)
class Field:
    """The value of a tag as it is stored: `count` values of a type, little-endian."""

    type: int
    count: int
    data: bytes

    @property
    def integers(self) -> list[int]:
        """The values of a field of whole numbers."""
        return [int(value) for value in np.frombuffer(self.data, _INTEGERS[self.type])]


Directory = dict[int, Field]


@dataclass(frozen=True, slots=True)
class Blocks:
    """Where the encoded blocks of an image lie, in the order of its tiles: the first byte of each,
    and how many it has. Both are 0 for a block that is not stored."""

    offsets: Offsets
    sizes: Offsets


@dataclass(frozen=True, slots=True)
class Tiff:
    """The directories of a file, and what GDAL has written between header and first directory."""

    ghost: bytes
    directories: tuple[Directory, ...]


@dataclass(frozen=True, slots=True)
class _Form:
    """In what classic TIFF and BigTIFF differ: the widths of counts and of offsets."""

    magic: int
    entries: struct.Struct
    entry: struct.Struct
    offset: struct.Struct
    header_bytes: int
    offset_type: int


_CLASSIC = _Form(42, struct.Struct("<H"), struct.Struct("<HHI4s"), struct.Struct("<I"), 8, _LONG)
_BIG = _Form(43, struct.Struct("<Q"), struct.Struct("<HHQ8s"), struct.Struct("<Q"), 16, _LONG8)
_CLASSIC_LIMIT = (1 << 32) - 1


def read(file: BinaryIO) -> Tiff:
    """The directories of a TIFF. Raises `NotSuchATiff`."""
    form, position = _header(file)
    file.seek(form.header_bytes)
    ghost = file.read(max(0, position - form.header_bytes))
    directories = []
    while position:
        directory, position = _directory(file, form, position)
        directories.append(directory)
    return Tiff(ghost, tuple(directories))


def place_of(file: BinaryIO, tag: int) -> tuple[int, int] | None:
    """Where the value of a tag of the first directory begins, and how many bytes it has; None
    where the directory has no such tag. Raises `NotSuchATiff`."""
    form, position = _header(file)
    places, _ = _places(file, form, position)
    if tag not in places:
        return None
    kind, count, begin = places[tag]
    return begin, count * _TYPE_BYTES[kind]


def blocks(directory: Directory) -> Blocks:
    """Where the tiles of an image lie in its file. Raises `NotSuchATiff` for one in strips."""
    if TILE_OFFSETS not in directory or TILE_BYTE_COUNTS not in directory:
        raise NotSuchATiff("The image is not in tiles.")
    offsets, sizes = directory[TILE_OFFSETS], directory[TILE_BYTE_COUNTS]
    return Blocks(
        np.frombuffer(offsets.data, _INTEGERS[offsets.type]).astype(np.int64),
        np.frombuffer(sizes.data, _INTEGERS[sizes.type]).astype(np.int64),
    )


def number(value: int) -> Field:
    """A field of one whole number of up to 32 bits."""
    return Field(_LONG, 1, struct.pack("<I", value))


def head(ghost: bytes, images: Sequence[tuple[Directory, Offsets]]) -> bytes:
    """All of a COG before its first block: header, what `ghost` says, and the directories.

    `images` are the directories in the order of the file, the full image first, each with the
    sizes of its encoded blocks in bytes. The blocks must follow in the order that GDAL's ghost
    area promises: those of the last image first, framed as `framed` does. It is a classic TIFF
    where all of it fits into 4 GiB, else a BigTIFF.
    """
    for form in (_CLASSIC, _BIG):
        data_begins = form.header_bytes + len(ghost)
        data_begins += sum(_directory_bytes(form, each, len(sizes)) for each, sizes in images)
        placed, end = _placed([sizes for _, sizes in images], data_begins)
        if form is _BIG or end <= _CLASSIC_LIMIT:
            break
    parts = [_header_bytes(form, len(ghost)), ghost]
    position = form.header_bytes + len(ghost)
    for number_, ((directory, sizes), offsets) in enumerate(zip(images, placed, strict=True)):
        last = number_ == len(images) - 1
        part = _written(form, _with_blocks(form, directory, offsets, sizes), position, last)
        parts.append(part)
        position += len(part)
    return b"".join(parts)


def framed(block: bytes) -> bytes:
    """An encoded block between its size and its last four bytes, as GDAL's ghost area promises
    with BLOCK_LEADER=SIZE_AS_UINT4 and BLOCK_TRAILER=LAST_4_BYTES_REPEATED."""
    return b"".join((_LEADER.pack(len(block)), block, block[-_TRAILER_BYTES:]))


def stored(file: BinaryIO, directory: Directory) -> Iterator[bytes]:
    """The encoded blocks of an image in the order of its tiles, without those not stored.

    Raises `NotSuchATiff` for a file that ends before its last block does.
    """
    where = blocks(directory)
    for offset, size in zip(where.offsets.tolist(), where.sizes.tolist(), strict=True):
        if size == 0:
            continue
        yield _bytes_at(file, offset, size)


def _header(file: BinaryIO) -> tuple[_Form, int]:
    file.seek(0)
    start = file.read(_BIG.header_bytes)
    if len(start) < _BIG.header_bytes or start[:2] != b"II":
        raise NotSuchATiff("The file is no little-endian TIFF.")
    (magic,) = struct.unpack_from("<H", start, 2)
    if magic == _CLASSIC.magic:
        return _CLASSIC, struct.unpack_from("<I", start, 4)[0]
    if magic == _BIG.magic:
        return _BIG, struct.unpack_from("<Q", start, 8)[0]
    raise NotSuchATiff(f"The file is no TIFF: its number is {magic}.")


def _directory(file: BinaryIO, form: _Form, position: int) -> tuple[Directory, int]:
    """The directory at a position, and that of the next, 0 for none."""
    places, following = _places(file, form, position)
    directory = {
        tag: Field(kind, count, _bytes_at(file, begin, count * _TYPE_BYTES[kind]))
        for tag, (kind, count, begin) in places.items()
    }
    return directory, following


def _places(
    file: BinaryIO, form: _Form, position: int
) -> tuple[dict[int, tuple[int, int, int]], int]:
    """Of each tag of the directory at a position the type, the count and where its values begin;
    and the position of the next directory, 0 for none."""
    (entries,) = form.entries.unpack(_bytes_at(file, position, form.entries.size))
    length = entries * form.entry.size + form.offset.size
    begin = position + form.entries.size
    table = _bytes_at(file, begin, length)
    places = {}
    for number_, (tag, kind, count, value) in enumerate(
        form.entry.iter_unpack(table[: -form.offset.size])
    ):
        if count * _TYPE_BYTES[kind] <= len(value):
            # In the entry itself, of which it is the end.
            at = begin + (number_ + 1) * form.entry.size - len(value)
        else:
            (at,) = form.offset.unpack(value)
        places[tag] = (kind, count, at)
    (following,) = form.offset.unpack(table[-form.offset.size :])
    return places, following


def _bytes_at(file: BinaryIO, position: int, length: int) -> bytes:
    file.seek(position)
    data = file.read(length)
    if len(data) != length:
        raise NotSuchATiff("The file ends too soon.")
    return data


def _directory_bytes(form: _Form, directory: Directory, count: int) -> int:
    """How much `_written` makes of a directory with so many blocks."""
    nothing = np.zeros(count, np.int64)
    fields = _with_blocks(form, directory, nothing, nothing)
    values = sum(_padded(len(field.data)) for field in fields.values() if _outside(form, field))
    return form.entries.size + len(fields) * form.entry.size + form.offset.size + values


def _with_blocks(form: _Form, directory: Directory, offsets: Offsets, sizes: Offsets) -> Directory:
    where = offsets.astype(_INTEGERS[form.offset_type]).tobytes()
    return {
        **directory,
        TILE_OFFSETS: Field(form.offset_type, len(offsets), where),
        TILE_BYTE_COUNTS: Field(_LONG, len(sizes), sizes.astype("<u4").tobytes()),
    }


def _placed(sizes_of_images: Sequence[Offsets], begin: int) -> tuple[list[Offsets], int]:
    """Where the blocks of each image come to lie, and where the file ends."""
    placed: list[Offsets] = []
    for sizes in reversed(sizes_of_images):
        taken = np.where(sizes > 0, sizes + _FRAMING, 0)
        ends = begin + np.cumsum(taken)
        placed.append(np.where(sizes > 0, ends - taken + _LEADER.size, 0))
        begin = int(ends[-1])
    return placed[::-1], begin


def _header_bytes(form: _Form, ghost_bytes: int) -> bytes:
    first = form.header_bytes + ghost_bytes
    if form is _CLASSIC:
        return struct.pack("<2sHI", b"II", form.magic, first)
    return struct.pack("<2sHHHQ", b"II", form.magic, form.offset.size, 0, first)


def _written(form: _Form, directory: Directory, position: int, last: bool) -> bytes:
    """A directory and, right behind it, the values that do not fit into its entries.

    The arrays of the blocks come last, where GDAL has them: a reader that needs few blocks need
    not read them whole.
    """
    fields = sorted(directory.items())
    values_begin = position + form.entries.size + len(fields) * form.entry.size + form.offset.size
    late = (TILE_OFFSETS, TILE_BYTE_COUNTS)
    values = b""
    offsets = {}
    for tag, field in sorted(fields, key=lambda each: each[0] in late):
        if _outside(form, field):
            offsets[tag] = values_begin + len(values)
            values += field.data.ljust(_padded(len(field.data)), b"\0")
    entries = b"".join(
        form.entry.pack(
            tag,
            field.type,
            field.count,
            form.offset.pack(offsets[tag]) if tag in offsets else field.data,
        )
        for tag, field in fields
    )
    following = 0 if last else values_begin + len(values)
    return form.entries.pack(len(fields)) + entries + form.offset.pack(following) + values


def _outside(form: _Form, field: Field) -> bool:
    return len(field.data) > form.offset.size


def _padded(length: int) -> int:
    """Values begin on whole words: TIFF 6.0, page 15. All that is written has an even length."""
    return length + length % 2
