"""The HTTP side of the host: functions' routes, the Durable webhooks, the host's own status."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import secrets
from collections.abc import Callable
from http.cookies import SimpleCookie
from typing import Any

from aiohttp import web
from azure.functions.meta import Datum
from multidict import CIMultiDict

from local.functions_host.bindings import Function
from local.functions_host.keys import AccessControl
from local.functions_host.problems import problem
from local.functions_host.routes import RouteError, RouteTable, WrongMethod
from local.functions_host.settings import SettingsError
from local.functions_host.webhooks import WEBHOOKS, DurableWebhooks, Links
from local.functions_host.worker import InvocationFailed, Worker

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 100 * 1024 * 1024
ALL_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_DRAIN_SECONDS = 2.0
_NO_BODY = (204, 304)


class PortTaken(Exception):
    """Another process listens on the port."""


class HttpServer:
    """Answers HTTP requests, from `start` to `stop`."""

    def __init__(
        self,
        worker: Worker,
        webhooks: DurableWebhooks,
        access: AccessControl,
        links: Links,
        *,
        address: tuple[str, int],
        route_prefix: str,
        status: Callable[[], dict[str, Any]],
    ) -> None:
        """`address` is host and port; `status` gives what /admin/host/status shows.

        Raises SettingsError for a route that is not valid.
        """
        self._worker = worker
        self._webhooks = webhooks
        self._access = access
        self._address = address
        self._status = status
        # The durable client's way in: unguessable, and so open without a key.
        self._rpc_path = f"/{secrets.token_urlsafe(16)}{WEBHOOKS}"
        self._client_binding = links.client_binding(_origin(*address), self._rpc_path)
        self._routes = route_table(worker, route_prefix)
        application = web.Application(client_max_size=MAX_BODY_BYTES)
        # Not `.*`, which ends at a line feed: a path may hold one (%0A).
        application.router.add_route("*", r"/{path:[\s\S]*}", self._handle)
        self._runner = web.AppRunner(
            application, access_log=None, handle_signals=False, shutdown_timeout=_DRAIN_SECONDS
        )

    async def start(self) -> None:
        """Listen. Raises PortTaken."""
        host, port = self._address
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            if error.errno == errno.EADDRINUSE:
                raise PortTaken(f"port {port} on {host} is taken by another process") from error
            raise

    async def stop(self) -> None:
        """Take no more requests and let those in hand end, for a few seconds."""
        await self._runner.cleanup()

    def durable_client(self, function: Function) -> str | None:
        """What the durable client of this function is made of, if it has one."""
        return self._client_binding if function.client_parameters else None

    # -- requests

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._answer(request)
        except web.HTTPRequestEntityTooLarge:
            return problem(413, f"A request body may have at most {MAX_BODY_BYTES} bytes.")
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception:
            log.exception("%s %s failed in the host", request.method, request.path)
            return problem(500, "The host failed to answer; its log says why.")

    async def _answer(self, request: web.Request) -> web.Response:
        path = request.rel_url.raw_path
        if path.startswith(f"{self._rpc_path}/"):
            return await self._webhooks.handle(request, _tail(request, self._rpc_path))
        if path.startswith(f"{WEBHOOKS}/"):
            if not self._access.allows("system", request.headers, request.query):
                return _unauthorized()
            return await self._webhooks.handle(request, _tail(request, WEBHOOKS))
        if path == "/admin/host/status":
            if not self._access.allows("admin", request.headers, request.query):
                return _unauthorized()
            return web.json_response(self._status())
        return await self._call_function(request, path)

    async def _call_function(self, request: web.Request, path: str) -> web.Response:
        found = self._routes.find(request.method, path)
        if found is None:
            if path == "/" and request.method in ("GET", "HEAD"):
                return web.Response(text="The local Functions host is up and running.\n")
            return problem(404, f"There is no function at {request.path}.")
        if isinstance(found, WrongMethod):
            allowed = ", ".join(found.allowed)
            return problem(405, f"{request.path} takes {allowed}.", headers={"Allow": allowed})
        function = found.target
        level = str(function.trigger.get("authLevel") or "function").lower()
        if not self._access.allows(level, request.headers, request.query):
            return _unauthorized()
        datum = await http_datum(request, dict(found.parameters))
        try:
            result = await self._worker.invoke(
                function, datum, client=self.durable_client(function)
            )
        except InvocationFailed as error:
            log.error("function '%s' failed: %s\n%s", function.name, error, error.details)
            return problem(500, f"The function '{function.name}' failed; the host's log says why.")
        return http_response(result)


def route_table(worker: Worker, route_prefix: str) -> RouteTable[Function]:
    """The routes of the app's HTTP functions. Raises SettingsError for one that is not valid."""
    table: RouteTable[Function] = RouteTable()
    for function in worker.of_type("httpTrigger"):
        route = function.trigger.get("route")
        text = function.name if route is None else str(route)
        methods = [str(method) for method in function.trigger.get("methods") or ALL_METHODS]
        try:
            table.add(f"{route_prefix}/{text}", methods, function)
        except RouteError as error:
            raise SettingsError(f"function '{function.name}': {error}") from error
    return table


async def http_datum(request: web.Request, route_parameters: dict[str, str]) -> Datum:
    """The request as the host hands it to a worker; what is repeated is joined by commas."""
    return Datum(
        {
            "method": _text(request.method),
            "url": _text(str(request.url)),
            "headers": {name: _text(v) for name, v in _joined(request.headers).items()},
            "query": {name: _text(v) for name, v in _joined(request.query).items()},
            "params": {name: _text(v) for name, v in route_parameters.items()},
            "body": Datum(await request.read(), "bytes"),
        },
        "http",
    )


def http_response(result: Datum | None) -> web.Response:
    """The answer for what a function returned: nothing is 204, a text is 200."""
    if result is None or result.type is None:
        return web.Response(status=204)
    if result.type != "http":
        text = result.value if isinstance(result.value, str) else json.dumps(result.value)
        return web.Response(text=text)
    answer = result.value
    status = int(answer["status_code"].value)
    headers: CIMultiDict[str] = CIMultiDict(
        (name, datum.value) for name, datum in answer["headers"].items()
    )
    body = None if status in _NO_BODY else answer["body"].value
    # aiohttp computes the length itself, also for HEAD.
    headers.popall("Content-Length", None)
    response = web.Response(status=status, headers=headers, body=body)
    for cookie in answer.get("cookies") or ():
        _add_cookies(response, cookie)
    return response


def _origin(host: str, port: int) -> str:
    """Where this machine reaches the server."""
    reachable = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def _add_cookies(response: web.Response, cookies: SimpleCookie) -> None:
    for morsel in cookies.values():
        response.headers.add("Set-Cookie", morsel.OutputString())


def _joined(values: Any) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in values.items():
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _text(value: str) -> Datum:
    return Datum(value, "string")


def _tail(request: web.Request, prefix: str) -> str:
    return request.path[len(prefix) + 1 :]


def _unauthorized() -> web.Response:
    return problem(401, "A function key is needed: as x-functions-key header or code parameter.")
