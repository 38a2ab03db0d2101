"""Queues whose messages belong to sessions: one receiver at a time has all of a session.

Message sessions are a feature of Service Bus; they have nothing to do with AMQP's sessions.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Protocol
from uuid import UUID

from local.service_bus import errors
from local.service_bus.config import QueueSpec
from local.service_bus.messages import Message
from local.service_bus.queues import Consumer, Host, Queue


class SessionConsumer(Consumer, Protocol):
    """A receiver of one message session."""

    def session_granted(self, session: MessageSession) -> None:
        """The receiver now has the session, and is attached."""

    def session_lost(self, session: MessageSession) -> None:
        """The lock on the session ended; the receiver has to go."""


class MessageSession:
    """The messages that share a session id, and who has them."""

    def __init__(self, session_id: str) -> None:
        self.id = session_id
        self.ready: list[int] = []
        self.size = 0
        """Messages of the session in the queue, in any state."""
        self.locked: dict[int, Message] = {}
        self.owner: SessionConsumer | None = None
        self.locked_until = 0
        self.state: bytes | None = None
        self.updated_at = 0


class SessionQueue(Queue):
    """A queue that requires sessions."""

    def __init__(self, spec: QueueSpec, host: Host, dead_letters: Queue) -> None:
        super().__init__(spec, host, dead_letters)
        self._sessions: dict[str, MessageSession] = {}
        # Ordered by the end of the lock, as all locks of a queue last equally long.
        self._held: OrderedDict[str, MessageSession] = OrderedDict()
        self._waiting: deque[SessionConsumer] = deque()

    def session(self, session_id: str) -> MessageSession:
        """The session of this id, new where it is not known."""
        session = self._sessions.get(session_id)
        if session is None:
            session = self._sessions[session_id] = MessageSession(session_id)
        return session

    def restore_state(self, session_id: str, state: bytes, updated_at: int) -> None:
        """Takes back a session's state that the store held when the process started."""
        session = self.session(session_id)
        session.state, session.updated_at = state, updated_at

    # --- locks on sessions ------------------------------------------------------------

    def accept(self, session_id: str | None, consumer: SessionConsumer) -> None:
        """Gives a session to a receiver: that of the id, or the next one with messages.

        Where none has messages the receiver waits until `stop_waiting`. Raises ServiceBusError
        where another receiver has the session.
        """
        if session_id is not None:
            session = self.session(session_id)
            if session.owner is not None:
                raise errors.session_cannot_be_locked(session_id)
            self._grant(session, consumer)
            return
        for session in self._sessions.values():
            if session.owner is None and self._drop_stale(session.ready) is not None:
                self._grant(session, consumer)
                return
        self._waiting.append(consumer)

    def stop_waiting(self, consumer: SessionConsumer) -> bool:
        """Takes a receiver out of those that wait for a session; whether it was among them."""
        if consumer not in self._waiting:
            return False
        self._waiting.remove(consumer)
        return True

    def release(self, session: MessageSession, consumer: SessionConsumer) -> None:
        """The receiver is done with the session; messages it has not settled are available."""
        if session.owner is consumer:
            self._take_back(session, failed=False)

    def renew_session_lock(self, session_id: str) -> int:
        """The lock on the session starts anew; gives its end."""
        session = self._held_session(session_id)
        session.locked_until = self._host.now() + self.spec.lock_ms
        self._held.move_to_end(session_id)
        return session.locked_until

    def _grant(self, session: MessageSession, consumer: SessionConsumer) -> None:
        session.owner = consumer
        session.locked_until = self._host.now() + self.spec.lock_ms
        self._held[session.id] = session
        self._host.wake_at(session.locked_until)
        consumer.session_granted(session)
        self._host.pump_later(self)

    def _take_back(self, session: MessageSession, *, failed: bool) -> None:
        session.owner = None
        self._held.pop(session.id, None)
        for message in list(session.locked.values()):
            self._unlock(message)
            self._give_back(message, failed=failed)
        self._offer(session)
        self._tidy(session)

    def _offer(self, session: MessageSession) -> None:
        if self._waiting and session.owner is None and self._drop_stale(session.ready) is not None:
            self._grant(session, self._waiting.popleft())

    def _held_session(self, session_id: str | None) -> MessageSession:
        session = self._held.get(session_id) if session_id is not None else None
        if session is None or session.locked_until <= self._host.now():
            raise errors.session_lock_lost(session_id or "")
        return session

    def _tidy(self, session: MessageSession) -> None:
        """Forgets a session that holds nothing, so that ids used once do not pile up."""
        if session.owner is None and session.size == 0 and session.state is None:
            self._sessions.pop(session.id, None)

    # --- state ------------------------------------------------------------------------

    def get_state(self, session_id: str) -> bytes | None:
        """What clients stored with the session."""
        session = self._sessions.get(session_id)
        return session.state if session else None

    def set_state(self, session_id: str, state: bytes | None) -> None:
        """Stores `state` with a session that is held; None removes it."""
        session = self._held_session(session_id)
        session.state, session.updated_at = state, self._host.now()
        self._host.store.save_session_state(self.name, session_id, state, session.updated_at)

    def session_ids(self, updated_since: int | None) -> list[str]:
        """The sessions whose state was set since then, or without a time those with messages."""
        if updated_since is None:
            sessions = [s for s in self._sessions.values() if s.size or s.state is not None]
        else:
            sessions = [
                s
                for s in self._sessions.values()
                if s.state is not None and s.updated_at >= updated_since
            ]
        return sorted(session.id for session in sessions)

    # --- what differs from a queue without sessions -----------------------------------

    def _check(self, message: Message) -> None:
        if message.session_id is None:
            raise errors.not_allowed(
                "The SessionId was not set on a message, and it cannot be sent to the entity. "
                "Entities that have session support enabled can only receive messages that have "
                "the SessionId set to a valid value."
            )

    def _session_of(self, message: Message) -> MessageSession:
        return self.session(message.session_id or "")

    def _add(self, message: Message) -> None:
        super()._add(message)
        self._session_of(message).size += 1

    def _forget(self, message: Message) -> None:
        super()._forget(message)
        session = self._session_of(message)
        session.size -= 1
        self._tidy(session)

    def _heap_of(self, message: Message) -> list[int]:
        return self._session_of(message).ready

    def _make_ready(self, message: Message) -> None:
        super()._make_ready(message)
        self._offer(self._session_of(message))

    def _lock(self, message: Message, now: int) -> UUID:
        session = self._session_of(message)
        token = super()._lock(message, now)
        message.locked_until = session.locked_until
        session.locked[message.sequence] = message
        return token

    def _unlock(self, message: Message) -> None:
        super()._unlock(message)
        self._session_of(message).locked.pop(message.sequence, None)

    def _locked_message(self, lock_token: UUID) -> Message:
        message = self._locked.get(lock_token)
        if message is None:
            raise errors.message_lock_lost()
        self._held_session(message.session_id)
        return message

    def receive_deferred(
        self, sequences: Iterable[int], *, lock: bool
    ) -> list[tuple[UUID | None, bytes]]:
        """As in a queue without sessions, of sessions that are held."""
        sequences = list(sequences)
        for message in filter(None, map(self._messages.get, sequences)):
            self._held_session(message.session_id)
        return super().receive_deferred(sequences, lock=lock)

    def renew_lock(self, lock_token: UUID) -> int:  # noqa: ARG002
        """Raises ServiceBusError: the lock to renew is the session's."""
        raise errors.not_allowed("Messages of a session are locked by the session's lock.")

    def _first_lock_end(self) -> int | None:
        return next(iter(self._held.values())).locked_until if self._held else None

    def _end_locks(self, now: int) -> None:
        while (end := self._first_lock_end()) is not None and end <= now:
            session = next(iter(self._held.values()))
            owner = session.owner
            self._take_back(session, failed=True)
            if owner is not None:
                owner.session_lost(session)

    def pump(self) -> None:
        """Hands out the messages of each held session to the receiver that has it."""
        now = self._host.now()
        for session in list(self._held.values()):
            owner = session.owner
            while owner is not None and owner.can_take():
                message = self._take_ready(session.ready, now)
                if message is None:
                    break
                self._hand_out(message, owner, now)
