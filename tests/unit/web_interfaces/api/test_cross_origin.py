"""Whatever acts refuses what the page of another site makes a browser send: every function that
is registered, so that a new one cannot be forgotten."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import azure.durable_functions as df
import azure.functions as func
import pytest

import web_interfaces
from tests.support.settings import app_settings

HOST = "geoforge.test"
ACTING = {"POST", "PUT", "PATCH", "DELETE"}

# Asked by POST because a question is long; pages of other sites may, as the STAC API has it.
ASKING = {"POST api/stac/search"}

ELSEWHERE = (
    {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"},
    # An older browser, or a form: the origin alone.
    {"Origin": "https://elsewhere.example"},
    {"Origin": "null"},
    # Another port of the same machine, and another name of the same site.
    {"Origin": f"https://{HOST}:8443"},
    {"Sec-Fetch-Site": "same-site"},
)


@pytest.fixture(scope="module")
def acting() -> Iterator[list[tuple[Any, str]]]:
    """Each HTTP function with each of its methods that act."""
    with app_settings():
        app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)
        for blueprint in web_interfaces.blueprints():
            app.register_functions(blueprint)
        functions = [each for each in app.get_functions() if each.is_http_function()]
        yield [(each, method) for each in functions for method in sorted(methods(each) & ACTING)]


def methods(function: Any) -> set[str]:
    """A function without a list of methods serves all of them."""
    listed = function.get_trigger().methods or ACTING
    return {str(getattr(each, "value", each)).upper() for each in listed}


def call(function: Any, method: str, headers: dict[str, str]) -> func.HttpResponse:
    route = function.get_trigger().route
    request = func.HttpRequest(
        method=method,
        url=f"https://{HOST}/{route}",
        headers={"Host": HOST, **headers},
        route_params=dict.fromkeys(re.findall(r"\{\*?(\w+)", route), "x"),
        body=b"{}",
    )
    called = function.get_user_function()
    # The Durable SDK keeps the function without its client's wrapping.
    called = getattr(called, "client_function", called)
    answer = (
        called(request, client=None) if asyncio.iscoroutinefunction(called) else called(request)
    )
    if asyncio.iscoroutine(answer):
        answer = asyncio.run(answer)
    assert isinstance(answer, func.HttpResponse)
    return answer


@pytest.mark.parametrize("headers", ELSEWHERE, ids=str)
def test_every_function_that_acts_refuses_pages_of_other_sites(
    acting: list[tuple[Any, str]], headers: dict[str, str]
) -> None:
    assert len(acting) > 15
    unguarded = []
    for function, method in acting:
        name = f"{method} {function.get_trigger().route}"
        if name in ASKING:
            continue
        answer = call(function, method, headers)
        if answer.status_code != 403 or b"another site" not in answer.get_body():
            unguarded.append(f"{name}: {answer.status_code}")
    assert unguarded == []


def test_what_is_only_asked_for_is_still_there(acting: list[tuple[Any, str]]) -> None:
    assert {f"{method} {function.get_trigger().route}" for function, method in acting} >= ASKING
