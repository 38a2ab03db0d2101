"""The bytes of a KML file: where they begin, and in which encoding its texts are.

Everything behind this module sees a stream in which markup is ASCII: UTF-8 or an 8-bit
encoding as it is in the file, and UTF-16 and UTF-32 transcoded to UTF-8 on the way.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from services.vector.formats.reader import UnreadableFile
from services.vector.model import Finding

_DECLARATION: Final = re.compile(
    rb"<\?xml\s[^>]{0,200}?encoding\s*=\s*[\"']\s*([A-Za-z0-9._:-]{1,40})\s*[\"']", re.IGNORECASE
)
_HEAD_BYTES: Final = 4096
_READ_BYTES: Final = 1 << 20
# The longer marks first: that of UTF-32 LE begins with that of UTF-16 LE.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDE: Final = ("utf-16", "utf-32")


class Stream(Protocol):
    """Bytes in order."""

    def read(self, size: int, /) -> bytes: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the texts of a file are encoded.

    `wide` is the encoding of a file that is transcoded to UTF-8 while it is read, else None;
    `name` that of the bytes of its stream. `finding` says why.
    """

    name: str
    wide: str | None
    finding: Finding


def find_encoding(path: Path, override: str | None = None) -> Encoding:
    """The encoding by a byte order mark, zero bytes, the XML declaration, or the default.

    Raises UnreadableFile where `override` is no encoding that Python knows.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if override is not None:
        name = _known(override)
        if name is None:
            raise UnreadableFile(f"encoding {override!r} is not known")
        return _encoding(_with_order(name, head), 1.0, "parameter", "given as a parameter")
    for mark, name in _MARKS:
        if head.startswith(mark):
            return _encoding(name, 1.0, "file", "the file begins with its byte order mark")
    if head[:2] in (b"<\0", b"\0<"):
        name = "utf-16-le" if head[0] else "utf-16-be"
        return _encoding(name, 0.95, "content", "every second byte is zero")
    declared = _DECLARATION.search(head)
    if declared is None:
        return _encoding("utf-8", 0.9, "assumption", "the XML declaration names none")
    stated = declared.group(1).decode("ascii")
    name = _known(stated) or ""
    if not name:
        evidence = f"the XML declaration says {stated}, which is not known"
        return _encoding("utf-8", 0.6, "assumption", evidence)
    if name.startswith(_WIDE):
        evidence = f"the XML declaration says {stated}, but its own characters are single bytes"
        return _encoding("utf-8", 0.8, "content", evidence)
    return _encoding(name, 1.0, "file", f"the XML declaration says {stated}")


def open_stream(path: Path, encoding: Encoding, start: int = 0) -> Stream:
    """The bytes from `start` on; of a transcoded file, `start` counts transcoded bytes."""
    file = path.open("rb")
    if encoding.wide is None:
        file.seek(start)
        return file
    stream = _Transcoded(file, encoding.wide)
    while start > 0:
        skipped = len(stream.read(min(start, _READ_BYTES)))
        if not skipped:
            break
        start -= skipped
    return stream


class _Transcoded:
    """A file in a wide encoding, as UTF-8. What cannot be decoded becomes U+FFFD."""

    def __init__(self, file: BinaryIO, encoding: str) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
        self._ready = b""

    def read(self, size: int, /) -> bytes:
        while len(self._ready) < size:
            data = self._file.read(_READ_BYTES)
            text = self._decoder.decode(data, final=not data)
            self._ready += text.encode("utf-8", "replace")
            if not data:
                break
        taken, self._ready = self._ready[:size], self._ready[size:]
        return taken

    def close(self) -> None:
        self._file.close()


def _encoding(name: str, confidence: float, source: str, evidence: str) -> Encoding:
    wide = name if name.startswith(_WIDE) else None
    finding = Finding(value=name, confidence=confidence, source=source, evidence=[evidence])
    return Encoding("utf-8" if wide else name, wide, finding)


def _known(name: str) -> str | None:
    """Python's name of a text encoding."""
    try:
        codec = codecs.lookup(name)
    except LookupError:
        return None
    return codec.name if codec._is_text_encoding else None


def _with_order(name: str, head: bytes) -> str:
    """utf-16 and utf-32 with the byte order that the beginning shows."""
    if name not in ("utf-16", "utf-32"):
        return name
    for mark, marked in _MARKS:
        if marked.startswith(name) and head.startswith(mark):
            return marked
    return f"{name}-be" if head.startswith(b"\0") else f"{name}-le"
