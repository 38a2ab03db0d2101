"""The activity behind `call_http`: one HTTP request, with its asynchronous continuation.

A 202 answer with a Location is polled until the work behind it is done. The extension polls from
the orchestration, with timers the Python SDK does not number; polling here keeps both in step.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
from yarl import URL

from local.task_hub.functions import ActivityFailed

_POLL_SECONDS = 30.0
_TIMEOUT_SECONDS = 100.0


async def run_http_activity(input_json: str) -> str:
    """Make the request {method, uri, content?, headers?} and return the response as JSON text.

    The response is {statusCode, headers, content}. Raises ActivityFailed when there is none.
    """
    request: dict[str, Any] = json.loads(input_json)
    if request.get("tokenSource"):
        raise ActivityFailed("call_http with a managed identity is not supported by the local host")
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session:
            method, uri, body = (
                request["method"],
                request["uri"],
                request.get("content"),
            )
            while True:
                async with session.request(
                    method,
                    uri,
                    data=body,
                    headers=request.get("headers") or _json_header(body),
                ) as response:
                    location = response.headers.get("Location")
                    if response.status != 202 or location is None:
                        return json.dumps(
                            {
                                "statusCode": response.status,
                                "headers": dict(response.headers),
                                "content": await response.text(errors="replace"),
                            }
                        )
                    delay = _seconds(response.headers.get("Retry-After"))
                    uri = str(response.url.join(URL(location)))
                method, body = "GET", None
                await asyncio.sleep(delay)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise ActivityFailed(f"{type(error).__name__}: {error}") from error


def _json_header(body: str | None) -> dict[str, str]:
    return {} if body is None else {"Content-Type": "application/json"}


def _seconds(retry_after: str | None) -> float:
    """Retry-After in seconds; dates, and anything else, give the default."""
    return float(retry_after) if retry_after and retry_after.isdigit() else _POLL_SECONDS
