"""Which encoding texts are in that do not say it."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from typing import Final

from charset_normalizer import from_bytes

from services.vector.formats.reader import UnreadableFile
from services.vector.model import Finding

# What files of the field are written in, in the order in which they are preferred where the
# guess is a close one. Of the many relatives that charset-normalizer tells apart these are
# the ones that programs export.
CANDIDATES: Final = (
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257",
    "iso8859_2", "iso8859_5", "koi8_r", "cp866", "cp437", "cp850", "cp852", "mac_roman",
    "cp932", "euc_jp", "gb18030", "big5", "euc_kr", "cp874",
)  # fmt: skip
_SAMPLE_BYTES: Final = 64 << 10
# Encodings of Latin letters that a few accents do not tell from Windows-1252.
_LATIN_RELATIVES: Final = frozenset(
    {"cp1250", "cp1254", "cp1257", "iso8859_2", "cp437", "cp850", "cp852", "mac_roman"}
)
_FEW_BYTES: Final = 30
# Bytes that Windows-1252 leaves out: a text with one of them is none.
_NOT_CP1252: Final = frozenset(b"\x81\x8d\x8f\x90\x9d")


class Utf8Check:
    """Whether a stream of bytes is UTF-8, and a sample of what is not ASCII in it."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self.is_utf8 = True
        self.is_ascii = True
        self._sample = bytearray()

    def add(self, block: bytes, *, final: bool = False) -> None:
        """Take in the next bytes."""
        if not block.isascii():
            self.is_ascii = False
            if len(self._sample) < _SAMPLE_BYTES:
                lines = (line for line in block.splitlines() if not line.isascii())
                for line in lines:
                    self._sample += line + b"\n"
                    if len(self._sample) >= _SAMPLE_BYTES:
                        break
        if self.is_utf8:
            try:
                self._decoder.decode(block, final)
            except UnicodeDecodeError:
                self.is_utf8 = False

    @property
    def sample(self) -> bytes:
        """Lines with bytes beyond ASCII, some tens of kilobytes of them."""
        return bytes(self._sample)


def override(encoding: str) -> Finding:
    """What a parameter says. Raises `UnreadableFile` where there is no such encoding."""
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        raise UnreadableFile(f"There is no encoding {encoding!r}.") from None
    return Finding(value=name, confidence=1.0, source="parameter", evidence=["encoding says so"])


def guess(blocks: Iterable[bytes]) -> Finding:
    """The encoding of texts given as bytes; a name that Python knows."""
    check = Utf8Check()
    for block in blocks:
        check.add(block)
    return conclude(check)


def conclude(check: Utf8Check) -> Finding:
    """The encoding of what a check has seen."""
    if check.is_ascii:
        said = "every byte is ASCII"
        return Finding(value="utf-8", confidence=1.0, source="content", evidence=[said])
    if check.is_utf8:
        said = "the bytes beyond ASCII form UTF-8, which other encodings hardly ever do"
        return Finding(value="utf-8", confidence=0.99, source="content", evidence=[said])
    return _guess_legacy(check.sample)


def _guess_legacy(sample: bytes) -> Finding:
    broken = "the bytes beyond ASCII are no UTF-8"
    if _is_mostly_utf8(sample):
        said = f"{broken} in a few places, but elsewhere they are"
        return Finding(value="utf-8", confidence=0.7, source="content", evidence=[said])
    best = from_bytes(sample, cp_isolation=list(CANDIDATES)).best()
    if best is not None and not _might_be_western(sample, best.encoding):
        language = best.language if best.language != "Unknown" else "no certain language"
        said = f"as {best.encoding} it reads best ({language})"
        confidence = max(0.4, min(0.9, 0.9 - best.chaos - (1 - best.coherence) * 0.3))
        return Finding(
            value=best.encoding, confidence=confidence, source="content", evidence=[broken, said]
        )
    if _NOT_CP1252.isdisjoint(sample):
        said = "Windows-1252 has a character for each, and is the most usual"
        return Finding(value="cp1252", confidence=0.7, source="content", evidence=[broken, said])
    said = "no other encoding fits; Latin-1 takes every byte"
    return Finding(value="latin-1", confidence=0.3, source="assumption", evidence=[broken, said])


def _might_be_western(sample: bytes, encoding: str) -> bool:
    """Whether Windows-1252 says the same, or there is too little to prefer a rarer relative."""
    if encoding == "cp1252" or not _NOT_CP1252.isdisjoint(sample):
        return encoding == "cp1252"
    if sample.decode(encoding, errors="replace") == sample.decode("cp1252"):
        return True
    beyond = sum(byte > 0x7F for byte in sample)
    return encoding in _LATIN_RELATIVES and beyond < _FEW_BYTES


def _is_mostly_utf8(sample: bytes) -> bool:
    """Whether a stray byte or a cut makes the difference: few lines of many are wrong."""
    lines = sample.splitlines()
    wrong = 0
    for line in lines:
        try:
            line.decode()
        except UnicodeDecodeError:
            wrong += 1
    return len(lines) >= 10 and wrong <= len(lines) * 0.1
