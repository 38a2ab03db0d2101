"""GET /api/openapi.json: the OpenAPI 3.1 document of this app's API.

It is made from what is registered: each HTTP function with its route, methods and
documentation (see `documentation`), and each job type with its parameters' schema. Neither is
listed anywhere else. The pages are not part of it: they are for people.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import azure.durable_functions as df
import azure.functions as func
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode

import web_interfaces
from core.job_definition import JobDefinition
from core.registry import registry
from web_interfaces.api import documentation
from web_interfaces.api.documentation import Answer, Documentation, documented
from web_interfaces.api.http import base_url, endpoint, json_response
from web_interfaces.api.schemas import jobs
from web_interfaces.api.schemas.parts import OPENAPI_DOCUMENT

JsonObject = dict[str, Any]

MEDIA_TYPE = "application/vnd.oai.openapi+json;version=3.1"
API_VERSION = "1.0.0"
PROBLEM = "Problem"
# An extension of ours: the schema of `result` of the job, once it has completed.
OUTPUTS = "x-job-outputs"

bp = df.Blueprint()

# A parameter in a route: {job_id}, {z:int}, {*path}
_ROUTE_PARAMETER = re.compile(r"\{\*?(\w+)(?::(\w+)[^}]*)?\??\}")
_CONSTRAINTS = {"int": "integer", "long": "integer", "float": "number", "bool": "boolean"}

_PAGES = "/api/interface/"

_DESCRIPTION = """\
Errors are `application/problem+json` (RFC 9457); where fields are at fault, `errors` names each.
Times are ISO 8601 in UTC. Operations with a lock need a function key, in the header
`x-functions-key` or as `?code=`."""

_PROBLEM_SCHEMA: JsonObject = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable name of the error, for programs"},
        "detail": {"type": "string", "description": "What happened, for people"},
        "errors": {
            "type": "array",
            "description": "The fields at fault",
            "items": {
                "type": "object",
                "required": ["loc", "msg"],
                "properties": {
                    "loc": {"type": "array", "items": {"type": ["string", "integer"]}},
                    "msg": {"type": "string"},
                },
            },
        },
    },
}

_SECURITY: JsonObject = {
    "functionKey": {"type": "apiKey", "in": "header", "name": "x-functions-key"},
    "functionKeyInQuery": {"type": "apiKey", "in": "query", "name": "code"},
}


@bp.route(route="api/openapi.json", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
@documented(tag="Operations", answers={200: Answer("The document", MEDIA_TYPE, OPENAPI_DOCUMENT)})
@endpoint
def openapi_document(req: func.HttpRequest) -> func.HttpResponse:
    """This document."""
    return json_response(
        document(base_url(req)),
        headers={"Access-Control-Allow-Origin": "*"},
        content_type=MEDIA_TYPE,
    )


def document(base: str) -> JsonObject:
    """The OpenAPI document of this app, as reached at `base`."""
    return {**_of_this_app(), "servers": [{"url": base}]}


@lru_cache
def _of_this_app() -> JsonObject:
    # Blueprints and job types are those of the process: what they say of themselves is read once.
    return describe(http_functions(web_interfaces.blueprints()), registry, "/")


@dataclass(frozen=True, slots=True)
class HttpFunction:
    """An HTTP-triggered function as it was registered."""

    name: str
    route: str
    methods: tuple[str, ...]
    needs_key: bool
    summary: str
    documentation: Documentation

    @property
    def path(self) -> str:
        """The route as an OpenAPI path: `/api/tiles/{collection}/{z}`."""
        return "/" + _ROUTE_PARAMETER.sub(r"{\1}", self.route).lstrip("/")

    @property
    def is_page(self) -> bool:
        """Whether it serves the pages, or what belongs to them."""
        return self.path == "/" or f"{self.path}/".startswith(_PAGES)

    @property
    def tag(self) -> str:
        """The documented tag, or the path's first part after `api`."""
        if self.documentation.tag:
            return self.documentation.tag
        return self.path.removeprefix("/api").strip("/").partition("/")[0].title()


def http_functions(blueprints: Iterable[df.Blueprint]) -> list[HttpFunction]:
    """The HTTP functions of the blueprints, by path."""
    app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)
    for blueprint in blueprints:
        app.register_functions(blueprint)
    found = [_http_function(each) for each in app.get_functions() if each.is_http_function()]
    return sorted(found, key=lambda each: (each.path, each.name))


def _http_function(function: Any) -> HttpFunction:
    trigger, handler = function.get_trigger(), function.get_user_function()
    name = function.get_function_name()
    summary = (inspect.getdoc(handler) or name.replace("_", " ").capitalize()).strip()
    return HttpFunction(
        name=name,
        route=trigger.route,
        methods=tuple(_method(each) for each in trigger.methods or ("GET", "POST")),
        needs_key=trigger.auth_level is not func.AuthLevel.ANONYMOUS,
        summary=summary,
        documentation=documentation.of(handler),
    )


def _method(method: Any) -> str:
    """Methods come as the SDK's enum or as plain text."""
    return str(getattr(method, "value", method)).upper()


