"""The tokens as the stylesheet has them, so that the page shows what is, and no copy of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from web_interfaces.pages import assets

_PAIR = re.compile(r"light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)")
_COMMENT = re.compile(r"/\*\s*(.*?)\s*\*/", re.DOTALL)
_TOKEN = re.compile(r"(--[\w-]+): ([^;]+);")


@dataclass(frozen=True, slots=True)
class Token:
    """A custom property of the stylesheet, as it is written there."""

    name: str
    value: str

    @property
    def pair(self) -> tuple[str, str] | None:
        """The colours in light and dark, as #rrggbb; None for what is no colour.

        A colour that is the same in both is a pair of equals.
        """
        if found := _PAIR.fullmatch(self.value):
            return found[1], found[2]
        if re.fullmatch(r"#[0-9a-f]{6}", self.value):
            return self.value, self.value
        return None


@dataclass(frozen=True, slots=True)
class Group:
    """Tokens that belong together, and the comment above them."""

    about: str
    tokens: tuple[Token, ...]


def groups() -> list[Group]:
    """The groups of css/tokens.css, in its order."""
    text = assets.assets()["css/tokens.css"].content.decode()
    root = text[text.index(":root {") :]
    return list(_groups(root[: root.index("\n}")]))


def _groups(rule: str) -> Iterator[Group]:
    """Each block of lines between empty ones; what has no comment goes with what is above it."""
    about = ""
    tokens: list[Token] = []
    for block in rule.split("\n\n"):
        found = [Token(name, value) for name, value in _TOKEN.findall(block)]
        if comment := _COMMENT.search(block):
            if tokens:
                yield Group(about, tuple(tokens))
            about, tokens = " ".join(comment[1].split()), []
        tokens += found
    if tokens:
        yield Group(about, tuple(tokens))
