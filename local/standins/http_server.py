"""The HTTP server that stand-ins are built on."""

from __future__ import annotations

import socket
import sys
from contextlib import suppress
from http.server import ThreadingHTTPServer
from socketserver import BaseRequestHandler
from typing import Any

HOST = "127.0.0.1"


class StandinServer(ThreadingHTTPServer):
    """A thread for each connection, on this machine only.

    It closes, at its end, the connections that clients have kept open: nobody is served then.

    Args:
        port: 0 takes a free one.
        handler: answers the requests.
    """

    daemon_threads = True
    # Answers that wait for a client must not keep the end of a test waiting.
    block_on_close = False

    def __init__(self, port: int, handler: type[BaseRequestHandler]) -> None:
        super().__init__((HOST, port), handler)
        self._connections: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke is a client's right, or the end; all else is a fault of ours."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def server_close(self) -> None:
        super().server_close()
        for connection in list(self._connections):
            # The other side may have been faster.
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
