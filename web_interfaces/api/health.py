"""Health of the app: for load balancers, orchestrators of containers, and people.

Each is served under /api and, where probes are configured once for all services, at the root.
"""

from __future__ import annotations

from typing import Any

import azure.durable_functions as df
import azure.functions as func

from infrastructure import health
from infrastructure.health import Check, Status
from web_interfaces.api.documentation import Answer, documented
from web_interfaces.api.http import endpoint, json_response
from web_interfaces.api.schemas.parts import TEXT, an_object, list_of, one_of

bp = df.Blueprint()

_TAG = "Operations"
_OPEN = func.AuthLevel.ANONYMOUS
_FRESH = {"Cache-Control": "no-store"}

_LIFE = an_object(status=TEXT)
_REPORT = an_object(
    status=one_of(Status),
    checks=list_of(
        an_object(
            name=TEXT,
            status=one_of(Status),
            latency_ms={"type": "number", "description": "Duration of the check"},
            message=TEXT,
        )
    ),
)

_about_health = documented(
    tag=_TAG,
    answers={
        200: Answer("All dependencies can be used", schema=_REPORT),
        503: Answer("At least one has failed", schema=_REPORT),
    },
)
_about_life = documented(
    tag=_TAG, answers={200: Answer("The process serves requests", schema=_LIFE)}
)
_about_readiness = documented(
    tag=_TAG,
    answers={
        200: Answer("Requests can be served", schema=_REPORT),
        503: Answer("Not yet, or not now", schema=_REPORT),
    },
)


def _answer(status: Status, checks: tuple[Check, ...]) -> func.HttpResponse:
    body: dict[str, Any] = {
        "status": status,
        "checks": [
            {
                "name": check.name,
                "status": check.status,
                "latency_ms": check.latency_ms,
                "message": check.message,
            }
            for check in checks
        ],
    }
    return json_response(body, 503 if status is Status.FAILED else 200, headers=_FRESH)


def _health() -> func.HttpResponse:
    report = health.report()
    return _answer(report.status, report.checks)


def _readiness() -> func.HttpResponse:
    check = health.readiness()
    return _answer(check.status, (check,))


def _life() -> func.HttpResponse:
    return json_response({"status": Status.OK}, headers=_FRESH)


@bp.route(route="api/health", methods=["GET"], auth_level=_OPEN)
@_about_health
@endpoint
def health_check(req: func.HttpRequest) -> func.HttpResponse:
    """Whether each dependency can be used."""
    return _health()


@bp.route(route="health", methods=["GET"], auth_level=_OPEN)
@_about_health
@endpoint
def health_check_at_root(req: func.HttpRequest) -> func.HttpResponse:
    """Whether each dependency can be used."""
    return _health()


@bp.route(route="api/livez", methods=["GET"], auth_level=_OPEN)
@_about_life
@endpoint
def liveness(req: func.HttpRequest) -> func.HttpResponse:
    """Whether the process is alive. Nothing else is touched."""
    return _life()


@bp.route(route="livez", methods=["GET"], auth_level=_OPEN)
@_about_life
@endpoint
def liveness_at_root(req: func.HttpRequest) -> func.HttpResponse:
    """Whether the process is alive. Nothing else is touched."""
    return _life()


@bp.route(route="api/readyz", methods=["GET"], auth_level=_OPEN)
@_about_readiness
@endpoint
def readiness(req: func.HttpRequest) -> func.HttpResponse:
    """Whether requests can be served: the database answers and has every migration."""
    return _readiness()


@bp.route(route="readyz", methods=["GET"], auth_level=_OPEN)
@_about_readiness
@endpoint
def readiness_at_root(req: func.HttpRequest) -> func.HttpResponse:
    """Whether requests can be served: the database answers and has every migration."""
    return _readiness()
