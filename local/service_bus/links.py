"""The links of a session: what a peer sends to a queue, receives from it, or asks of a node.

A link that the peer sends on is an `IncomingLink`, with `ProducerLink` for messages to a queue
and `RequestLink` for requests; one that it receives on is an `OutgoingLink`, with `ConsumerLink`
and `SessionConsumerLink` for messages of a queue and `ReplyLink` for replies.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from local.service_bus import errors
from local.service_bus.amqp import codec, performatives, serial_numbers
from local.service_bus.amqp.codec import DecodeError
from local.service_bus.amqp.performatives import (
    ACCEPTED,
    Attach,
    Composite,
    Flow,
    Transfer,
)
from local.service_bus.errors import ServiceBusError
from local.service_bus.message_sessions import MessageSession, SessionQueue
from local.service_bus.messages import parse_messages
from local.service_bus.outcomes import settle
from local.service_bus.queues import Queue
from local.service_bus.requests import Request

if TYPE_CHECKING:
    from local.service_bus.session import Session

SETTLED = 1  # snd-settle-mode of a link whose sender settles as it sends

SESSION_FILTER = "com.microsoft:session-filter"
_LOCKED_UNTIL = "com.microsoft:locked-until-utc"
_TICKS_AT_1970 = 621_355_968_000_000_000  # of .NET: 100 ns since the year 1
_TICKS_A_MILLISECOND = 10_000


class Link:
    """A link as both sides agreed on it; `attach` is what the peer asked for."""

    def __init__(self, session: Session, attach: Attach) -> None:
        self.session = session
        self.request = attach
        self.handle = attach.handle
        self.credit = 0
        self.delivery_count = 0

    def attached(self) -> None:
        """The peer has been told that the link is there."""

    def detached(self) -> None:
        """The link is gone, by whatever cause."""

    def flow(self, flow: Flow) -> None:
        """The peer has told the state of its side of the link."""


# --- the peer sends -------------------------------------------------------------------


class IncomingLink(Link, ABC):
    """Gathers transfers into messages and gives the peer credit for more."""

    _CREDIT = 1000

    def __init__(self, session: Session, attach: Attach, max_message_size: int) -> None:
        super().__init__(session, attach)
        self.max_message_size = max_message_size
        self._first: Transfer | None = None
        self._parts: list[bytes] = []
        self._size = 0

    @abstractmethod
    def receive(self, payload: bytes, message_format: int) -> None:
        """Takes a whole message. Raises ServiceBusError or DecodeError to refuse it."""

    def attached(self) -> None:
        """Gives the first credit."""
        self._grant()

    def flow(self, flow: Flow) -> None:
        """Tells the peer where this side stands, if that is what it asks for."""
        if flow.echo:
            self.session.send_flow(self)

    def transfer(self, transfer: Transfer, payload: bytes) -> None:
        """Takes one frame of a message; the last one is answered once the message is durable."""
        first = self._first = self._first or transfer
        self._size += len(payload)
        if self._size <= self.max_message_size:
            self._parts.append(payload)
        else:
            self._parts.clear()  # refused when it has come to its end; not kept until then
        if transfer.more and not transfer.aborted:
            return
        message, size = b"".join(self._parts), self._size
        self._first, self._parts, self._size = None, [], 0
        self.delivery_count = serial_numbers.after(self.delivery_count)
        self.credit -= 1
        if not transfer.aborted:
            state = self._receive(message, size, first.message_format or 0)
            if not (first.settled or transfer.settled) and first.delivery_id is not None:
                send = partial(self.session.send_disposition, True, first.delivery_id, state)
                self.session.after_commit(send)
        if self.credit < self._CREDIT // 2:
            self._grant()

    def _receive(self, payload: bytes, size: int, message_format: int) -> bytes:
        try:
            if size > self.max_message_size:
                raise errors.message_too_large(size, self.max_message_size)
            self.receive(payload, message_format)
        except ServiceBusError as error:
            return performatives.encode_rejected(error.condition, error.description)
        except DecodeError as error:
            return performatives.encode_rejected("amqp:decode-error", str(error))
        return ACCEPTED

    def _grant(self) -> None:
        self.credit = self._CREDIT
        self.session.send_flow(self)


class ProducerLink(IncomingLink):
    """The peer sends messages to a queue."""

    def __init__(self, session: Session, attach: Attach, queue: Queue) -> None:
        super().__init__(session, attach, queue.spec.max_message_bytes)
        self._queue = queue

    def receive(self, payload: bytes, message_format: int) -> None:
        """Puts a message, or the messages of a batch, into the queue."""
        self._queue.enqueue(parse_messages(payload, message_format))


class RequestLink(IncomingLink):
    """The peer sends requests to a node; replies go out on a link that it attached for them."""

    # A queue's own limit is checked by the operation, whose reply can say so.
    _MAX_REQUEST_BYTES = 4 * 2**20

    def __init__(
        self, session: Session, attach: Attach, *, node: str, answer: Callable[[Request], bytes]
    ) -> None:
        super().__init__(session, attach, self._MAX_REQUEST_BYTES)
        self._node = node
        self._answer = answer

    def receive(self, payload: bytes, message_format: int) -> None:  # noqa: ARG002
        """Answers a request, once what it changed is durable."""
        request = Request.decode(payload)
        link = self._reply_link(request.reply_to)
        self.session.after_commit(partial(link.reply, self._answer(request)))

    def _reply_link(self, address: str | None) -> ReplyLink:
        links = [
            link
            for link in self.session.links.values()
            if isinstance(link, ReplyLink) and link.node == self._node
        ]
        for link in reversed(links):
            if link.address == address:
                return link
        if not links:
            raise errors.invalid_field(f"No link is attached for replies from {self._node}.")
        return links[-1]


# --- the peer receives ----------------------------------------------------------------


class OutgoingLink(Link):
    """Sends as far as the peer gave credit."""

    def flow(self, flow: Flow) -> None:
        """Takes credit; answers a drain or an echo after what it lets go out."""
        if flow.link_credit is not None:
            # Credit counts from the deliveries that the peer had seen when it wrote.
            limit = serial_numbers.after(flow.delivery_count or 0, flow.link_credit)
            self.credit = max(0, serial_numbers.distance(self.delivery_count, limit))
        self.send_waiting(drain=bool(flow.drain))
        if flow.drain:
            self.delivery_count = serial_numbers.after(self.delivery_count, self.credit)
            self.credit = 0
        if flow.drain or flow.echo:
            send = partial(self.session.send_flow, self, drain=bool(flow.drain))
            self.session.after_commit(send)

    def send_waiting(self, *, drain: bool = False) -> None:
        """Sends what waits for credit; at once where the peer is draining the link."""

    def use_credit(self) -> None:
        """Counts a delivery."""
        self.credit -= 1
        self.delivery_count = serial_numbers.after(self.delivery_count)


class ConsumerLink(OutgoingLink):
    """The peer receives messages of a queue; the queue sees it as a `Consumer`."""

    def __init__(self, session: Session, attach: Attach, queue: Queue) -> None:
        super().__init__(session, attach)
        self.queue = queue
        self._is_attached = False

    @property
    def settles_on_send(self) -> bool:
        """Whether the link is one of receive and delete."""
        return self.request.snd_settle_mode == SETTLED

    def can_take(self) -> bool:
        """Whether there is credit, and room in the session and on the wire."""
        return self.credit > 0 and self._is_attached and self.session.can_send

    def deliver(self, payload: bytes, lock_token: UUID | None) -> None:
        """Sends a message; one that is deleted by that goes out when the deletion is durable."""
        self.use_credit()
        if lock_token is None:
            self.session.after_commit(partial(self.session.send_settled, self.handle, payload))
        else:
            # The SDKs read the tag as the lock token in .NET's byte order.
            delivery_id = self.session.send_transfer(self.handle, lock_token.bytes_le, payload)
            self.session.remember_delivery(delivery_id, self, lock_token)

    def settle(self, lock_token: UUID, state: Composite | None) -> bytes | None:
        """Settles a delivery in the queue; gives the state to answer with, if it was an outcome."""
        try:
            return settle(self.queue, lock_token, state)
        except ServiceBusError as error:
            return performatives.encode_rejected(error.condition, error.description)

    def send_waiting(self, *, drain: bool = False) -> None:
        """Lets the queue hand out what it has."""
        if drain:
            self.queue.pump()
        elif self.credit:
            self.session.pump_later(self.queue)

    def attached(self) -> None:
        """Takes part in the queue's deliveries."""
        self._is_attached = True
        self.queue.attach(self)

    def detached(self) -> None:
        """Leaves the queue; locks stay, and can be settled through $management."""
        self._is_attached = False
        self.queue.detach(self)
        self.session.forget_deliveries(self)


