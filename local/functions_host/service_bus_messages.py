"""Received Service Bus messages as the host hands them to a worker.

One message: the body as bytes and its properties as trigger metadata. A batch: the bodies as a
collection, and for each property an array of the same order. Names and shapes are those of the
Functions host (ServiceBusTriggerBindingStrategy), read back by azure.functions.servicebus.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from azure.functions.meta import Datum
from azure.servicebus import ServiceBusReceivedMessage


def single_message(message: ServiceBusReceivedMessage) -> tuple[Datum, dict[str, Datum]]:
    """Body and trigger metadata of one message."""
    metadata = {}
    for name, value in _properties(message).items():
        if value is not None:
            metadata[name] = _scalar(value)
    return Datum(_body(message), "bytes"), metadata


def message_batch(
    messages: Sequence[ServiceBusReceivedMessage],
) -> tuple[Datum, dict[str, Datum]]:
    """Bodies and trigger metadata of a batch.

    Arrays of texts and numbers are typed collections, which are indexed as they are; a JSON array
    would be parsed again for every message and property.
    """
    bodies = Datum(SimpleNamespace(bytes=[_body(m) for m in messages]), "collection_bytes")
    rows = [_properties(message) for message in messages]
    metadata = {f"{name}Array": _array([row[name] for row in rows]) for name in rows[0]}
    return bodies, metadata


def _properties(message: ServiceBusReceivedMessage) -> dict[str, Any]:
    application = {
        _text(key): _text(value) for key, value in (message.application_properties or {}).items()
    }
    return {
        "MessageId": message.message_id,
        "DeliveryCount": (message.delivery_count or 0) + 1,
        "SequenceNumber": message.sequence_number,
        "EnqueuedSequenceNumber": message.enqueued_sequence_number,
        "EnqueuedTimeUtc": _time(message.enqueued_time_utc),
        "ExpiresAtUtc": _time(message.expires_at_utc),
        "LockedUntil": _time(message.locked_until_utc),
        "LockToken": str(message.lock_token) if message.lock_token else None,
        "ContentType": message.content_type,
        "CorrelationId": message.correlation_id,
        "Subject": message.subject,
        "Label": message.subject,
        "To": message.to,
        "ReplyTo": message.reply_to,
        "ReplyToSessionId": message.reply_to_session_id,
        "SessionId": message.session_id,
        "PartitionKey": message.partition_key,
        "TimeToLive": _span(message.time_to_live),
        "ScheduledEnqueueTimeUtc": _time(message.scheduled_enqueue_time_utc),
        "DeadLetterReason": message.dead_letter_reason,
        "DeadLetterErrorDescription": message.dead_letter_error_description,
        "DeadLetterSource": message.dead_letter_source,
        "ApplicationProperties": application,
        "UserProperties": application,
    }


def _body(message: ServiceBusReceivedMessage) -> bytes:
    body = message.body
    return body if isinstance(body, bytes) else b"".join(body)


def _scalar(value: Any) -> Datum:
    if isinstance(value, dict):
        return Datum(json.dumps(value, default=str), "json")
    return Datum(value, "int" if isinstance(value, int) else "string")


def _array(values: list[Any]) -> Datum:
    present = [value for value in values if value is not None]
    if any(isinstance(value, dict) for value in present):
        return Datum(json.dumps(values, default=str), "json")
    if present and all(isinstance(value, int) for value in present):
        return Datum(SimpleNamespace(sint64=values), "collection_sint64")
    return Datum(SimpleNamespace(string=values), "collection_string")


def _text(value: Any) -> Any:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _span(length: timedelta | None) -> str | None:
    """hh:mm:ss, the form azure.functions reads; none for what does not expire within a day."""
    if length is None or length >= timedelta(days=1):
        return None
    seconds = int(length.total_seconds())
    return f"{seconds // 3600:02}:{seconds % 3600 // 60:02}:{seconds % 60:02}"
