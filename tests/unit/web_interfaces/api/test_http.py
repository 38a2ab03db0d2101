"""What all endpoints share: who may act, and which query parameters are taken."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import azure.functions as func
import pytest

from core.errors import InvalidParameters
from tests.support.settings import app_settings
from web_interfaces.api.cors import public
from web_interfaces.api.documentation import query
from web_interfaces.api.http import endpoint, json_response, known_query


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    with app_settings(GEOFORGE_URL="https://geo.example.org"):
        yield


def request(
    method: str = "POST", headers: Mapping[str, str] | None = None, **params: str
) -> func.HttpRequest:
    return func.HttpRequest(
        method=method,
        url="http://127.0.0.1:7071/api/things",
        headers={"Host": "127.0.0.1:7071", **(headers or {})},
        params=params,
        route_params={},
        body=b"{}",
    )


@endpoint
def act(req: func.HttpRequest) -> func.HttpResponse:
    return json_response({"done": True})


@endpoint
async def act_later(req: func.HttpRequest) -> func.HttpResponse:
    return json_response({"done": True})


@public
def search(req: func.HttpRequest) -> func.HttpResponse:
    return json_response({"done": True})


FOREIGN: list[dict[str, str]] = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:7071"},
    {"Origin": "https://evil.example"},
    {"Origin": "http://127.0.0.1:8000"},
    {"Origin": "http://127.0.0.1"},
    {"Origin": "https://geo.example.org:8443"},
    {"Origin": "http://127.0.0.1:7071.evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://[", "Host": "["},
]


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_pages_of_other_sites_may_not_act(method: str, headers: dict[str, str]) -> None:
    asked = request(method, headers)
    for answer in (act(asked), asyncio.run(act_later(asked))):
        assert answer.status_code == 403
        assert answer.mimetype == "application/problem+json"
        assert b'"cross_origin"' in answer.get_body()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1:7071"},
        {"Origin": "http://127.0.0.1:7071"},
        {"Origin": "http://LOCALHOST:7071", "Host": "localhost:7071"},
        {"Origin": "https://app.example", "Host": "app.example"},
        {"Origin": "https://geo.example.org"},
        {"Origin": "https://geo.example.org:443"},
    ],
)
def test_programs_and_own_pages_may_act(headers: dict[str, str]) -> None:
    asked = request("POST", headers)
    assert act(asked).status_code == 200
    assert asyncio.run(act_later(asked)).status_code == 200


@pytest.mark.parametrize("headers", FOREIGN)
def test_pages_of_other_sites_may_look_and_search(headers: dict[str, str]) -> None:
    assert act(request("GET", headers)).status_code == 200
    assert search(request("POST", headers)).status_code == 200


def test_query_parameters_that_are_not_documented_are_named() -> None:
    documented: list[dict[str, Any]] = [query("dry_run", {"type": "boolean"})]
    known_query(request(dry_run="true", code="key", clientId="me"), documented)
    known_query(request(code="key"))
    with pytest.raises(InvalidParameters, match=r"'Rerun', 'dryrun'.*dry_run") as caught:
        known_query(request(dryrun="true", Rerun="1"), documented)
    assert [error["loc"] for error in caught.value.errors] == [
        ["query", "Rerun"],
        ["query", "dryrun"],
    ]


@pytest.mark.parametrize("params", [{"job_type": "hello\0"}, {"job\0": "hello"}], ids=str)
def test_a_nul_in_the_query_is_refused(params: dict[str, str]) -> None:
    answer = act(request(**params))
    assert answer.status_code == 422
    assert b"must not hold a NUL" in answer.get_body()
