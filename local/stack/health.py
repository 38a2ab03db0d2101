"""How to ask each kind of server whether it serves. Each raises NotHealthy with the reason."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable

import httpx
import psycopg

from local.stack.errors import NotHealthy
from local.stack.ports import HOST

Check = Callable[[], None]

_TIMEOUT_SECONDS = 3.0

# Nobody is spoken to in TLS: to read whom to trust would take longer than all else of a check.
_TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

_AMQP_HEADER = b"AMQP\x03\x01\x00\x00"
"""Protocol header of the SASL layer, which a server echoes (AMQP 1.0, part 5.3.1)."""


def http_answers(url: str) -> None:
    """Check that a GET of this address answers 200."""
    response = _get(url)
    if response.status_code != httpx.codes.OK:
        raise NotHealthy(f"{url} answers {response.status_code}")


def azurite_answers(port: int) -> None:
    """Check that Azurite's blob service answers. An unsigned request is refused, by name."""
    url = f"http://{HOST}:{port}/devstoreaccount1?comp=list"
    server = _get(url).headers.get("Server", "")
    if not server.startswith("Azurite-Blob"):
        raise NotHealthy(f"port {port} is not answered by Azurite")


def amqp_answers(port: int) -> None:
    """Check that a server on this port speaks AMQP 1.0 with SASL, as Service Bus does."""
    try:
        with socket.create_connection((HOST, port), _TIMEOUT_SECONDS) as connection:
            connection.sendall(_AMQP_HEADER)
            answer = connection.recv(len(_AMQP_HEADER))
    except OSError as error:
        raise NotHealthy(f"port {port}: {error}") from error
    if answer != _AMQP_HEADER:
        raise NotHealthy(f"port {port} does not answer in AMQP 1.0")


def postgres_answers(url: str) -> None:
    """Check that the database takes a connection and a query."""
    try:
        with psycopg.connect(url, connect_timeout=int(_TIMEOUT_SECONDS)) as connection:
            connection.execute("SELECT 1")
    except psycopg.Error as error:
        raise NotHealthy(str(error).strip().partition("\n")[0]) from error


def _get(url: str) -> httpx.Response:
    try:
        # Not through a proxy that the environment may name: these are servers of this machine.
        with httpx.Client(
            trust_env=False, verify=_TRUSTS_NOBODY, timeout=_TIMEOUT_SECONDS
        ) as client:
            return client.get(url)
    except httpx.HTTPError as error:
        raise NotHealthy(f"{url}: {error or type(error).__name__}") from error