class SessionConsumerLink(ConsumerLink):
    """The peer receives the messages of one message session, which has to be granted first."""

    queue: SessionQueue

    def __init__(
        self, session: Session, attach: Attach, queue: SessionQueue, wait_seconds: float
    ) -> None:
        super().__init__(session, attach, queue)
        self._wait_seconds = wait_seconds
        self._held: MessageSession | None = None
        self._timeout: asyncio.TimerHandle | None = None

    def ask_for(self, session_id: str | None) -> None:
        """Asks for the session of this id, or the next one with messages.

        Raises ServiceBusError where another receiver has it.
        """
        self.queue.accept(session_id, self)
        if self._held is None:
            loop = asyncio.get_running_loop()
            self._timeout = loop.call_later(self._wait_seconds, self._give_up)

    def session_granted(self, session: MessageSession) -> None:
        """Answers the attach, which has waited for this."""
        self._held = session
        self._cancel_timeout()
        address = self.request.source.field(0) if self.request.source else None
        filters = {codec.encode_symbol(SESSION_FILTER): codec.encode_string(session.id)}
        ticks = _TICKS_AT_1970 + session.locked_until * _TICKS_A_MILLISECOND
        self.session.confirm(
            self,
            source=performatives.encode_source(str(address), codec.encode_map(filters)),
            properties={codec.encode_symbol(_LOCKED_UNTIL): codec.encode_long(ticks)},
        )

    def session_lost(self, session: MessageSession) -> None:
        """Ends the link: its lock is gone."""
        self._held = None
        error = errors.session_lock_lost(session.id)
        self.session.end_link(self, error)

    def attached(self) -> None:
        """The session's messages come by its owner, not in turn with other receivers."""
        self._is_attached = True

    def detached(self) -> None:
        """Gives the session back, or no longer waits for one."""
        self._cancel_timeout()
        self.queue.stop_waiting(self)
        super().detached()
        if self._held is not None:
            held, self._held = self._held, None
            self.queue.release(held, self)

    def _give_up(self) -> None:
        self._timeout = None
        if self.queue.stop_waiting(self):
            self.session.refuse(self, errors.no_session_available())

    def _cancel_timeout(self) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None


class ReplyLink(OutgoingLink):
    """The peer receives replies of a node."""

    _MOST_WAITING = 1000

    def __init__(self, session: Session, attach: Attach, *, node: str) -> None:
        super().__init__(session, attach)
        self.node = node
        self.address = attach.target.field(0) if attach.target else None
        self._waiting: deque[bytes] = deque()

    def reply(self, payload: bytes) -> None:
        """Sends a reply as soon as there is credit."""
        self._waiting.append(payload)
        self.send_waiting()
        if len(self._waiting) > self._MOST_WAITING:
            self._waiting.clear()
            error = ServiceBusError(
                "amqp:resource-limit-exceeded", "Replies are not being received.", status=429
            )
            self.session.end_link(self, error)

    def send_waiting(self, *, drain: bool = False) -> None:  # noqa: ARG002
        """Sends the replies that there is credit for."""
        while self._waiting and self.credit > 0:
            self.use_credit()
            payload = self._waiting.popleft()
            self.session.send_settled(self.handle, payload)
