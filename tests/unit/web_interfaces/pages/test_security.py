"""The policy of the pages forbids everything but what is listed."""

from __future__ import annotations

import re

from web_interfaces.pages import security
from web_interfaces.pages.rendering import HEADERS


def test_nothing_is_allowed_that_is_not_listed_and_nothing_unsafe_is() -> None:
    policy = security.CONTENT_SECURITY_POLICY
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    # Neither falls back to default-src, and each would be open without a line of its own.
    assert {"form-action", "base-uri", "frame-ancestors"} <= set(policy)
    for directive, sources in policy.items():
        allowed = {"'none'", "'self'"} | ({"data:"} if directive == "img-src" else set())
        assert set(sources.split()) <= allowed, directive


def test_every_page_carries_it() -> None:
    assert HEADERS.items() >= security.HEADERS.items()
    parts = HEADERS["Content-Security-Policy"].split("; ")
    assert parts == [f"{name} {value}" for name, value in security.CONTENT_SECURITY_POLICY.items()]
    assert HEADERS["Cross-Origin-Opener-Policy"] == "same-origin"
    assert re.fullmatch(r"([a-z-]+=\(\)(, )?)+", HEADERS["Permissions-Policy"])
