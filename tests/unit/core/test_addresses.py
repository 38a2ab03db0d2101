"""Signatures in addresses are for nobody's eyes."""

from __future__ import annotations

import pytest

from core.addresses import bare, has_hidden, secret_in, without_secrets


def test_queries_and_passwords_are_hidden_wherever_they_are() -> None:
    shown = without_secrets(
        {
            "source_url": "https://example.org/a.gpkg?sig=secret",
            "more": ["HTTP://x/?a=1", {"deep": "https://y/z?token=t#f"}],
            "title": "Is this right?",
            "plain": "https://example.org/a.gpkg",
            "user": "HTTPS://usr:pw@example.org/a@b",
            "both": ["https://a@b:pw@y/z?token=t", "https://y?to=a@b"],
            "n": 3,
        }
    )
    assert shown == {
        "source_url": "https://example.org/a.gpkg?***",
        "more": ["HTTP://x/?***", {"deep": "https://y/z?***"}],
        "title": "Is this right?",
        "plain": "https://example.org/a.gpkg",
        "user": "HTTPS://***@example.org/a@b",
        "both": ["https://***@y/z?***", "https://y?***"],
        "n": 3,
    }
    assert all(has_hidden(shown[name]) for name in ("source_url", "more", "user", "both"))
    assert not any(has_hidden(shown[name]) for name in ("title", "plain", "n"))


@pytest.mark.parametrize(
    ("address", "left"),
    [
        ("https://example.org/a/b.gpkg", "https://example.org/a/b.gpkg"),
        ("https://example.org:8443/a?sig=secret#part", "https://example.org:8443/a"),
        ("https://user:secret@example.org/a", "https://example.org/a"),
        ("https://a@secret@example.org/a@b", "https://example.org/a@b"),
        ("https://[broken/a?secret", "https://[broken/a"),
    ],
)
def test_an_address_is_left_bare(address: str, left: str) -> None:
    assert bare(address) == left


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("https://example.org/a.gpkg?f=json&page=2", None),
        ("https://example.org/a.gpkg?sv=2024&sig=secret", "'sig'"),
        ("https://example.org/a.gpkg?X-Amz-Signature=secret", "'X-Amz-Signature'"),
        ("https://usr:pw@example.org/a", "a user or a password"),
        ("https://example.org/a@b", None),
        ("see https://example.org/?accessToken=t and more", "'accessToken'"),
        # Expressions: what follows is an input's.
        ("'https://example.org/?sig=' + inputs.sig", None),
        ("'https://example.org/?sig=abc'", "'sig'"),
        ("mail@example.org?token=1", None),
        ("https://[broken/?token=1", "'token'"),
    ],
)
def test_secrets_are_found_in_texts(text: str, secret: str | None) -> None:
    assert secret_in(text) == secret
