"""Frame bodies are read with every field's type checked."""

from __future__ import annotations

import pytest

from local.service_bus.amqp import codec, performatives
from local.service_bus.amqp.codec import NULL, DecodeError
from local.service_bus.amqp.performatives import (
    Attach,
    Code,
    Composite,
    Disposition,
    Transfer,
    decode_performative,
)


def test_fields_that_are_left_out_are_none() -> None:
    body = performatives.encode(
        Code.TRANSFER, codec.encode_uint(3), NULL, codec.encode_binary(b"t")
    )
    performative, end = decode_performative(body + b"payload")
    assert performative == Transfer(handle=3, delivery_tag=b"t")
    assert end == len(body)


def test_a_terminus_is_kept_as_it_came() -> None:
    source = performatives.encode_source("queue", codec.encode_map({}))
    body = performatives.encode(
        Code.ATTACH, codec.encode_string("l"), codec.encode_uint(0), codec.TRUE, NULL, NULL, source
    )
    performative, _ = decode_performative(body)
    assert isinstance(performative, Attach)
    assert performative.source == Composite(0x28, ["queue", *[None] * 6, {}], source)
    assert performative.source.field(0) == "queue"
    assert performative.source.field(40) is None


def test_an_error_always_has_three_fields() -> None:
    (value, _) = codec.decode(performatives.encode_error("amqp:not-found", "gone"))
    assert value.value == ["amqp:not-found", "gone", None]


def test_a_state_is_read_with_its_fields() -> None:
    state = performatives.encode_rejected("c", "d")
    body = performatives.encode(
        Code.DISPOSITION, codec.TRUE, codec.encode_uint(1), NULL, codec.FALSE, state
    )
    performative, _ = decode_performative(body)
    assert isinstance(performative, Disposition)
    assert performative.state is not None
    assert performative.state.code == Code.REJECTED
    assert performative.state.raw == state


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "has to start with a performative"),
        (codec.encode_string("open"), "has to start with a performative"),
        (performatives.encode(0x99), "153 is not the descriptor of a performative"),
        (performatives.encode(Code.DETACH), "detach: handle is missing"),
        (performatives.encode(Code.DETACH, NULL), "detach: handle is missing"),
        (performatives.encode(Code.DETACH, codec.encode_string("0")), "handle cannot be '0'"),
        (
            performatives.encode(Code.END, codec.encode_described(0x1D, NULL)),
            "29 does not describe a composite type",
        ),
        (codec.encode_described(Code.END, codec.encode_map({})), "a list was expected"),
    ],
)
def test_a_broken_performative_is_explained(body: bytes, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        decode_performative(body)
