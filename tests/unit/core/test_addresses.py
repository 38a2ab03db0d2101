"""Signatures in addresses are for nobody's eyes."""

from __future__ import annotations

from core.addresses import without_queries


def test_queries_are_hidden_wherever_they_are() -> None:
    shown = without_queries(
        {
            "source_url": "https://example.org/a.gpkg?sig=secret",
            "more": ["HTTP://x/?a=1", {"deep": "https://y/z?token=t#f"}],
            "title": "Is this right?",
            "plain": "https://example.org/a.gpkg",
            "n": 3,
        }
    )
    assert shown == {
        "source_url": "https://example.org/a.gpkg?***",
        "more": ["HTTP://x/?***", {"deep": "https://y/z?***"}],
        "title": "Is this right?",
        "plain": "https://example.org/a.gpkg",
        "n": 3,
    }
