"""Peers that do not keep to the protocol end their own connection, never the endpoint."""

from __future__ import annotations

import os
import socket
import struct
from contextlib import ExitStack

import pytest

from local.service_bus.amqp import codec, framing, performatives
from local.service_bus.amqp.codec import NULL
from local.service_bus.amqp.performatives import Code
from tests.integration.local.service_bus.conftest import EndpointProcess, Links

OPEN = framing.encode_frame(performatives.encode(Code.OPEN, codec.encode_string("test")))
BEGIN = framing.encode_frame(
    performatives.encode(
        Code.BEGIN, NULL, codec.encode_uint(0), codec.encode_uint(100), codec.encode_uint(100)
    )
)


def attach(address: str, *, receive: bool, handle: int = 0) -> bytes:
    """The frame that attaches a link to an address."""
    here = performatives.encode(Code.SOURCE, codec.encode_string(address))
    there = codec.encode_described(0x29, codec.encode_list([codec.encode_string(address)]))
    return framing.encode_frame(
        performatives.encode(
            Code.ATTACH,
            codec.encode_string(f"link-{handle}"),
            codec.encode_uint(handle),
            codec.encode_boolean(receive),
            NULL,
            NULL,
            here,
            there,
        )
    )


def exchange(endpoint: EndpointProcess, *parts: bytes) -> bytes:
    """All that the endpoint answers until it closes the connection."""
    with socket.create_connection(("127.0.0.1", endpoint.port), 10) as peer:
        peer.sendall(b"".join(parts))
        answer = b""
        while data := peer.recv(65536):
            answer += data
    return answer


def frame(body: bytes, *, size: int | None = None, words: int = 2, kind: int = 0) -> bytes:
    """A frame whose header may be wrong."""
    return struct.pack(">IBBH", 8 + len(body) if size is None else size, words, kind, 0) + body


@pytest.mark.parametrize(
    ("sent", "condition"),
    [
        (frame(b"", size=1_000_000), b"amqp:connection:framing-error"),
        (frame(b"", size=4), b"amqp:connection:framing-error"),
        (frame(b"", words=1), b"amqp:connection:framing-error"),
        (frame(b"x" * 8, kind=7), b"amqp:connection:framing-error"),
        (frame(b"nothing"), b"amqp:decode-error"),
        (frame(b"\x00\x53\x99\x45"), b"amqp:decode-error"),
        (frame(b"\x00\x53\x11\xc0\x03\x04\x40"), b"amqp:decode-error"),
        (frame(b"\x00\x53\x11\xd0\xff\xff\xff\xff\xff\xff\xff\xff"), b"amqp:decode-error"),
        (frame(b"\x00" * 200), b"amqp:decode-error"),
        (frame(performatives.encode(Code.BEGIN)), b"amqp:decode-error"),
        (
            frame(performatives.encode(Code.DETACH, codec.encode_string("x"))),
            b"amqp:decode-error",
        ),
        (
            frame(performatives.encode(Code.FLOW, NULL, *[codec.encode_uint(1)] * 3)),
            b"amqp:connection:framing-error",
        ),
        (OPEN, b"amqp:illegal-state"),
        (BEGIN + BEGIN, b"amqp:connection:framing-error"),
        (BEGIN + attach("$cbs", receive=True, handle=5000), b"amqp:connection:framing-error"),
    ],
)
def test_a_broken_frame_closes_its_connection(
    endpoint: EndpointProcess, sent: bytes, condition: bytes
) -> None:
    answer = exchange(endpoint, framing.AMQP_HEADER, OPEN, sent)
    assert condition in answer


def test_frames_before_the_open_are_refused(endpoint: EndpointProcess) -> None:
    assert b"amqp:illegal-state" in exchange(endpoint, framing.AMQP_HEADER, BEGIN)


def test_other_protocols_are_told_which_is_spoken(endpoint: EndpointProcess) -> None:
    assert exchange(endpoint, b"AMQP\x00\x00\x09\x01") == framing.SASL_HEADER
    assert b"AMQP" not in exchange(endpoint, b"GET / HTTP/1.1\r\n\r\n")
    assert exchange(endpoint, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03") == b""
    assert "UseDevelopmentEmulator=true" in endpoint.log.read_text()


def test_links_need_a_token_first(endpoint: EndpointProcess, queue: str) -> None:
    close = framing.encode_frame(performatives.encode(Code.CLOSE))
    for address in (queue, f"{queue}/$management"):
        for receive in (True, False):
            answer = exchange(
                endpoint,
                *(framing.AMQP_HEADER, OPEN, BEGIN, attach(address, receive=receive), close),
            )
            assert b"amqp:unauthorized-access" in answer


def test_noise_and_many_idle_connections_do_no_harm(
    endpoint: EndpointProcess, links: Links, queue: str
) -> None:
    with ExitStack() as stack:
        for number in range(300):
            peer = socket.create_connection(("127.0.0.1", endpoint.port), 10)
            stack.enter_context(peer)
            if number % 3 == 0:
                peer.sendall(os.urandom(64))
            elif number % 3 == 1:
                peer.sendall(framing.AMQP_HEADER + OPEN + BEGIN)
        links.send(queue, "still there")
        receiver = links.receiver(queue)
        (message,) = receiver.receive_messages(1, max_wait_time=30)
        assert str(message) == "still there"
        receiver.complete_message(message)
