"""Conditional requests: If-Match keeps a change that someone else made from being undone unseen.

https://www.rfc-editor.org/rfc/rfc9110#name-if-match
"""

from __future__ import annotations

import re

import azure.functions as func

from core.errors import InvalidRequest

_ENTITY_TAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def if_match(req: func.HttpRequest) -> frozenset[str] | None:
    """The entity tags of which the current one must be one; None where any will do.

    Weak ones match nothing here, as RFC 9110 has it. Raises `InvalidRequest` for a header that
    is no list of entity tags.
    """
    text = req.headers.get("If-Match")
    if text is None or text.strip() == "*":
        return None
    tags: set[str] = set()
    position = 0
    while position < len(text):
        if text[position] in ", \t":
            position += 1
            continue
        found = _ENTITY_TAG.match(text, position)
        if found is None:
            raise InvalidRequest(
                'The header If-Match must be * or entity tags in quotes, as "3-5f2a".',
                code="malformed_if_match",
            )
        weak, tag = found.groups()
        if not weak:
            tags.add(tag)
        position = found.end()
    return frozenset(tags)
