"""The header If-Match."""

from __future__ import annotations

import azure.functions as func
import pytest

from core.errors import InvalidRequest
from web_interfaces.api.preconditions import if_match


def request(header: str | None) -> func.HttpRequest:
    headers = {} if header is None else {"If-Match": header}
    return func.HttpRequest("PUT", "http://geoforge.test/", headers=headers, body=b"")


@pytest.mark.parametrize("header", [None, "*", " * "])
def test_any_version_will_do(header: str | None) -> None:
    assert if_match(request(header)) is None


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        ('"3-5f2a"', {'"3-5f2a"'}),
        ('"1", "2"', {'"1"', '"2"'}),
        (' ,"1",,"2,3" ', {'"1"', '"2,3"'}),
        ('W/"1"', set()),
        ('W/"1", "2"', {'"2"'}),
        ('""', {'""'}),
        ("", set()),
    ],
)
def test_entity_tags(header: str, tags: set[str]) -> None:
    assert if_match(request(header)) == tags


@pytest.mark.parametrize("header", ["3", '"1', '"1"2', "W/1", '* "1"'])
def test_anything_else_is_refused(header: str) -> None:
    with pytest.raises(InvalidRequest, match="If-Match must be"):
        if_match(request(header))
