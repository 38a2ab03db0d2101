"""The operations on a queue's node $management.

They are those of "AMQP 1.0 in Azure Service Bus: request/response-based operations" (Microsoft
Learn) that concern queues. The spelling `defered` is the protocol's own.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID, uuid4

from local.service_bus import errors
from local.service_bus.amqp import codec
from local.service_bus.amqp.codec import DecodeError
from local.service_bus.errors import ServiceBusError
from local.service_bus.message_sessions import SessionQueue
from local.service_bus.messages import parse_message
from local.service_bus.queues import Queue
from local.service_bus.requests import Request

NODE_SUFFIX = "/$management"

_OK = 200
_NO_CONTENT = 204
_REPLY_BYTES = 900_000  # of messages in one reply
_PAGE = 100
_NO_TIME = int(datetime(9999, 1, 1, tzinfo=UTC).timestamp() * 1000)
"""SDKs write the end of the calendar where they mean that sessions of any time are wanted."""


def answer(queue: Queue, request: Request) -> bytes:
    """The reply to a request on the queue's $management node."""
    condition: str | None = None
    try:
        operation = _OPERATIONS.get(request.operation)
        if operation is None:
            raise errors.not_implemented(f"{request.operation!r} is not supported.")
        body = operation(queue, Arguments(request.body))
        status, text = (_NO_CONTENT, "No content") if body is None else (_OK, "OK")
    except ServiceBusError as error:
        body, condition = None, error.condition
        status, text = error.status, error.description
    except DecodeError as error:
        body, condition = None, "amqp:decode-error"
        status, text = 400, str(error)
    properties = {
        "statusCode": codec.encode_int(status),
        "statusDescription": codec.encode_string(text),
    }
    if condition is not None:
        properties["errorCondition"] = codec.encode_symbol(condition)
    return request.reply(properties, codec.encode_map({}) if body is None else body)


_T = TypeVar("_T")


class Arguments:
    """The body of a request, each argument read with the type it has to have."""

    def __init__(self, body: Any) -> None:
        if not isinstance(body, dict):
            raise errors.invalid_field("The body of a request has to be a map.")
        self._values: dict[Any, Any] = body

    def optional(self, name: str, kind: type[_T]) -> _T | None:
        """An argument that may be missing."""
        value = self._values.get(name)
        if value is not None and not isinstance(value, kind):
            raise errors.invalid_field(f"{name} cannot be {value!r:.60}.")
        return value

    def required(self, name: str, kind: type[_T]) -> _T:
        """An argument that has to be there."""
        value = self.optional(name, kind)
        if value is None:
            raise errors.invalid_field(f"{name} is missing.")
        return value

    def items(self, name: str, kind: type[_T]) -> list[_T]:
        """A list or array of values of one type, which has to be there."""
        values = self.required(name, list)
        if not all(isinstance(value, kind) for value in values):
            raise errors.invalid_field(f"{name} has to hold {kind.__name__} values only.")
        return values


def _reply(**values: bytes) -> bytes:
    return codec.encode_map(
        {codec.encode_string(key.replace("_", "-")): value for key, value in values.items()}
    )


def _renew_lock(queue: Queue, arguments: Arguments) -> bytes:
    tokens = arguments.items("lock-tokens", UUID)
    return _reply(expirations=codec.encode_timestamps(queue.renew_lock(token) for token in tokens))


def _peek(queue: Queue, arguments: Arguments) -> bytes | None:
    payloads = queue.peek(
        arguments.required("from-sequence-number", int),
        max(0, arguments.required("message-count", int)),
        _REPLY_BYTES,
        arguments.optional("session-id", str),
    )
    if not payloads:
        return None
    messages = [_reply(message=codec.encode_binary(payload)) for payload in payloads]
    return _reply(messages=codec.encode_list(messages))


