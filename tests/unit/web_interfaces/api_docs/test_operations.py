"""The operations of a document, as the page shows them."""

from __future__ import annotations

import json
import shlex
from typing import Any

import azure.durable_functions as df
import azure.functions as func
import pytest

from tests.support.settings import app_settings
from web_interfaces.api.documentation import Answer, documented, query
from web_interfaces.api.openapi import describe, http_functions
from web_interfaces.api_docs.operations import Operation, by_tag

BASE = "https://geoforge.test"
BODY = {"type": "object", "properties": {"note": {"type": "string", "examples": ["it's good"]}}}


@pytest.fixture
def groups() -> dict[str, list[Operation]]:
    bp = df.Blueprint()

    @bp.route(route="api/things/{name}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
    @documented(
        tag="Things",
        query=[query("limit", {"type": "integer", "default": 50})],
        answers={
            200: Answer("It", schema={"type": "object"}, also={"image/png": {}}),
            204: Answer("Nothing", None),
        },
    )
    def get_thing(req: func.HttpRequest) -> func.HttpResponse:
        """One thing.

        With all of its parts.
        """
        raise NotImplementedError

    @bp.route(route="api/things", methods=["POST"])
    @documented(tag="Things", body=BODY)
    def add_thing(req: func.HttpRequest) -> func.HttpResponse:
        """Add a thing."""
        raise NotImplementedError

    with app_settings():
        return by_tag(describe(http_functions([bp]), [], BASE))


def only(groups: dict[str, list[Operation]], method: str) -> Operation:
    [found] = [each for each in groups["Things"] if each.method == method]
    return found


def test_calls_are_grouped_by_tag(groups: dict[str, list[Operation]]) -> None:
    assert {tag: [each.id for each in calls] for tag, calls in groups.items()} == {
        "Things": ["add_thing", "get_thing"]
    }


def test_a_call_is_shown_with_all_that_it_takes_and_answers(
    groups: dict[str, list[Operation]],
) -> None:
    call = only(groups, "GET")
    assert (call.summary, call.description) == ("One thing.", "With all of its parts.")
    assert [(each.name, each.place, each.required, each.default) for each in call.parameters] == [
        ("name", "path", True, ""),
        ("limit", "query", False, "50"),
    ]
    assert [(each.status, each.media_types) for each in call.responses] == [
        ("200", ("application/json", "image/png")),
        ("204", ()),
        ("default", ("application/problem+json",)),
    ]


def test_only_what_changes_nothing_can_be_tried(groups: dict[str, list[Operation]]) -> None:
    assert only(groups, "GET").can_be_tried
    assert not only(groups, "POST").can_be_tried


def test_the_curl_can_be_pasted_into_a_shell(groups: dict[str, list[Operation]]) -> None:
    words = shlex.split(only(groups, "POST").curl.replace("\\\n", ""))
    assert words[:4] == ["curl", "-X", "POST", f"{BASE}/api/things"]
    assert "x-functions-key: $GEOFORGE_KEY" in words
    body: Any = json.loads(words[words.index("-d") + 1])
    assert body == {"note": "it's good"}
    assert "GEOFORGE_KEY" not in only(groups, "GET").curl
