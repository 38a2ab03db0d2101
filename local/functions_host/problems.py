"""The host's own error answers, as application/problem+json (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web


def problem(status: int, detail: str, *, headers: dict[str, str] | None = None) -> web.Response:
    """An error answer with a sentence for whoever made the request."""
    return web.json_response(
        {
            "type": "about:blank",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
        },
        status=status,
        headers=headers,
        content_type="application/problem+json",
    )
