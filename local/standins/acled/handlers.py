"""The HTTP server of the stand-in: how requests are let in, read and answered."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from local.standins.acled.access import Refusal
from local.standins.acled.faults import Answer, Route, Spoiled
from local.standins.acled.pages import deleted_page, events_page
from local.standins.acled.query import BadQuery

if TYPE_CHECKING:
    from local.standins.acled.server import Acled

_TOKEN = "/oauth/token"
_WITH_TOKEN: dict[str, Route] = {"/api/acled/read": "events", "/api/deleted/read": "deleted"}
_WITH_KEY: dict[str, Route] = {"/acled/read": "events", "/deleted/read": "deleted"}
_SECRETS = {"key", "email", "username", "password", "refresh_token"}
_CONTROL = "/_standin"


@dataclass(frozen=True, slots=True)
class Request:
    """A request that was answered.

    `params` are those of its query or form without what shows who asks; `at` is the second of
    time.monotonic(), and `rows` is how many were sent.
    """

    route: Route
    path: str
    params: dict[str, str]
    status: int
    rows: int
    at: float


class AcledHandler(BaseHTTPRequestHandler):
    """Tokens, events and deletions; and what steers a stand-in that runs by itself."""

    protocol_version = "HTTP/1.1"
    # Head and body are two writes, and the second must not wait for the first to be confirmed.
    disable_nagle_algorithm = True
    acled: Acled

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its name in the base
        """Nothing: what was asked is in `Acled.requests`."""

    def date_time_string(self, timestamp: float | None = None) -> str:  # noqa: ARG002  # as above
        """The Date header goes by the clock of the stand-in."""
        return format_datetime(self.acled.clock.now(), usegmt=True)

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        params = dict(parse_qsl(address.query, keep_blank_values=True))
        if address.path in _WITH_TOKEN:
            self._answer(_WITH_TOKEN[address.path], address.path, params)
        elif address.path in _WITH_KEY:
            self._answer(_WITH_KEY[address.path], address.path, params)
        else:
            self._steer(address.path, {})

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        if path == _TOKEN:
            self._answer("token", path, dict(parse_qsl(sent.decode(), keep_blank_values=True)))
        else:
            self._steer(path, _object(sent))

    def _answer(self, route: Route, path: str, params: dict[str, str]) -> None:
        """Let a request in and answer it, or let go wrong what was asked for."""
        fault = self._fault(route)
        rows, spoiled = 0, Spoiled()
        if isinstance(fault, Spoiled):
            spoiled, fault = fault, None
        if fault is None:
            try:
                fault, rows = self._right_answer(route, path, params, spoiled)
            except Refusal as refusal:
                fault = Answer(refusal.status, json.dumps(refusal.body).encode())
            except BadQuery as wrong:
                said = {"status": 400, "success": False, "messages": [str(wrong)], "data": []}
                fault = Answer(400, json.dumps(said).encode())
        public = {name: value for name, value in params.items() if name not in _SECRETS}
        self.acled.note(Request(route, path, public, fault.status, rows, time.monotonic()))
        self._send(fault, spoiled)

    def _fault(self, route: Route) -> Answer | Spoiled | None:
        wait = self.acled.rate.wait()
        if wait is not None:
            body = b'{"message": "Too Many Requests"}'
            return Answer(429, body, headers={"Retry-After": str(wait)})
        hold = self.acled.faults.hold
        if hold is not None and route == "events":
            hold.wait()
        time.sleep(self.acled.latency_seconds)
        return self.acled.faults.next(route)

    def _right_answer(
        self, route: Route, path: str, params: dict[str, str], spoiled: Spoiled
    ) -> tuple[Answer, int]:
        access = self.acled.access
        if route == "token":
            return Answer(200, json.dumps(access.token(params)).encode()), 0
        if path in _WITH_TOKEN:
            access.check(self.headers.get("Authorization"))
        else:
            access.check_key(params.get("key"), params.get("email"))
        page = (events_page if route == "events" else deleted_page)(self.acled, params, spoiled)
        return Answer(200, page.body), page.rows

    def _steer(self, path: str, said: dict[str, Any] | None) -> None:
        if self.acled.control is None or not path.startswith(_CONTROL):
            status, answer = 404, {"message": f"No route found for {self.command} {path}"}
        elif said is None:
            status, answer = 400, {"error": "the body is no JSON object"}
        else:
            status, answer = self.acled.control(self.command, path, said)
        self._send(Answer(status, json.dumps(answer).encode()), Spoiled())

    def _send(self, answer: Answer, spoiled: Spoiled) -> None:
        body = answer.body[: spoiled.json_bytes]
        self.send_response(answer.status)
        headers = {"Content-Type": answer.content_type, "Content-Length": str(len(body))}
        for name, value in {**headers, **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: spoiled.sent_bytes])
        if spoiled.sent_bytes is not None and spoiled.sent_bytes < len(body):
            self.close_connection = True


def _object(body: bytes) -> dict[str, Any] | None:
    """A JSON object; None for anything else."""
    try:
        said = json.loads(body or b"{}")
    except ValueError:
        return None
    return said if isinstance(said, dict) else None
