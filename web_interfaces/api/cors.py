"""Endpoints that scripts on any web page may call: public, read-only, without credentials."""

from __future__ import annotations

import functools
from collections.abc import Callable

import azure.functions as func

from web_interfaces.api.http import open_endpoint

Handler = Callable[[func.HttpRequest], func.HttpResponse]

_PREFLIGHT = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Accept, Content-Type, X-Functions-Key",
    "Access-Control-Max-Age": "86400",
}


def public(function: Handler) -> Handler:
    """An `open_endpoint` that answers preflight requests and allows every origin, errors included.

    Its route must name OPTIONS among its methods.
    """
    guarded = open_endpoint(function)

    @functools.wraps(function)
    def for_any_origin(req: func.HttpRequest) -> func.HttpResponse:
        if req.method == "OPTIONS":
            return func.HttpResponse(status_code=204, headers=_PREFLIGHT)
        response = guarded(req)
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    return for_any_origin
