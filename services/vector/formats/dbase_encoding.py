"""The encoding of a shapefile's texts: what the .cpg says, the .dbf's language byte, the bytes."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from itertools import islice
from typing import Final

from services.vector.formats.dbase import Table
from services.vector.formats.reader import UnreadableFile
from services.vector.inference import code_pages
from services.vector.model import Finding

# How OGR is told to hand the bytes through: each is a character of Latin-1.
TRANSPORT: Final = "ISO-8859-1"

_SAMPLED_RECORDS: Final = 20_000
_SAMPLED_TEXTS: Final = 2_000
_MOST_BROKEN = 0.05
# Language driver IDs, https://support.esri.com/en-us/knowledge-base/000013192 and GDAL's
# shapefile driver. 0x57 means whatever code page the writer had, so it is no statement.
_LANGUAGES: Final = {
    0x01: "cp437", 0x02: "cp850", 0x03: "cp1252", 0x04: "mac_roman", 0x08: "cp865",
    0x09: "cp437", 0x0A: "cp850", 0x0B: "cp437", 0x0D: "cp437", 0x0E: "cp850", 0x0F: "cp437",
    0x10: "cp850", 0x11: "cp437", 0x12: "cp850", 0x13: "cp932", 0x14: "cp850", 0x15: "cp437",
    0x16: "cp850", 0x17: "cp865", 0x18: "cp437", 0x19: "cp437", 0x1A: "cp850", 0x1B: "cp437",
    0x1C: "cp863", 0x1D: "cp850", 0x1F: "cp852", 0x22: "cp852", 0x23: "cp852", 0x24: "cp860",
    0x25: "cp850", 0x26: "cp866", 0x37: "cp850", 0x40: "cp852", 0x4D: "cp936", 0x4E: "cp949",
    0x4F: "cp950", 0x50: "cp874", 0x58: "cp1252", 0x59: "cp1252", 0x64: "cp852",
    0x65: "cp866", 0x66: "cp865", 0x67: "cp861", 0x6A: "cp737", 0x6B: "cp857", 0x6C: "cp863",
    0x78: "cp950", 0x79: "cp949", 0x7A: "cp936", 0x7B: "cp932", 0x7C: "cp874", 0x86: "cp737",
    0x87: "cp852", 0x88: "cp857", 0xC8: "cp1250", 0xC9: "cp1251", 0xCA: "cp1254",
    0xCB: "cp1253", 0xCC: "cp1257",
}  # fmt: skip


def encoding_of(table: Table, cpg: str | None, override: str | None) -> Finding:
    """The codec for a table's texts. Raises `UnreadableFile` for an override that is none."""
    if override is not None:
        try:
            name = codecs.lookup(override).name
        except LookupError:
            raise UnreadableFile(
                f"encoding: {override!r} is no encoding that is known here. "
                "Give one such as utf-8, cp1252 or shift_jis."
            ) from None
        return Finding(
            value=name, confidence=1.0, source="parameter", evidence=["encoding says so."]
        )
    texts = _telling(table)
    if not texts:
        return Finding(
            value="utf-8",
            confidence=0.9 if cpg is None else 1.0,
            source="content" if cpg is None else "sidecar",
            evidence=["All texts that were looked at are plain ASCII."],
        )
    stated = _stated(table, cpg)
    return _judge(texts, stated) if stated is not None else _guess(texts)


def decode(text: bytes, codec: str) -> str:
    """The text; bytes that are none in the encoding become replacement characters, but for
    a character that was cut in half by the end of its field, which is left out."""
    try:
        return text.decode(codec)
    except UnicodeDecodeError as error:
        if error.start >= len(text) - 3:
            return text[: error.start].decode(codec, "replace")
        return text.decode(codec, "replace")


def codec_named(cpg: str) -> str | None:
    """The codec that a .cpg names, in any of the ways of the field's programs."""
    name = cpg.strip(" \t\r\n\0\ufeff'\"").casefold()
    if not name:
        return None
    if match := re.fullmatch(r"ldid/?(\d+)", name):
        return _LANGUAGES.get(int(match.group(1)))
    if match := re.fullmatch(r"(?:ansi|oem|cp|windows|win|ibm|ms)?[ _-]?(\d{3,5})", name):
        number = match.group(1)
        name = {"65001": "utf-8", "28591": "latin-1", "54936": "gb18030"}.get(
            number, f"iso8859-{number[4:]}" if number.startswith("8859") else f"cp{number}"
        )
    elif match := re.fullmatch(r"(?:iso[ _-]?)?8859[ _-]?(\d{1,2})", name):
        name = f"iso8859-{match.group(1)}"
    try:
        return codecs.lookup(name).name
    except LookupError:
        return None


def _telling(table: Table) -> list[bytes]:
    """Different texts and names of fields that are not ASCII."""
    names = (field.name for field in table.fields)
    found = {text: None for text in names if not text.isascii()}
    different = (text for text in table.texts(_SAMPLED_RECORDS) if not text.isascii())
    for text in islice(different, _SAMPLED_TEXTS):
        found[text] = None
    return list(found)


def _stated(table: Table, cpg: str | None) -> Finding | None:
    codec = None if cpg is None else codec_named(cpg)
    if codec is not None:
        return Finding(
            value=codec,
            confidence=0.95,
            source="sidecar",
            evidence=[f"The .cpg says {(cpg or '').strip()[:40]!r}."],
        )
    codec = _LANGUAGES.get(table.language)
    if codec is not None:
        return Finding(
            value=codec,
            confidence=0.85,
            source="file",
            evidence=[f"The language byte of the .dbf is {table.language:#04x}."],
        )
    return None


def _judge(texts: Sequence[bytes], stated: Finding) -> Finding:
    """What is stated, unless the bytes speak against it."""
    codec = str(stated.value)
    if codec != "utf-8" and _share_broken(texts, "utf-8") == 0 and _is_multibyte(texts):
        return Finding(
            value="utf-8",
            confidence=0.9,
            source="content",
            evidence=[*stated.evidence, "All its texts are valid UTF-8, which is no accident."],
        )
    if _share_broken(texts, codec) <= _MOST_BROKEN:
        return stated
    guess = _guess(texts)
    guess.evidence.insert(0, f"{stated.evidence[0]} The texts are not in it.")
    return guess


def _guess(texts: Sequence[bytes]) -> Finding:
    if _share_broken(texts, "utf-8") <= _MOST_BROKEN:
        return Finding(
            value="utf-8",
            confidence=0.95,
            source="content",
            evidence=[f"{len(texts):,} different texts are not ASCII, and are valid UTF-8."],
        )
    codec, confidence = code_pages.guess(texts)
    example = decode(texts[0], codec)[:40]
    return Finding(
        value=codec,
        confidence=confidence,
        source="content",
        evidence=[
            f"{len(texts):,} different texts are not ASCII, and read best in {codec}: "
            f"{example!r} is one."
        ],
    )


def _share_broken(texts: Sequence[bytes], codec: str) -> float:
    return sum("\ufffd" in decode(text, codec) for text in texts) / len(texts)


def _is_multibyte(texts: Sequence[bytes]) -> bool:
    """Whether there is enough of it that it cannot be valid UTF-8 by chance."""
    return len(texts) >= 3 or any(sum(byte > 0x7F for byte in text) >= 4 for text in texts)
