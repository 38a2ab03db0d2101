"""The Durable extension's HTTP API: /runtime/webhooks/durabletask/...

Used by people (the management links), by scripts, and by the SDK's durable client, which speaks
the same API to the host that called it.
https://learn.microsoft.com/azure/azure-functions/durable/durable-functions-http-api
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from aiohttp import web

from local.functions_host.problems import problem
from local.task_hub.client import (
    ClientError,
    HubClient,
    InstanceExists,
    InstanceGone,
    InstanceNotFound,
    InvalidRequest,
    UnknownOrchestrator,
)
from local.task_hub.database import HubUnavailable
from local.task_hub.history import Event, EventType, parse_time
from local.task_hub.instance_store import InstanceFilter
from local.task_hub.models import Instance, Status

WEBHOOKS = "/runtime/webhooks/durabletask"
_DEFAULT_PAGE, _LARGEST_PAGE = 100, 1000
_CONTINUATION = "x-ms-continuation-token"

_STATUS_OF_ERROR = {
    InvalidRequest: 400,
    InstanceNotFound: 404,
    InstanceExists: 409,
    InstanceGone: 410,
}


class Links:
    """URLs of the API as clients are given them."""

    def __init__(self, hub_name: str, system_key: str | None) -> None:
        self._hub_name = hub_name
        self._query = f"taskHub={quote(hub_name)}&connection=Storage"
        self._key_query = f"code={system_key}" if system_key else ""
        if self._key_query:
            self._query += f"&{self._key_query}"

    def management(self, origin: str, instance_id: str) -> dict[str, str]:
        """Where one instance is watched and steered."""
        path = f"{origin}{WEBHOOKS}/instances/{quote(instance_id)}"
        query = self._query
        return {
            "id": instance_id,
            "statusQueryGetUri": f"{path}?{query}",
            "sendEventPostUri": f"{path}/raiseEvent/{{eventName}}?{query}",
            "terminatePostUri": f"{path}/terminate?reason={{text}}&{query}",
            "rewindPostUri": f"{path}/rewind?reason={{text}}&{query}",
            "purgeHistoryDeleteUri": f"{path}?{query}",
            "restartPostUri": f"{path}/restart?{query}",
            "suspendPostUri": f"{path}/suspend?reason={{text}}&{query}",
            "resumePostUri": f"{path}/resume?reason={{text}}&{query}",
        }

    def client_binding(self, origin: str, rpc_path: str) -> str:
        """The JSON a durable client is made of. `rpc_path` is where the SDK calls back."""
        creation = f"{origin}{WEBHOOKS}/orchestrators/{{functionName}}[/{{instanceId}}]"
        return json.dumps(
            {
                "taskHubName": self._hub_name,
                "creationUrls": {
                    "createNewInstancePostUri": f"{creation}?{self._key_query}",
                    "createAndWaitOnNewInstancePostUri": f"{creation}?timeout={{timeoutInSeconds}}"
                    f"&pollingInterval={{intervalInSeconds}}&{self._key_query}",
                },
                "managementUrls": self.management(origin, "INSTANCEID"),
                "baseUrl": f"{origin}{WEBHOOKS}",
                "requiredQueryStringParameters": self._key_query,
                "rpcBaseUrl": f"{origin}{rpc_path}/",
            }
        )


class DurableWebhooks:
    """Serves the API; every method takes what is behind its prefix."""

    def __init__(self, client: HubClient, links: Links) -> None:
        self._client = client
        self._links = links

    async def handle(self, request: web.Request, path: str) -> web.Response:
        """Answer a request for `path`, as 'instances/abc/terminate'."""
        segments = [segment for segment in path.split("/") if segment]
        if any("\x00" in text for text in (path, *request.query.values())):
            return problem(400, "A request may not contain NUL characters.")
        try:
            match (request.method, *segments):
                case ("POST", "orchestrators", name, *rest) if len(rest) <= 1:
                    return await self._start(request, name, rest[0] if rest else None)
                case ("GET", "instances"):
                    return await self._list(request)
                case ("DELETE", "instances"):
                    return await self._purge_all(request)
                case ("GET", "instances", instance_id):
                    return await self._status(request, instance_id)
                case ("DELETE", "instances", instance_id):
                    purged = await self._client.purge(instance_id)
                    return web.json_response({"instancesDeleted": purged})
                case ("POST", "instances", instance_id, "raiseEvent", event_name):
                    return await self._raise_event(request, instance_id, event_name)
                case ("POST", "instances", instance_id, "restart"):
                    return await self._restart(request, instance_id)
                case ("POST", "instances", instance_id, operation):
                    return await self._steer(request, instance_id, operation)
                case ("GET" | "POST", "entities", *_):
                    return problem(501, "Durable entities are not supported by the local host.")
                case _:
                    return problem(404, f"There is no {request.method} {request.path}.")
        except UnknownOrchestrator as error:
            # The shape in which the SDK looks for the message.
            return web.json_response(
                {
                    "Message": "One or more of the arguments submitted is incorrect",
                    "ExceptionMessage": str(error),
                    "ExceptionType": "System.ArgumentException",
                    "StackTrace": "",
                },
                status=400,
            )
        except ClientError as error:
            return problem(_STATUS_OF_ERROR[type(error)], str(error))
        except ValueError as error:
            return problem(400, str(error))
        except HubUnavailable as error:
            return problem(
                503,
                f"The task hub's database is not available: {error}",
                headers={"Retry-After": "2"},
            )

    # -- operations

    async def _start(
        self, request: web.Request, name: str, instance_id: str | None
    ) -> web.Response:
        instance_id = await self._client.start(
            name,
            _input_json(await request.text()),
            instance_id=instance_id,
            version=request.query.get("version", ""),
        )
        links = self._links.management(_origin(request), instance_id)
        headers = {"Location": links["statusQueryGetUri"], "Retry-After": "10"}
        return web.json_response(links, status=202, headers=headers)

    async def _status(self, request: web.Request, instance_id: str) -> web.Response:
        instance = await self._client.get(instance_id)
        body = _status_body(instance, show_input=_flag(request, "showInput", default=True))
        if _flag(request, "showHistory"):
            history = await self._client.history(instance_id)
            show_output = _flag(request, "showHistoryOutput")
            body["historyEvents"] = _shown_events(history, show_output=show_output)
        if not instance.status.is_final:
            headers = {"Location": str(request.url), "Retry-After": "5"}
            return web.json_response(body, status=202, headers=headers)
        failed = instance.status is Status.FAILED
        as_error = _flag(request, "returnInternalServerErrorOnFailure")
        return web.json_response(body, status=500 if failed and as_error else 200)

    async def _list(self, request: web.Request) -> web.Response:
        top = int(request.query.get("top", _DEFAULT_PAGE))
        limit = min(max(top, 1), _LARGEST_PAGE)
        instances = await self._client.list(
            _filter(request),
            limit=limit,
            after=request.headers.get(_CONTINUATION) or None,
        )
        show_input = _flag(request, "showInput", default=True)
        more = instances[-1].instance_id if len(instances) == limit else ""
        return web.json_response(
            [_status_body(instance, show_input=show_input) for instance in instances],
            headers={_CONTINUATION: more},
        )

    async def _purge_all(self, request: web.Request) -> web.Response:
        purged = await self._client.purge_all(_filter(request))
        return web.json_response({"instancesDeleted": purged}, status=200 if purged else 404)

    async def _raise_event(
        self, request: web.Request, instance_id: str, event_name: str
    ) -> web.Response:
        body = await request.text()
        try:
            json.loads(body or "null")
        except ValueError:
            return problem(400, "The body of an event must be JSON.")
        await self._client.raise_event(instance_id, event_name, body or "null")
        return web.Response(status=202)

    async def _restart(self, request: web.Request, instance_id: str) -> web.Response:
        with_new_id = _flag(request, "restartWithNewInstanceId", default=True)
        new_id = await self._client.restart(instance_id, with_new_id=with_new_id)
        return web.json_response(new_id, status=202)

    async def _steer(self, request: web.Request, instance_id: str, operation: str) -> web.Response:
        operations: dict[str, Callable[[str, str], Awaitable[None]]] = {
            "terminate": self._client.terminate,
            "suspend": self._client.suspend,
            "resume": self._client.resume,
            "rewind": self._client.rewind,
        }
        if operation not in operations:
            return problem(404, f"There is no operation '{operation}'.")
        await operations[operation](instance_id, request.query.get("reason", ""))
        return web.Response(status=202)


# ------------------------------------------------------------------ requests


def _origin(request: web.Request) -> str:
    return f"{request.scheme}://{request.host}"


def _input_json(body: str) -> str | None:
    """The input as JSON text. The SDK sends it as a JSON string of JSON, people as plain JSON.

    Raises ValueError for what is not JSON.
    """
    if not body:
        return None
    try:
        value = json.loads(body)
    except ValueError:
        raise ValueError("The body must be the orchestration's input as JSON.") from None
    if value is None:
        return None
    if isinstance(value, str):
        try:
            json.loads(value)
        except ValueError:
            return json.dumps(value)
        return value
    return json.dumps(value)


def _flag(request: web.Request, name: str, *, default: bool = False) -> bool:
    return request.query.get(name, str(default)).lower() == "true"


def _filter(request: web.Request) -> InstanceFilter:
    """The restrictions in the query. Raises ValueError."""
    query = request.query
    names = [n for value in query.getall("runtimeStatus", []) for n in value.split(",") if n]
    known = {status.value.lower(): status for status in Status}
    # Statuses of the API that no instance of this hub is ever in.
    names = [name for name in names if name.lower() not in ("canceled", "continuedasnew")] or names
    statuses = [known[name.lower()] for name in names if name.lower() in known]
    return InstanceFilter(
        statuses=tuple(statuses) if names else None,
        id_prefix=query.get("instanceIdPrefix"),
        created_from=_time(query.get("createdTimeFrom")),
        created_to=_time(query.get("createdTimeTo")),
    )


def _time(text: str | None) -> datetime | None:
    # A '+' of an offset arrives as a space when it was not encoded.
    return parse_time(text.replace(" ", "+")) if text else None


# ------------------------------------------------------------------ answers


def _status_body(instance: Instance, *, show_input: bool) -> dict[str, Any]:
    """The instance as the API shows it; the input is a string of JSON, as on Azure."""
    output: Any = instance.output
    if output is not None and instance.status is not Status.TERMINATED:
        output = json.loads(output)
    return {
        "name": instance.name,
        "instanceId": instance.instance_id,
        "runtimeStatus": instance.status.value,
        "input": instance.input if show_input else None,
        "customStatus": None
        if instance.custom_status is None
        else json.loads(instance.custom_status),
        "output": output,
        "createdTime": _utc(instance.created_at),
        "lastUpdatedTime": _utc(instance.updated_at),
    }


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _shown_events(history: list[Event], *, show_output: bool) -> list[dict[str, Any]]:
    """What happened, without the marks of where turns began and ended."""
    hidden = (EventType.ORCHESTRATOR_STARTED, EventType.ORCHESTRATOR_COMPLETED)
    shown = []
    for event in history:
        kind = EventType(event["EventType"])
        if kind in hidden:
            continue
        fields = {name: value for name, value in event.items() if name != "IsPlayed"}
        if not show_output:
            fields.pop("Result", None)
            fields.pop("Input", None)
        shown.append({**fields, "EventType": kind.title})
    return shown
