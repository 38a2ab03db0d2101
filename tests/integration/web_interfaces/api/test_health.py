"""The health endpoints where nothing answers."""

from __future__ import annotations

import pytest

from infrastructure import health
from tests.support.in_process import InProcessClient
from tests.support.settings import app_settings
from web_interfaces.api.health import bp


@pytest.fixture
def nothing_answers(monkeypatch: pytest.MonkeyPatch) -> InProcessClient:
    monkeypatch.setattr(health, "_checks", None)
    return InProcessClient(bp)


def test_every_dependency_that_is_down_is_named(nothing_answers: InProcessClient) -> None:
    with app_settings():
        answer = nothing_answers.get("/api/health")
    assert answer.status == 503
    assert answer.json()["status"] == "failed"
    for check in answer.json()["checks"]:
        assert check["status"] == "failed", check
        assert "127.0.0.1" not in check["message"]
        assert check["latency_ms"] < 5500


def test_the_process_is_alive_but_not_ready(nothing_answers: InProcessClient) -> None:
    with app_settings():
        assert nothing_answers.get("/livez").status == 200
        ready = nothing_answers.get("/readyz")
    assert ready.status == 503
    assert [check["name"] for check in ready.json()["checks"]] == ["database"]
