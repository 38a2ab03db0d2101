"""The shared styles of a KML file, in the terms of CSS, kept beside the data."""

from __future__ import annotations

from typing import Any, Final
from xml.etree.ElementTree import Element

from services.vector.formats.kml.names import local_name

MAX_STYLES: Final = 500
_PARTS: Final = {"LineStyle": "line", "PolyStyle": "fill", "IconStyle": "icon"}
_NUMBERS: Final = {"width": "width", "scale": "scale"}
_MAX_HREF: Final = 500

Style = dict[str, Any]


class StyleSheet:
    """Collects Style and StyleMap elements by their ids.

    `left_out` counts those beyond the 500 that are kept.
    """

    def __init__(self) -> None:
        self.left_out = 0
        self._styles: dict[str, Style] = {}
        self._normals: dict[str, str] = {}

    def add(self, element: Element) -> None:
        identifier = element.get("id") or element.get("{kml}id")
        if not identifier:
            return
        if len(self._styles) + len(self._normals) >= MAX_STYLES:
            self.left_out += 1
        elif local_name(element.tag) == "StyleMap":
            self._add_map(identifier, element)
        else:
            self._styles[identifier] = _style(element)

    def resolved(self) -> dict[str, Style]:
        """The styles by id; a StyleMap has that of its normal state."""
        styles = dict(self._styles)
        for identifier in self._normals:
            target = identifier
            for _ in range(8):  # maps can name maps, and each other
                if target not in self._normals:
                    break
                target = self._normals[target]
            if target in self._styles:
                styles[identifier] = self._styles[target]
        return {identifier: style for identifier, style in styles.items() if style}

    def _add_map(self, identifier: str, element: Element) -> None:
        for pair in element:
            texts = {local_name(child.tag): (child.text or "").strip() for child in pair}
            if texts.get("key", "normal") != "normal":
                continue
            inline = next((child for child in pair if local_name(child.tag) == "Style"), None)
            if inline is not None:
                self._styles[identifier] = _style(inline)
            elif url := texts.get("styleUrl"):
                self._normals[identifier] = url.rpartition("#")[2]
            return


def css_colour(text: str) -> str | None:
    """KML's aabbggrr as rgba(); None where it is no colour."""
    digits = text.strip().removeprefix("#").rjust(8, "f")
    try:
        alpha, blue, green, red = bytes.fromhex(digits)
    except ValueError:
        return None
    return f"rgba({red},{green},{blue},{round(alpha / 255, 2):g})"


def _style(element: Element) -> Style:
    style: Style = {}
    for part in element.iter():
        kind = _PARTS.get(local_name(part.tag))
        if kind is not None and (found := _part(part)):
            style[kind] = found
    return style


def _part(element: Element) -> Style:
    found: Style = {}
    for child in element:
        name, text = local_name(child.tag), (child.text or "").strip()
        if name == "color" and (colour := css_colour(text)):
            found["color"] = colour
        elif name in _NUMBERS:
            try:
                found[_NUMBERS[name]] = float(text)
            except ValueError:
                continue
        elif name in ("fill", "outline"):
            found[name] = text.lower() not in ("0", "false")
        elif name == "Icon":
            href = next((each.text for each in child if local_name(each.tag) == "href"), None)
            if href and href.strip():
                found["href"] = href.strip()[:_MAX_HREF]
    return found
