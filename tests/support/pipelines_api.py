"""Pipelines over HTTP: a document called greetings, and what answers say."""

from __future__ import annotations

import json
from typing import Any

from tests.support.in_process import InProcessClient, Response

PIPELINES = "/api/pipelines"
AT = f"{PIPELINES}/greetings"
RUNS = f"{PIPELINES}/runs"

GREETINGS: dict[str, Any] = {
    "format": "geoforge.pipeline/1",
    "name": "greetings",
    "title": "Greetings",
    "inputs": {
        "counts": {"type": "list", "items": "integer", "description": "Tasks of each greeting"}
    },
    "steps": [
        {
            "id": "greet",
            "kind": "job",
            "job": "hello_fan_out",
            "for_each": "inputs.counts",
            "parameters": {"n": {"$expr": "item"}},
        },
        {"id": "look", "kind": "gate", "message": "Was that enough?", "after": ["greet"]},
        {
            "id": "again",
            "kind": "job",
            "job": "hello_fan_out",
            "after": ["look"],
            "parameters": {"n": {"$expr": "length(steps.greet.outputs)"}},
        },
    ],
}


def greetings(**changed: Any) -> dict[str, Any]:
    """The document, but for what is said otherwise."""
    return {**json.loads(json.dumps(GREETINGS)), **changed}


def broken() -> dict[str, Any]:
    """The document with a reference to a step that there is not: it can be kept as a draft."""
    document = greetings()
    document["steps"][2]["parameters"]["n"] = {"$expr": "length(steps.greeet.outputs)"}
    return document


def call(client: InProcessClient, method: str, address: str, body: Any, **headers: str) -> Response:
    """Call with a JSON body and headers; the underscores of their names are hyphens."""
    return client.call(
        method,
        address,
        json.dumps(body).encode(),
        {name.replace("_", "-"): text for name, text in headers.items()},
    )


def problem(answer: Response, status: int, code: str | None = None) -> dict[str, Any]:
    """What an answer that is a refusal says."""
    assert answer.status == status, answer.text
    assert answer.media_type == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert code is None or found["code"] == code, found
    return found


def faults(answer: Response) -> dict[str, str]:
    """What is wrong with each field, by the path to it."""
    return {
        ".".join(map(str, fault["loc"])): fault["msg"] for fault in problem(answer, 422)["errors"]
    }
