"""The OpenAPI document: everything that is registered is in it, and it is valid."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import azure.durable_functions as df
import azure.functions as func
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import Field

import jobs
import web_interfaces
from core.job_definition import JobDefinition, JobParameters, Stage
from core.registry import registry
from tests.support.settings import app_settings
from web_interfaces.api.documentation import Answer, documented, query
from web_interfaces.api.openapi import describe, http_functions

BASE = "https://geoforge.test"


class Crop(JobParameters):
    collection: str = Field(description="Id of the collection", examples=["cdl"])
    width_m: float = Field(default=30.0, description="Pixel width in metres", examples=[30.0])


CROP = JobDefinition(
    name="crop",
    description="Cut rasters.",
    parameters=Crop,
    stages=(
        Stage("cut", planner=lambda _: [], handler=lambda _: None, description="Cut each raster"),
    ),
)


@pytest.fixture(scope="module", autouse=True)
def settings() -> Iterator[None]:
    """Modules of triggers read the names of their queues and schedules when they are imported."""
    with app_settings():
        yield


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document of the whole app, after a round trip through JSON."""
    jobs.discover()
    made = describe(http_functions(web_interfaces.blueprints()), registry, BASE)
    loaded: dict[str, Any] = json.loads(json.dumps(made))
    return loaded


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Every object inside a JSON value."""
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node:
        if isinstance(child, (dict, list)):
            yield from nodes(child)


def test_every_http_function_of_the_app_but_the_pages_is_in_it(document: dict[str, Any]) -> None:
    orchestration = importlib.import_module("jobs.orchestration")
    app = df.DFApp()
    for blueprint in (orchestration.bp, *web_interfaces.blueprints()):
        app.register_functions(blueprint)
    registered = {
        (re.sub(r"\{\*?(\w+)[^}]*\}", r"{\1}", f"/{trigger.route.lstrip('/')}"), method.lower())
        for function in app.get_functions()
        if function.is_http_function()
        for trigger in [function.get_trigger()]
        for method in (str(getattr(each, "value", each)) for each in trigger.methods)
        if method.upper() != "OPTIONS"
    }
    pages = {(p, m) for p, m in registered if p == "/" or p.startswith("/api/interface")}
    described = {(path, method) for path, method, _ in operations(document)}
    assert len(registered) > 20
    assert len(pages) > 5
    assert registered - pages <= described
    assert not pages & described


def test_every_job_type_has_its_own_submission(document: dict[str, Any]) -> None:
    names = [job.name for job in registry]
    assert "hello_fan_out" in names
    for name in names:
        body = document["paths"][f"/api/jobs/submit/{name}"]["post"]["requestBody"]
        schema = body["content"]["application/json"]["schema"]
        assert schema == {"$ref": f"#/components/schemas/jobs.{name}"}


def test_a_job_appears_by_being_registered() -> None:
    document = describe([], [CROP], BASE)
    operation = document["paths"]["/api/jobs/submit/crop"]["post"]
    assert "`cut`: Cut each raster" in operation["description"]
    example = operation["requestBody"]["content"]["application/json"]["example"]
    assert example == {"collection": "cdl", "width_m": 30.0}
    schema = document["components"]["schemas"]["jobs.crop"]
    assert schema["required"] == ["collection"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["width_m"]["description"] == "Pixel width in metres"


def test_every_answer_of_json_says_what_it_holds(document: dict[str, Any]) -> None:
    bare = [
        (path, method, status)
        for path, method, operation in operations(document)
        for status, response in operation["responses"].items()
        for content in response.get("content", {}).values()
        if content["schema"] == {"type": "object"}
    ]
    assert not bare


def test_an_answer_may_come_in_several_forms() -> None:
    bp = df.Blueprint()

    @bp.route(route="api/pictures", methods=["GET"])
    @documented(tag="T", answers={200: Answer("It", also={"image/png": {"type": "string"}})})
    def picture(req: func.HttpRequest) -> func.HttpResponse:
        raise NotImplementedError

    operation = describe(http_functions([bp]), [], BASE)["paths"]["/api/pictures"]["get"]
    assert operation["responses"]["200"]["content"] == {
        "application/json": {"schema": {"type": "object"}},
        "image/png": {"schema": {"type": "string"}},
    }


def test_a_submission_says_what_the_job_results_in(document: dict[str, Any]) -> None:
    operation = document["paths"]["/api/jobs/submit/hello_fan_out"]["post"]
    schema = document["components"]["schemas"]["jobs.hello_fan_out.outputs"]
    assert operation["x-job-outputs"] == {"$ref": "#/components/schemas/jobs.hello_fan_out.outputs"}
    assert {"tasks", "completed", "failed"} <= schema["properties"].keys()


def test_references_lead_somewhere(document: dict[str, Any]) -> None:
    references = {node["$ref"] for node in nodes(document) if isinstance(node.get("$ref"), str)}
    assert references
    for reference in references:
        target: Any = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]


def test_schemas_are_json_schemas(document: dict[str, Any]) -> None:
    schemas = [node["schema"] for node in nodes(document) if isinstance(node.get("schema"), dict)]
    for schema in (*schemas, *document["components"]["schemas"].values()):
        Draft202012Validator.check_schema(schema)


def test_it_is_valid_openapi(document: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(document).validate()


def test_operations_are_well_formed(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    seen = set()
    for path, method, operation in operations(document):
        assert operation["operationId"] not in seen
        seen.add(operation["operationId"])
        assert operation["summary"], path
        assert all(operation["tags"]), path
        parameters = [(each["in"], each["name"]) for each in operation.get("parameters", [])]
        assert len(parameters) == len(set(parameters)), path
        in_path = {name for where, name in parameters if where == "path"}
        assert in_path == set(re.findall(r"\{(\w+)\}", path))
        for parameter in operation.get("parameters", []):
            assert ("schema" in parameter) != ("content" in parameter), path
        assert "default" in operation["responses"]
        assert any(status.startswith("2") for status in operation["responses"]), path
        assert "requestBody" not in operation or method != "get"


def test_component_names_are_allowed(document: dict[str, Any]) -> None:
    for name in document["components"]["schemas"]:
        assert re.fullmatch(r"[a-zA-Z0-9._-]+", name)


def test_open_endpoints_have_no_lock_and_others_do(document: dict[str, Any]) -> None:
    assert "security" not in document["paths"]["/api/stac"]["get"]
    assert document["paths"]["/api/jobs/types"]["get"]["security"]


def test_documentation_stands_beside_the_function() -> None:
    bp = df.Blueprint()

    @bp.route(route="api/tiles/{layer}/{z:int}", methods=["GET", "OPTIONS"])
    @documented(
        tag="Tiles",
        query=[query("style", {"type": "string"}, "Name of a style")],
        answers={200: Answer("A tile", "application/vnd.mapbox-vector-tile")},
    )
    def tile(req: func.HttpRequest) -> func.HttpResponse:
        """One tile.

        Empty where there is nothing.
        """
        raise NotImplementedError

    document = describe(http_functions([bp]), [], BASE)
    assert list(document["paths"]) == ["/api/tiles/{layer}/{z}"]
    [operation] = document["paths"]["/api/tiles/{layer}/{z}"].values()
    assert (operation["operationId"], operation["tags"]) == ("tile", ["Tiles"])
    assert operation["summary"] == "One tile."
    assert operation["description"] == "Empty where there is nothing."
    assert [(each["name"], each["schema"]) for each in operation["parameters"]] == [
        ("layer", {"type": "string"}),
        ("z", {"type": "integer"}),
        ("style", {"type": "string"}),
    ]
    assert list(operation["responses"]["200"]["content"]) == ["application/vnd.mapbox-vector-tile"]


def test_documentation_is_found_behind_a_durable_client() -> None:
    bp = df.Blueprint()

    @bp.route(route="api/start", methods=["POST"])
    @bp.durable_client_input(client_name="client")
    @documented(tag="Starting", body=Crop)
    async def start(
        req: func.HttpRequest, client: df.DurableOrchestrationClient
    ) -> func.HttpResponse:
        raise NotImplementedError

    document = describe(http_functions([bp]), [], BASE)
    operation = document["paths"]["/api/start"]["post"]
    assert operation["tags"] == ["Starting"]
    body = operation["requestBody"]["content"]["application/json"]
    assert body["schema"] == {"$ref": "#/components/schemas/Crop"}
    assert document["components"]["schemas"]["Crop"]["required"] == ["collection"]


def test_an_undocumented_function_appears_all_the_same() -> None:
    bp = df.Blueprint()

    @bp.route(route="api/plain/things", methods=["GET", "POST"])
    def plain_things(req: func.HttpRequest) -> func.HttpResponse:
        raise NotImplementedError

    operations = describe(http_functions([bp]), [], BASE)["paths"]["/api/plain/things"]
    assert {each["operationId"] for each in operations.values()} == {
        "plain_things_get",
        "plain_things_post",
    }
    assert operations["get"]["summary"] == "Plain things"
    assert operations["get"]["tags"] == ["Plain"]
