"""Calls the app's HTTP functions in this process, by method and address, without a host."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import azure.durable_functions as df
import azure.functions as func

BASE = "http://geoforge.test"


@dataclass(frozen=True)
class Response:
    """What a function answered."""

    status: int
    media_type: str
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Orchestrations:
    """A Durable client that keeps the ids of those it was told to start."""

    started: list[str] = field(default_factory=list)

    async def start_new(
        self, orchestration_function_name: str, instance_id: str | None = None
    ) -> str:
        assert instance_id is not None
        self.started.append(instance_id)
        return instance_id


class InProcessClient:
    """A client of the HTTP functions of some blueprints.

    A function that takes a Durable client gets `orchestrations`.
    """

    def __init__(self, *blueprints: df.Blueprint) -> None:
        self.orchestrations = Orchestrations()
        app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)
        for blueprint in blueprints:
            app.register_functions(blueprint)
        self._functions = [each for each in app.get_functions() if each.is_http_function()]

    def get(self, address: str, **headers: str) -> Response:
        return self.call("GET", address, headers=headers)

    def post(self, address: str, body: Any) -> Response:
        return self.call("POST", address, json.dumps(body).encode())

    def put(self, address: str, body: Any) -> Response:
        return self.call("PUT", address, json.dumps(body).encode())

    def delete(self, address: str) -> Response:
        return self.call("DELETE", address)

    def call(
        self, method: str, address: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Response:
        """Call the function whose route and methods fit; a link of an answer will do."""
        parts = urlsplit(address.removeprefix(BASE))
        for function in self._functions:
            trigger = function.get_trigger()
            methods = {str(getattr(each, "value", each)).upper() for each in trigger.methods}
            found = re.fullmatch(_pattern(trigger.route), parts.path)
            if found and method in methods:
                break
        else:
            raise AssertionError(f"no function serves {method} {parts.path}")
        request = func.HttpRequest(
            method=method,
            url=f"{BASE}{address.removeprefix(BASE)}",
            params=dict(parse_qsl(parts.query, keep_blank_values=True)),
            route_params={name: unquote(text) for name, text in found.groupdict().items()},
            headers={**({"Content-Type": "application/json"} if body else {}), **(headers or {})},
            body=body,
        )
        called = function.get_user_function()
        # The Durable SDK keeps the function without its client's wrapping.
        with_client = getattr(called, "client_function", None)
        if with_client is None:
            answer = called(request)
        else:
            answer = asyncio.run(with_client(request, client=self.orchestrations))
        return Response(
            answer.status_code, answer.mimetype, dict(answer.headers), answer.get_body()
        )


def _pattern(route: str) -> str:
    return "/" + re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route)
