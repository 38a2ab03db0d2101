"""How Natural Earth calls its layers: by scale and theme, as in ne_10m_land.

Those of a point of view, or without lakes, have more behind it: ne_10m_admin_0_countries_ind.
"""

from __future__ import annotations

import re

_NAMED = re.compile(r"ne_\d+m_(.+)", re.IGNORECASE)


def is_called(layer: str, theme: str) -> bool:
    """Whether a layer has the very name of the theme, at any scale."""
    return _behind_scale(layer) == theme


def is_of(layer: str, theme: str) -> bool | None:
    """Whether a layer is one of the theme by its name, with more behind it or not; None where it
    is not called as Natural Earth calls its layers."""
    name = _behind_scale(layer)
    return None if name is None else f"{name}_".startswith(f"{theme}_")


def _behind_scale(layer: str) -> str | None:
    named = _NAMED.fullmatch(layer)
    return None if named is None else named[1].lower()
