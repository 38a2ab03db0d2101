"""Plain text from the HTML that descriptions are written in.

Tags are found by one regular expression whose every alternative ends at the next `<` or
consumes what it looked at, so that the time is linear in the text, whatever it holds; the
nesting that is followed has a limit.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

_TOKEN: Final = re.compile(
    r"<!--.*?(?:-->|\Z)"
    r"|<!\[CDATA\[|\]\]>"
    r"|<(?P<dropped>script|style|head|title|noscript|template|object|svg)(?=[\s/>]).*?"
    r"(?:</(?P=dropped)\s*>|\Z)"
    r"|<(?P<end>/?)(?P<name>[A-Za-z][A-Za-z0-9:-]*)(?P<attributes>(?:[^<>\"']|\"[^\"<]*\"|'[^'<]*'"
    r"|[\"'])*?)>"
    r"|<[!?][^<>]*>",
    re.DOTALL | re.IGNORECASE,
)
_HREF: Final = re.compile(r"\bhref\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)
_ALT: Final = re.compile(r"\balt\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", re.IGNORECASE)
_BLANKS: Final = re.compile(r"[ \t\r\n\f\v\u00a0]+")
_BLOCKS: Final = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "center",
        "dd",
        "details",
        "dir",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "html",
        "legend",
        "main",
        "menu",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "summary",
        "ul",
        "caption",
        "thead",
        "tbody",
        "tfoot",
    ]
)
_PARAGRAPHS: Final = frozenset(["blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "p"])
# What people write in descriptions; a text such as "a < b > c" has no such tag.
_TAG_NAMES: Final = (
    "a|abbr|b|big|blockquote|body|br|center|code|dd|div|dl|dt|em|font|h[1-6]|head|hr|html|i|iframe"
    "|img|input|li|link|meta|ol|p|pre|q|s|script|small|span|strong|style|sub|sup|table|tbody|td|th"
    "|thead|title|tr|tt|u|ul|xml"
)
_LOOKS: Final = (
    rf"(?i)</?(?:{_TAG_NAMES})(?:\s[^<>]*)?/?>|<!DOCTYPE\s"
    r"|&(?:amp|lt|gt|nbsp|quot|apos|#\d{1,7});"
)
_LOOKS_PATTERN: Final = re.compile(_LOOKS)
_MAX_NESTED_TABLES: Final = 32


def looks_like_html(text: str) -> bool:
    """Whether a text has tags or entities of HTML in it."""
    return _LOOKS_PATTERN.search(text) is not None


def to_text(markup: str) -> str:
    """What a browser would show, as plain text.

    Blocks begin new lines, a table's row is a line (`key: value` where it has two cells), list
    items begin with a dash, links have their address behind them, scripts and styles are left
    out, and white space is tidied.
    """
    writer = _Writer()
    position = 0
    for token in _TOKEN.finditer(markup):
        writer.text(markup[position : token.start()])
        position = token.end()
        if name := token["name"]:
            writer.tag(name.lower(), bool(token["end"]), token["attributes"])
    writer.text(markup[position:])
    return writer.result()


def plain_texts(texts: pa.StringArray) -> pa.StringArray:
    """`to_text` of those in an array that look like HTML; the others are as they are.

    Texts that are there many times are converted once.
    """
    marked = pc.fill_null(pc.match_substring_regex(texts, _LOOKS), False)
    if not pc.any(marked).as_py():
        return texts
    encoded = pc.dictionary_encode(texts.filter(marked))
    converted = pa.array([to_text(text) or None for text in encoded.dictionary.to_pylist()])
    plain: Any = pc.take(converted.cast(pa.string()), encoded.indices)
    return pc.replace_with_mask(texts, marked, plain)


@dataclass(slots=True)
class _Row:
    """The cells of a table's row so far, each a list of pieces of text, and how many tables
    are around it.
    """

    depth: int
    cells: list[list[str]] = field(default_factory=list)


class _Writer:
    """Collects text. Pieces go to the innermost open cell, else to the page."""

    def __init__(self) -> None:
        self._page: list[str] = []
        self._rows: list[_Row] = []
        self._depth = 0
        self._links: list[tuple[str, int]] = []
        self._preformatted = 0

    def text(self, text: str) -> None:
        if not text:
            return
        plain = html.unescape(text)
        if not self._preformatted:
            plain = _BLANKS.sub(" ", plain)
        if plain != " " or not self._at_line_start:
            self._pieces.append(plain)

    def tag(self, name: str, closing: bool, attributes: str) -> None:
        match name:
            case "br":
                self._pieces.append("\n")
            case "table":
                self._table(closing)
            case "tr":
                self._end_row()
                if not closing and len(self._rows) < _MAX_NESTED_TABLES:
                    self._rows.append(_Row(self._depth))
            case "td" | "th":
                if not closing:
                    self._cell()
            case "li":
                self._break()
                if not closing:
                    self._pieces.append("- ")
            case "a":
                self._link(closing, attributes)
            case "img":
                if alt := _ALT.search(attributes):
                    self._pieces.append(html.unescape(alt[1] or alt[2] or ""))
            case _ if name in _BLOCKS:
                if name == "pre":
                    self._preformatted = max(0, self._preformatted + (-1 if closing else 1))
                self._break()
                if name in _PARAGRAPHS:
                    self._pieces.append("\n")

    def result(self) -> str:
        while self._rows:
            self._depth = self._rows[-1].depth
            self._end_row()
        return _tidy("".join(self._page))

    @property
    def _pieces(self) -> list[str]:
        for row in reversed(self._rows):
            if row.cells:
                return row.cells[-1]
        return self._page

    @property
    def _at_line_start(self) -> bool:
        pieces = self._pieces
        return not pieces or pieces[-1].endswith("\n")

    def _break(self) -> None:
        if not self._at_line_start:
            self._pieces.append("\n")

    def _table(self, closing: bool) -> None:
        if closing:
            self._end_row()
            self._depth = max(0, self._depth - 1)
        else:
            self._depth += 1
        self._break()

    def _cell(self) -> None:
        if (not self._rows or self._rows[-1].depth != self._depth) and (
            len(self._rows) < _MAX_NESTED_TABLES
        ):
            self._rows.append(_Row(self._depth))
        if self._rows:
            self._rows[-1].cells.append([])

    def _end_row(self) -> None:
        """Write the row of the innermost table into the cell that it is in, or to the page."""
        if not self._rows or self._rows[-1].depth < self._depth:
            return
        row = self._rows.pop()
        cells = [_tidy("".join(cell)) for cell in row.cells]
        if any("\n" in cell for cell in cells):
            line = "\n".join(cell for cell in cells if cell)
        elif len(cells) == 2 and cells[0] and cells[1]:
            line = f"{cells[0].rstrip(':')}: {cells[1]}"
        else:
            line = " | ".join(cell for cell in cells if cell)
        if line:
            self._break()
            self._pieces.append(f"{line}\n")

    def _link(self, closing: bool, attributes: str) -> None:
        """The address behind the text, unless the text is the address."""
        if not closing:
            found = _HREF.search(attributes)
            href = html.unescape(next(filter(None, found.groups()), "")) if found else ""
            self._links.append((href.strip(), len(self._pieces)))
            return
        if not self._links:
            return
        href, start = self._links.pop()
        label = "".join(self._pieces[start:]).strip()
        shown = href.removeprefix("mailto:")
        if href and not href.startswith(("#", "javascript:")) and label != shown:
            self._pieces.append(f" ({shown})" if label else shown)


def _tidy(text: str) -> str:
    """No blanks at the ends of lines, and no more than one empty line in a row."""
    lines: list[str] = []
    for line in text.split("\n"):
        line = line.strip(" \t\r\f\v\u00a0")
        if line or (lines and lines[-1]):
            lines.append(line)
    return "\n".join(lines).strip("\n")
