"""Who sent a request, for what is not shown to everyone."""

from __future__ import annotations

import azure.functions as func

from services.access import Caller


def caller(req: func.HttpRequest, level: func.AuthLevel = func.AuthLevel.FUNCTION) -> Caller:
    """The caller of a route of this level, with the key as the Functions host reads it."""
    key = req.headers.get("x-functions-key") or req.params.get("code")
    return Caller(key=key or None, is_asked_for_key=level is not func.AuthLevel.ANONYMOUS)
