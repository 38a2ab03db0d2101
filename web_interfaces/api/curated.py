"""Curated datasets over HTTP: the registry, updates and their history, versions and rollback."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import azure.durable_functions as df
import azure.functions as func
from pydantic import Field

from core.errors import InvalidRequest, NotFound
from core.models.curated import CuratedDefinition, UpdateStatus
from services.curated import asking, registry, updates, versions, views
from services.curated.asking import UpdateRequest
from services.orchestration import starting
from services.orchestration.paging import one_of
from services.orchestration.submission import Submission
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
from web_interfaces.api.schemas import curated as schemas

bp = df.Blueprint()

_TAG = "Curated datasets"
_ACTOR = "the API"
_FLAG = {"type": "boolean", "default": False}
_PAGED = (
    query("limit", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}),
    query("cursor", {"type": "string"}, "`next` of the page before"),
)
_LIST_QUERY = (query("enabled_only", _FLAG, "Only those that are enabled"), *_PAGED)
_HISTORY_QUERY = (
    query(
        "status",
        {"type": "string", "enum": [each.value for each in UpdateStatus]},
        "Only attempts in this state",
    ),
    *_PAGED,
)
_DELETE_QUERY = (
    query("confirm", {"type": "string", "enum": ["yes"]}, "That it is meant", required=True),
    query(
        "drop",
        {"type": "string", "enum": ["yes", "no"], "default": "no"},
        "Whether its table goes too, with all versions",
    ),
)


# A header, though it is listed with what a query may hold.
_IF_MATCH = query(
    "If-Match",
    {"type": "string"},
    "ETag of the definition as it was read: 412 where it was changed since",
    **{"in": "header"},
)


class Rollback(Body):
    """The body of a rollback."""

    to_version: Annotated[
        int | None,
        Field(ge=1, le=2**31 - 1, description="The version to bring back; default: the one before"),
    ] = None


class Approval(Body):
    """The body of an approval."""

    version_id: Annotated[
        int | None,
        Field(ge=1, le=2**63 - 1, description="The version that is held; default: the newest"),
    ] = None


class Rejection(Body):
    """The body of a rejection."""

    version_id: Annotated[int, Field(ge=1, le=2**63 - 1, description="The version that is held")]


@bp.route(route="api/curated/datasets", methods=["GET"])
@documented(
    tag=_TAG,
    query=_LIST_QUERY,
    answers={200: Answer("A page of datasets", schema=schemas.DATASETS)},
)
@endpoint
def list_curated_datasets(req: func.HttpRequest) -> func.HttpResponse:
    """The registered datasets by id, each with how it is and what is published of it."""
    known_query(req, _LIST_QUERY)
    page = registry.page(
        enabled_only=flag(req, "enabled_only"),
        limit=_limit(req),
        cursor=req.params.get("cursor"),
        base_url=base_url(req),
    )
    return json_response(page)


@bp.route(route="api/curated/datasets", methods=["POST"])
@documented(
    tag=_TAG, body=CuratedDefinition, answers={201: Answer("The dataset", schema=schemas.DATASET)}
)
@endpoint
def create_curated_dataset(req: func.HttpRequest) -> func.HttpResponse:
    """Register a dataset."""
    known_query(req)
    dataset = registry.create(json_object(req), base_url=base_url(req))
    return _dataset(dataset, 201, Location=dataset["links"]["self"])


@bp.route(route="api/curated/datasets/{dataset_id}", methods=["GET"])
@documented(
    tag=_TAG,
    answers={
        200: Answer("The dataset; its ETag is that of its definition", schema=schemas.DATASET)
    },
)
@endpoint
def get_curated_dataset(req: func.HttpRequest) -> func.HttpResponse:
    """One dataset: its definition, how it is, and what is published of it."""
    known_query(req)
    return _dataset(registry.view(_id(req), base_url=base_url(req)))


@bp.route(route="api/curated/datasets/{dataset_id}", methods=["PUT"])
@documented(
    tag=_TAG,
    query=(_IF_MATCH,),
    body=CuratedDefinition,
    answers={200: Answer("The dataset as it is now", schema=schemas.DATASET)},
)
@endpoint
def replace_curated_dataset(req: func.HttpRequest) -> func.HttpResponse:
    """Replace a dataset's definition. With If-Match, only if nobody has changed it meanwhile.

    What is not given gets its default. What a dataset is shown with beside its definition may
    stay in the body.
    """
    known_query(req)
    dataset = registry.replace(
        _id(req), json_object(req), if_match=if_match(req), base_url=base_url(req)
    )
    return _dataset(dataset)


@bp.route(route="api/curated/datasets/{dataset_id}", methods=["DELETE"])
@documented(
    tag=_TAG,
    query=(*_DELETE_QUERY, _IF_MATCH),
    answers={200: Answer("What was deleted; the log of its updates stays", schema=schemas.DELETED)},
)
@endpoint
def delete_curated_dataset(req: func.HttpRequest) -> func.HttpResponse:
    """Take a dataset out of the registry. Its table stays, unless drop=yes."""
    known_query(req, _DELETE_QUERY)
    if req.params.get("confirm") != "yes":
        raise InvalidRequest(
            "A dataset is deleted only with ?confirm=yes. Its table stays; with &drop=yes that "
            "and its versions go too.",
            code="confirmation_missing",
        )
    return json_response(registry.delete(_id(req), drop=flag(req, "drop"), if_match=if_match(req)))


@bp.route(route="api/curated/datasets/{dataset_id}/enable", methods=["POST"])
@documented(
    tag=_TAG,
    query=(_IF_MATCH,),
    answers={200: Answer("The dataset as it is now", schema=schemas.DATASET)},
)
@endpoint
def enable_curated_dataset(req: func.HttpRequest) -> func.HttpResponse:
    """Let the scheduler update a dataset from now on."""
    known_query(req)
    return _dataset(registry.enable(_id(req), if_match=if_match(req), base_url=base_url(req)))


@bp.route(route="api/curated/datasets/{dataset_id}/disable", methods=["POST"])
@documented(
    tag=_TAG,
    query=(_IF_MATCH,),
    answers={200: Answer("The dataset as it is now", schema=schemas.DATASET)},
)
@endpoint
def disable_curated_dataset(req: func.HttpRequest) -> func.HttpResponse:
    """Let the scheduler leave a dataset alone. It may still be updated by hand."""
    known_query(req)
    return _dataset(registry.disable(_id(req), if_match=if_match(req), base_url=base_url(req)))


@bp.route(route="api/curated/datasets/{dataset_id}/update", methods=["POST"])
@bp.durable_client_input(client_name="client")
@documented(
    tag=_TAG,
    body=UpdateRequest,
    answers={
        202: Answer("The new job", schema=schemas.BEGUN),
        200: Answer("The job that the same request_id led to before", schema=schemas.BEGUN),
    },
)
@endpoint
async def update_curated_dataset(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Update a dataset now, enabled or not."""
    known_query(req)
    wanted = UpdateRequest.read(json_object(req))
    job = await asyncio.to_thread(asking.begin, _id(req), wanted, actor=_ACTOR)
    return await _started(req, client, job)


