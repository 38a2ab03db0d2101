"""/api/interface/curated/{dataset_id}/update: the form that asks for an update.

It is sent as forms are, so that it works without scripts; where htmx sends it, the form alone comes
back, with what was wrong. What acts wants a function key, also where the pages may be read without
one. What the form cannot be shown with, as the host's 401, is told by static/js/live.js.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from urllib.parse import parse_qsl

import azure.durable_functions as df
import azure.functions as func

from config import get_settings
from core.errors import GeoforgeError, InvalidParameters, PayloadTooLarge
from core.models.curated import JOB_TYPE
from core.registry import registry
from services.curated import asking
from services.curated import registry as datasets
from services.curated.asking import UpdateRequest
from services.orchestration import starting
from web_interfaces.curated import update_form, uploading
from web_interfaces.curated.interface import PAGE
from web_interfaces.pages.rendering import HEADERS, auth_level, link_to, page_endpoint, render

_ACTOR = "the page"

bp = df.Blueprint()


@bp.route(
    route="api/interface/curated/{dataset_id}/update", methods=["GET"], auth_level=auth_level()
)
@page_endpoint
def curated_update_page(req: func.HttpRequest) -> func.HttpResponse:
    """An empty form."""
    return _form(req, {}, request_id=uuid.uuid4().hex)


@bp.route(route="api/interface/curated/{dataset_id}/update", methods=["POST"])
@bp.durable_client_input(client_name="client")
@page_endpoint
async def begin_curated_update(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Begin the update, and go to the dataset's page; else the form again, with what is wrong."""
    dataset_id = req.route_params["dataset_id"]
    # What is too much is not shown again.
    given: dict[str, str] = {}
    try:
        given = _sent(req)
        wanted = UpdateRequest.read(update_form.asked(given))
        job = await asyncio.to_thread(asking.begin, dataset_id, wanted, actor=_ACTOR)
    except GeoforgeError as error:
        return await asyncio.to_thread(_form_again, req, given, error)
    if job.created:
        await starting.start(client, job.job_id)
    return _go_to(req, link_to(req, f"{PAGE.path}/{dataset_id}"))


def _form_again(
    req: func.HttpRequest, given: Mapping[str, str], error: GeoforgeError
) -> func.HttpResponse:
    """Raises what showing the form raises: there may be no such dataset, or no database."""
    errors: dict[str, str] = {}
    problem: str | None = error.message
    if isinstance(error, InvalidParameters):
        for fault in error.errors:
            field = str(fault["loc"][0]) if fault["loc"] else ""
            errors.setdefault(field, fault["msg"])
        problem = errors.pop("", None)
    return _form(
        req,
        given,
        request_id=given.get("request_id") or uuid.uuid4().hex,
        errors=errors,
        problem=problem,
        job_id=error.details.get("job_id"),
        status=error.status,
    )


def _form(
    req: func.HttpRequest,
    given: Mapping[str, str],
    *,
    request_id: str,
    errors: Mapping[str, str] | None = None,
    problem: str | None = None,
    job_id: str | None = None,
    status: int = 200,
) -> func.HttpResponse:
    dataset = datasets.view(req.route_params["dataset_id"])
    is_part = req.headers.get("HX-Request") == "true"
    return render(
        req,
        "curated/update_form.html" if is_part else "curated/update.html",
        page=PAGE,
        # htmx puts in only what came with success.
        status=200 if is_part else status,
        dataset=dataset,
        form=update_form.of(
            dataset, given, request_id=request_id, errors=errors, problem=problem, job_id=job_id
        ),
        stages=[stage for each in registry if each.name == JOB_TYPE for stage in each.stages],
        upload=uploading.upload(update_form.file_name(dataset)),
    )


def _sent(req: func.HttpRequest) -> dict[str, str]:
    """The texts of the form. Raises `PayloadTooLarge`."""
    body = req.get_body()
    limit = get_settings().max_request_bytes
    if len(body) > limit:
        raise PayloadTooLarge(f"The form has {len(body)} bytes; at most {limit} are accepted.")
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def _go_to(req: func.HttpRequest, address: str) -> func.HttpResponse:
    if req.headers.get("HX-Request") == "true":
        return func.HttpResponse(status_code=200, headers={**HEADERS, "HX-Redirect": address})
    return func.HttpResponse(status_code=303, headers={**HEADERS, "Location": address})