def _schedule(queue: Queue, arguments: Arguments) -> bytes:
    entries = [Arguments(entry) for entry in arguments.items("messages", dict)]
    payloads = [entry.required("message", bytes) for entry in entries]
    size, limit = sum(map(len, payloads)), queue.spec.max_message_bytes
    if size > limit:
        raise errors.message_too_large(size, limit)
    messages = [parse_message(payload) for payload in payloads]
    return _reply(sequence_numbers=codec.encode_longs(queue.enqueue(messages)))


def _cancel_scheduled(queue: Queue, arguments: Arguments) -> bytes:
    queue.cancel_scheduled(arguments.items("sequence-numbers", int))
    return _reply()


def _receive_by_sequence_number(queue: Queue, arguments: Arguments) -> bytes:
    # The mode is that of a link: 0 is receive and delete, 1 is peek-lock.
    lock = arguments.optional("receiver-settle-mode", int) != 0
    received = queue.receive_deferred(arguments.items("sequence-numbers", int), lock=lock)
    messages = [
        _reply(lock_token=codec.encode_uuid(token or uuid4()), message=codec.encode_binary(payload))
        for token, payload in received
    ]
    return _reply(messages=codec.encode_list(messages))


def _update_disposition(queue: Queue, arguments: Arguments) -> bytes:
    status = arguments.required("disposition-status", str)
    changes = arguments.optional("properties-to-modify", dict) or {}
    properties = {str(key): codec.encode(value) for key, value in changes.items()}
    for token in arguments.items("lock-tokens", UUID):
        match status:
            case "completed":
                queue.complete(token)
            case "abandoned":
                queue.abandon(token, properties=properties)
            case "defered":
                queue.defer(token, properties=properties)
            case "suspended":
                reason = arguments.optional("deadletter-reason", str)
                description = arguments.optional("deadletter-description", str)
                queue.dead_letter(token, reason, description, properties=properties)
            case _:
                raise errors.invalid_field(f"disposition-status cannot be {status!r:.60}.")
    return _reply()


def _with_sessions(queue: Queue) -> SessionQueue:
    if not isinstance(queue, SessionQueue):
        raise errors.not_allowed(f"The queue '{queue.name}' does not have sessions.")
    return queue


def _renew_session_lock(queue: Queue, arguments: Arguments) -> bytes:
    session_id = arguments.required("session-id", str)
    end = _with_sessions(queue).renew_session_lock(session_id)
    return _reply(expiration=codec.encode_timestamp(end))


def _get_session_state(queue: Queue, arguments: Arguments) -> bytes:
    state = _with_sessions(queue).get_state(arguments.required("session-id", str))
    return _reply(session_state=codec.NULL if state is None else codec.encode_binary(state))


def _set_session_state(queue: Queue, arguments: Arguments) -> bytes:
    session_id = arguments.required("session-id", str)
    _with_sessions(queue).set_state(session_id, arguments.optional("session-state", bytes))
    return _reply()


def _list_sessions(queue: Queue, arguments: Arguments) -> bytes | None:
    since = arguments.optional("last-updated-time", int)
    if since is not None and since >= _NO_TIME:
        since = None
    first = max(0, arguments.optional("skip", int) or 0)
    count = max(0, arguments.optional("top", int) or _PAGE)
    session_ids = _with_sessions(queue).session_ids(since)[first : first + count]
    if not session_ids:
        return None
    return _reply(
        skip=codec.encode_int(first + len(session_ids)),
        sessions_ids=codec.encode_list([codec.encode_string(each) for each in session_ids]),
    )


_OPERATIONS: dict[str, Callable[[Queue, Arguments], bytes | None]] = {
    "com.microsoft:renew-lock": _renew_lock,
    "com.microsoft:peek-message": _peek,
    "com.microsoft:schedule-message": _schedule,
    "com.microsoft:cancel-scheduled-message": _cancel_scheduled,
    "com.microsoft:receive-by-sequence-number": _receive_by_sequence_number,
    "com.microsoft:update-disposition": _update_disposition,
    "com.microsoft:renew-session-lock": _renew_session_lock,
    "com.microsoft:get-session-state": _get_session_state,
    "com.microsoft:set-session-state": _set_session_state,
    "com.microsoft:get-message-sessions": _list_sessions,
}
