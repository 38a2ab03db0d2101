"""A first pass over a GML, for what OGR keeps silent about.

OGR makes 0 of an ordinate that is no number, and an empty layer of a document that ends too
early. Features are the elements on the third level, as in every GML in use: collection,
member(s), feature.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from xml.parsers import expat

from services.vector.formats.reader import UnreadableFile

_FEATURE_DEPTH: Final = 3
_BLOCK: Final = 1 << 20
_ORDINATES: Final = frozenset({"pos", "posList", "coordinates", "X", "Y", "Z"})
_NOT_ORDINATES = re.compile(r"[^\s,;]*[^\s,;0-9.eE+\-][^\s,;]*")
_ENVELOPE: Final = frozenset({"lowerCorner", "upperCorner", "Envelope", "Box", "boundedBy"})


@dataclass(slots=True)
class Survey:
    """What was found, by the local name of the features' element.

    `broken` has the numbers (from 0, within their type) of features with an ordinate that is
    no number, and that ordinate; `without` those of features that have no coordinates at all.
    `failure` says where the document stops being XML; `sound_bytes` is where the last whole
    feature ends, and `closing` what must follow it for the document to be whole again.
    """

    features: Counter[str] = field(default_factory=Counter)
    broken: dict[str, dict[int, str]] = field(default_factory=dict)
    without: dict[str, set[int]] = field(default_factory=dict)
    failure: str | None = None
    sound_bytes: int = 0
    closing: str = ""


def survey(path: Path) -> Survey:
    """Look through a document. Raises `UnreadableFile` for one that declares entities."""
    pass_ = _Pass()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                pass_.parser.Parse(block, False)
            pass_.parser.Parse(b"", True)
    except expat.ExpatError as error:
        what = expat.errors.messages.get(error.code, "no XML")
        pass_.found.failure = f"{what} (line {error.lineno:,})"
    return pass_.found


def write_sound(path: Path, found: Survey, target: Path) -> None:
    """Write the document as far as its features are whole."""
    with path.open("rb") as source, target.open("wb") as copy:
        left = found.sound_bytes
        while left and (block := source.read(min(_BLOCK, left))):
            copy.write(block)
            left -= len(block)
        copy.write(found.closing.encode())
        shutil.copystat(path, target)


class _Pass:
    """The state of one pass: which elements are open, and what is known of this feature."""

    def __init__(self) -> None:
        self.found = Survey()
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.EntityDeclHandler = self._refuse
        self._open: list[str] = []
        self._has_coordinates = False
        self._in_ordinates = False
        self._bad: str | None = None
        self._carried = ""

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        self._open.append(name)
        if len(self._open) == _FEATURE_DEPTH:
            self._has_coordinates, self._bad = False, None
        elif len(self._open) > _FEATURE_DEPTH:
            self._in_ordinates = _local(name) in _ORDINATES
            self._has_coordinates |= self._in_ordinates
            self._carried = ""

    def _text(self, text: str) -> None:
        if not self._in_ordinates or self._bad is not None:
            return
        text = self._carried + text
        cut = max(text.rfind(" "), text.rfind("\n"))  # the last number may go on in the next
        self._check(text[: cut + 1])
        self._carried = text[cut + 1 :]

    def _end(self, name: str) -> None:
        if self._in_ordinates:
            self._check(self._carried)
            self._in_ordinates, self._carried = False, ""
        if len(self._open) == _FEATURE_DEPTH and _local(name) not in _ENVELOPE:
            self._end_feature(_local(name))
        self._open.pop()

    def _check(self, text: str) -> None:
        if self._bad is None and (match := _NOT_ORDINATES.search(text)):
            self._bad = match.group()[:40]

    def _end_feature(self, name: str) -> None:
        number = self.found.features[name]
        self.found.features[name] += 1
        if self._bad is not None:
            self.found.broken.setdefault(name, {})[number] = self._bad
        if not self._has_coordinates:
            self.found.without.setdefault(name, set()).add(number)
        tag = len(f"</{self._open[-1]}>".encode())
        self.found.sound_bytes = self.parser.CurrentByteIndex + tag
        self.found.closing = "".join(f"</{each}>" for each in reversed(self._open[:-1]))

    def _refuse(self, *_declaration: object) -> None:
        raise UnreadableFile("The document declares entities of its own, which is refused.")


def _local(name: str) -> str:
    return name.rpartition(":")[2]
