"""Load the app as Microsoft's own Python worker does, and call one of its functions there.

`python3.13 -m local.worker_check --app DIR [--invoke livez]`, in an environment that has
azure-functions-runtime, the worker's library for Python 3.13. The local host is laxer than the
real worker in places; what passes here is accepted on Azure too. Prints each function with its
trigger. Exit code 1: the worker does not accept the app, or the function does not answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any


class CheckFailed(Exception):
    """The worker does not accept the app; the message says why."""


class Protos:
    """Stands in for the worker's protobuf messages, of which indexing builds a few.

    Over gRPC they would go to the host, which is not there.
    """

    class BindingInfo(SimpleNamespace):
        """A binding's direction and type."""

        inout, out, undefined = 2, 1, 0

    class RpcFunctionMetadata(SimpleNamespace):
        """What the host is told of a function."""

    class RpcRetryOptions(SimpleNamespace):
        """A function's retry policy."""


@dataclass(frozen=True, slots=True)
class IndexedFunction:
    """A function as the worker has indexed it."""

    name: str
    function_id: str
    trigger: Mapping[str, Any]

    def __str__(self) -> str:
        kind = str(self.trigger["type"]).removesuffix("Trigger")
        detail = ""
        for field in ("route", "queueName", "schedule"):
            if self.trigger.get(field):
                detail = f" {self.trigger[field]}"
        return f"{self.name:<32} {kind}{detail}"


def index_app(app_dir: Path) -> list[IndexedFunction]:
    """Index the app with the worker's own loader. Raises CheckFailed."""
    import azure_functions_runtime as worker
    from azure_functions_runtime import handle_event, loader
    from azure_functions_runtime.bindings import meta

    worker.start_threadpool_executor()
    meta.load_binding_registry()
    sys.path.insert(0, str(app_dir))
    try:
        functions = loader.index_function_app(str(app_dir / "function_app.py"))
        described, _ = loader.process_indexed_function(
            Protos, handle_event._functions, functions, str(app_dir)
        )
    except Exception as error:
        raise CheckFailed(f"{type(error).__name__}: {error}") from error
    return [
        IndexedFunction(entry.name, entry.function_id, _trigger(entry.raw_bindings))
        for entry in described
    ]


async def invoke_http(function: IndexedFunction) -> tuple[int, bytes]:
    """GET the function through the worker; status and body. Raises CheckFailed."""
    from azure.functions.meta import Datum
    from azure_functions_runtime import native_invocation

    request = Datum(
        {
            "method": Datum("GET", "string"),
            "url": Datum(f"http://127.0.0.1/{function.trigger.get('route')}", "string"),
            "headers": {},
            "query": {},
            "params": {},
            "body": Datum(b"", "bytes"),
        },
        "http",
    )
    succeeded, answer, _, error, trace = await native_invocation.invocation_request_native(
        str(uuid.uuid4()), function.function_id, [(function.trigger["name"], request)], {}
    )
    if not succeeded:
        raise CheckFailed(f"{function.name} failed: {error}\n{trace}")
    if answer.type == "string":
        return 200, answer.value.encode()
    return int(answer.value["status_code"].value), answer.value["body"].value


def find_http_function(functions: list[IndexedFunction], path: str) -> IndexedFunction:
    """The HTTP function whose route ends with this path. Raises CheckFailed."""
    wanted = path.strip("/")
    for function in functions:
        if function.trigger["type"] == "httpTrigger":
            route = str(function.trigger.get("route") or function.name).strip("/")
            if route == wanted or route.endswith(f"/{wanted}"):
                return function
    raise CheckFailed(f"there is no HTTP function at '{path}'")


def _trigger(raw_bindings: list[str]) -> Mapping[str, Any]:
    bindings = [json.loads(binding) for binding in raw_bindings]
    return next(binding for binding in bindings if binding["type"].endswith("Trigger"))


def main() -> int:
    """Index, print, invoke."""
    parser = argparse.ArgumentParser(prog="python3.13 -m local.worker_check", description=__doc__)
    parser.add_argument("--app", type=Path, default=Path(), help="directory of function_app.py")
    parser.add_argument("--invoke", default="livez", help="path of an HTTP function to call")
    arguments = parser.parse_args()
    app_dir = arguments.app.resolve()
    os.chdir(app_dir)
    try:
        functions = index_app(app_dir)
        for function in functions:
            print(function)
        chosen = find_http_function(functions, arguments.invoke)
        status, body = asyncio.run(invoke_http(chosen))
        if status != 200:
            raise CheckFailed(f"{chosen.name} answered {status}: {body.decode(errors='replace')}")
    except CheckFailed as error:
        print(f"The worker does not accept the app: {error}", file=sys.stderr)
        return 1
    print(f"The worker accepts {len(functions)} functions; {chosen.name} answered {status}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
