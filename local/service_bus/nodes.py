"""What an address leads to: a queue, its management node, or the node for tokens."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from local.service_bus import cbs, errors, management
from local.service_bus.amqp.codec import Described
from local.service_bus.amqp.performatives import Attach
from local.service_bus.cbs import entity_path
from local.service_bus.errors import ServiceBusError
from local.service_bus.links import (
    SESSION_FILTER,
    ConsumerLink,
    Link,
    ProducerLink,
    ReplyLink,
    RequestLink,
    SessionConsumerLink,
)
from local.service_bus.message_sessions import SessionQueue
from local.service_bus.queues import Queue

if TYPE_CHECKING:
    from local.service_bus.session import Session

_FILTERS = 7  # index among the fields of a source
_ADDRESS = 0  # index among the fields of a source or a target
_TIMEOUT = "com.microsoft:timeout"
_DEFAULT_TIMEOUT_MS = 65_000


def open_link(session: Session, attach: Attach) -> None:
    """Attaches a link to what its address names, or refuses it with the reason.

    A receiver of a message session that has to wait for one is answered later.
    """
    link = Link(session, attach)
    try:
        link = _link(session, attach)
        session.links[attach.handle] = link
        if isinstance(link, SessionConsumerLink):
            link.ask_for(_session_id(attach))
        else:
            session.confirm(link)
    except ServiceBusError as error:
        session.refuse(link, error)


def _link(session: Session, attach: Attach) -> Link:
    terminus = attach.source if attach.role else attach.target
    address = terminus.field(_ADDRESS) if terminus else None
    if not isinstance(address, str):
        raise errors.not_implemented("A link needs an address; transactions are not supported.")
    path = entity_path(address).lower()
    if path == cbs.NODE:
        if attach.role:
            return ReplyLink(session, attach, node=path)
        answer = session.connection.authorizations.answer
        return RequestLink(session, attach, node=path, answer=answer)
    entity = path.removesuffix(management.NODE_SUFFIX)
    queue = _authorized_queue(session, entity)
    if path == entity:
        return _queue_link(session, attach, queue)
    if attach.role:
        return ReplyLink(session, attach, node=path)
    return RequestLink(session, attach, node=path, answer=partial(management.answer, queue))


def _authorized_queue(session: Session, path: str) -> Queue:
    queue = session.connection.namespace.find(path)
    if queue is None:
        raise errors.entity_not_found(path)
    if not session.connection.authorizations.cover(path):
        raise errors.unauthorized(
            f"No valid token for '{path}' has been put on $cbs on this connection."
        )
    return queue


def _queue_link(session: Session, attach: Attach, queue: Queue) -> Link:
    if not attach.role:
        if queue.holds_dead_letters:
            raise errors.not_allowed("Messages cannot be sent to a dead-letter queue.")
        return ProducerLink(session, attach, queue)
    wants_session = SESSION_FILTER in _filters(attach)
    if isinstance(queue, SessionQueue):
        if not wants_session:
            raise errors.not_allowed(
                "It is not possible for an entity that requires sessions to create a "
                "non-sessionful message receiver."
            )
        timeout = (attach.properties or {}).get(_TIMEOUT)
        milliseconds = timeout if isinstance(timeout, int) else _DEFAULT_TIMEOUT_MS
        return SessionConsumerLink(session, attach, queue, milliseconds / 1000)
    if wants_session:
        raise errors.not_allowed(
            "A sessionful message receiver cannot be created on an entity that does not "
            "require sessions."
        )
    return ConsumerLink(session, attach, queue)


def _filters(attach: Attach) -> dict[Any, Any]:
    filters = attach.source.field(_FILTERS) if attach.source else None
    return filters if isinstance(filters, dict) else {}


def _session_id(attach: Attach) -> str | None:
    """The session that is asked for; None for the next one with messages."""
    value = _filters(attach).get(SESSION_FILTER)
    if isinstance(value, Described):
        value = value.value
    return value if isinstance(value, str) else None
