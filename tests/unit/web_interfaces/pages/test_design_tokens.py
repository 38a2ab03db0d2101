"""The colours of the pages have the contrasts that WCAG 2.2 AA asks for, in both schemes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import web_interfaces
from web_interfaces.design.tokens import Token, groups

STATIC = Path(web_interfaces.__path__[0]) / "static"
TOKENS = {token.name.removeprefix("--"): token for group in groups() for token in group.tokens}

SURFACES = ("ground", "surface", "raised", "sunken")
STATES = ("running", "good", "warn", "bad", "idle")
TEXT = 4.5
# 1.4.11: borders of what can be used, marks of charts, the ring around what has the focus.
MARKS = 3.0

PAIRS = [
    *((text, ground, TEXT) for text in ("ink", "quiet", "accent", *STATES) for ground in SURFACES),
    *((state, f"{state}-soft", TEXT) for state in STATES),
    *((text, f"{state}-soft", TEXT) for text in ("ink", "quiet") for state in STATES),
    *((text, "accent-soft", TEXT) for text in ("ink", "quiet", "accent")),
    ("accent-ink", "accent", TEXT),
    ("accent-ink", "accent-strong", TEXT),
    ("surface", "bad", TEXT),
    ("masthead-ink", "masthead", TEXT),
    ("masthead-quiet", "masthead", TEXT),
    ("signal", "masthead", MARKS),
    *(("edge-strong", ground, MARKS) for ground in SURFACES),
    # A bar of progress on its track.
    *((state, "idle-soft", MARKS) for state in STATES),
]


def luminance(colour: str) -> float:
    """WCAG's relative luminance of #rrggbb."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("colour", "ground", "least"), PAIRS)
def test_colours_have_their_contrast(colour: str, ground: str, least: float, scheme: int) -> None:
    one, other = TOKENS[colour].pair, TOKENS[ground].pair
    assert one is not None
    assert other is not None
    assert contrast(one[scheme], other[scheme]) >= least


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


def test_each_group_of_tokens_says_what_it_is_about() -> None:
    found = groups()
    assert len(found) > 6
    assert all(group.about and group.tokens for group in found)
    assert Token("--gap", "var(--space-4)").pair is None


def test_every_token_that_a_stylesheet_names_exists() -> None:
    for sheet in (STATIC / "css").glob("*.css"):
        text = sheet.read_text()
        own = set(re.findall(r"(--[\w-]+):", text))
        named = set(re.findall(r"var\((--[\w-]+)", text))
        # --zoom is set by the script that draws.
        missing = named - own - {f"--{name}" for name in TOKENS} - {"--zoom"}
        assert missing == set(), sheet.name
