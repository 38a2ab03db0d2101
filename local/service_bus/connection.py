"""A connection: its handshake, its frames in and out, its sessions, its end."""

from __future__ import annotations

import asyncio
import logging
import socket
from dataclasses import dataclass
from enum import Enum, auto
from uuid import uuid4

from local.service_bus.amqp import codec, framing, performatives
from local.service_bus.amqp.codec import NULL, DecodeError
from local.service_bus.amqp.framing import (
    AMQP_HEADER,
    SASL_HEADER,
    Frame,
    FrameReader,
    FramingError,
    ProtocolHeader,
)
from local.service_bus.amqp.performatives import (
    Attach,
    Begin,
    Close,
    Code,
    Detach,
    Disposition,
    End,
    Flow,
    Open,
    Performative,
    Transfer,
)
from local.service_bus.cbs import Authorizations
from local.service_bus.config import AccessKey
from local.service_bus.namespace import Namespace
from local.service_bus.session import HANDLE_MAX, Session

logger = logging.getLogger(__name__)

CHANNEL_MAX = 255

_SASL_MECHANISMS = ("MSSBCBS", "ANONYMOUS", "PLAIN", "EXTERNAL")
_SASL_OK = 0
_SASL_REFUSED = 1
_TLS_HANDSHAKE = 0x16  # first byte of a TLS connection
_FLUSH_BYTES = 64 * 1024
_HANDSHAKE_SECONDS = 30.0
_KEEPALIVE = ("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 20), ("TCP_KEEPCNT", 3)


class AmqpError(Exception):
    """What a peer did wrong that its connection has to end for, by the condition of AMQP."""

    def __init__(self, condition: str, description: str) -> None:
        super().__init__(description)
        self.condition = condition


class Stage(Enum):
    """How far a connection has come."""

    START = auto()
    SASL = auto()
    AUTHENTICATED = auto()
    HEADERS_EXCHANGED = auto()
    OPEN = auto()
    CLOSED = auto()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What all connections share."""

    namespace: Namespace
    key: AccessKey
    max_frame_size: int = 256 * 1024
    """Bytes. Service Bus has 64 KiB; here a full batch comes in two frames instead of five."""
    handshake_seconds: float = _HANDSHAKE_SECONDS
    """After which a peer that has not opened its connection is dropped."""


class Connection(asyncio.Protocol):
    """The server's side of a connection.

    A peer that sends what cannot be understood is told so by a close, and only its own connection
    ends. A peer that is gone without a word is found out by TCP's keep-alive.
    """

    def __init__(self, endpoint: Endpoint, connections: set[Connection]) -> None:
        self.namespace = endpoint.namespace
        self.authorizations = Authorizations(endpoint.key, endpoint.namespace)
        self.peer_max_frame_size = framing.MIN_MAX_FRAME_SIZE
        self._endpoint = endpoint
        self._connections = connections
        self._reader = FrameReader(endpoint.max_frame_size)
        self._stage = Stage.START
        self._sessions: dict[int, Session] = {}
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._peer: object = None
        self._deadline: asyncio.TimerHandle | None = None
        self._heartbeat: asyncio.TimerHandle | None = None
        self._paused = False
        self._outgoing: list[bytes] = []
        self._outgoing_bytes = 0
        self._wrote_at = 0.0

    # --- asyncio.Protocol -------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A peer has connected."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._peer = transport.get_extra_info("peername")
        self._connections.add(self)
        _keep_alive(transport.get_extra_info("socket"))
        self._deadline = self._loop.call_later(self._endpoint.handshake_seconds, self._drop_silent)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended, from either side."""
        logger.debug("connection of %s has ended (%s)", self._peer, exc or "closed")
        self._connections.discard(self)
        self._transport = None
        self._stage = Stage.CLOSED
        for timer in (self._deadline, self._heartbeat):
            if timer is not None:
                timer.cancel()
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()

    def pause_writing(self) -> None:
        """The peer reads more slowly than it is written to."""
        self._paused = True

    def resume_writing(self) -> None:
        """There is room again."""
        self._paused = False
        for session in self._sessions.values():
            session.resume()

    def data_received(self, data: bytes) -> None:
        """Handles what the bytes complete."""
        if self._stage is Stage.START and data[0] == _TLS_HANDSHAKE:
            logger.warning(
                "%s speaks TLS; a connection string for this endpoint has to end with "
                "UseDevelopmentEmulator=true",
                self._peer,
            )
            self._drop()
            return
        try:
            for item in self._reader.feed(data):
                if isinstance(item, ProtocolHeader):
                    self._handle_header(item.data)
                else:
                    self._handle_frame(item)
                if self._stage is Stage.CLOSED:
                    return
        except FramingError as error:
            self._fail("amqp:connection:framing-error", str(error))
        except DecodeError as error:
            self._fail("amqp:decode-error", str(error))
        except AmqpError as error:
            self._fail(error.condition, str(error))
        except Exception:
            logger.exception("the connection of %s ends by an error of this endpoint", self._peer)
            self._fail("amqp:internal-error", "The endpoint failed; its log says how.")

    # --- handshake --------------------------------------------------------------------

    def _handle_header(self, header: bytes) -> None:
        if header == SASL_HEADER and self._stage is Stage.START:
            self._stage = Stage.SASL
            mechanisms = codec.encode_symbols(_SASL_MECHANISMS)
            body = performatives.encode(Code.SASL_MECHANISMS, mechanisms)
            self.write(SASL_HEADER + framing.encode_frame(body, frame_type=framing.SASL_FRAME))
        elif header == AMQP_HEADER and self._stage in (Stage.START, Stage.AUTHENTICATED):
            self._stage = Stage.HEADERS_EXCHANGED
            self.write(AMQP_HEADER)
        else:
            # By the specification: answer with a header that is supported, then hang up.
            logger.warning("%s asks for an unknown protocol: %r", self._peer, header)
            self.write(SASL_HEADER if self._stage is Stage.START else AMQP_HEADER)
            self._drop()

    def _authenticate(self, body: bytes) -> None:
        init, _ = codec.decode(body)
        fields = init.value if isinstance(init, codec.Described) else None
        if not isinstance(fields, list) or init.descriptor != Code.SASL_INIT:
            raise DecodeError("a sasl-init was expected")
        # Whoever names a mechanism may go on: what counts is the token put on $cbs later.
        known = bool(fields) and fields[0] in _SASL_MECHANISMS
        outcome = codec.encode_ubyte(_SASL_OK if known else _SASL_REFUSED)
        body = performatives.encode(Code.SASL_OUTCOME, outcome)
        self.write(framing.encode_frame(body, frame_type=framing.SASL_FRAME))
        if known:
            self._stage = Stage.AUTHENTICATED
        else:
            self._drop()

    def _open(self, peer: Open) -> None:
        if self._stage is not Stage.HEADERS_EXCHANGED:
            raise AmqpError("amqp:illegal-state", "The connection is open already.")
        self._stage = Stage.OPEN
        if self._deadline is not None:
            self._deadline.cancel()
        limit = self._endpoint.max_frame_size
        self.peer_max_frame_size = max(
            framing.MIN_MAX_FRAME_SIZE, min(limit, peer.max_frame_size or limit)
        )
        self.send(
            0,
            Code.OPEN,
            codec.encode_string(f"geoforge-service-bus-{uuid4().hex}"),
            NULL,
            codec.encode_uint(limit),
            codec.encode_ushort(CHANNEL_MAX),
        )
        if peer.idle_time_out:
            self._beat(max(peer.idle_time_out / 2000, 0.01))

    def _beat(self, seconds: float) -> None:
        """Sends an empty frame whenever nothing else was sent for half the peer's patience."""
        if self._loop.time() - self._wrote_at >= seconds * 0.9:
            self.write(framing.HEARTBEAT)
        self._heartbeat = self._loop.call_later(seconds, self._beat, seconds)

    # --- frames -----------------------------------------------------------------------

    def _handle_frame(self, frame: Frame) -> None:
        if frame.type == framing.SASL_FRAME and self._stage is Stage.SASL:
            self._authenticate(frame.body)
            return
        if frame.type != framing.AMQP_FRAME or self._stage not in (
            Stage.HEADERS_EXCHANGED,
            Stage.OPEN,
        ):
            raise FramingError(f"a frame of type {frame.type} has no place here")
        if not frame.body:
            return
        performative, payload_at = performatives.decode_performative(frame.body)
        if self._stage is Stage.OPEN:
            self._handle(frame.channel, performative, frame.body[payload_at:])
        elif isinstance(performative, Open):
            self._open(performative)
        else:
            raise AmqpError("amqp:illegal-state", "A connection has to be opened first.")

    def _handle(self, channel: int, performative: Performative, payload: bytes) -> None:
        match performative:
            case Transfer():
                self._session(channel).transfer(performative, payload)
            case Disposition():
                self._session(channel).disposition(performative)
            case Flow():
                self._session(channel).flow(performative)
            case Attach():
                session = self._session(channel)
                if performative.handle > HANDLE_MAX:
                    raise AmqpError(
                        "amqp:connection:framing-error", f"Handles go up to {HANDLE_MAX}."
                    )
                if performative.handle in session.links:
                    self._end(channel, "amqp:session:handle-in-use", "The handle is in use.")
                else:
                    session.attach(performative)
            case Detach():
                # azure-servicebus detaches its links to $management after it has ended the session.
                if channel in self._sessions:
                    self._sessions[channel].detach(performative)
            case Begin():
                self._begin(channel, performative)
            case End():
                self._session(channel).close()
                del self._sessions[channel]
                self.send(channel, Code.END)
            case Close():
                self.send(0, Code.CLOSE)
                self._drop()
            case Open():
                self._open(performative)

    def _begin(self, channel: int, begin: Begin) -> None:
        if channel > CHANNEL_MAX or channel in self._sessions:
            raise AmqpError(
                "amqp:connection:framing-error", f"The channel {channel} cannot be begun."
            )
        self._sessions[channel] = Session(self, channel, begin)

    def _session(self, channel: int) -> Session:
        session = self._sessions.get(channel)
        if session is None:
            raise AmqpError(
                "amqp:connection:framing-error", f"No session was begun on channel {channel}."
            )
        return session

    def _end(self, channel: int, condition: str, description: str) -> None:
        self._sessions.pop(channel).close()
        self.send(channel, Code.END, performatives.encode_error(condition, description))

    # --- writing ----------------------------------------------------------------------

    @property
    def can_send(self) -> bool:
        """Whether the peer keeps up with what it is sent."""
        return not self._paused and self._transport is not None

    def send(self, channel: int, code: int, *fields: bytes) -> None:
        """Sends a performative."""
        self.write(framing.encode_frame(performatives.encode(code, *fields), channel))

    def write(self, data: bytes) -> None:
        """Sends bytes, together with what else is written in this pass of the event loop."""
        if not self._outgoing:
            self.namespace.journal.call_last(self._flush)
        self._outgoing.append(data)
        self._outgoing_bytes += len(data)
        if self._outgoing_bytes >= _FLUSH_BYTES:
            self._flush()  # so that `pause_writing` comes before memory is full of frames

    def _flush(self) -> None:
        if self._outgoing and self._transport is not None:
            self._transport.write(b"".join(self._outgoing))
            self._wrote_at = self._loop.time()
        self._outgoing.clear()
        self._outgoing_bytes = 0

    # --- the end ----------------------------------------------------------------------

    def close(self) -> None:
        """Ends the connection as the endpoint stops; clients connect again later."""
        self._fail("amqp:connection:forced", "The endpoint is stopping.", logging.DEBUG)

    def _fail(self, condition: str, description: str, level: int = logging.WARNING) -> None:
        logger.log(level, "closing the connection of %s: %s", self._peer, description)
        if self._stage in (Stage.HEADERS_EXCHANGED, Stage.OPEN):
            if self._stage is Stage.HEADERS_EXCHANGED:
                # A close may only follow an open, even where there is nothing to open for.
                self.send(0, Code.OPEN, codec.encode_string("geoforge-service-bus"))
            self.send(0, Code.CLOSE, performatives.encode_error(condition, description))
        self._drop()

    def _drop_silent(self) -> None:
        logger.warning("%s has not opened its connection in time", self._peer)
        self._drop()

    def _drop(self) -> None:
        self._flush()
        self._stage = Stage.CLOSED
        if self._transport is not None:
            self._transport.close()


def _keep_alive(connected: socket.socket) -> None:
    if connected.family not in (socket.AF_INET, socket.AF_INET6):
        return
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        option = getattr(socket, name, None)  # named differently, or not there, beyond Linux
        if option is not None:
            connected.setsockopt(socket.IPPROTO_TCP, option, value)
