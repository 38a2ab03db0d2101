"""Names that somebody may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_SHOWN = 12


def hint(name: str, known: Iterable[str]) -> str:
    """A sentence for the end of a message about an unknown name: the one that is like it, or
    else those there are. Empty where there are none."""
    names = sorted(set(known))
    if not names:
        return ""
    like = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if like:
        return f" Did you mean {like[0]}?"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f" There is {', '.join(names[:_SHOWN])}{more}."
