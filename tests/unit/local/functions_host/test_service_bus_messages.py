"""Service Bus messages, through the converter that the real worker uses."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from azure.functions.servicebus import ServiceBusMessageInConverter

from local.functions_host.service_bus_messages import message_batch, single_message

NOON = datetime(2026, 1, 1, 12, 0, 0, 250000, UTC)


def _message(**changes: Any) -> Any:
    message = {
        "body": [b'{"a":', b" 1}"],
        "message_id": "m1",
        "delivery_count": 0,
        "sequence_number": 7,
        "enqueued_sequence_number": None,
        "enqueued_time_utc": NOON,
        "expires_at_utc": None,
        "locked_until_utc": NOON + timedelta(seconds=30),
        "lock_token": "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        "content_type": "application/json",
        "correlation_id": None,
        "subject": "task",
        "to": None,
        "reply_to": None,
        "reply_to_session_id": None,
        "session_id": None,
        "partition_key": None,
        "time_to_live": timedelta(hours=1),
        "scheduled_enqueue_time_utc": None,
        "dead_letter_reason": None,
        "dead_letter_error_description": None,
        "dead_letter_source": None,
        "application_properties": {b"tenant": b"t1", "n": 3},
    }
    return SimpleNamespace(**{**message, **changes})


def test_single_message() -> None:
    body, metadata = single_message(_message())
    message = ServiceBusMessageInConverter.decode(body, trigger_metadata=metadata)
    assert json.loads(message.get_body()) == {"a": 1}
    assert message.message_id == "m1"
    # The trigger counts the delivery that it makes.
    assert message.delivery_count == 1
    assert message.enqueued_time_utc == NOON
    assert message.time_to_live == timedelta(hours=1)
    assert message.subject == "task"
    assert message.correlation_id is None
    assert message.application_properties == {"tenant": "t1", "n": 3}


def test_batch_keeps_order_and_gaps() -> None:
    messages = [
        _message(message_id="m1", correlation_id="c1"),
        _message(message_id="m2", delivery_count=4, body=b"two", application_properties=None),
        _message(message_id="m3", correlation_id="c3", enqueued_time_utc=None),
    ]
    bodies, metadata = message_batch(messages)
    decoded = ServiceBusMessageInConverter.decode(bodies, trigger_metadata=metadata)
    assert [m.message_id for m in decoded] == ["m1", "m2", "m3"]
    assert [m.correlation_id for m in decoded] == ["c1", None, "c3"]
    assert [m.delivery_count for m in decoded] == [1, 5, 1]
    assert [m.enqueued_time_utc for m in decoded] == [NOON, NOON, None]
    assert decoded[1].get_body() == b"two"
    assert decoded[1].application_properties == {}