@bp.route(route="api/curated/datasets/{dataset_id}/history", methods=["GET"])
@documented(
    tag=_TAG,
    query=_HISTORY_QUERY,
    answers={200: Answer("A page of the log", schema=schemas.HISTORY)},
)
@endpoint
def list_curated_dataset_history(req: func.HttpRequest) -> func.HttpResponse:
    """Every attempt to update a dataset, newest first, and what became of it."""
    known_query(req, _HISTORY_QUERY)
    wanted = one_of(UpdateStatus, "status", req.params.get("status"))
    page = updates.history(
        _id(req),
        limit=_limit(req),
        cursor=req.params.get("cursor"),
        statuses=None if wanted is None else [wanted],
        base_url=base_url(req),
    )
    return json_response(page)


@bp.route(route="api/curated/datasets/{dataset_id}/versions", methods=["GET"])
@documented(
    tag=_TAG, query=_PAGED, answers={200: Answer("A page of versions", schema=schemas.VERSIONS)}
)
@endpoint
def list_curated_dataset_versions(req: func.HttpRequest) -> func.HttpResponse:
    """The versions that a dataset's table had, newest first, and those that a gate holds."""
    known_query(req, _PAGED)
    page = versions.versions_page(
        _id(req), limit=_limit(req), cursor=req.params.get("cursor"), base_url=base_url(req)
    )
    return json_response(page)


@bp.route(route="api/curated/datasets/{dataset_id}/rollback", methods=["POST"])
@documented(
    tag=_TAG,
    body=Rollback,
    answers={200: Answer("What is published now", schema=schemas.ROLLED_BACK)},
)
@endpoint
def roll_back_curated_dataset(req: func.HttpRequest) -> func.HttpResponse:
    """Make an earlier version current again, as a new version of the table."""
    known_query(req)
    wanted = read_body(req, Rollback)
    return json_response(versions.roll_back(_id(req), wanted.to_version, actor=_ACTOR))


@bp.route(route="api/curated/datasets/{dataset_id}/publish", methods=["POST"])
@bp.durable_client_input(client_name="client")
@documented(
    tag=_TAG,
    body=Approval,
    answers={202: Answer("The job that publishes it", schema=schemas.BEGUN)},
)
@endpoint
async def publish_curated_dataset(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Publish a version that a gate stopped."""
    known_query(req)
    wanted = read_body(req, Approval)
    job = await asyncio.to_thread(versions.submit_held, _id(req), wanted.version_id, actor=_ACTOR)
    return await _started(req, client, job)


@bp.route(route="api/curated/datasets/{dataset_id}/discard", methods=["POST"])
@documented(
    tag=_TAG,
    body=Rejection,
    answers={200: Answer("The version as it is now", schema=schemas.DISCARDED)},
)
@endpoint
def discard_curated_dataset_version(req: func.HttpRequest) -> func.HttpResponse:
    """Drop a version that a gate stopped."""
    known_query(req)
    return json_response(versions.discard(_id(req), read_body(req, Rejection).version_id))


async def _started(
    req: func.HttpRequest, client: df.DurableOrchestrationClient, job: Submission
) -> func.HttpResponse:
    """Start the job's orchestration, and say where it can be followed."""
    if job.created:
        await starting.start(client, job.job_id)
    view = await asyncio.to_thread(views.begun_view, job, base_url(req))
    return json_response(
        view, 202 if job.created else 200, headers={"Location": view["links"]["self"]}
    )


def _id(req: func.HttpRequest) -> str:
    dataset_id = str(req.route_params["dataset_id"])
    if "\0" in dataset_id:
        # No text in PostgreSQL can hold it, so that it cannot be looked up.
        raise NotFound("No dataset's id holds a NUL.", code="dataset_not_found")
    return dataset_id


def _limit(req: func.HttpRequest) -> int:
    return integer(req, "limit", default=100, low=1, high=1000)


def _dataset(view: dict[str, Any], status: int = 200, **headers: str) -> func.HttpResponse:
    return json_response(view, status, headers={"ETag": view["etag"], **headers})
