"""Elements from the bytes of one unit, with the faults that people's programs make mended.

The parser is expat, through ElementTree; a unit brings no DOCTYPE, so no entity can be declared.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from enum import StrEnum
from functools import cache
from html.entities import html5
from typing import Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, ParseError
from xml.parsers.expat import errors


class Mend(StrEnum):
    """What was done to a unit's text so that it could be parsed; also the code of a note."""

    OTHER_ENCODING = "mixed_encoding"
    CONTROL_CHARACTERS = "control_characters"
    HTML_ENTITIES = "html_entities"
    BARE_AMPERSANDS = "bare_ampersands"
    RAW_MARKUP = "raw_markup"
    REPEATED_ATTRIBUTES = "repeated_attributes"


class NotWellFormed(Exception):
    """A unit that no mend makes parseable; the message says what is wrong and where."""


_UNBOUND_PREFIX: Final = errors.codes[errors.XML_ERROR_UNBOUND_PREFIX]
_DUPLICATE_ATTRIBUTE: Final = errors.codes[errors.XML_ERROR_DUPLICATE_ATTRIBUTE]
_PREFIXES: Final = re.compile(r"[<\s/]([A-Za-z_][\w.-]*):[A-Za-z_]")
_RESERVED_PREFIXES: Final = frozenset({"xml", "xmlns"})
_CONTROL: Final = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_REFERENCE: Final = re.compile(r"&(?:#(\d{1,7}|[xX][0-9a-fA-F]{1,6});|(\w{1,40});)?")
_OPAQUE: Final = re.compile(r"(<!\[CDATA\[.*?\]\]>|<!--.*?-->)", re.DOTALL)
_PREDEFINED: Final = frozenset({"amp", "lt", "gt", "quot", "apos"})
_START_TAG: Final = re.compile(r"<[\w.:-]+(?:[^<>\"']|\"[^\"<]*\"|'[^'<]*')*+>")
_ATTRIBUTE: Final = re.compile(r"\s+([\w.:-]+)\s*=\s*(?:\"[^\"]*\"|'[^']*')")
# Texts that hold one element of its kind in a feature, to the last end tag of the name,
# and those that can be many, to the first.
_ONE_TEXT: Final = ("description", "Snippet", "snippet")
_MANY_TEXTS: Final = ("name", "value", "SimpleData", "address", "displayName", "text")


class MarkupParser:
    """Parses the units of one file.

    `encoding` is that of the bytes. `mends` counts the units that needed each mend.
    """

    def __init__(self, encoding: str) -> None:
        self.mends: Counter[Mend] = Counter()
        self._encoding = encoding
        self._utf8 = encoding in ("utf-8", "ascii", "utf-8-sig")
        self._prefixes = {"gx", "kml", "atom", "xal", "xsi"}
        self._wrap()

    def _wrap(self) -> None:
        """Declare every prefix that was seen: documents often do it nowhere, or on their root."""
        declarations = "".join(f' xmlns:{each}="{each}"' for each in sorted(self._prefixes))
        self._head = f"<unit{declarations}>".encode()

    def parse(self, data: bytes) -> Element:
        """The element that `data` is. Raises NotWellFormed."""
        if self._utf8:
            try:
                return self._element(data)
            except ParseError:
                pass
        text, mends = self._decode(data)
        try:
            element, more = self._mended(text)
        except ParseError as error:
            raise NotWellFormed(_message(error, data)) from None
        self.mends.update({*mends, *more})
        return element

    def parse_literally(self, data: bytes) -> Element:
        """As `parse`, with markup inside of texts kept as text. Raises NotWellFormed."""
        text, _ = self._decode(data)
        try:
            element, _ = self._mended(_escape_texts(text))
        except ParseError as error:
            raise NotWellFormed(_message(error, data)) from None
        self.mends[Mend.RAW_MARKUP] += 1
        return element

    def text(self, data: bytes) -> str:
        """The text of a small element, such as a Folder's name; its markup is left out."""
        try:
            element = self.parse(data)
        except NotWellFormed:
            stripped = re.sub(r"<[^>]*>", "", self._decode(data)[0])
            return html.unescape(stripped).strip()
        return "".join(element.itertext()).strip()

    def decode(self, data: bytes) -> str:
        """The source text, verbatim."""
        return self._decode(data)[0]

    def _decode(self, data: bytes) -> tuple[str, set[Mend]]:
        """By the declared encoding, else UTF-8, else Windows' Western one."""
        try:
            return data.decode(self._encoding), set()
        except (UnicodeError, ValueError):
            mends = {Mend.OTHER_ENCODING}
        if not self._utf8:
            try:
                return data.decode("utf-8"), mends
            except UnicodeDecodeError:
                pass
        return data.decode("cp1252", "replace"), mends

    def _element(self, data: bytes) -> Element:
        try:
            return ElementTree.fromstring(self._head + data + b"</unit>")[0]
        except ParseError as error:
            if error.code != _UNBOUND_PREFIX:
                raise
        found = set(_PREFIXES.findall(data.decode("utf-8", "replace"))) - _RESERVED_PREFIXES
        self._prefixes |= found
        self._wrap()
        return ElementTree.fromstring(self._head + data + b"</unit>")[0]

    def _mended(self, text: str) -> tuple[Element, set[Mend]]:
        """Try the mends one behind the other, from the most harmless one on."""
        mends: set[Mend] = set()
        cleaned = _without_control_characters(text, mends)
        referenced = _with_references(cleaned, mends)
        for candidate in dict.fromkeys((cleaned, referenced)):
            try:
                return self._element(candidate.encode()), mends
            except ParseError as error:
                fault = error
        if fault.code == _DUPLICATE_ATTRIBUTE:
            mends.add(Mend.REPEATED_ATTRIBUTES)
            unique = _START_TAG.sub(lambda tag: _with_unique_attributes(tag[0]), referenced)
            return self._element(unique.encode()), mends
        escaped = _escape_texts(cleaned)
        if escaped == cleaned:
            raise fault
        mends = {Mend.RAW_MARKUP}
        return self._element(_with_references(escaped, mends).encode()), mends


