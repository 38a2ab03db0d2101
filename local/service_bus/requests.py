"""Requests and their replies on the nodes $cbs and $management (AMQP Management, draft 11).

A request is a message with its operation among the application properties; its reply goes out on
the link whose target is the request's reply-to, with the message-id as correlation-id.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from local.service_bus.amqp import codec
from local.service_bus.amqp.codec import DecodeError
from local.service_bus.messages import Section

_MESSAGE_ID = 0  # indexes among the properties of a message
_REPLY_TO = 4
_CORRELATION_ID = 5


class Request(NamedTuple):
    """A request as it was received."""

    message_id: bytes
    """Encoded, as the reply has to name it in the same AMQP type."""
    reply_to: str | None
    properties: dict[str, Any]
    """The application properties."""
    body: Any

    @property
    def operation(self) -> str:
        """What is asked for."""
        return str(self.properties.get("operation", ""))

    @classmethod
    def decode(cls, payload: bytes) -> Request:
        """Raises DecodeError where the payload is not a message with a single value as its body."""
        message_id, reply_to, properties, body = codec.NULL, None, {}, None
        position = 0
        while position < len(payload):
            section, end = codec.decode(payload, position)
            if not isinstance(section, codec.Described):
                raise DecodeError("a message has to be a row of sections")
            if section.descriptor == Section.PROPERTIES and isinstance(section.value, list):
                message_id, reply_to = _read_properties(payload, position + 3)
            elif section.descriptor == Section.APPLICATION_PROPERTIES:
                properties = section.value
            elif section.descriptor in (Section.AMQP_VALUE, Section.DATA):
                body = section.value
            position = end
        if not isinstance(properties, dict):
            raise DecodeError("application properties have to be a map")
        return cls(message_id, reply_to, properties, body)

    def reply(self, properties: Mapping[str, bytes], body: bytes = codec.NULL) -> bytes:
        """A reply with these application properties and this body, all of them encoded."""
        described = [
            codec.encode_described(
                Section.PROPERTIES,
                codec.encode_list([*[codec.NULL] * _CORRELATION_ID, self.message_id]),
            ),
            codec.encode_described(
                Section.APPLICATION_PROPERTIES,
                codec.encode_map({codec.encode_string(k): v for k, v in properties.items()}),
            ),
            codec.encode_described(Section.AMQP_VALUE, body),
        ]
        return b"".join(described)


def _read_properties(payload: bytes, position: int) -> tuple[bytes, str | None]:
    count, position = codec.list_header(payload, position)
    message_id, reply_to = codec.NULL, None
    for index in range(min(count, _REPLY_TO + 1)):
        end = codec.skip(payload, position)
        if index == _MESSAGE_ID:
            message_id = payload[position:end]
        elif index == _REPLY_TO:
            reply_to, _ = codec.decode(payload, position)
        position = end
    return message_id, reply_to if isinstance(reply_to, str) else None
