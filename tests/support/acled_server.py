"""A small ACLED: one account, some rows, and what a test makes go wrong."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.scripted_server import Asked, Reply, ScriptedServer, scripted_server

USERNAME, PASSWORD = "analyst@example.org", "s3cret&word"
EMAIL, KEY = "old@example.org", "k3y-of-ours"
DATE = "Mon, 23 Nov 2026 09:15:00 GMT"

TOKEN_PATH = "/oauth/token"
EVENTS_PATH, DELETED_PATH = "/api/acled/read", "/api/deleted/read"


@dataclass
class Acled:
    """What it knows and does. `faults` are what it answers to the next requests for data, and
    `login_faults` to those for tokens; None among them goes on as usual."""

    events: list[dict[str, Any]] = field(default_factory=list)
    deleted: list[dict[str, Any]] = field(default_factory=list)
    says_total: bool = True
    envelope: dict[str, Any] = field(default_factory=dict)
    faults: list[Reply | None] = field(default_factory=list)
    login_faults: list[Reply | None] = field(default_factory=list)
    life_seconds: int = 86_400
    password: str = PASSWORD
    valid: set[str] = field(default_factory=set)
    refreshing: set[str] = field(default_factory=set)
    grants: list[str] = field(default_factory=list)
    refuses_all: bool = False
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, asked: Asked) -> Reply:
        with self._guard:
            faults = self.login_faults if asked.path == TOKEN_PATH else self.faults
            fault = faults.pop(0) if faults else None
            if fault is not None:
                return fault
            return self._log_in(asked.form) if asked.path == TOKEN_PATH else self._data(asked)

    def revoke(self) -> None:
        """Make all access tokens worthless."""
        self.valid.clear()

    def _log_in(self, form: dict[str, str]) -> Reply:
        self.grants.append(form["grant_type"])
        if form["grant_type"] == "refresh_token":
            granted = form["refresh_token"] in self.refreshing
            self.refreshing.discard(form["refresh_token"])
        else:
            granted = form["username"] == USERNAME and form["password"] == self.password
        if not granted or form["client_id"] != "acled":
            error = {"error": "invalid_grant", "message": f"Not so, {form.get('password')}."}
            return reply(error, status=400)
        number = next(self._numbers)
        access, refresh = f"acc3ss-{number}", f"r3fresh-{number}"
        self.valid.add(access)
        self.refreshing.add(refresh)
        return reply(
            {
                "token_type": "Bearer",
                "expires_in": self.life_seconds,
                "access_token": access,
                "refresh_token": refresh,
            }
        )

    def _data(self, asked: Asked) -> Reply:
        if asked.path.startswith("/api/"):
            token = asked.headers.get("authorization", "").removeprefix("Bearer ")
            if self.refuses_all or token not in self.valid:
                return reply({"message": f"The token {token} is not valid."}, status=401)
        elif (asked.query["key"], asked.query["email"]) != (KEY, EMAIL):
            said = f"No user {asked.query['email']} with {asked.query['key']}"
            return reply({"status": 401, "success": False, "error": [{"message": said}]})
        rows = self.deleted if "/deleted/" in asked.path else self.events
        name = "deleted_timestamp" if "/deleted/" in asked.path else "timestamp"
        if name in asked.query:
            rows = [row for row in rows if int(row[name]) >= int(asked.query[name])]
        limit = int(asked.query["limit"])
        start = (int(asked.query["page"]) - 1) * limit
        total = {"total_count": len(rows)} if self.says_total else {}
        page = rows[start : start + limit]
        body = {"status": 200, "success": True, "messages": [], "count": len(page), **total}
        return reply({**body, "data": page, **self.envelope})


def reply(body: Any, status: int = 200, **headers: str) -> Reply:
    """An answer in JSON, at a certain time."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    kind = {"content-type": "application/json", "date": DATE}
    return Reply(status, json.dumps(body).encode(), {**kind, **named})


def events(number: int) -> list[dict[str, Any]]:
    """Some events, as far as reading them is concerned; the times are texts, as ACLED's are."""
    return [
        {"event_id_cnty": f"HND{n}", "timestamp": str(1_700_000_000 + n), "notes": "Größe"}
        for n in range(number)
    ]


@contextmanager
def acled_server(acled: Acled) -> Iterator[ScriptedServer]:
    """The server."""
    with scripted_server(acled.answer) as server:
        yield server
