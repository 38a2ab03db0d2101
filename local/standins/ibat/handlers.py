"""The two HTTP servers of the stand-in: IBAT itself, and the object storage behind it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from local.standins.ibat.byte_ranges import Unsatisfiable, requested_range
from local.standins.ibat.signing import Refused

if TYPE_CHECKING:
    from local.standins.ibat.server import Ibat

ROUTE = "/api/v2/data-downloads"
_BLOCK = 64 * 1024


@dataclass(slots=True)
class Request:
    """A request that is answered: `sent` grows with the bytes of the body that went out.

    `query` is as it came, credentials and signatures included.
    """

    server: Literal["api", "download"]
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    status: int
    sent: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """An object of the storage."""

    file: Path
    etag: str
    modified: str

    @property
    def size(self) -> int:
        return self.file.stat().st_size


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    ibat: Ibat
    kind: Literal["api", "download"]

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its name in the base
        """Nothing: what was asked is in `Ibat.requests`."""

    def _query(self) -> dict[str, str]:
        return {
            name: values[0]
            for name, values in parse_qs(urlsplit(self.path).query, keep_blank_values=True).items()
        }

    def _answer(
        self, status: int, body: bytes, content_type: str, headers: dict[str, str] | None = None
    ) -> None:
        length = {"Content-Type": content_type, "Content-Length": str(len(body))}
        request = self._begin(status, {**length, **(headers or {})})
        if self.command != "HEAD":
            request.sent = len(body)
            self.wfile.write(body)

    def _begin(self, status: int, headers: dict[str, str]) -> Request:
        """Send the head of an answer; the request goes on the list before anything is sent."""
        request = Request(
            self.kind,
            self.command,
            urlsplit(self.path).path,
            self._query(),
            dict(self.headers.items()),
            status,
        )
        self.ibat.note(request)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        return request


class ApiHandler(_Handler):
    """IBAT: GET /api/v2/data-downloads?dataset_name=&auth_key=&auth_token=."""

    kind = "api"

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if self.ibat.control is not None and path.startswith("/_standin"):
            self._json(*self.ibat.control("GET", path, {}))
        elif path != ROUTE:
            self._json(404, {"error": "Not Found"})
        elif (fault := self.ibat.faults.next_answer()) is not None:
            self._answer(fault.status, fault.body.encode(), "application/json", fault.headers)
        else:
            self._json(*self._release())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        if self.ibat.control is None or not path.startswith("/_standin"):
            self._json(404, {"error": "Not Found"})
            return
        try:
            said = json.loads(body or b"{}")
        except ValueError:
            said = None
        if not isinstance(said, dict):
            self._json(400, {"error": "the body is no JSON object"})
        else:
            self._json(*self.ibat.control("POST", path, said))

    def _release(self) -> tuple[int, dict[str, Any]]:
        query = self._query()
        missing = [
            name for name in ("dataset_name", "auth_key", "auth_token") if not query.get(name)
        ]
        if missing:
            return 400, {"error": f"missing parameters: {', '.join(missing)}"}
        if (query["auth_key"], query["auth_token"]) != (self.ibat.key, self.ibat.token):
            return 401, {"error": "Invalid authentication credentials"}
        release = self.ibat.release(query["dataset_name"])
        if release is None:
            return 400, {"error": "dataset_name is not one of those that may be downloaded"}
        return 200, {
            "download_url": self.ibat.signed_url(release),
            "update_date": release.update_date,
        }

    def _json(self, status: int, body: dict[str, Any]) -> None:
        self._answer(status, json.dumps(body).encode(), "application/json")


class DownloadHandler(_Handler):
    """Object storage: GET of a signed address, whole or a range. HEAD was not signed."""

    kind = "download"

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        path = unquote(address.path)
        try:
            self.ibat.signer.check(
                self.command, path, address.query, authorization=self.headers.get("Authorization")
            )
        except Refused as refused:
            self._refuse(refused.status, refused.code, refused.message)
            return
        if (fault := self.ibat.faults.next_download_answer()) is not None:
            self._answer(fault.status, fault.body.encode(), "application/json", fault.headers)
            return
        stored = self.ibat.stored(path)
        if stored is None:
            self._refuse(404, "NoSuchKey", "The specified key does not exist.")
            return
        self._send(stored)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _send(self, stored: Stored) -> None:
        size = stored.size
        headers = {
            "Content-Type": "application/zip",
            "Accept-Ranges": "bytes",
            "ETag": stored.etag,
            "Last-Modified": stored.modified,
        }
        condition = self.headers.get("If-Range")
        wanted = self.headers.get("Range")
        if condition is not None and condition not in (stored.etag, stored.modified):
            wanted = None
        try:
            chosen = requested_range(wanted, size)
        except Unsatisfiable:
            self._refuse(416, "InvalidRange", "The requested range is not satisfiable", size=size)
            return
        first, last = chosen or (0, size - 1)
        headers["Content-Length"] = str(last - first + 1)
        if chosen is not None:
            headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        status = 200 if chosen is None else 206
        try:
            request = self._begin(status, headers)
            with stored.file.open("rb") as source:
                source.seek(first)
                self._copy(source, last - first + 1, request)
        except ConnectionError:
            # The client went away, which is its right.
            self.close_connection = True

    def _copy(self, source: BinaryIO, length: int, request: Request) -> None:
        stop = self.ibat.faults.next_truncation(length)
        end = length if stop is None else stop
        hold = self.ibat.faults.hold
        pace = _pace(self.ibat.faults.bytes_per_second)
        while request.sent < end:
            block = min(_BLOCK, end - request.sent)
            if hold is not None:
                if request.sent >= hold.after_bytes:
                    hold.wait()
                else:
                    block = min(block, hold.after_bytes - request.sent)
            data = source.read(block)
            self.wfile.write(data)
            request.sent += len(data)
            pace(request.sent)
        if end < length:
            self.wfile.flush()
            self.close_connection = True

    def _refuse(self, status: int, code: str, message: str, *, size: int | None = None) -> None:
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        )
        headers = {} if size is None else {"Content-Range": f"bytes */{size}"}
        self._answer(status, body.encode(), "application/xml", headers)


def _pace(bytes_per_second: float | None) -> Callable[[int], None]:
    """Wait until so many bytes may have been sent."""
    started = time.monotonic()

    def wait(sent: int) -> None:
        if bytes_per_second is not None:
            time.sleep(max(0.0, started + sent / bytes_per_second - time.monotonic()))

    return wait
