"""The loop that takes turns of the instances that have messages."""

from __future__ import annotations

import asyncio
import logging
import uuid
from datetime import UTC, datetime

from local.task_hub.database import Database, HubUnavailable
from local.task_hub.functions import FunctionRunner
from local.task_hub.models import Instance
from local.task_hub.turn import Memory, Turn, give_up, take_turn
from local.task_hub.turn_store import LeaseLost, TurnStore

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
"""How long a missed notification can go unnoticed."""

_RETRY_SECONDS = 0.5
_MAX_MEMORIES = 1000
"""Instances whose history is kept between turns; the one longest at rest gives way."""
_MAX_ERRORS = 4
"""After so many errors in a row, of a kind that nothing here expects, an instance is failed."""


class OrchestrationDispatcher:
    """Takes turns, at most `max_concurrent` at a time, one at a time for each instance."""

    def __init__(
        self,
        database: Database,
        functions: FunctionRunner,
        owner: str,
        *,
        max_concurrent: int,
    ) -> None:
        self._store = TurnStore(database, owner)
        self._functions = functions
        self._max_concurrent = max_concurrent
        self._memories: dict[str, Memory] = {}
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._errors: dict[str, list[Exception]] = {}
        self._wake = asyncio.Event()
        self.turns = 0
        self.code_runs = 0

    def wake(self) -> None:
        """There may be messages."""
        self._wake.set()

    async def run(self) -> None:
        """Take turns until cancelled; then let those in hand be committed."""
        try:
            while True:
                self._wake.clear()
                delay = await self._dispatch()
                try:
                    async with asyncio.timeout(delay):
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            await asyncio.gather(*self._busy.values(), return_exceptions=True)

    async def recover(self) -> None:
        """Take back what this host had in hand when it was killed."""
        await self._store.forget()

    async def _dispatch(self) -> float:
        """Start turns for what can be claimed; seconds after which to look again."""
        free = self._max_concurrent - len(self._busy)
        if free <= 0:
            return POLL_SECONDS
        try:
            instances, next_message = await self._store.claim(free, self._busy)
        except HubUnavailable:
            return _RETRY_SECONDS
        for instance in instances:
            task = asyncio.create_task(self._turn(instance), name=f"turn-{instance.instance_id}")
            self._busy[instance.instance_id] = task
        if next_message is None:
            return POLL_SECONDS
        return min(max(next_message, 0.001), POLL_SECONDS)

    async def _turn(self, instance: Instance) -> None:
        """One turn. Whatever goes wrong, the messages stay and the turn is taken again."""
        instance_id = instance.instance_id
        errors = self._errors.pop(instance_id, [])
        try:
            if len(errors) < _MAX_ERRORS:
                await self._take(instance)
            else:
                await self._commit(instance, give_up(instance, errors[-1], datetime.now(UTC)))
        except LeaseLost:
            self._memories.pop(instance_id, None)
        except HubUnavailable:
            self._memories.pop(instance_id, None)
            await asyncio.sleep(_RETRY_SECONDS)
        except Exception as error:
            self._memories.pop(instance_id, None)
            self._errors[instance_id] = [*errors, error]
            log.exception("a turn of instance %s failed and is tried again", instance_id)
            await asyncio.sleep(_RETRY_SECONDS * len(self._errors[instance_id]))
        finally:
            del self._busy[instance_id]
            self._wake.set()

    async def _take(self, instance: Instance) -> None:
        memory = self._memories.pop(instance.instance_id, None)
        if memory is not None and not memory.fits(instance):
            memory = None
        messages, history = await self._store.load(instance, with_history=memory is None)
        if memory is None:
            memory = Memory(instance.execution_id, instance.turns, history)
        turn = await take_turn(
            instance, messages, memory, datetime.now(UTC), self._functions.run_orchestrator
        )
        await self._commit(instance, turn)
        if not turn.status.is_final and turn.restart is None:
            self._memories[instance.instance_id] = memory
            if len(self._memories) > _MAX_MEMORIES:
                del self._memories[next(iter(self._memories))]

    async def _commit(self, instance: Instance, turn: Turn) -> None:
        await self._store.commit(
            instance,
            turn,
            orchestrators=self._functions.orchestrators,
            new_execution_id=uuid.uuid4().hex,
        )
        self.turns += 1
        self.code_runs += turn.code_ran