def describe(
    functions: Iterable[HttpFunction], job_types: Iterable[JobDefinition[Any]], base: str
) -> JsonObject:
    """The OpenAPI document of job types and of those functions that are no pages."""
    schemas: JsonObject = {PROBLEM: _PROBLEM_SCHEMA}
    paths: JsonObject = {}
    for function in functions:
        if function.is_page:
            continue
        for method in function.methods:
            if method != "OPTIONS":
                operation = _operation(function, method, schemas)
                paths.setdefault(function.path, {})[method.lower()] = operation
    for job in job_types:
        paths[f"/api/jobs/submit/{job.name}"] = {"post": _submission(job, schemas)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "geoforge", "version": API_VERSION, "description": _DESCRIPTION},
        "servers": [{"url": base}],
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": schemas, "securitySchemes": _SECURITY},
    }


def _operation(function: HttpFunction, method: str, schemas: JsonObject) -> JsonObject:
    documented_as = function.documentation
    summary, _, more = function.summary.partition("\n")
    several = len(set(function.methods) - {"OPTIONS"}) > 1
    operation: JsonObject = {
        "operationId": f"{function.name}_{method.lower()}" if several else function.name,
        "summary": summary,
        "tags": [function.tag],
        "parameters": [*_route_parameters(function.route), *documented_as.query],
        "responses": _responses(documented_as.answers or {200: Answer("Success", None)}),
    }
    if more.strip():
        operation["description"] = inspect.cleandoc(more)
    if documented_as.body is not None and method in ("POST", "PUT", "PATCH"):
        operation["requestBody"] = _json_body(_body_schema(documented_as.body, schemas))
    if function.needs_key:
        operation["security"] = [{name: []} for name in _SECURITY]
    return operation


def _route_parameters(route: str) -> Iterator[JsonObject]:
    for name, constraint in _ROUTE_PARAMETER.findall(route):
        schema = {"type": _CONSTRAINTS.get(constraint, "string")}
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _responses(answers: Mapping[int, Answer]) -> JsonObject:
    responses: JsonObject = {}
    for status, answer in answers.items():
        responses[str(status)] = {"description": answer.description}
        if answer.media_type is not None:
            forms = {answer.media_type: answer.schema, **answer.also}
            content = {media_type: {"schema": dict(form)} for media_type, form in forms.items()}
            responses[str(status)]["content"] = content
    problem = {"schema": {"$ref": f"#/components/schemas/{PROBLEM}"}}
    responses["default"] = {
        "description": "A problem",
        "content": {"application/problem+json": problem},
    }
    return responses


def _json_body(schema: Mapping[str, Any], example: JsonObject | None = None) -> JsonObject:
    content: JsonObject = {"schema": schema}
    if example is not None:
        content["example"] = example
    return {"content": {"application/json": content}, "required": True}


def _body_schema(
    body: type[BaseModel] | Mapping[str, Any], schemas: JsonObject
) -> Mapping[str, Any]:
    if isinstance(body, Mapping):
        return body
    return _component(body, body.__name__, schemas)


def _component(
    model: type[BaseModel],
    name: str,
    schemas: JsonObject,
    mode: JsonSchemaMode = "validation",
) -> JsonObject:
    """Put a model's schema, and what it refers to, among the components; a reference to it."""
    prefix = f"{name}."
    template = f"#/components/schemas/{prefix}{{model}}"
    schema = model.model_json_schema(ref_template=template, mode=mode)
    for inner, inner_schema in schema.pop("$defs", {}).items():
        schemas[prefix + inner] = inner_schema
    schemas[name] = schema
    return {"$ref": f"#/components/schemas/{name}"}


def _submission(job: JobDefinition[Any], schemas: JsonObject) -> JsonObject:
    """POST /api/jobs/submit/<job>, with the job's own parameters."""
    stages = "\n".join(
        f"{number}. `{stage.name}`" + (f": {stage.description}" if stage.description else "")
        for number, stage in enumerate(job.stages, start=1)
    )
    schema = _component(job.parameters, f"jobs.{job.name}", schemas)
    flags = (("rerun", "Run again beside the earlier run"), ("dry_run", "Plan, and write nothing"))
    answers = {
        200: Answer(
            "The job that the same submission led to before, or the plan of a dry run",
            schema=jobs.SUBMITTED_BEFORE_OR_PLAN,
        ),
        202: Answer("The new job", schema=jobs.SUBMITTED),
    }
    operation: JsonObject = {
        "operationId": f"submit_{job.name}",
        "summary": f"Submit {job.name}",
        "description": f"{inspect.cleandoc(job.description)}\n\nStages:\n\n{stages}",
        "tags": ["Job types"],
        "parameters": [
            documentation.query(name, {"type": "boolean", "default": False}, text)
            for name, text in flags
        ],
        "requestBody": _json_body(schema, _example(job.parameters)),
        "responses": _responses(answers),
        "security": [{name: []} for name in _SECURITY],
    }
    if job.outputs is not None:
        outputs = _component(job.outputs, f"jobs.{job.name}.outputs", schemas, "serialization")
        operation[OUTPUTS] = outputs
    return operation


def _example(model: type[BaseModel]) -> JsonObject | None:
    """The first example of each field that has one, if that covers what is required."""
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    example = {name: field.examples[0] for name, field in fields.items() if field.examples}
    required = {name for name, field in fields.items() if field.is_required()}
    return example if required <= example.keys() else None
