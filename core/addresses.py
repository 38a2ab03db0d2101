"""Addresses in what people are shown: a query may hold a signature, and is left out."""

from __future__ import annotations

from typing import Any

HIDDEN_QUERY = "?***"


def without_queries(value: Any) -> Any:
    """The value, with the query of each address in it replaced by `?***`."""
    if isinstance(value, str):
        return _without_query(value)
    if isinstance(value, list):
        return [without_queries(each) for each in value]
    if isinstance(value, dict):
        return {name: without_queries(each) for name, each in value.items()}
    return value


def _without_query(text: str) -> str:
    address, mark, _ = text.partition("?")
    is_address = address.lower().startswith(("http://", "https://"))
    return address + HIDDEN_QUERY if mark and is_address else text
