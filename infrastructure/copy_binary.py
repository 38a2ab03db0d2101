"""PostgreSQL's binary COPY from Arrow columns, without a Python object per value.

    copy.write(HEADER)
    for batch in batches:
        copy.write(encode([(ColumnType.INTEGER, ids), (ColumnType.TEXT, names), ("geometry", wkb)]))
    copy.write(TRAILER)

A tuple is the number of its fields (int16) and each field as its length (int32, -1 for null)
and its bytes, all big-endian (https://www.postgresql.org/docs/current/sql-copy.html). Fields of
a fixed width, and the lengths of the others, are laid out by numpy as blocks of bytes, one row
of a block for each tuple; Arrow then joins blocks and values row by row.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from core.models.feature_table import ColumnType, FeatureTable

HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER: Final = b"\xff\xff"

FieldType: TypeAlias = ColumnType | Literal["geometry"]
# Arrow arrays; for "geometry" also a numpy array of WKB or EWKB as bytes, or None.
Values: TypeAlias = "pa.Array[Any] | npt.NDArray[np.object_]"

_Bytes = npt.NDArray[np.uint8]

# PostgreSQL counts from 2000-01-01, Arrow from 1970-01-01.
_EPOCH_DAYS = 10_957
_EPOCH_MICROSECONDS = _EPOCH_DAYS * 86_400_000_000
_JSONB_VERSION = b"\x01"
_TEXT_OID = 25
_LENGTH_BYTES = 4
_FIRST_INDEX = 1


def encode_rows(
    table: FeatureTable,
    *,
    gid: npt.NDArray[np.int64],
    columns: Sequence[pa.Array[Any]],
    geometry: Values | None,
    hashes: npt.NDArray[np.int64],
) -> bytes:
    """Tuples for a staged table: gid, its columns in order, the geometry (WKB), the hash."""
    fields: list[tuple[FieldType, Values]] = [(ColumnType.INTEGER, pa.array(gid))]
    fields += [(column.type, values) for column, values in zip(table.columns, columns, strict=True)]
    if table.geometry is not None:
        if geometry is None:
            raise ValueError("the table has a geometry column and the rows have no geometries")
        fields.append(("geometry", geometry))
    fields.append((ColumnType.INTEGER, pa.array(hashes)))
    return encode(fields)


def encode(fields: Sequence[tuple[FieldType, Values]]) -> bytes:
    """Tuples of these fields, one for each row, without header and trailer.

    Values are cast to their field's type; raises pyarrow.ArrowInvalid where that would lose
    something (an integer beyond 64 bits), ValueError where the fields differ in length. A time
    with a zone is written as UTC, also into a `timestamp`; one without is taken for UTC in a
    `timestamptz`. Texts must not hold a NUL, which no type of PostgreSQL takes.
    """
    rows = len(fields[0][1])
    if any(len(values) != rows for _, values in fields):
        raise ValueError("fields of different lengths")
    if rows == 0:
        return b""
    layout = _Layout(rows)
    layout.constant(struct.pack(">h", len(fields)))
    for kind, values in fields:
        if kind == "geometry":
            layout.variable(_binary(values))
        elif kind is ColumnType.TEXT_ARRAY:
            layout.variable(_text_arrays(_plain(values)))
        elif kind is ColumnType.TEXT:
            layout.variable(_binary(_plain(values).cast(pa.large_string())))
        elif kind is ColumnType.JSON:
            layout.variable(_binary(_plain(values).cast(pa.large_string())), _JSONB_VERSION)
        elif kind is ColumnType.BYTES:
            layout.variable(_binary(values))
        else:
            layout.fixed(*_big_endian(kind, _plain(values)))
    return layout.joined()


class _Layout:
    """The pieces of all tuples, from left to right.

    A block is a matrix of bytes with a row for each tuple, and a mask of those that count
    (None: all): a null has its length and no value.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._pieces: list[pa.Array[Any]] = []
        self._block: list[tuple[_Bytes, npt.NDArray[np.bool_] | None]] = []

    def constant(self, content: bytes, valid: npt.NDArray[np.bool_] | None = None) -> None:
        """The same bytes in each tuple, left out where not `valid`."""
        row = np.frombuffer(content, np.uint8)
        self._block.append((np.broadcast_to(row, (self._rows, len(row))), valid))

    def fixed(self, values: _Bytes, valid: npt.NDArray[np.bool_] | None) -> None:
        """A field whose values all have the same width."""
        width = values.shape[1]
        if valid is None:
            self.constant(struct.pack(">i", width))
        else:
            self.block(np.where(valid, width, -1).astype(">i4"))
        self._block.append((values, valid))

    def variable(self, values: pa.Array[Any], prefix: bytes = b"") -> None:
        """A field of binary values, each after `prefix`."""
        lengths = pc.binary_length(values).fill_null(-1 - len(prefix)).to_numpy() + len(prefix)
        valid = None
        if values.null_count:
            valid = values.is_valid().to_numpy(zero_copy_only=False)
            values = values.fill_null(b"")
        self.block(lengths.astype(">i4"))
        if prefix:
            self.constant(prefix, valid)
        self.piece(values)

    def piece(self, values: pa.Array[Any]) -> None:
        """Binary values as they are, without their lengths; none is null."""
        self._close_block()
        self._pieces.append(values)

    def block(self, numbers: npt.NDArray[Any], valid: npt.NDArray[np.bool_] | None = None) -> None:
        """Numbers as they are, a row of them for each tuple, left out where not `valid`."""
        self._block.append((_as_bytes(numbers), valid))

    def rows(self) -> pa.Array[Any]:
        """The tuples, each as its bytes."""
        self._close_block()
        return pc.binary_join_element_wise(*self._pieces, pa.scalar(b"", pa.large_binary()))

    def joined(self) -> bytes:
        """All tuples, one after the other."""
        offsets, data = _content(self.rows())
        return bytes(data[offsets[0] : offsets[-1]])

    def _close_block(self) -> None:
        if not self._block:
            return
        block = np.concatenate([part for part, _ in self._block], axis=1)
        if all(valid is None for _, valid in self._block):
            width = block.shape[1]
            offsets = np.arange(self._rows + 1, dtype=np.int64) * width
        else:
            mask = np.concatenate(
                [
                    np.broadcast_to(True if valid is None else valid[:, None], part.shape)
                    for part, valid in self._block
                ],
                axis=1,
            )
            offsets = np.zeros(self._rows + 1, dtype=np.int64)
            np.cumsum(mask.sum(axis=1), out=offsets[1:])
            block = block[mask]
        self._block = []
        self._pieces.append(
            pa.Array.from_buffers(
                pa.large_binary(),
                self._rows,
                [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(block))],
            )
        )


