"""A web server with files, which breaks off, expires and changes as a test wants it."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

_PIECE = 64 << 10
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@dataclass
class File:
    """What is at a path.

    `breaks` are the bytes after which the next answers break off, in order; `holds` is where
    every answer waits until `released`. With a `signature` the query must hold it as `sig`, and
    with a `token` the request as a bearer token. `answers` go first: (status, headers, body).
    """

    content: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    breaks: list[int] = field(default_factory=list)
    holds: int | None = None
    released: threading.Event = field(default_factory=threading.Event)
    signature: str | None = None
    token: str | None = None
    says_length: bool = True
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)


@dataclass(frozen=True)
class Asked:
    """One request, its query decoded, its headers by names in small letters."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]


class FileServer:
    """Serves `files` by path; remembers what it was asked."""

    def __init__(self) -> None:
        self.files: dict[str, File] = {}
        self.asked: list[Asked] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer._answer(self)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = _Quiet(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        for file in self.files.values():
            file.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def ranges(self) -> list[str | None]:
        """The ranges that were asked for, in order."""
        return [each.headers.get("range") for each in self.asked]

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append(Asked(parts.path, query, headers))
        request.close_connection = True
        file = self.files.get(parts.path)
        if file is None:
            _send(request, 404, {}, b"")
        elif file.answers:
            _send(request, *file.answers.pop(0))
        elif file.signature is not None and query.get("sig") != file.signature:
            _send(request, 403, {}, b"<Error><Code>AccessDenied</Code></Error>")
        elif file.token is not None and headers.get("authorization") != f"Bearer {file.token}":
            _send(request, 401, {}, b"")
        else:
            self._send_content(request, file, headers)

    def _send_content(
        self, request: BaseHTTPRequestHandler, file: File, headers: dict[str, str]
    ) -> None:
        size, status, start, end = len(file.content), 200, 0, len(file.content)
        wanted = _RANGE.fullmatch(headers.get("range", "")) if file.ranges else None
        same = headers.get("if-range") in (
            None, file.headers.get("etag"), file.headers.get("last-modified"),
        )  # fmt: skip
        if wanted is not None and same:
            start = int(wanted[1])
            end = min(size, int(wanted[2]) + 1) if wanted[2] else size
            if start >= size:
                _send(request, 416, {"content-range": f"bytes */{size}"}, b"")
                return
            status = 206
        request.send_response(status)
        if status == 206:
            request.send_header("content-range", f"bytes {start}-{end - 1}/{size}")
        if file.says_length:
            request.send_header("content-length", str(end - start))
        for name, value in file.headers.items():
            request.send_header(name, value)
        request.end_headers()
        is_probe = wanted is not None and wanted[2] != ""
        stop = end
        if file.breaks and not is_probe:
            stop = min(end, start + file.breaks.pop(0))
        for offset in range(start, stop, _PIECE):
            if file.holds is not None and offset >= file.holds:
                file.released.wait()
            piece = file.content[offset : min(stop, offset + _PIECE)]
            try:
                request.wfile.write(piece)
            except OSError:
                return  # The client has hung up.


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Clients that hang up are what some tests are about."""


@contextmanager
def file_server() -> Iterator[FileServer]:
    """A server of the test's own."""
    server = FileServer()
    try:
        yield server
    finally:
        server.close()


def _send(
    request: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes
) -> None:
    request.send_response(status)
    for name, value in {"content-length": str(len(body)), **headers}.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(body)
