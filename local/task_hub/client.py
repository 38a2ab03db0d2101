"""What a client may ask of the hub, and when it is refused."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

from local.task_hub.functions import FunctionRunner
from local.task_hub.history import Event, EventType
from local.task_hub.instance_store import InstanceFilter, InstanceStore
from local.task_hub.models import Instance, Status

MAX_ID_LENGTH = 256


class ClientError(Exception):
    """A request that the hub refuses; the message says why."""


class InvalidRequest(ClientError):
    """An id or a name that the hub does not take."""


class UnknownOrchestrator(ClientError):
    """There is no orchestrator function of this name."""


class InstanceNotFound(ClientError):
    """There is no instance of this id."""


class InstanceExists(ClientError):
    """An instance of this id is running."""


class InstanceGone(ClientError):
    """The instance has finished, or is in another state that forbids the request."""


class HubClient:
    """Starts, watches and steers instances."""

    def __init__(
        self,
        store: InstanceStore,
        functions: FunctionRunner,
        *,
        changed: Callable[[], None],
    ) -> None:
        self._store = store
        self._functions = functions
        self._changed = changed

    async def start(
        self,
        orchestrator: str,
        input_json: str | None,
        *,
        instance_id: str | None = None,
        version: str = "",
    ) -> str:
        """Start an instance and return its id. A finished one of the same id is replaced.

        Raises UnknownOrchestrator, InvalidRequest, InstanceExists.
        """
        if orchestrator not in self._functions.orchestrators:
            known = ", ".join(sorted(self._functions.orchestrators)) or "none"
            raise UnknownOrchestrator(
                f"The function '{orchestrator}' doesn't exist, is disabled, or is not an "
                f"orchestrator function. The known orchestrator functions are: {known}."
            )
        instance_id = uuid.uuid4().hex if instance_id is None else instance_id
        check_identifier("instance id", instance_id)
        if not await self._store.create(instance_id, orchestrator, input_json, version):
            raise InstanceExists(f"An instance with id '{instance_id}' is already running.")
        self._changed()
        return instance_id

    async def get(self, instance_id: str) -> Instance:
        """The instance. Raises InstanceNotFound."""
        check_identifier("instance id", instance_id)
        instance = await self._store.get(instance_id)
        if instance is None:
            raise _not_found(instance_id)
        return instance

    async def history(self, instance_id: str) -> list[Event]:
        """The events of the instance's current execution."""
        return await self._store.history(instance_id)

    async def list(
        self, where: InstanceFilter, *, limit: int, after: str | None
    ) -> Sequence[Instance]:
        """Instances in the order of their ids, from behind the id `after`."""
        return await self._store.list(where, limit=limit, after=after)

    async def raise_event(self, instance_id: str, name: str, input_json: str) -> None:
        """Raise an external event. One for an instance that has not run yet is kept for it.

        Raises InvalidRequest, InstanceNotFound, InstanceGone.
        """
        check_identifier("event name", name)
        await self._send(
            instance_id,
            {"EventType": EventType.EVENT_RAISED, "Name": name, "Input": input_json},
        )

    async def terminate(self, instance_id: str, reason: str) -> None:
        """Stop an instance where it stands. Raises InstanceNotFound, InstanceGone."""
        await self._send(
            instance_id,
            {"EventType": EventType.EXECUTION_TERMINATED, "Reason": _clean(reason)},
        )

    async def suspend(self, instance_id: str, reason: str) -> None:
        """Let an instance hear nothing until it is resumed."""
        await self._send(
            instance_id,
            {"EventType": EventType.EXECUTION_SUSPENDED, "Reason": _clean(reason)},
        )

    async def resume(self, instance_id: str, reason: str) -> None:
        """Let a suspended instance hear what has come for it."""
        await self._send(
            instance_id,
            {"EventType": EventType.EXECUTION_RESUMED, "Reason": _clean(reason)},
        )

    async def rewind(self, instance_id: str, reason: str) -> None:
        """Let a failed instance try again what failed. Raises InstanceNotFound, InstanceGone."""
        check_identifier("instance id", instance_id)
        status = await self._store.rewind(instance_id, _clean(reason))
        if status is None:
            raise _not_found(instance_id)
        if status is not Status.FAILED:
            raise InstanceGone("Only a failed instance can be rewound.")
        self._changed()

    async def restart(self, instance_id: str, *, with_new_id: bool) -> str:
        """Start the same orchestrator with the same input again, and return the instance id.

        Raises InstanceNotFound, InstanceExists, UnknownOrchestrator.
        """
        instance = await self.get(instance_id)
        return await self.start(
            instance.name,
            instance.input,
            instance_id=None if with_new_id else instance_id,
            version=instance.version,
        )

    async def purge(self, instance_id: str) -> int:
        """Delete a finished instance and its history; 0 if it still runs.

        Raises InstanceNotFound.
        """
        await self.get(instance_id)
        return await self._store.purge(InstanceFilter(), ids=[instance_id])

    async def purge_all(self, where: InstanceFilter) -> int:
        """Delete the finished instances among these; returns how many."""
        return await self._store.purge(where)

    async def _send(self, instance_id: str, message: Event) -> None:
        check_identifier("instance id", instance_id)
        status = await self._store.send(instance_id, message)
        if status is None:
            raise _not_found(instance_id)
        if status.is_final:
            raise InstanceGone(f"The instance '{instance_id}' has finished: {status.value}.")
        self._changed()


def check_identifier(what: str, value: str) -> None:
    """Raise InvalidRequest for what is empty, too long or has control characters."""
    if not value or len(value) > MAX_ID_LENGTH or not value.isprintable():
        raise InvalidRequest(
            f"The {what} must have 1 to {MAX_ID_LENGTH} characters, none of them a control "
            "character."
        )


def _not_found(instance_id: str) -> InstanceNotFound:
    return InstanceNotFound(f"There is no instance with id '{instance_id}'.")


def _clean(reason: str) -> str:
    """A reason without NUL, which PostgreSQL does not store."""
    return reason.replace("\x00", "")
