"""Vector data over HTTP: quality reports, published tables, rollback."""

from __future__ import annotations

from typing import Annotated

import azure.durable_functions as df
import azure.functions as func
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.errors import InvalidParameters
from services.orchestration.paging import bad_query
from services.vector import downloads, reports, tables
from services.vector.downloads import GEOJSON, Part
from services.vector.model import Reason, RepairKind
from web_interfaces.api.callers import caller
from web_interfaces.api.documentation import Answer, documented, query
from web_interfaces.api.http import (
    KEPT_BY_NOBODY,
    base_url,
    endpoint,
    integer,
    json_object,
    json_response,
    known_query,
)
from web_interfaces.api.schemas import standards
from web_interfaces.api.schemas import vector as schemas
from web_interfaces.pages.rendering import link_to

bp = df.Blueprint()

_TAG = "Vector data"
_LIMIT = {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}
_CURSOR = query("cursor", {"type": "string"}, "`next` of the page before")
_PAGED = (query("limit", _LIMIT), _CURSOR)
_KIND = query(
    "kind",
    {"type": "string", "enum": [each.value for each in RepairKind]},
    "Only repairs of this kind",
)
_REASON = query(
    "reason",
    {"type": "string", "enum": [each.value for each in Reason]},
    "Only records set aside for this reason",
)
_FORMAT = query("f", {"type": "string", "enum": ["json", "geojson"], "default": "json"}, "Format")
_REPAIRS_QUERY = (_KIND, _FORMAT, *_PAGED)
_QUARANTINE_QUERY = (_REASON, *_PAGED)
_DOWNLOAD_QUERY = (_REASON, _CURSOR)

# They may be restricted.
_NO_STORE = {"Cache-Control": KEPT_BY_NOBODY}


class Rollback(BaseModel):
    """The body of a rollback."""

    model_config = ConfigDict(extra="forbid", strict=True)

    version: Annotated[
        int | None,
        Field(ge=1, le=2**31 - 1, description="The version to bring back; default: the one before"),
    ] = None


@bp.route(route="api/vector/reports", methods=["GET"])
@documented(
    tag=_TAG, query=_PAGED, answers={200: Answer("A page of reports", schema=schemas.REPORTS)}
)
@endpoint
def list_vector_reports(req: func.HttpRequest) -> func.HttpResponse:
    """Quality reports of process_vector, newest first."""
    known_query(req, _PAGED)
    page = reports.list_reports(
        limit=_limit(req), cursor=req.params.get("cursor"), base_url=base_url(req)
    )
    return json_response(page)


@bp.route(route="api/vector/reports/{job_id}", methods=["GET"])
@documented(
    tag=_TAG,
    answers={
        200: Answer(
            "Counts, reasons, repairs, what was found in the file and why, tables",
            schema=schemas.REPORT,
        ),
        303: Answer("The report's page, for a client that prefers HTML", media_type=None),
    },
)
@endpoint
def get_vector_report(req: func.HttpRequest) -> func.HttpResponse:
    """What a job read, loaded, repaired and set aside."""
    known_query(req)
    job_id = req.route_params["job_id"]
    report = reports.report_view(job_id, base_url=base_url(req), caller=caller(req))
    if _prefers_html(req.headers.get("Accept", "")):
        page = link_to(req, f"/api/interface/vector/{job_id}")
        return func.HttpResponse(status_code=303, headers={"Location": page, "Vary": "Accept"})
    return json_response(report, headers={"Vary": "Accept"})


@bp.route(route="api/vector/reports/{job_id}/repairs", methods=["GET"])
@documented(
    tag=_TAG,
    query=_REPAIRS_QUERY,
    answers={
        200: Answer(
            "A page of repairs, or with f=geojson their geometries",
            schema=schemas.REPAIRS,
            also={GEOJSON: standards.FEATURE_COLLECTION},
        )
    },
)
@endpoint
def list_vector_repairs(req: func.HttpRequest) -> func.HttpResponse:
    """Each geometry that was changed: why, where, and by how much.

    With f=geojson the geometries before and after, and the fault, as features.
    """
    known_query(req, _REPAIRS_QUERY)
    job_id, kind = req.route_params["job_id"], req.params.get("kind")
    cursor = req.params.get("cursor")
    wanted = req.params.get("f", "json")
    if wanted == "geojson":
        address = f"{base_url(req)}/api/vector/reports/{job_id}/repairs"
        part = downloads.repairs_geojson(
            job_id, kind=kind, cursor=cursor, url=address, caller=caller(req)
        )
        return _download(part, f"repairs-{job_id[:8]}.geojson")
    if wanted != "json":
        raise bad_query("f", "must be json or geojson")
    page = reports.repairs_page(
        job_id, kind=kind, limit=_limit(req), cursor=cursor, caller=caller(req)
    )
    return json_response(page, headers=_NO_STORE)


