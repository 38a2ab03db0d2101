"""The operations of an OpenAPI document, as the page shows them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from web_interfaces.api.openapi import OUTPUTS
from web_interfaces.api_docs.schemas import Row, Schemas

JsonObject = dict[str, Any]

_METHODS = ("get", "post", "put", "patch", "delete")
_ACTING = ("POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the path or of the query string."""

    name: str
    place: str
    type: str
    required: bool
    description: str
    default: str
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent: its fields, and an example as JSON."""

    type: str
    rows: list[Row]
    example: str


@dataclass(frozen=True, slots=True)
class Response:
    """One answer; the rows are those of the first of its media types."""

    status: str
    description: str
    media_types: tuple[str, ...]
    type: str
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Operation:
    """A call of the API. `id` names its page; `outputs` are the fields of the result of the job
    that it submits."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    needs_key: bool
    parameters: list[Parameter]
    body: Body | None
    responses: list[Response]
    outputs: list[Row]
    curl: str

    @property
    def can_be_tried(self) -> bool:
        """Whether the page may send it: it changes nothing."""
        return self.method == "GET"


def by_tag(document: Mapping[str, Any]) -> dict[str, list[Operation]]:
    """The operations in groups: by tag, then by path."""
    schemas = Schemas(document)
    base = document["servers"][0]["url"]
    groups: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                operation = _operation(path, method.upper(), methods[method], schemas, base)
                groups.setdefault(methods[method]["tags"][0], []).append(operation)
    return dict(sorted(groups.items()))


def _operation(
    path: str, method: str, it: Mapping[str, Any], schemas: Schemas, base: str
) -> Operation:
    parameters = [_parameter(each, schemas) for each in it["parameters"]]
    body = _body(it["requestBody"], schemas) if "requestBody" in it else None
    needs_key = bool(it.get("security"))
    return Operation(
        id=it["operationId"],
        method=method,
        path=path,
        summary=it["summary"],
        description=it.get("description", ""),
        needs_key=needs_key,
        parameters=parameters,
        body=body,
        responses=[_response(status, each, schemas) for status, each in it["responses"].items()],
        outputs=schemas.rows(it.get(OUTPUTS, {})),
        curl=_curl(f"{base}{path}", method, body, needs_key=needs_key),
    )


def _parameter(it: Mapping[str, Any], schemas: Schemas) -> Parameter:
    # A value that is JSON itself, as a geometry, has its schema by media type.
    schema = it["schema"] if "schema" in it else next(iter(it["content"].values()))["schema"]
    default = schema.get("default")
    return Parameter(
        name=it["name"],
        place=it["in"],
        type=schemas.words(schema),
        required=it.get("required", False),
        description=it.get("description", ""),
        default="" if default is None else json.dumps(default),
        choices=tuple(map(str, schema.get("enum", ()))),
    )


def _body(it: Mapping[str, Any], schemas: Schemas) -> Body:
    content = it["content"]["application/json"]
    schema = content["schema"]
    example = content.get("example", schemas.example(schema))
    return Body(
        type=schemas.words(schema),
        rows=schemas.rows(schema),
        example="" if example is None else json.dumps(example, indent=2, ensure_ascii=False),
    )


def _response(status: str, it: Mapping[str, Any], schemas: Schemas) -> Response:
    content: Mapping[str, Any] = it.get("content", {})
    media_type = next(iter(content), "")
    schema = content[media_type].get("schema", {}) if media_type else {}
    return Response(
        status=status,
        description=it["description"],
        media_types=tuple(content),
        type=schemas.words(schema) if schema else "",
        rows=schemas.rows(schema),
    )


def _curl(url: str, method: str, body: Body | None, *, needs_key: bool) -> str:
    """The call in a shell. The key is left to a variable: it is nobody's to be copied."""
    parts = [f'curl "{url}"' if method == "GET" else f'curl -X {method} "{url}"']
    if needs_key:
        parts.append('-H "x-functions-key: $GEOFORGE_KEY"')
    if method in _ACTING and body is not None:
        compact = json.dumps(json.loads(body.example), ensure_ascii=False) if body.example else "{}"
        parts.append(f"-H 'Content-Type: application/json' -d {shlex.quote(compact)}")
    return " \\\n  ".join(parts)
