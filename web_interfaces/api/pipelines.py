"""Pipelines over HTTP: their documents, versions and examples. Runs are in `pipeline_runs`."""

from __future__ import annotations

import re
from typing import Any

import azure.durable_functions as df
import azure.functions as func
from pydantic import Field

from core import jsonb
from core.errors import InvalidRequest, NotFound
from core.models.pipeline import Pipeline
from services.orchestration.paging import bad_query
from services.pipelines import documents, examples
from web_interfaces.api.bodies import Body, read_body
from web_interfaces.api.documentation import Answer, documented, query
from web_interfaces.api.http import (
    base_url,
    endpoint,
    flag,
    integer,
    json_object,
    json_response,
    known_query,
)
from web_interfaces.api.preconditions import if_match
from web_interfaces.api.schemas import parts
from web_interfaces.api.schemas import pipelines as schemas

bp = df.Blueprint()

TAG = "Pipelines"
MAX_VERSION = 2**31 - 1
_MAX_NOTE = 500
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_JSON = "application/json"

_FLAG = {"type": "boolean", "default": False}
_VERSION = {"type": "integer", "minimum": 1, "maximum": MAX_VERSION}
PAGED = (
    query("limit", {"type": "integer", "minimum": 1, "maximum": 500, "default": 50}),
    query("cursor", {"type": "string"}, "`next` of the page before"),
)
_OF_VERSION = (query("version", _VERSION, "The version; default: the newest"),)
_SAVING = (
    query("draft", _FLAG, "Keep it also where it could not be run, with its problems"),
    query("note", {"type": "string", "maxLength": _MAX_NOTE}, "What was changed, for the list"),
)
_IMPORTING = (
    query("replace", _FLAG, "Where there is such a pipeline, make this its next version"),
    *_SAVING,
)
_DIFF_QUERY = (
    query("from", _VERSION, "The earlier version", required=True),
    query("to", _VERSION, "The later version; default: the newest"),
)
_DELETE_QUERY = (
    query("confirm", {"type": "string", "enum": ["yes"]}, "That it is meant", required=True),
)
# A header, though it is listed with what a query may hold.
_IF_MATCH = query(
    "If-Match",
    {"type": "string"},
    "ETag of the pipeline as it was read: 412 where it was changed since",
    **{"in": "header"},
)


class CloneRequest(Body):
    """The body of a clone."""

    name: str = Field(max_length=63, description="Name of the copy", examples=["parks_2"])
    title: str | None = Field(
        default=None, max_length=200, description="Its title; default: that of the original"
    )


@bp.route(route="api/pipelines", methods=["GET"])
@documented(
    tag=TAG,
    query=PAGED,
    answers={
        200: Answer("A page of them", schema=parts.page_of("pipelines", schemas.LISTED_PIPELINE))
    },
)
@endpoint
def list_pipelines(req: func.HttpRequest) -> func.HttpResponse:
    """Pipelines by name, each with its last run and when it runs next."""
    known_query(req, PAGED)
    page = documents.page(limit=limit(req), cursor=req.params.get("cursor"), base_url=base_url(req))
    return json_response(page)


@bp.route(route="api/pipelines", methods=["POST"])
@documented(
    tag=TAG,
    query=_SAVING,
    body=Pipeline,
    answers={201: Answer("The pipeline; its ETag is its version", schema=schemas.PIPELINE)},
)
@endpoint
def create_pipeline(req: func.HttpRequest) -> func.HttpResponse:
    """Keep a document as a new pipeline."""
    known_query(req, _SAVING)
    view = documents.create(
        json_object(req), draft=flag(req, "draft"), note=_note(req), base_url=base_url(req)
    )
    return _created(view)


@bp.route(route="api/pipelines/import", methods=["POST"])
@documented(
    tag=TAG,
    query=_IMPORTING,
    body=Pipeline,
    answers={
        201: Answer("The new pipeline", schema=schemas.PIPELINE),
        200: Answer("The pipeline, of which this is the newest version", schema=schemas.PIPELINE),
    },
)
@endpoint
def import_pipeline(req: func.HttpRequest) -> func.HttpResponse:
    """Keep a document that was exported, here or elsewhere."""
    known_query(req, _IMPORTING)
    view, is_new = documents.bring_in(
        json_object(req),
        overwrite=flag(req, "replace"),
        draft=flag(req, "draft"),
        note=_note(req),
        base_url=base_url(req),
    )
    return _created(view) if is_new else _pipeline(view)


@bp.route(route="api/pipelines/validate", methods=["POST"])
@documented(
    tag=TAG,
    body=Pipeline,
    answers={200: Answer("What is wrong with it, and what its steps give", schema=schemas.CHECK)},
)
@endpoint
def validate_pipeline(req: func.HttpRequest) -> func.HttpResponse:
    """Check a document without keeping it: every fault of it in one go."""
    known_query(req)
    return json_response(documents.validate(json_object(req)))


@bp.route(route="api/pipelines/examples", methods=["GET"])
@documented(
    tag=TAG,
    answers={
        200: Answer(
            "Their documents", schema=parts.an_object(examples=parts.list_of(parts.ANYTHING))
        )
    },
)
@endpoint
def list_pipeline_examples(req: func.HttpRequest) -> func.HttpResponse:
    """The examples that come with geoforge, to be imported."""
    known_query(req)
    return json_response({"examples": examples.documents()})


@bp.route(route="api/pipelines/{name}", methods=["GET"])
@documented(
    tag=TAG,
    query=_OF_VERSION,
    answers={200: Answer("The pipeline; its ETag is its version", schema=schemas.PIPELINE)},
)
@endpoint
def get_pipeline(req: func.HttpRequest) -> func.HttpResponse:
    """One version of a pipeline: its document, and what keeps it from being run, if anything."""
    known_query(req, _OF_VERSION)
    view = documents.view(pipeline_name(req), version=_version(req), base_url=base_url(req))
    return _pipeline(view)


