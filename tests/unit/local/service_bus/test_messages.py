"""What the broker reads in a message, changes, and leaves alone."""

from __future__ import annotations

import pytest

from local.service_bus.amqp import codec
from local.service_bus.amqp.codec import NULL, DecodeError
from local.service_bus.messages import BATCH_FORMAT, Section, parse_message, parse_messages
from tests.unit.local.service_bus.conftest import annotations_of, body


def section(code: int, value: bytes) -> bytes:
    """A section of a message."""
    return codec.encode_described(code, value)


def properties(*, session_id: str | None = None) -> bytes:
    """A properties section."""
    fields = [codec.encode_string("id"), *[NULL] * 9]
    if session_id is not None:
        fields.append(codec.encode_string(session_id))
    return section(Section.PROPERTIES, codec.encode_list(fields))


HEADER = section(
    Section.HEADER,
    codec.encode_list([codec.FALSE, codec.encode_ubyte(9), codec.encode_uint(60_000)]),
)
ANNOTATIONS = section(
    Section.MESSAGE_ANNOTATIONS,
    codec.encode_map(
        {
            codec.encode_symbol("x-opt-partition-key"): codec.encode_string("p"),
            codec.encode_symbol("x-opt-scheduled-enqueue-time"): codec.encode_timestamp(123),
            codec.encode_symbol("x-opt-sequence-number"): codec.encode_long(999),
        }
    ),
)
APPLICATION = section(
    Section.APPLICATION_PROPERTIES,
    codec.encode_map({codec.encode_string("a"): codec.encode_int(1)}),
)
FOOTER = section(Section.FOOTER, codec.encode_map({}))


def test_all_that_the_broker_needs_is_read() -> None:
    bare = properties(session_id="s") + APPLICATION + body("text") + FOOTER
    delivery = section(Section.DELIVERY_ANNOTATIONS, codec.encode_map({}))
    message = parse_message(HEADER + delivery + ANNOTATIONS + bare)
    assert message.bare == bare
    assert (message.durable, message.priority, message.time_to_live) == (False, 9, 60_000)
    assert message.session_id == "s"
    assert message.scheduled_for == 123
    message.sequence = 5
    annotations = annotations_of(message.encode())
    assert annotations["x-opt-partition-key"] == "p"
    assert annotations["x-opt-sequence-number"] == 5
    assert annotations["x-opt-scheduled-enqueue-time"] == 123
    assert message.encode().endswith(bare)


@pytest.mark.parametrize("bare", [body("x"), properties(), APPLICATION, properties() + body("")])
def test_sections_may_be_left_out(bare: bytes) -> None:
    message = parse_message(bare)
    assert message.bare == bare
    assert message.session_id is None
    assert message.time_to_live is None


@pytest.mark.parametrize(
    "bare",
    [body("x"), properties() + body("x"), APPLICATION + body("x"), properties() + APPLICATION],
)
def test_application_properties_are_set_in_place(bare: bytes) -> None:
    message = parse_message(bare)
    message.set_application_properties({"a": codec.encode_string("new"), "b": codec.TRUE})
    position = 0
    sections = {}
    while position < len(message.bare):
        value, position = codec.decode(message.bare, position)
        sections[value.descriptor] = value.value
    assert sections[Section.APPLICATION_PROPERTIES] == {"a": "new", "b": True}
    assert list(sections) == sorted(sections)
    assert (Section.PROPERTIES in sections) == (properties() in bare)
    assert (Section.DATA in sections) == (body("x") in bare)


def test_a_batch_is_its_messages() -> None:
    inner = [properties() + body(f"{n}") for n in range(3)]
    batch = b"".join(section(Section.DATA, codec.encode_binary(each)) for each in inner)
    outer = HEADER + properties() + batch
    assert [m.bare for m in parse_messages(outer, BATCH_FORMAT)] == inner
    (single,) = parse_messages(outer, 0)
    assert single.bare == properties() + batch


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"text",
        b"\x00",
        b"\x00\x53",
        HEADER,
        section(0x20, NULL),
        section(Section.HEADER, NULL) + body("x"),
        section(Section.HEADER, codec.encode_list([NULL, codec.encode_int(-1)])) + body("x"),
        section(Section.MESSAGE_ANNOTATIONS, codec.encode_list([NULL])) + body("x"),
        body("x")[:-1],
    ],
)
def test_what_is_no_message_is_refused(payload: bytes) -> None:
    with pytest.raises(DecodeError):
        parse_message(payload)
    batch = section(Section.DATA, codec.encode_binary(payload))
    with pytest.raises(DecodeError):
        parse_messages(batch, BATCH_FORMAT)
