"""A web server that answers as a function of the test says; remembers what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request: query and form decoded, headers by names in small letters."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    form: dict[str, str]


@dataclass(frozen=True)
class Reply:
    """An answer. `claims` is the length that it says it has, where that is not its own: one that
    claims more breaks off."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    claims: int | None = None


class ScriptedServer:
    """Answers every request by `answer`, in a thread for each."""

    def __init__(self, answer: Callable[[Asked], Reply]) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer._serve(self)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = _Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def asked_for(self, path: str) -> list[Asked]:
        """The requests for a path, in order."""
        return [each for each in self.asked if each.path == path]

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        body = request.rfile.read(int(request.headers.get("content-length", 0)))
        asked = Asked(
            request.command,
            parts.path,
            dict(parse_qsl(parts.query, keep_blank_values=True)),
            {name.lower(): value for name, value in request.headers.items()},
            dict(parse_qsl(body.decode(), keep_blank_values=True)),
        )
        self.asked.append(asked)
        reply = self.answer(asked)
        request.close_connection = True
        length = len(reply.body) if reply.claims is None else reply.claims
        # Not send_response: what a server says of the time is for the test to choose.
        request.send_response_only(reply.status)
        for name, value in {"content-length": str(length), **reply.headers}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(reply.body)


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    # More than the five that wait by default: some tests come with many threads.
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        """Clients that hang up are what some tests are about."""


@contextmanager
def scripted_server(answer: Callable[[Asked], Reply]) -> Iterator[ScriptedServer]:
    """A server of the test's own."""
    server = ScriptedServer(answer)
    try:
        yield server
    finally:
        server.close()
