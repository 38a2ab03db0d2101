"""Counts as people read them."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """'1 item', '2 items', '1,200 items'; `plural` where it is not the noun with an s."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
