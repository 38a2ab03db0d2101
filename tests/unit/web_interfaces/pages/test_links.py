"""Links inside the app: where they lead, and the function key that goes along."""

from __future__ import annotations

import azure.functions as func
import pytest

from web_interfaces.pages.rendering import link_to


def asked(**params: str) -> func.HttpRequest:
    return func.HttpRequest(
        "GET", "http://geoforge.test/api/interface/jobs?status=failed", params=params, body=b""
    )


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        (None, {}, "/api/interface/jobs"),
        ("/page", {}, "/page"),
        ("/page", {"q": "a b", "more": None}, "/page?q=a+b"),
        ("/page?item=a%26b", {}, "/page?item=a%26b"),
        ("/page?bidx=1&bidx=2&empty=", {"size": 8}, "/page?bidx=1&bidx=2&empty=&size=8"),
        ("/page?size=1&item=a", {"size": 8}, "/page?item=a&size=8"),
        ("/page?size=1", {"size": None}, "/page"),
        ("/page?", {}, "/page"),
    ],
)
def test_a_path_may_have_a_query_of_its_own(
    path: str | None, query: dict[str, object], expected: str
) -> None:
    assert link_to(asked(), path, **query) == expected


def test_the_function_key_goes_along_once() -> None:
    assert link_to(asked(code="k&y"), "/page") == "/page?code=k%26y"
    assert link_to(asked(code="k"), "/page?item=a&code=old", size=8) == "/page?item=a&size=8&code=k"