@bp.route(route="api/vector/reports/{job_id}/quarantine", methods=["GET"])
@documented(
    tag=_TAG,
    query=_QUARANTINE_QUERY,
    answers={
        200: Answer(
            "A page of records, each with its properties and its raw text",
            schema=schemas.QUARANTINE,
        )
    },
)
@endpoint
def list_vector_quarantine(req: func.HttpRequest) -> func.HttpResponse:
    """The records that were read and not loaded, and why."""
    known_query(req, _QUARANTINE_QUERY)
    page = reports.quarantine_page(
        req.route_params["job_id"],
        reason=req.params.get("reason"),
        limit=_limit(req),
        cursor=req.params.get("cursor"),
        caller=caller(req),
    )
    return json_response(page, headers=_NO_STORE)


@bp.route(route="api/vector/reports/{job_id}/quarantine.geojson", methods=["GET"])
@documented(
    tag=_TAG,
    query=_DOWNLOAD_QUERY,
    answers={
        200: Answer(
            "A FeatureCollection; a long one comes in parts, each naming the next in its links "
            "and in the header Link",
            media_type=GEOJSON,
            schema=standards.FEATURE_COLLECTION,
        )
    },
)
@endpoint
def download_vector_quarantine(req: func.HttpRequest) -> func.HttpResponse:
    """The records that were not loaded as GeoJSON, with their raw text."""
    known_query(req, _DOWNLOAD_QUERY)
    job_id = req.route_params["job_id"]
    part = downloads.quarantine_geojson(
        job_id,
        reason=req.params.get("reason"),
        cursor=req.params.get("cursor"),
        url=f"{base_url(req)}/api/vector/reports/{job_id}/quarantine.geojson",
        caller=caller(req),
    )
    return _download(part, f"quarantine-{job_id[:8]}.geojson")


@bp.route(route="api/vector/tables", methods=["GET"])
@documented(
    tag=_TAG, query=_PAGED, answers={200: Answer("A page of tables", schema=schemas.TABLES)}
)
@endpoint
def list_vector_tables(req: func.HttpRequest) -> func.HttpResponse:
    """The published tables, by name."""
    known_query(req, _PAGED)
    page = tables.list_tables(
        limit=_limit(req), cursor=req.params.get("cursor"), base_url=base_url(req)
    )
    return json_response(page)


@bp.route(route="api/vector/tables/{table}", methods=["GET"])
@documented(
    tag=_TAG,
    answers={200: Answer("The table, its columns and where it came from", schema=schemas.TABLE)},
)
@endpoint
def get_vector_table(req: func.HttpRequest) -> func.HttpResponse:
    """One published table, by name (in the schema geo) or by schema.name."""
    known_query(req)
    return json_response(tables.table_view(req.route_params["table"], base_url=base_url(req)))


@bp.route(route="api/vector/tables/{table}/versions", methods=["GET"])
@documented(
    tag=_TAG, query=_PAGED, answers={200: Answer("A page of versions", schema=schemas.VERSIONS)}
)
@endpoint
def list_vector_table_versions(req: func.HttpRequest) -> func.HttpResponse:
    """The versions of a published table, newest first."""
    known_query(req, _PAGED)
    page = tables.versions_page(
        req.route_params["table"],
        limit=_limit(req),
        cursor=req.params.get("cursor"),
        base_url=base_url(req),
    )
    return json_response(page)


@bp.route(route="api/vector/{table}/rollback", methods=["POST"])
@documented(
    tag=_TAG, body=Rollback, answers={200: Answer("The table as it is now", schema=schemas.TABLE)}
)
@endpoint
def roll_back_vector_table(req: func.HttpRequest) -> func.HttpResponse:
    """Bring an earlier version of a table back, as a new version."""
    known_query(req)
    try:
        body = Rollback.model_validate(json_object(req))
    except ValidationError as error:
        raise InvalidParameters(
            'The body of a rollback is {} or {"version": n}.',
            [{"loc": list(each["loc"]), "msg": each["msg"]} for each in error.errors()],
        ) from None
    table = tables.roll_back(req.route_params["table"], body.version, base_url=base_url(req))
    return json_response(table)


def _limit(req: func.HttpRequest) -> int:
    return integer(req, "limit", default=100, low=1, high=1000)


def _download(part: Part, name: str) -> func.HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', **_NO_STORE}
    if part.next_url is not None:
        headers["Link"] = f'<{part.next_url}>; rel="next"; type="{GEOJSON}"'
    return func.HttpResponse(part.body, mimetype=GEOJSON, headers=headers)


def _prefers_html(accept: str) -> bool:
    """Whether a client ranks HTML over JSON, as browsers do (RFC 9110, 12.5.1)."""
    weights = {"text/html": 0.0, "application/json": 0.0}
    for part in accept.lower().split(","):
        media_type, *parameters = (each.strip() for each in part.split(";"))
        if media_type in weights:
            weights[media_type] = _weight(parameters)
    return weights["text/html"] > weights["application/json"]


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