def _big_endian(
    kind: ColumnType, values: pa.Array[Any]
) -> tuple[_Bytes, npt.NDArray[np.bool_] | None]:
    """Values of a fixed width as PostgreSQL writes them, and which of them are not null."""
    valid = values.is_valid().to_numpy(zero_copy_only=False) if values.null_count else None
    numbers: npt.NDArray[Any]
    match kind:
        case ColumnType.BOOLEAN:
            numbers = _numbers(values.cast(pa.bool_()).cast(pa.uint8())).astype(">u1")
        case ColumnType.INTEGER:
            numbers = _numbers(values.cast(pa.int64())).astype(">i8")
        case ColumnType.REAL:
            numbers = _numbers(values.cast(pa.float64())).astype(">f8")
        case ColumnType.DATE:
            days = _numbers(values.cast(pa.date32()).cast(pa.int32()))
            numbers = (days - _EPOCH_DAYS).astype(">i4")
        case ColumnType.TIME:
            numbers = _numbers(_microseconds(values, pa.time64("us"))).astype(">i8")
        case ColumnType.TIMESTAMP | ColumnType.TIMESTAMPTZ:
            zone = getattr(values.type, "tz", None)
            since_1970 = _numbers(_microseconds(values, pa.timestamp("us", tz=zone)))
            numbers = (since_1970 - _EPOCH_MICROSECONDS).astype(">i8")
        case _:
            raise ValueError(f"{kind} has no fixed width")
    return _as_bytes(numbers), valid


