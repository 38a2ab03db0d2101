"""The pages of jobs, asked for in this process."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit

import azure.durable_functions as df
import azure.functions as func
import pytest

import jobs as job_types
from infrastructure import database


@pytest.fixture
def get(ledger: database.Connection) -> Callable[..., func.HttpResponse]:
    """GET a path of the pages: the function whose route fits is called in this process."""
    job_types.discover()
    from web_interfaces.index import interface as index
    from web_interfaces.jobs import interface as jobs
    from web_interfaces.metrics import interface as metrics

    app = df.DFApp()
    for module in (index, jobs, metrics):
        app.register_functions(module.bp)
    functions = app.get_functions()

    def call(path: str, **headers: str) -> func.HttpResponse:
        parts = urlsplit(path)
        for function in functions:
            route = re.sub(r"\{\*(\w+)\}", r"(?P<\1>.*)", function.get_trigger().route.strip("/"))
            found = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route), parts.path[1:])
            if found:
                request = func.HttpRequest(
                    "GET",
                    f"http://geoforge.test{path}",
                    headers={name.replace("_", "-"): text for name, text in headers.items()},
                    params=dict(parse_qsl(parts.query)),
                    route_params=found.groupdict(),
                    body=b"",
                )
                answer: func.HttpResponse = function.get_user_function()(request)
                return answer
        raise AssertionError(f"no function serves {path}")

    return call
