"""Files as UTF-8, whatever Unicode they are written in."""

from __future__ import annotations

import codecs
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from services.vector.formats.reader import UnreadableFile
from services.vector.model import Finding

# UTF-32 begins like UTF-16 and is looked for first.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BLOCK_CHARACTERS: Final = 1 << 20


@contextmanager
def readable(path: Path, encoding: str | None = None) -> Iterator[tuple[Path, Finding]]:
    """The file itself, or where it is UTF-16 or UTF-32 a copy in UTF-8, and its encoding.

    `encoding` overrides what the file looks like. Raises `UnreadableFile` for an encoding
    that does not exist.
    """
    found = wide_encoding(path) if encoding is None else _override(encoding)
    if found is None:
        said = "UTF-8, as JSON is"
        yield path, Finding(value="UTF-8", confidence=0.9, source="file", evidence=[said])
        return
    if codecs.lookup(str(found.value)).name == "utf-8":
        yield path, found
        return
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / path.name
        transcode(path, copy, str(found.value))
        yield copy, found


@contextmanager
def narrow(path: Path, encoding: str) -> Iterator[Path]:
    """The file itself, or where its encoding has characters of 2 or 4 bytes a copy in UTF-8:
    one whose lines can be found by their bytes.
    """
    if not is_wide(encoding):
        yield path
        return
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / path.name
        transcode(path, copy, encoding)
        yield copy


def is_wide(encoding: str) -> bool:
    """Whether an encoding, by Python's name for it, is UTF-16 or UTF-32."""
    return encoding.startswith(("utf-16", "utf-32"))


def wide_encoding(path: Path) -> Finding | None:
    """UTF-16 or UTF-32, by the mark at the beginning or by where the zeros are; else None."""
    with path.open("rb") as file:
        head = file.read(256)
    for mark, name in _MARKS:
        if head.startswith(mark):
            said = "the file begins with its byte order mark"
            return Finding(value=name, confidence=1.0, source="file", evidence=[said])
    pairs = len(head) // 2
    if pairs >= 2:
        zeros = head[0 : 2 * pairs : 2].count(0), head[1 : 2 * pairs : 2].count(0)
        for name, at, other in (("utf-16-be", 0, 1), ("utf-16-le", 1, 0)):
            if zeros[at] > 0.7 * pairs and zeros[other] < 0.1 * pairs:
                said = "every other byte is zero"
                return Finding(value=name, confidence=0.9, source="content", evidence=[said])
    return None


def transcode(path: Path, copy: Path, encoding: str) -> None:
    """Write the file in UTF-8; what cannot be decoded becomes U+FFFD."""
    with (
        path.open(encoding=encoding, errors="replace", newline="") as source,
        copy.open("w", encoding="utf-8", newline="") as target,
    ):
        while block := source.read(_BLOCK_CHARACTERS):
            target.write(block)


def _override(encoding: str) -> Finding:
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        raise UnreadableFile(f"There is no encoding {encoding!r}.") from None
    return Finding(value=name, confidence=1.0, source="parameter", evidence=["encoding says so"])