def _microseconds(values: pa.Array[Any], to: pa.DataType) -> pa.Array[Any]:
    """Times as int64; nanoseconds are cut off, what is out of range is an error."""
    finer = getattr(values.type, "unit", "us") == "ns"
    return values.cast(to, safe=not finer).cast(pa.int64())


def _numbers(values: pa.Array[Any]) -> npt.NDArray[Any]:
    """The values, with zeros for nulls."""
    array: npt.NDArray[Any] = (values.fill_null(0) if values.null_count else values).to_numpy()
    return array


def _as_bytes(numbers: npt.NDArray[Any]) -> _Bytes:
    """Each number's bytes as a row of a matrix."""
    return np.ascontiguousarray(numbers).view(np.uint8).reshape(len(numbers), -1)


def _plain(values: Values) -> pa.Array[Any]:
    """The values as one array, without a dictionary."""
    array = values if isinstance(values, (pa.Array, pa.ChunkedArray)) else pa.array(values)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return array.dictionary_decode() if isinstance(array, pa.DictionaryArray) else array


def _binary(values: Values) -> pa.Array[Any]:
    """The values as bytes."""
    if isinstance(values, np.ndarray):
        return pa.array(values, pa.large_binary())
    return _plain(values).cast(pa.large_binary())


def _text_arrays(values: pa.Array[Any]) -> pa.Array[Any]:
    """Lists of texts as array_recv reads arrays of one dimension, each as its bytes.

    That is the number of dimensions, whether there are nulls, the type of the elements, then,
    unless the array is empty, its length and first index, and the elements as fields.
    """
    lists = values.cast(pa.large_list(pa.large_string()))
    rows = len(lists)
    # An empty list in the place of a null, whose own extent may be any.
    lists = pc.if_else(lists.is_valid(), lists, pa.array([[]], lists.type)[0])
    lengths = pc.list_value_length(lists).to_numpy()
    texts = lists.flatten()
    ends = np.concatenate([[0], np.cumsum(lengths)])
    nulls = np.concatenate([[0], np.cumsum(texts.is_null().to_numpy(zero_copy_only=False))])
    filled = lengths > 0
    header = np.empty((rows, 3), dtype=">i4")
    header[:, 0] = filled
    header[:, 1] = nulls[ends[1:]] > nulls[ends[:-1]]
    header[:, 2] = _TEXT_OID
    extent = np.empty((rows, 2), dtype=">i4")
    extent[:, 0] = lengths
    extent[:, 1] = _FIRST_INDEX
    layout = _Layout(rows)
    layout.block(header)
    layout.block(extent, filled)
    layout.piece(_grouped(_fields(texts), ends))
    return pc.if_else(values.is_valid(), layout.rows(), pa.scalar(None, pa.large_binary()))


def _fields(texts: pa.Array[Any]) -> pa.Array[Any]:
    """Each text with its length before it."""
    if not len(texts):
        return pa.array([], pa.large_binary())
    layout = _Layout(len(texts))
    layout.variable(texts.cast(pa.large_binary()))
    return layout.rows()


def _grouped(values: pa.Array[Any], ends: npt.NDArray[np.int64]) -> pa.Array[Any]:
    """Runs of binary values joined to one each; `ends` are the places where they begin and end."""
    offsets, data = _content(values)
    return pa.Array.from_buffers(
        pa.large_binary(),
        len(ends) - 1,
        [None, pa.py_buffer(np.ascontiguousarray(offsets[ends])), pa.py_buffer(data)],
    )


def _content(values: pa.Array[Any]) -> tuple[npt.NDArray[np.int64], memoryview]:
    """Where the values of a large_binary array begin and end, and the bytes that hold them."""
    _, offsets, data = values.buffers()
    places = np.frombuffer(offsets, np.int64)[values.offset : values.offset + len(values) + 1]
    return places, memoryview(b"" if data is None else data)
