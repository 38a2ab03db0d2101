"""A session of AMQP: a channel of a connection with its links, windows and deliveries."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from local.service_bus.amqp import codec, framing, performatives, serial_numbers
from local.service_bus.amqp.codec import FALSE, NULL, TRUE
from local.service_bus.amqp.performatives import (
    Attach,
    Begin,
    Code,
    Detach,
    Disposition,
    Flow,
    Transfer,
)
from local.service_bus.errors import ServiceBusError
from local.service_bus.links import ConsumerLink, IncomingLink, Link
from local.service_bus.nodes import open_link
from local.service_bus.queues import Queue

if TYPE_CHECKING:
    from local.service_bus.connection import Connection

logger = logging.getLogger(__name__)

HANDLE_MAX = 1023

_WINDOW = 2**31 - 1  # frames: what limits a peer is credit and the size of a message
_TIDY_DELIVERIES = 4096
_MIXED = 2  # snd-settle-mode: the sender may settle or not
_FIRST = 0  # rcv-settle-mode: the receiver settles as it processes


class Session:
    """Both directions of a session; `links` are keyed by the handle, the peer's and ours."""

    def __init__(self, connection: Connection, channel: int, begin: Begin) -> None:
        self.connection = connection
        self.links: dict[int, Link] = {}
        self._unsettled: dict[int, tuple[ConsumerLink, UUID]] = {}
        self._channel = channel
        self._next_incoming_id = begin.next_outgoing_id
        self._next_outgoing_id = 0
        self._next_delivery_id = 0
        self._remote_window = begin.incoming_window
        self._tidy_at = _TIDY_DELIVERIES
        self._held_back: deque[bytes] = deque()
        self._send(
            Code.BEGIN,
            codec.encode_ushort(channel),
            codec.encode_uint(self._next_outgoing_id),
            codec.encode_uint(_WINDOW),
            codec.encode_uint(_WINDOW),
            codec.encode_uint(HANDLE_MAX),
        )

    @property
    def can_send(self) -> bool:
        """Whether a transfer would go out at once."""
        return self._remote_window > 0 and not self._held_back and self.connection.can_send

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Calls `callback` once what was stored until now is durable."""
        self.connection.namespace.journal.after_commit(callback)

    def pump_later(self, queue: Queue) -> None:
        """Lets a queue hand out what it has."""
        self.connection.namespace.pump_later(queue)

    def close(self) -> None:
        """Detaches every link; the session has ended or its connection is gone."""
        links = list(self.links.values())
        self.links.clear()
        for link in links:
            link.detached()

    # --- coming in --------------------------------------------------------------------

    def attach(self, attach: Attach) -> None:
        """Attaches a link to what its address names, or refuses it with the reason."""
        open_link(self, attach)

    def detach(self, detach: Detach) -> None:
        """Takes a link away. For one that this side has ended before, it is only the answer."""
        link = self.links.pop(detach.handle, None)
        if link is not None:
            link.detached()
            closed = codec.encode_boolean(bool(detach.closed))
            self._send(Code.DETACH, codec.encode_uint(detach.handle), closed)

    def flow(self, flow: Flow) -> None:
        """Takes the peer's window, and credit where the flow names a link."""
        self._next_incoming_id = flow.next_outgoing_id
        end = serial_numbers.after(flow.next_incoming_id or 0, flow.incoming_window)
        self._remote_window = max(0, serial_numbers.distance(self._next_outgoing_id, end))
        while self._held_back and self._remote_window > 0:
            self._write_transfer(self._held_back.popleft())
        if flow.handle is None:
            self.resume()
        elif (link := self.links.get(flow.handle)) is not None:
            link.flow(flow)

    def resume(self) -> None:
        """Lets queues hand out to this session's links again, after there was no room."""
        for link in self.links.values():
            if isinstance(link, ConsumerLink):
                link.send_waiting()

    def transfer(self, transfer: Transfer, payload: bytes) -> None:
        """Takes a frame of a message; one for a link that is gone is passed over."""
        self._next_incoming_id = serial_numbers.after(self._next_incoming_id)
        link = self.links.get(transfer.handle)
        if isinstance(link, IncomingLink):
            link.transfer(transfer, payload)

    def disposition(self, disposition: Disposition) -> None:
        """Settles the deliveries of a range; each is answered once that is durable."""
        if not disposition.role:
            return  # about replies, which were sent settled
        first = disposition.first
        last = first if disposition.last is None else disposition.last
        for delivery_id in self._deliveries(first, last):
            link, lock_token = self._unsettled[delivery_id]
            state = link.settle(lock_token, disposition.state)
            if state is None:
                continue
            del self._unsettled[delivery_id]
            if not disposition.settled:
                self.after_commit(partial(self.send_disposition, False, delivery_id, state))

    def _deliveries(self, first: int, last: int) -> list[int]:
        if first == last:
            return [first] if first in self._unsettled else []
        span = serial_numbers.distance(first, last)
        return [
            number
            for number in self._unsettled
            if 0 <= serial_numbers.distance(first, number) <= span
        ]

    def remember_delivery(self, delivery_id: int, link: ConsumerLink, lock_token: UUID) -> None:
        """Keeps a delivery until the peer settles it."""
        self._unsettled[delivery_id] = (link, lock_token)
        if len(self._unsettled) >= self._tidy_at:
            # A peer whose locks end, or that settles through $management, never speaks of them.
            for number, (each, token) in list(self._unsettled.items()):
                if not each.queue.is_locked(token):
                    del self._unsettled[number]
            self._tidy_at = max(_TIDY_DELIVERIES, 2 * len(self._unsettled))

    def forget_deliveries(self, link: ConsumerLink) -> None:
        """Leaves a link's deliveries unsettled: dispositions for them mean nothing any more."""
        for delivery_id in [n for n, (each, _) in self._unsettled.items() if each is link]:
            del self._unsettled[delivery_id]

    # --- going out --------------------------------------------------------------------

    def confirm(
        self,
        link: Link,
        *,
        source: bytes | None = None,
        properties: Mapping[bytes, bytes] | None = None,
    ) -> None:
        """Answers an attach: the link is there, between the termini that the peer asked for."""
        attach = link.request
        if source is None:
            source = attach.source.raw if attach.source else NULL
        self._send_attach(link, source, attach.target.raw if attach.target else NULL, properties)
        link.attached()

    def refuse(self, link: Link, error: ServiceBusError) -> None:
        """Answers an attach: there is no such link, for this reason.

        By the specification the terminus on this side is null in the answer, and a detach follows.
        """
        attach = link.request
        source = attach.source.raw if attach.source and not attach.role else NULL
        target = attach.target.raw if attach.target and attach.role else NULL
        self._send_attach(link, source, target, None)
        self.end_link(link, error)

    def end_link(self, link: Link, error: ServiceBusError) -> None:
        """Detaches a link from this side, with the reason."""
        if self.links.get(link.handle) is link:
            del self.links[link.handle]
            link.detached()
        logger.info("link %s is ended: %s", link.request.name, error)
        self._send(
            Code.DETACH,
            codec.encode_uint(link.handle),
            TRUE,
            performatives.encode_error(error.condition, error.description),
        )

    def _send_attach(
        self, link: Link, source: bytes, target: bytes, properties: Mapping[bytes, bytes] | None
    ) -> None:
        attach = link.request
        sends = attach.role
        limit = link.max_message_size if isinstance(link, IncomingLink) else 0
        sender_mode = _MIXED if attach.snd_settle_mode is None else attach.snd_settle_mode
        receiver_mode = _FIRST if attach.rcv_settle_mode is None else attach.rcv_settle_mode
        self._send(
            Code.ATTACH,
            codec.encode_string(attach.name),
            codec.encode_uint(link.handle),
            codec.encode_boolean(not attach.role),
            codec.encode_ubyte(sender_mode),
            codec.encode_ubyte(receiver_mode),
            source,
            target,
            NULL,
            NULL,
            codec.encode_uint(0) if sends else NULL,
            codec.encode_ulong(limit),
            NULL,
            NULL,
            NULL if properties is None else codec.encode_map(properties),
        )

    def send_flow(self, link: Link, *, drain: bool = False) -> None:
        """Tells the peer the state of the session and of one link."""
        self._send(
            Code.FLOW,
            codec.encode_uint(self._next_incoming_id),
            codec.encode_uint(_WINDOW),
            codec.encode_uint(self._next_outgoing_id),
            codec.encode_uint(_WINDOW),
            codec.encode_uint(link.handle),
            codec.encode_uint(link.delivery_count),
            codec.encode_uint(link.credit),
            NULL,
            codec.encode_boolean(drain),
            FALSE,
        )

    def send_disposition(self, role: bool, delivery_id: int, state: bytes) -> None:
        """Settles a delivery; `role` is True where this side was its receiver."""
        number = codec.encode_uint(delivery_id)
        self._send(Code.DISPOSITION, codec.encode_boolean(role), number, number, TRUE, state, FALSE)

    def send_transfer(
        self, handle: int, tag: bytes, payload: bytes, *, settled: bool = False
    ) -> int:
        """Sends a message in as many frames as the peer's frame size needs; gives its id."""
        delivery_id = self._next_delivery_id
        self._next_delivery_id = serial_numbers.after(delivery_id)
        room = self.connection.peer_max_frame_size - framing.TRANSFER_ROOM
        for start in range(0, len(payload), room):
            chunk = payload[start : start + room]
            performative = performatives.encode(
                Code.TRANSFER,
                codec.encode_uint(handle),
                codec.encode_uint(delivery_id) if start == 0 else NULL,
                codec.encode_binary(tag) if start == 0 else NULL,
                codec.encode_uint(0) if start == 0 else NULL,
                codec.encode_boolean(settled),
                codec.encode_boolean(start + room < len(payload)),
                *[NULL] * 5,
            )
            frame = framing.encode_frame(performative + chunk, self._channel)
            if self._remote_window > 0 and not self._held_back:
                self._write_transfer(frame)
            else:
                self._held_back.append(frame)
        return delivery_id

    def send_settled(self, handle: int, payload: bytes) -> None:
        """Sends a message that the peer does not have to settle."""
        self.send_transfer(handle, uuid4().bytes, payload, settled=True)

    def _write_transfer(self, frame: bytes) -> None:
        self._remote_window -= 1
        self._next_outgoing_id = serial_numbers.after(self._next_outgoing_id)
        self.connection.write(frame)

    def _send(self, code: int, *fields: bytes) -> None:
        self.connection.send(self._channel, code, *fields)
