"""What an endpoint says of itself in the OpenAPI document, kept beside its function.

    @bp.route(route="api/things", methods=["GET"])
    @documented(tag="Things", query=[query("limit", {"type": "integer"}, "Things on a page")])
    @endpoint
    def list_things(req: func.HttpRequest) -> func.HttpResponse:
        '''All things, the newest first.'''

The summary is the function's docstring. An endpoint without `documented` appears all the same,
with what its route and docstring tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel

F = TypeVar("F", bound=Callable[..., Any])
Schema = Mapping[str, Any]

_ATTRIBUTE = "__geoforge_documentation__"


@dataclass(frozen=True, slots=True)
class Answer:
    """One response of an endpoint. `also` are other forms that it comes in where they are asked
    for, by media type."""

    description: str
    media_type: str | None = "application/json"
    schema: Schema = field(default_factory=lambda: {"type": "object"})
    also: Mapping[str, Schema] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Documentation:
    """What `documented` recorded.

    `body` describes the body of POST and PUT: a pydantic model or a JSON Schema. `answers`
    are the successful responses by status; problems are added to every operation.
    """

    tag: str | None = None
    query: Sequence[Mapping[str, Any]] = ()
    body: type[BaseModel] | Schema | None = None
    answers: Mapping[int, Answer] = field(default_factory=dict)


def documented(
    *,
    tag: str,
    query: Sequence[Mapping[str, Any]] = (),
    body: type[BaseModel] | Schema | None = None,
    answers: Mapping[int, Answer] | None = None,
) -> Callable[[F], F]:
    """Record an endpoint's documentation."""

    def record(function: F) -> F:
        setattr(function, _ATTRIBUTE, Documentation(tag, query, body, answers or {}))
        return function

    return record


def of(function: Callable[..., Any]) -> Documentation:
    """The function's documentation; an empty one where it has none."""
    found = getattr(function, _ATTRIBUTE, None)
    return found if isinstance(found, Documentation) else Documentation()


def query(name: str, schema: Schema, description: str = "", **more: Any) -> dict[str, Any]:
    """A parameter of the query string (an OpenAPI Parameter Object)."""
    parameter = {"name": name, "in": "query", "schema": dict(schema), **more}
    return {**parameter, "description": description} if description else parameter
