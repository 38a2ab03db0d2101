"""Health of a whole stack, over HTTP."""

from __future__ import annotations

import httpx
import pytest

from tests.servers import StackUnderTest


@pytest.mark.parametrize("prefix", ["/api", ""])
def test_a_stack_that_is_up_is_well(stack: StackUnderTest, prefix: str) -> None:
    answer = httpx.get(f"{stack.url}{prefix}/health", timeout=60)
    assert (answer.status_code, answer.json()["status"]) == (200, "ok"), answer.text
    checks = {check["name"]: check for check in answer.json()["checks"]}
    assert checks.keys() == {
        "database", "pgstac", "storage", "service_bus_light", "service_bus_heavy",
    }  # fmt: skip
    assert all(check["latency_ms"] >= 0 and check["message"] for check in checks.values())
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("prefix", ["/api", ""])
def test_it_is_alive_and_ready(stack: StackUnderTest, prefix: str) -> None:
    assert httpx.get(f"{stack.url}{prefix}/livez", timeout=60).status_code == 200
    ready = httpx.get(f"{stack.url}{prefix}/readyz", timeout=60)
    assert ready.status_code == 200
    assert [check["name"] for check in ready.json()["checks"]] == ["database"]


def test_the_openapi_document_is_served_as_what_it_is(stack: StackUnderTest) -> None:
    answer = httpx.get(f"{stack.url}/api/openapi.json", timeout=60)
    assert answer.headers["Content-Type"] == "application/vnd.oai.openapi+json;version=3.1"
    document = answer.json()
    assert document["servers"] == [{"url": stack.url}]
    assert "/api/jobs/submit/hello_fan_out" in document["paths"]
