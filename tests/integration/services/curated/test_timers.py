"""The timers of curated datasets, called as the host calls them."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import azure.durable_functions as df
import azure.functions as func
import pytest

from infrastructure import database
from infrastructure.database import Connection
from services.orchestration.starting import ORCHESTRATOR
from tests.support.curated import add_dataset, forget_datasets, register_job_type


class RecordingClient:
    """A Durable client to which no orchestration is known, and that notes what it is to start."""

    def __init__(self) -> None:
        self.started: list[tuple[str, str | None]] = []

    async def get_status(self, instance_id: str) -> Any:
        return SimpleNamespace(runtime_status=None)

    async def start_new(self, name: str, instance_id: str | None = None) -> str:
        self.started.append((name, instance_id))
        return instance_id or ""


def functions() -> dict[str, Any]:
    """The functions of the timers, by name. Their schedules are read when they are imported."""
    from jobs import curated_timers

    app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)
    app.register_functions(curated_timers.bp)
    return {each.get_function_name(): each for each in app.get_functions()}


@pytest.mark.parametrize(
    ("name", "schedule"),
    [
        ("update_curated_datasets", "0 0 2 * * *"),
        ("check_due_curated_datasets", "0 */5 * * * *"),
    ],
)
async def test_what_is_due_gets_its_orchestration(
    name: str, schedule: str, ledger: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_job_type(monkeypatch)
    forget_datasets(ledger)
    add_dataset(ledger, schedule_from=database.now(ledger) - timedelta(days=2))
    function = functions()[name]
    assert function.get_trigger().schedule == schedule
    client = RecordingClient()
    # What stands behind the SDK's own, which makes a client of the host's description of one.
    tick = function.get_user_function().client_function
    await tick(timer=SimpleNamespace(past_due=False), client=client)
    [job] = ledger.execute("SELECT job_id FROM app.jobs").fetchall()
    assert client.started == [(ORCHESTRATOR, job["job_id"])]
    await tick(timer=SimpleNamespace(past_due=False), client=client)
    assert len(client.started) == 1
