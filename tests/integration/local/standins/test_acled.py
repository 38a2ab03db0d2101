"""The stand-in for ACLED, asked over HTTP as a client would."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest

from local.stack.settings import CHECKOUT
from local.standins.acled.codebook import FIELDS
from local.standins.acled.control import control
from local.standins.acled.faults import Spoiled
from local.standins.acled.query import Query
from local.standins.acled.server import Acled

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
READ, DELETED = "/api/acled/read", "/api/deleted/read"


@pytest.fixture
def acled() -> Iterator[Acled]:
    with Acled(300, at=NOW) as started:
        yield started


@pytest.fixture
def client(acled: Acled) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=acled.url, timeout=30, trust_env=False) as started:
        started.headers["Authorization"] = f"Bearer {log_in(started, acled)['access_token']}"
        yield started


def log_in(client: httpx.Client, acled: Acled) -> dict[str, Any]:
    form = {
        "grant_type": "password",
        "client_id": "acled",
        "username": acled.access.account.username,
        "password": acled.access.account.password,
    }
    token: dict[str, Any] = client.post("/oauth/token", data=form).raise_for_status().json()
    return token


def page(client: httpx.Client, number: int = 1, **params: str | int) -> dict[str, Any]:
    asked = {"_format": "json", "page": number, **params}
    read: dict[str, Any] = client.get(READ, params=asked).raise_for_status().json()
    return read


def ids(envelope: dict[str, Any]) -> list[str]:
    return [row["event_id_cnty"] for row in envelope["data"]]


def test_pages_hold_each_event_once_as_it_is(client: httpx.Client, acled: Acled) -> None:
    read = [page(client, number, limit=70)["data"] for number in range(1, 7)]
    assert [len(rows) for rows in read] == [70, 70, 70, 70, 20, 0]
    rows = [row for part in read for row in part]
    assert {row["event_id_cnty"]: row for row in rows} == acled.events.rows()
    assert len(rows) == len(acled.events)


def test_totals_are_said_where_they_are_asked_for(client: httpx.Client, acled: Acled) -> None:
    counted = page(client, limit=1, with_total="true")
    assert (counted["count"], counted["total_count"]) == (1, 300)
    assert (counted["status"], counted["success"], counted["messages"]) == (200, True, [])
    plain = page(client, limit=1)
    assert not {"count", "total_count", "data_query_restrictions"} & plain.keys()
    acled.counts = False
    assert "total_count" not in page(client, limit=1, with_total="true")


def test_some_fields_may_be_asked_for(client: httpx.Client) -> None:
    assert tuple(page(client, limit=1)["data"][0]) == FIELDS
    some = page(client, limit=2, fields="event_id_cnty|timestamp")["data"]
    assert [tuple(row) for row in some] == [("event_id_cnty", "timestamp")] * 2


def test_a_query_that_it_does_not_understand_is_refused(client: httpx.Client) -> None:
    answer = client.get(READ, params={"evnt_date": "2026-01-01"})
    assert answer.status_code == 400
    assert "evnt_date" in answer.json()["messages"][0]
    assert client.get("/api/cast/read").status_code == 404
    # Steering is for a stand-in that runs by itself.
    assert client.get("/_standin").status_code == 404


def test_an_increment_is_what_came_since(client: httpx.Client, acled: Acled) -> None:
    acled.clock.advance(timedelta(hours=1))
    since = acled.clock.timestamp()
    change = acled.events.churn(inserts=5, edits=4, deletes=3)
    asked = {"timestamp": since, "timestamp_where": ">="}
    assert set(ids(page(client, **asked))) == {*change.inserted, *change.edited}
    gone = client.get(
        DELETED, params={"deleted_timestamp": since, "deleted_timestamp_where": ">="}
    ).json()
    assert {
        row["event_id_cnty"]: row["deleted_timestamp"] for row in gone["data"]
    } == dict.fromkeys(change.deleted, str(since))


def test_its_clock_is_in_the_date_header(client: httpx.Client, acled: Acled) -> None:
    assert client.get(READ).headers["Date"] == "Mon, 23 Nov 2026 09:00:00 GMT"
    acled.clock.advance(timedelta(hours=25))
    late = client.get(READ)
    assert late.headers["Date"] == "Tue, 24 Nov 2026 10:00:00 GMT"
    # And its tokens go by it.
    assert late.status_code == 401


def test_the_older_scheme_has_its_own_paths(client: httpx.Client, acled: Acled) -> None:
    del client.headers["Authorization"]
    assert client.get(READ).status_code == 401
    shown = {"key": acled.access.account.key, "email": acled.access.account.username}
    answer = client.get("/acled/read", params={**shown, "limit": 2})
    assert len(answer.json()["data"]) == 2
    assert client.get("/deleted/read", params=shown).json()["success"] is True
    assert client.get("/acled/read", params={**shown, "key": "wrong"}).status_code == 403
    assert client.get(READ, params=shown).status_code == 401
    assert all(acled.access.account.key not in str(request) for request in acled.requests)


def test_an_embargo_hides_what_is_recent_and_says_so(client: httpx.Client, acled: Acled) -> None:
    acled.access.change(embargo_months=12)
    said = page(client, with_total="true")
    assert said["data_query_restrictions"] == {
        "date_recency": {"quantity": 12, "unit": "Months", "date": "2025-11-23"}
    }
    visible = [row for row in acled.events.rows().values() if row["event_date"] <= "2025-11-23"]
    assert said["total_count"] == len(visible) < 300
    recent = page(client, event_date="2026-01-01", event_date_where=">=", with_total="true")
    assert (recent["success"], recent["data"], recent["total_count"]) == (True, [], 0)
    assert "date_recency" in recent["data_query_restrictions"]


def test_it_refuses_an_account_and_its_tokens(client: httpx.Client, acled: Acled) -> None:
    acled.access.change(terms_accepted=False)
    refused = client.get(READ)
    assert (refused.status_code, "Terms" in refused.json()["message"]) == (403, True)
    acled.access.change(terms_accepted=True)
    acled.access.revoke()
    assert client.get(READ).status_code == 401
    assert client.get(DELETED).status_code == 401


def test_it_is_busy_or_broken_as_often_as_asked_for(client: httpx.Client, acled: Acled) -> None:
    acled.faults.answer(429, times=2, retry_after=7)
    acled.faults.answer(503)
    acled.faults.html()
    acled.faults.refuse("Out of memory")
    acled.faults.answer(500, route="deleted")
    answers = [client.get(READ, params={"limit": 1}) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [429, 429, 503, 200, 200, 200]
    assert answers[0].headers["Retry-After"] == "7"
    assert answers[3].text.startswith("<!DOCTYPE html>")
    assert answers[4].json()["success"] is False
    assert answers[5].json()["success"] is True
    assert client.get(DELETED).status_code == 500
    assert [request.status for request in acled.requests if request.route == "events"] == [
        answer.status_code for answer in answers
    ]


def test_an_answer_ends_too_early(client: httpx.Client, acled: Acled) -> None:
    acled.faults.spoil(Spoiled(json_bytes=500))
    acled.faults.spoil(Spoiled(sent_bytes=500))
    cut = client.get(READ)
    assert (cut.status_code, len(cut.content)) == (200, 500)
    with pytest.raises(json.JSONDecodeError):
        cut.json()
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(READ)
    assert len(page(client)["data"]) == 300


def test_pages_are_spoiled_as_asked_for(client: httpx.Client, acled: Acled) -> None:
    whole = ids(page(client))
    acled.faults.spoil(Spoiled(missing=3), after=1)
    acled.faults.spoil(Spoiled(repeated=5, without_total=True))
    read = [page(client, number, limit=100, with_total="true") for number in (1, 2, 3)]
    assert ids(read[0]) == whole[:100]
    assert ids(read[1]) == whole[100:197]
    assert ids(read[2]) == whole[195:295]
    assert ["total_count" in envelope for envelope in read] == [True, True, False]


def test_a_page_may_be_shorter_than_asked_although_there_is_more(
    client: httpx.Client, acled: Acled
) -> None:
    whole = ids(page(client))
    acled.page_rows = 120
    assert [len(page(client, number)["data"]) for number in (1, 2, 3, 4)] == [120, 120, 60, 0]
    assert ids(page(client, 2)) == whole[120:240]


def test_rows_change_while_they_are_paged(client: httpx.Client, acled: Acled) -> None:
    whole = ids(page(client))

    def change(asked: Query) -> None:
        if asked.page == 2:
            acled.events.insert(event_date=date(2026, 11, 23))
        if asked.page == 3:
            acled.events.delete(whole[0])
            acled.events.delete(whole[1])

    acled.before_page = change
    read = [ids(page(client, number, limit=100)) for number in (1, 2, 3)]
    assert read[0] == whole[:100]
    # A row came in before them all, so that one comes twice; then two went, and two are missed.
    assert read[1] == whole[99:199]
    assert read[2] == whole[201:]


def test_too_many_requests_are_told_to_wait(client: httpx.Client, acled: Acled) -> None:
    acled.rate.seconds = 3600.0
    acled.rate.requests = 4
    answers = [client.get(READ, params={"limit": 1}) for _ in range(5)]
    # The login was the first of the four.
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 3600


def test_a_request_waits_until_it_is_let_go(client: httpx.Client, acled: Acled) -> None:
    read: list[dict[str, Any]] = []
    with acled.faults.held() as hold:
        thread = threading.Thread(target=lambda: read.append(page(client, limit=1)))
        thread.start()
        assert hold.reached.wait(30)
        assert acled.counted()["events"] == 0
    thread.join(30)
    assert len(read[0]["data"]) == 1


def test_requests_are_counted_and_show_no_secrets(client: httpx.Client, acled: Acled) -> None:
    page(client, limit=3)
    client.get(DELETED)
    assert acled.counted() == {"token": 1, "events": 1, "deleted": 1}
    token, events, _ = acled.requests
    assert token.params == {"grant_type": "password", "client_id": "acled"}
    assert (events.path, events.rows, events.params["limit"]) == (READ, 3, "3")
    acled.forget_requests()
    assert acled.requests == []


def test_it_is_steered_over_http(client: httpx.Client, acled: Acled) -> None:
    acled.control = control(acled)

    def steer(path: str, **said: object) -> httpx.Response:
        return client.post(f"/_standin/{path}", json=said)

    change = steer("events", inserts=3, edits=2, deletes=1, seed=5).json()
    assert [len(change[what]) for what in ("inserted", "edited", "deleted")] == [3, 2, 1]
    assert steer("clock", advance_seconds=60).json()["now"] == "2026-11-23T09:01:00+00:00"
    state = client.get("/_standin").json()
    assert (state["events"], state["requests"]) == (302, {"token": 1})
    assert state["timestamps"] == acled.events.checksum()
    steer("settings", page_rows=10, counts=False).raise_for_status()
    assert len(page(client)["data"]) == 10
    steer("faults", answer=429, retry_after=3).raise_for_status()
    steer("faults", html=True).raise_for_status()
    steer("faults", refuse="no").raise_for_status()
    steer("faults", json_bytes=4).raise_for_status()
    assert [client.get(READ).status_code for _ in range(3)] == [429, 200, 200]
    assert client.get(READ).content == b'{"st'
    steer("faults", missing=9, times=50).raise_for_status()
    steer("faults", clear=True).raise_for_status()
    assert len(page(client)["data"]) == 10
    steer("access", embargo_months=6, terms_accepted=False).raise_for_status()
    assert client.get(READ).status_code == 403
    steer("access", terms_accepted=True, revoke=True).raise_for_status()
    assert client.get(READ).status_code == 401


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("faults", {"explode": True}),
        ("faults", {"answer": "often"}),
        ("clock", {"advance_seconds": -5}),
        ("access", {"colour": "red"}),
        ("settings", {"events": 5}),
        ("events", {"inserts": "many"}),
    ],
)
def test_steering_that_is_not_understood_is_refused(
    client: httpx.Client, acled: Acled, path: str, said: dict[str, Any]
) -> None:
    acled.control = control(acled)
    answer = client.post(f"/_standin/{path}", json=said)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert client.post(f"/_standin/{path}", content=b"[1]").status_code == 400
    assert client.post("/_standin/nowhere", json={}).status_code == 404


def test_it_runs_by_itself() -> None:
    command = [sys.executable, "-m", "local.standins.acled", "--events", "50", "--seed", "3"]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            printed = ""
            while "ACLED_API_KEY" not in printed:
                line = process.stdout.readline()
                assert line, f"it ended after {printed!r}"
                printed += line
            settings = dict(re.findall(r"^(\w+)=(.*)$", printed, flags=re.MULTILINE))
            form = {
                "grant_type": "password",
                "client_id": "acled",
                "username": settings["ACLED_USERNAME"],
                "password": settings["ACLED_PASSWORD"],
            }
            with httpx.Client(
                base_url=settings["ACLED_URL"], timeout=30, trust_env=False
            ) as client:
                token = client.post("/oauth/token", data=form).json()["access_token"]
                client.headers["Authorization"] = f"Bearer {token}"
                assert len(page(client)["data"]) == 50
                assert client.get("/_standin").json()["events"] == 50
        finally:
            os.kill(process.pid, signal.SIGTERM)
        assert process.wait(30) == 0
