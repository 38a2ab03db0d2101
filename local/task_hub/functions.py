"""The seam between the hub and whoever runs the functions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from local.task_hub.actions import OrchestratorReply
from local.task_hub.history import Event
from local.task_hub.models import ActivityLease, Instance


class ActivityFailed(Exception):
    """An activity's code raised. `reason` is 'Type: message', `details` the traceback."""

    def __init__(self, reason: str, details: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.details = details


class FunctionRunner(Protocol):
    """Runs the app's orchestrators and activities."""

    @property
    def orchestrators(self) -> Collection[str]:
        """Names of the orchestrator functions."""

    async def run_orchestrator(
        self, instance: Instance, history: Sequence[Event]
    ) -> OrchestratorReply:
        """Run an orchestrator's code against a history."""

    async def run_activity(self, lease: ActivityLease) -> str | None:
        """Run an activity; its result as JSON text. Raises ActivityFailed."""