def _message(error: ParseError, data: bytes) -> str:
    lines = data.count(b"\n") + 1
    return f"{str(error).partition(':')[0]}, line {error.position[0]} of its {lines}"


def _without_control_characters(text: str, mends: set[Mend]) -> str:
    cleaned, count = _CONTROL.subn("", text)
    if count:
        mends.add(Mend.CONTROL_CHARACTERS)
    return cleaned


def _with_references(text: str, mends: set[Mend]) -> str:
    """Ampersands that begin nothing escaped, and the entities of HTML as characters."""

    def resolve(match: re.Match[str]) -> str:
        number, name = match.groups()
        if number is not None:
            code = int(number[1:], 16) if number[0] in "xX" else int(number)
            if code in (9, 10, 13) or (code >= 32 and code <= 0x10FFFF):
                return "" if 0xD800 <= code <= 0xDFFF or code in (0xFFFE, 0xFFFF) else match[0]
            mends.add(Mend.CONTROL_CHARACTERS)
            return ""
        if name in _PREDEFINED:
            return match[0]
        if name is not None and (character := html5.get(f"{name};")):
            mends.add(Mend.HTML_ENTITIES)
            return html.escape(character)
        mends.add(Mend.BARE_AMPERSANDS)
        return f"&amp;{match[0][1:]}"

    parts = _OPAQUE.split(text)
    parts[::2] = [_REFERENCE.sub(resolve, part) if "&" in part else part for part in parts[::2]]
    return "".join(parts)


def _with_unique_attributes(tag: str) -> str:
    seen: set[str] = set()

    def once(match: re.Match[str]) -> str:
        repeated = match[1] in seen
        seen.add(match[1])
        return "" if repeated else match[0]

    return _ATTRIBUTE.sub(once, tag)


@cache
def _texts() -> tuple[re.Pattern[str], ...]:
    def pattern(names: tuple[str, ...], content: str) -> re.Pattern[str]:
        start = rf"(<((?:[\w.-]+:)?(?:{'|'.join(names)}))(?:\s[^<>]*)?(?<!/)>)"
        return re.compile(rf"{start}({content})(</\2\s*>)", re.DOTALL)

    return (
        *(pattern((name,), ".*") for name in _ONE_TEXT),
        pattern(_MANY_TEXTS, ".*?"),
    )


def _escape_texts(text: str) -> str:
    """Markup in the texts of a feature made text, but for CDATA sections, which it is in."""

    def escape(match: re.Match[str]) -> str:
        start, _, content, end = match.groups()
        if "<" not in content:
            return match[0]
        parts = _OPAQUE.split(content)
        parts[::2] = [html.escape(part, quote=False) for part in parts[::2]]
        parts[1::2] = [part if part.startswith("<![") else "" for part in parts[1::2]]
        return f"{start}{''.join(parts)}{end}"

    for pattern in _texts():
        text = pattern.sub(escape, text)
    return text
