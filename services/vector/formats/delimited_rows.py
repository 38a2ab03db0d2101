"""From the records of a window to columns of texts."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

from services.vector.batch import Fault
from services.vector.formats import dialect as dialects
from services.vector.formats.delimited_scan import Window
from services.vector.formats.dialect import Dialect
from services.vector.model import Reason

_SHOWN_NAMES = 3
# Stands for a carriage return within a record, which Python's reader would take for its end.
_RETURN = "\ue00d"


@dataclass(slots=True)
class Rows:
    """The records of a window: one array of strings a column, and the broken ones' faults.

    A broken record has empty texts. `counts` says how often something was put right, by the
    code of a note.
    """

    columns: list[pa.Array[Any]]
    faults: dict[int, Fault] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)


def parse(window: Window, dialect: Dialect, encoding: str) -> Rows:
    """Parse the good records at once and look at the others one by one."""
    rows = Rows([])
    width = dialect.fields
    odd = np.flatnonzero(window.suspect | (window.fields != width))
    text = window.text
    if len(odd) or len(window) == 0 or not _is_gapless(window):
        text = _patched(window, odd.tolist(), dialect, encoding, rows)
        encoding = "utf-8"
    text = _as_utf8(text, encoding, rows)
    try:
        table = _read(text, dialect, width)
    except pa.ArrowInvalid:
        table = None
    if table is None or table.num_rows != len(window):
        rows = Rows([])
        text = _patched(window, list(range(len(window))), dialect, encoding, rows)
        table = _read(text, dialect, width)
    rows.columns = [_whole(column) for column in table.columns]
    return rows


def _read(text: bytes, dialect: Dialect, width: int) -> pa.Table:
    names = [str(number) for number in range(width)]
    return pa.csv.read_csv(
        pa.py_buffer(text),
        read_options=pa.csv.ReadOptions(
            use_threads=False, block_size=max(len(text), 1) + 1, column_names=names
        ),
        parse_options=pa.csv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char='"' if dialect.quotes else False,
            double_quote=True,
            newlines_in_values=dialect.quotes and b'"' in text,
            ignore_empty_lines=False,
        ),
        convert_options=pa.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            strings_can_be_null=False,
            quoted_strings_can_be_null=False,
        ),
    )


def _is_gapless(window: Window) -> bool:
    """Whether there are no blank lines between the records, which would count as some."""
    gaps = window.starts[1:] - window.ends[:-1]
    return bool(
        window.starts[0] == 0
        and (len(gaps) == 0 or gaps.max() <= 2)
        and len(window.text) - window.ends[-1] <= 2
    )


def _as_utf8(text: bytes, encoding: str, rows: Rows) -> bytes:
    """The text in UTF-8; what the encoding does not have becomes U+FFFD."""
    if encoding == "utf-8":
        try:
            text.decode()
        except UnicodeDecodeError:
            rows.counts["undecodable"] += 1
        else:
            return text
    return text.decode(encoding, errors="replace").encode()


def _patched(window: Window, odd: list[int], dialect: Dialect, encoding: str, rows: Rows) -> bytes:
    """The window's text with the odd records put right, or blank where they are broken."""
    lines: list[bytes] = []
    after = 0
    for index in odd:
        lines += _plain(window, after, index, encoding)
        record = window.record(index).decode(encoding, errors="replace")
        lines.append(_mended(record, index, dialect, rows).encode())
        after = index + 1
    lines += _plain(window, after, len(window), encoding)
    return b"\n".join(lines) + b"\n"


def _plain(window: Window, start: int, stop: int, encoding: str) -> list[bytes]:
    records = [window.record(index) for index in range(start, stop)]
    if encoding == "utf-8":
        return records
    return [record.decode(encoding, errors="replace").encode() for record in records]


def _mended(record: str, index: int, dialect: Dialect, rows: Rows) -> str:
    """One record in the form that its fields would be written in; blank with a fault."""
    width = dialect.fields
    fields: list[str] = []
    if not (dialect.quotes and _is_unclosed(record, dialect.delimiter)):
        fields = split(record, dialect)
        if not fields:
            rows.faults[index] = Fault(Reason.MALFORMED, "the line cannot be divided into fields")
    else:
        rows.faults[index] = Fault(
            Reason.MALFORMED, "a quotation mark that opens a field is never closed"
        )
    if len(fields) > width:
        if any(field.strip() for field in fields[width:]):
            said = f"it has {len(fields)} fields where there are {width} columns"
            rows.faults[index] = Fault(Reason.MALFORMED, said)
        else:
            rows.counts["fields_cut"] += 1
            fields = fields[:width]
    elif 0 < len(fields) < width:
        rows.counts["fields_missing"] += 1
        fields += [""] * (width - len(fields))
    if index in rows.faults:
        fields = [""] * width
    return _written(fields, dialect)


def split(record: str, dialect: Dialect) -> list[str]:
    """The fields of one record; none where Python's csv module sees several in it."""
    lines = [line + "\n" for line in record.replace("\r", _RETURN).split("\n")]
    parsed = dialects.parse(lines, dialect.delimiter, dialect.quotes)
    return [text.replace(_RETURN, "\r") for text in parsed[0]] if len(parsed) == 1 else []


def _written(fields: list[str], dialect: Dialect) -> str:
    if not dialect.quotes:
        return dialect.delimiter.join(fields).replace("\r", " ")
    if fields == [""]:
        return ""
    line = io.StringIO()
    csv.writer(line, delimiter=dialect.delimiter).writerow(fields)
    return line.getvalue().removesuffix("\r\n")


def _is_unclosed(record: str, delimiter: str) -> bool:
    """Whether a quoted field has no end: Python's reader would take the rest for it."""
    try:
        lines = [line + "\n" for line in record.replace("\r", _RETURN).split("\n")]
        list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error as error:
        return "unexpected end of data" in str(error)
    return False


def _whole(column: pa.ChunkedArray[Any]) -> pa.Array[Any]:
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], pa.string())


def column_names(header: list[str] | None, fields: int) -> tuple[list[str], list[str]]:
    """The names of the columns, each different, and sentences on those that were made up.

    Without a header they are col_1, col_2 and so on.
    """
    if header is None:
        return [f"col_{number}" for number in range(1, fields + 1)], []
    names: list[str] = []
    unnamed: list[str] = []
    repeated: list[str] = []
    taken = {" ".join(text.split()) for text in header}
    for number in range(1, fields + 1):
        text = " ".join(header[number - 1].split()) if number <= len(header) else ""
        name = text or f"col_{number}"
        if not text:
            unnamed.append(name)
        suffix = 2
        if name in names:
            repeated.append(name)
            while f"{name}_{suffix}" in names or f"{name}_{suffix}" in taken:
                suffix += 1
            name = f"{name}_{suffix}"
        names.append(name)
    said = []
    if unnamed:
        said.append(f"columns without a name are called {', '.join(unnamed[:_SHOWN_NAMES])}")
    if repeated:
        listed = ", ".join(repeated[:_SHOWN_NAMES])
        said.append(f"names that occur more than once are numbered: {listed}")
    return names, said
