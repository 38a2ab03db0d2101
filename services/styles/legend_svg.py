"""A legend as a picture, for reports and slides."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from textwrap import wrap

from services.features.links import JsonObject
from services.styles.model import LegendEntry

# In pixels.
_PADDING = 12
_TITLE_HEIGHT = 26
_LINE_HEIGHT = 22
_SWATCH_WIDTH, _SWATCH_HEIGHT = 22, 14
_RADIUS = 6
_GAP = 10
_LETTER = 7.2  # of the font, on average: a picture cannot measure its texts
_CREDIT_LETTER = 5.6
_CREDIT_HEIGHT = 16
_LEAST_CREDIT_WIDTH = 320

_FONT = "font-family='system-ui, sans-serif'"


def drawn(legend: JsonObject) -> str:
    """The legend that `documents.legend_document` describes, as SVG that holds no links."""
    entries: list[LegendEntry] = legend["entries"]
    texts = [str(entry.get("label", "")) for entry in entries]
    longest = max((len(text) for text in [*texts, legend["title"]]), default=0)
    width = round(2 * _PADDING + _SWATCH_WIDTH + _GAP + longest * _LETTER)
    credit: list[str] = []
    if legend["attribution"]:
        width = max(width, _LEAST_CREDIT_WIDTH)
        credit = wrap(legend["attribution"], int((width - 2 * _PADDING) / _CREDIT_LETTER))
    listed = _PADDING + _TITLE_HEIGHT + _LINE_HEIGHT * len(entries)
    height = listed + _PADDING + _CREDIT_HEIGHT * len(credit)
    return "".join(
        [
            f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' "
            f"viewBox='0 0 {width} {height}' role='img'>",
            f"<title>{escape(legend['title'])}</title>",
            f"<rect width='{width}' height='{height}' fill='#ffffff'/>",
            f"<text x='{_PADDING}' y='{_PADDING + 14}' {_FONT} font-size='14' font-weight='600' "
            f"fill='#1a1a1a'>{escape(legend['title'])}</text>",
            *_lines(entries),
            *_credit(credit, listed),
            "</svg>",
        ]
    )


def _lines(entries: list[LegendEntry]) -> Iterator[str]:
    for number, entry in enumerate(entries):
        middle = _PADDING + _TITLE_HEIGHT + number * _LINE_HEIGHT + _LINE_HEIGHT // 2
        yield _swatch(entry, middle)
        left = _PADDING + _SWATCH_WIDTH + _GAP
        yield f"<text x='{left}' y='{middle + 4}' {_FONT} font-size='13' fill='#1a1a1a'>"
        yield f"{escape(str(entry.get('label', '')))}</text>"


def _credit(lines: list[str], top: int) -> Iterator[str]:
    """Whom to credit, below the entries, which end at `top`."""
    for number, line in enumerate(lines):
        bottom = top + _CREDIT_HEIGHT * (number + 1)
        yield f"<text x='{_PADDING}' y='{bottom}' {_FONT} font-size='10' fill='#555555'>"
        yield f"{escape(line)}</text>"


def _swatch(entry: LegendEntry, middle: int) -> str:
    colour = escape(str(entry.get("color", "#888888")), quote=True)
    outline = escape(str(entry.get("outline", colour)), quote=True)
    centre = _PADDING + _SWATCH_WIDTH / 2
    if entry.get("kind") == "line":
        return (
            f"<line x1='{_PADDING}' x2='{_PADDING + _SWATCH_WIDTH}' y1='{middle}' y2='{middle}' "
            f"stroke='{colour}' stroke-width='3'/>"
        )
    if entry.get("kind") == "circle":
        radius = float(entry.get("radius", _RADIUS))
        return (
            f"<circle cx='{centre}' cy='{middle}' r='{radius:g}' fill='{colour}' "
            f"stroke='{outline}'/>"
        )
    return (
        f"<rect x='{_PADDING}' y='{middle - _SWATCH_HEIGHT / 2}' width='{_SWATCH_WIDTH}' "
        f"height='{_SWATCH_HEIGHT}' fill='{colour}' stroke='{outline}'/>"
    )
