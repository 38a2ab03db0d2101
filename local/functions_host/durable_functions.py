"""Runs the app's orchestrators and activities for the task hub."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from azure.functions.meta import Datum

from local.functions_host.bindings import Function
from local.functions_host.out_of_process import (
    orchestrator_input,
    parse_failure,
    parse_reply,
)
from local.functions_host.worker import InvocationFailed, Worker
from local.task_hub.actions import HTTP_ACTIVITY, OrchestratorReply
from local.task_hub.functions import ActivityFailed
from local.task_hub.history import Event
from local.task_hub.http_activity import run_http_activity
from local.task_hub.models import ActivityLease, Instance


class DurableFunctions:
    """The app's durable functions, under the names by which orchestrations know them."""

    def __init__(self, worker: Worker, client_of: Callable[[Function], str | None]) -> None:
        """`client_of` gives what the durable client of an activity is made of, if it has one."""
        self._worker = worker
        self._client_of = client_of
        self._orchestrators = _by_name(worker, "orchestrationTrigger", "orchestration")
        self._activities = _by_name(worker, "activityTrigger", "activity")

    @property
    def orchestrators(self) -> Collection[str]:
        """Names of the orchestrator functions."""
        return self._orchestrators

    async def run_orchestrator(
        self, instance: Instance, history: Sequence[Event]
    ) -> OrchestratorReply:
        """Run an orchestrator's code against a history."""
        function = self._orchestrators.get(instance.name)
        if function is None:
            return OrchestratorReply(
                error=f"The function '{instance.name}' doesn't exist, is disabled, or is not an "
                "orchestrator function."
            )
        body = Datum(orchestrator_input(instance, history), "string")
        try:
            result = await self._worker.invoke(function, body)
        except InvocationFailed as error:
            return parse_failure(str(error))
        assert result is not None
        return parse_reply(result.value)

    async def run_activity(self, lease: ActivityLease) -> str | None:
        """Run an activity; its result as JSON text. Raises ActivityFailed."""
        if lease.name == HTTP_ACTIVITY:
            return await run_http_activity(lease.input or "{}")
        function = self._activities.get(lease.name)
        if function is None:
            raise ActivityFailed(
                f"The function '{lease.name}' doesn't exist, is disabled, or is not an activity "
                "function."
            )
        try:
            result = await self._worker.invoke(
                function,
                Datum(lease.input or "null", "string"),
                client=self._client_of(function),
            )
        except InvocationFailed as error:
            raise ActivityFailed(str(error), error.details) from error
        return None if result is None else result.value


def _by_name(worker: Worker, trigger_type: str, name_field: str) -> dict[str, Function]:
    return {
        str(function.trigger.get(name_field) or function.name): function
        for function in worker.of_type(trigger_type)
    }