@bp.route(route="api/pipelines/{name}", methods=["PUT"])
@documented(
    tag=TAG,
    query=(*_SAVING, _IF_MATCH),
    body=Pipeline,
    answers={200: Answer("The pipeline as it is now", schema=schemas.PIPELINE)},
)
@endpoint
def replace_pipeline(req: func.HttpRequest) -> func.HttpResponse:
    """Keep a document as the next version. With If-Match, only if nobody has changed it meanwhile.

    Runs that have begun go on with the version that they began with.
    """
    known_query(req, _SAVING)
    view = documents.replace(
        pipeline_name(req),
        json_object(req),
        if_match=if_match(req),
        draft=flag(req, "draft"),
        note=_note(req),
        base_url=base_url(req),
    )
    return _pipeline(view)


@bp.route(route="api/pipelines/{name}", methods=["DELETE"])
@documented(
    tag=TAG,
    query=(*_DELETE_QUERY, _IF_MATCH),
    answers={
        200: Answer(
            "What was deleted; its runs stay",
            schema=parts.an_object(name=parts.TEXT, deleted=parts.FLAG, version=parts.COUNT),
        )
    },
)
@endpoint
def delete_pipeline(req: func.HttpRequest) -> func.HttpResponse:
    """Take a pipeline away. Its runs, and what they have published, stay."""
    known_query(req, _DELETE_QUERY)
    if req.params.get("confirm") != "yes":
        raise InvalidRequest(
            "A pipeline is deleted only with ?confirm=yes. Its runs, and what they have "
            "published, stay.",
            code="confirmation_missing",
        )
    return json_response(documents.delete(pipeline_name(req), if_match=if_match(req)))


@bp.route(route="api/pipelines/{name}/export", methods=["GET"])
@documented(
    tag=TAG, query=_OF_VERSION, answers={200: Answer("The document", schema=parts.ANYTHING)}
)
@endpoint
def export_pipeline(req: func.HttpRequest) -> func.HttpResponse:
    """The document of a pipeline as a file, to be imported elsewhere."""
    known_query(req, _OF_VERSION)
    name = pipeline_name(req)
    document = documents.document(name, version=_version(req))
    return json_response(
        document, headers={"Content-Disposition": f'attachment; filename="{name}.json"'}
    )


@bp.route(route="api/pipelines/{name}/clone", methods=["POST"])
@documented(tag=TAG, body=CloneRequest, answers={201: Answer("The copy", schema=schemas.PIPELINE)})
@endpoint
def clone_pipeline(req: func.HttpRequest) -> func.HttpResponse:
    """Copy a pipeline. The copy does not run by schedule."""
    known_query(req)
    wanted = read_body(req, CloneRequest)
    view = documents.clone(
        pipeline_name(req), wanted.name, title=wanted.title, base_url=base_url(req)
    )
    return _created(view)


@bp.route(route="api/pipelines/{name}/versions", methods=["GET"])
@documented(
    tag=TAG,
    query=PAGED,
    answers={200: Answer("A page of them", schema=parts.page_of("versions", schemas.VERSION))},
)
@endpoint
def list_pipeline_versions(req: func.HttpRequest) -> func.HttpResponse:
    """The versions of a pipeline, newest first."""
    known_query(req, PAGED)
    page = documents.versions_page(
        pipeline_name(req),
        limit=limit(req),
        cursor=req.params.get("cursor"),
        base_url=base_url(req),
    )
    return json_response(page)


@bp.route(route="api/pipelines/{name}/diff", methods=["GET"])
@documented(tag=TAG, query=_DIFF_QUERY, answers={200: Answer("The changes", schema=schemas.DIFF)})
@endpoint
def diff_pipeline_versions(req: func.HttpRequest) -> func.HttpResponse:
    """What changed from one version of a pipeline to another."""
    known_query(req, _DIFF_QUERY)
    before = _version(req, "from")
    if before is None:
        raise bad_query("from", "is missing: it is the earlier of the two versions")
    return json_response(documents.diff(pipeline_name(req), before, _version(req, "to")))


def pipeline_name(req: func.HttpRequest) -> str:
    """The name in the address. Raises `NotFound` for one that no pipeline can have."""
    name = str(req.route_params["name"])
    if not _NAME.fullmatch(name):
        shown = jsonb.clean_text(name)[:100]
        raise NotFound(f"There is no pipeline {shown!r}.", code="unknown_pipeline", name=shown)
    return name


def limit(req: func.HttpRequest) -> int:
    """How many a page of `PAGED` holds."""
    return integer(req, "limit", default=50, low=1, high=500)


def _version(req: func.HttpRequest, name: str = "version") -> int | None:
    if req.params.get(name) is None:
        return None
    return integer(req, name, default=1, low=1, high=MAX_VERSION)


def _note(req: func.HttpRequest) -> str | None:
    note = req.params.get("note")
    if note is None or not note.strip():
        return None
    if len(note) > _MAX_NOTE:
        raise bad_query("note", f"must have at most {_MAX_NOTE} characters")
    return jsonb.clean_text(note.strip())


def _pipeline(view: dict[str, Any], status: int = 200, **headers: str) -> func.HttpResponse:
    return json_response(view, status, headers={"ETag": documents.etag(view["version"]), **headers})


def _created(view: dict[str, Any]) -> func.HttpResponse:
    return _pipeline(view, 201, Location=view["links"]["self"])
