"""What the engine asks of the Durable client, and how it bears its errors."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import pytest

from services.orchestration import reconcile, starting
from services.orchestration.worker import StageDone

JOB, OTHER = "1" * 64, "2" * 64


class RuntimeStatus(Enum):
    """As azure.durable_functions has it."""

    RUNNING = "Running"
    PENDING = "Pending"
    CONTINUED_AS_NEW = "ContinuedAsNew"
    SUSPENDED = "Suspended"
    COMPLETED = "Completed"
    FAILED = "Failed"
    TERMINATED = "Terminated"
    CANCELED = "Canceled"


ALIVE = {
    RuntimeStatus.RUNNING,
    RuntimeStatus.PENDING,
    RuntimeStatus.CONTINUED_AS_NEW,
    RuntimeStatus.SUSPENDED,
}


@dataclass
class Status:
    runtime_status: RuntimeStatus | None


@dataclass
class Client:
    """A Durable client that notes what it is asked, and may refuse."""

    status: Status | None = None
    refuses: set[str] = field(default_factory=set)
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    async def start_new(self, name: str, instance_id: str | None = None) -> str:
        self._ask("start", name, instance_id)
        return str(instance_id)

    async def get_status(self, instance_id: str) -> Any:
        return self.status

    async def raise_event(self, instance_id: str, event_name: str, event_data: Any = None) -> None:
        self._ask("event", instance_id, event_name, event_data)

    def _ask(self, *request: Any) -> None:
        self.asked.append(request)
        if self.refuses & set(request):
            raise Exception("The hub does not answer.")  # as bare as the SDK raises


async def test_a_job_is_started_under_its_own_id() -> None:
    client = Client()
    assert await starting.start(client, JOB)
    assert client.asked == [("start", "run_job", JOB)]


async def test_a_start_that_fails_is_left_to_the_reconciler() -> None:
    assert not await starting.start(Client(refuses={JOB}), JOB)


async def test_an_event_that_fails_does_not_hold_up_the_others() -> None:
    client = Client(refuses={JOB})
    await starting.tell_orchestrators(client, [StageDone(JOB, 0), StageDone(OTHER, 3)])
    assert client.asked == [
        ("event", JOB, "stage_0_done", 0),
        ("event", OTHER, "stage_3_done", 3),
    ]


@pytest.mark.parametrize("status", RuntimeStatus)
@pytest.mark.parametrize("allowed", [True, False])
async def test_only_a_dead_orchestration_is_started_again(
    status: RuntimeStatus, allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "may_restart", lambda job_id: allowed)
    client = Client(Status(status))
    await starting.ensure_started(client, JOB)
    assert bool(client.asked) == (allowed and status not in ALIVE)


@pytest.mark.parametrize("status", [None, Status(None)])
async def test_an_orchestration_that_is_not_there_is_started(
    status: Status | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "may_restart", lambda job_id: True)
    client = Client(status)
    await starting.ensure_started(client, JOB)
    assert client.asked == [("start", "run_job", JOB)]
