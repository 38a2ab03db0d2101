"""Errors that a client is told about, by the conditions Service Bus has for them.

The conditions are those the Azure SDKs translate into their exceptions (azure-servicebus:
`_common/constants.py`, `exceptions.py`).
"""

from __future__ import annotations


class ServiceBusError(Exception):
    """A request that is refused: an AMQP error condition, its HTTP-like status and a reason."""

    def __init__(self, condition: str, description: str, *, status: int) -> None:
        super().__init__(description)
        self.condition = condition
        self.description = description
        self.status = status


def invalid_field(description: str) -> ServiceBusError:
    """A request lacks something, or holds what cannot be understood."""
    return ServiceBusError("amqp:invalid-field", description, status=400)


def not_allowed(description: str) -> ServiceBusError:
    """The entity is not made for the request."""
    return ServiceBusError("amqp:not-allowed", description, status=400)


def not_implemented(description: str) -> ServiceBusError:
    """A feature of AMQP or Service Bus that this endpoint does not have."""
    return ServiceBusError("amqp:not-implemented", description, status=501)


def unauthorized(description: str) -> ServiceBusError:
    """No valid token for the entity was put on $cbs before."""
    return ServiceBusError("amqp:unauthorized-access", description, status=401)


def entity_not_found(path: str) -> ServiceBusError:
    """There is no queue of this name."""
    return ServiceBusError(
        "amqp:not-found", f"The messaging entity '{path}' could not be found.", status=404
    )


def message_not_found(description: str) -> ServiceBusError:
    """No message of this sequence number is in the state that the request needs."""
    return ServiceBusError("com.microsoft:message-not-found", description, status=404)


def message_too_large(size: int, limit: int) -> ServiceBusError:
    """A message or batch over the limit of its link; both in bytes."""
    return ServiceBusError(
        "amqp:link:message-size-exceeded",
        f"The received message (size {size} bytes) exceeds the limit ({limit} bytes) currently "
        "allowed.",
        status=413,
    )


def message_lock_lost() -> ServiceBusError:
    """The lock expired, or the message was settled before."""
    return ServiceBusError(
        "com.microsoft:message-lock-lost",
        "The lock supplied is invalid. Either the lock expired, or the message has already been "
        "removed from the queue.",
        status=410,
    )


def session_lock_lost(session_id: str) -> ServiceBusError:
    """The lock on a message session expired or was never held."""
    return ServiceBusError(
        "com.microsoft:session-lock-lost",
        f"The lock on the session '{session_id}' is not held. It may have expired.",
        status=410,
    )


def session_cannot_be_locked(session_id: str) -> ServiceBusError:
    """Another receiver holds the message session."""
    return ServiceBusError(
        "com.microsoft:session-cannot-be-locked",
        f"The requested session '{session_id}' cannot be accepted. It is locked by another "
        "receiver.",
        status=410,
    )


def no_session_available() -> ServiceBusError:
    """No message session with messages became free while the receiver waited for one."""
    return ServiceBusError(
        "com.microsoft:timeout",
        "The operation did not complete within the allotted timeout: no session was available.",
        status=408,
    )
