"""What a delivery state of AMQP means for a message in a queue.

As in "AMQP 1.0 in Azure Service Bus and Event Hubs protocol guide" (Microsoft Learn): accepted
completes, released and modified give back, modified with undeliverable-here defers, rejected
dead-letters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from local.service_bus import errors
from local.service_bus.amqp import codec
from local.service_bus.amqp.codec import Described
from local.service_bus.amqp.performatives import ACCEPTED, REJECTED, Code, Composite
from local.service_bus.queues import Queue

_RECEIVED = 0x23
_REASON = "DeadLetterReason"
_DESCRIPTION = "DeadLetterErrorDescription"


def settle(queue: Queue, lock_token: UUID, state: Composite | None) -> bytes | None:
    """Settles a locked message; gives the state to answer with.

    None where `state` only tells of progress. Raises ServiceBusError where the lock is lost.
    """
    if state is None:
        # Settled without an outcome: as nobody says that it was processed, it is given back.
        queue.abandon(lock_token, failed=False)
        return codec.NULL
    match state.code:
        case Code.ACCEPTED:
            queue.complete(lock_token)
            return ACCEPTED
        case Code.RELEASED:
            queue.abandon(lock_token, failed=False)
            return state.raw
        case Code.MODIFIED:
            properties = _encoded(state.field(2))
            if state.field(1):
                queue.defer(lock_token, properties=properties)
            else:
                queue.abandon(lock_token, failed=bool(state.field(0)), properties=properties)
            return state.raw
        case Code.REJECTED:
            _dead_letter(queue, lock_token, state.field(0))
            # Without the error: with one the SDKs would take the dead-lettering for refused.
            return REJECTED
        case code if code == _RECEIVED:
            return None
    raise errors.not_implemented(f"The delivery state 0x{state.code:02x} is not supported.")


def _dead_letter(queue: Queue, lock_token: UUID, error: Any) -> None:
    description: Any = None
    info: dict[Any, Any] = {}
    if isinstance(error, Described) and isinstance(error.value, list):
        _, description, details = (error.value + [None] * 3)[:3]
        info = dict(details) if isinstance(details, dict) else {}
    reason = info.pop(_REASON, None)
    detail = info.pop(_DESCRIPTION, description)
    queue.dead_letter(
        lock_token,
        None if reason is None else str(reason),
        None if detail is None else str(detail),
        properties=_encoded(info),
    )


def _encoded(values: Any) -> Mapping[str, bytes] | None:
    if not isinstance(values, dict):
        return None
    return {str(key): codec.encode(value) for key, value in values.items()}
