"""ACLED's API: what is asked, what is made of the answers, and what goes wrong in passing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from core.errors import TaskCancelled
from infrastructure import request_pace
from infrastructure.database import Connection
from services.curated.acled import access, transport
from services.curated.acled.api import AcledApi, Deletion, EventQuery
from services.curated.acled.reading import Restriction
from services.curated.acled.transport import AcledRefused, AcledUnavailable
from services.curated.handler import Days
from tests.support.acled_server import (
    DELETED_PATH,
    EVENTS_PATH,
    PASSWORD,
    TOKEN_PATH,
    USERNAME,
    Acled,
    acled_server,
    events,
    reply,
)
from tests.support.scripted_server import Asked, Reply, ScriptedServer
from tests.support.settings import app_settings

MOMENT = datetime(2026, 11, 23, 9, 15, tzinfo=UTC)
ALL = EventQuery()


@pytest.fixture
def acled() -> Acled:
    return Acled(events(7))


@pytest.fixture
def server(acled: Acled) -> Iterator[ScriptedServer]:
    with acled_server(acled) as server:
        yield server


@pytest.fixture(autouse=True)
def _app(
    server: ScriptedServer,
    ledger: Connection,
    ledger_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    monkeypatch.setattr(transport, "_PAUSES_SECONDS", (0.01, 0.02, 0.04))
    ledger.execute("TRUNCATE app.source_tokens, app.request_pace")
    with app_settings(
        DATABASE_URL=ledger_url,
        GEOFORGE_ALLOWED_HOSTS="127.0.0.1",
        ACLED_URL=server.url,
        ACLED_USERNAME=USERNAME,
        ACLED_PASSWORD=PASSWORD,
        ACLED_REQUESTS_PER_MINUTE="60000",
    ):
        yield


def proceed() -> None:
    """A check that lets everything go on."""


def api(**options: Any) -> AcledApi:
    return AcledApi(proceed, **{"page_rows": 3, **options})


def refusal() -> AcledRefused:
    with pytest.raises(AcledRefused) as caught:
        api().count(ALL)
    assert caught.value.__context__ is None
    return caught.value


def test_one_request_says_how_many_there_are(server: ScriptedServer) -> None:
    found = api().count(ALL)
    assert (found.total, found.is_empty, found.restriction) == (7, False, None)
    assert found.server_time == MOMENT
    [asked] = server.asked_for(EVENTS_PATH)
    assert asked.query == {"_format": "json", "with_total": "true", "limit": "1", "page": "1"}


def test_where_the_total_is_not_said_it_is_known_whether_there_are_any(acled: Acled) -> None:
    acled.says_total = False
    found = api().count(ALL)
    assert (found.total, found.is_empty) == (None, False)
    acled.events.clear()
    found = api().count(ALL)
    assert (found.total, found.is_empty) == (None, True)


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        (EventQuery(), {}),
        (EventQuery(Days(None, None)), {}),
        (
            EventQuery(Days(date(2025, 1, 1), date(2025, 12, 31))),
            {"event_date": "2025-01-01|2025-12-31", "event_date_where": "BETWEEN"},
        ),
        (
            EventQuery(Days(date(2025, 1, 1), None)),
            {"event_date": "2025-01-01", "event_date_where": ">="},
        ),
        (
            EventQuery(Days(None, date(2025, 1, 1))),
            {"event_date": "2025-01-01", "event_date_where": "<="},
        ),
        (
            EventQuery(Days(None, date(2025, 1, 1)), since=MOMENT),
            {
                "event_date": "2025-01-01",
                "event_date_where": "<=",
                "timestamp": "1795425300",
                "timestamp_where": ">=",
            },
        ),
    ],
)
def test_a_query_is_asked_in_acleds_terms(
    query: EventQuery, asked: dict[str, str], server: ScriptedServer
) -> None:
    api().count(query)
    sent = server.asked_for(EVENTS_PATH)[0].query
    assert {name: sent[name] for name in sent if "event_date" in name or "time" in name} == asked


def test_events_are_read_page_by_page(acled: Acled, server: ScriptedServer) -> None:
    told: list[dict[str, int]] = []
    asking = api(progress=lambda **figures: told.append(figures))
    with asking.read(ALL) as found:
        assert len(found) == 7
        assert [len(page) for page in found.blocks()] == [3, 3, 1]
        assert list(found) == acled.events
        assert found.names == {name for event in acled.events for name in event}
    assert [asked.query["page"] for asked in server.asked_for(EVENTS_PATH)] == ["1", "2", "3", "1"]
    # Whether one has changed since the first page, or two days before.
    changed = server.asked_for(EVENTS_PATH)[3].query
    assert (changed["timestamp"], changed["limit"]) == ("1795252500", "1")
    assert len(server.asked) == 5
    assert told[:3] == [{"requests": 1}, {"requests": 2}, {"events_read": 3}]
    assert told[-1] == {"requests": 5}


def test_a_query_of_changes_looks_for_later_ones_in_the_end(
    acled: Acled, server: ScriptedServer
) -> None:
    since = datetime.fromtimestamp(1_700_000_002, UTC)
    with api().read(EventQuery(since=since)) as found:
        assert list(found) == acled.events[2:]
    times = [asked.query["timestamp"] for asked in server.asked_for(EVENTS_PATH)]
    assert times == ["1700000002", "1700000002", "1795252500"]


def test_what_changes_between_pages_is_read_again(
    acled: Acled, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = acled.answer

    def swap_before_page_2(asked: Any) -> Reply:
        if asked.query.get("page") == "2" and len(server.asked_for(EVENTS_PATH)) == 2:
            del acled.events[0]
            acled.events.append(
                {"event_id_cnty": "HND99", "timestamp": str(int(MOMENT.timestamp()) + 1)}
            )
        return answer(asked)

    monkeypatch.setattr(server, "answer", swap_before_page_2)
    with api().read(ALL) as found:
        assert list(found) == acled.events


def test_deletions_are_read_each_once(acled: Acled, server: ScriptedServer) -> None:
    acled.deleted = [
        {"event_id_cnty": f"HND{n % 4}", "deleted_timestamp": str(1_700_000_000 + n)}
        for n in range(5)
    ]
    found = api(page_rows=5000).deletions(datetime.fromtimestamp(1_700_000_000, UTC))
    assert found == [
        Deletion("HND1", 1_700_000_001),
        Deletion("HND2", 1_700_000_002),
        Deletion("HND3", 1_700_000_003),
        Deletion("HND0", 1_700_000_004),
    ]
    asked = server.asked_for(DELETED_PATH)[0].query
    assert asked["deleted_timestamp"] == "1700000000"
    assert asked["deleted_timestamp_where"] == ">="
    assert api().deletions(MOMENT) == []


def test_an_embargo_is_handed_on(acled: Acled) -> None:
    acled.events.clear()
    recency: dict[str, Any] = {"quantity": 12, "unit": "Months", "date": "2025-11-23"}
    acled.envelope = {"data_query_restrictions": {"date_recency": recency}}
    found = api().count(ALL)
    assert found.restriction == Restriction(date(2025, 11, 23), 12, "Months")
    assert str(found.restriction) == "events to 2025-11-23 (12 Months back)"
    assert found.total == 0
    with api().read(ALL) as rows:
        assert rows.restriction == found.restriction


@pytest.mark.parametrize(
    ("said", "restriction"),
    [
        ([], None),
        ({}, None),
        ({"date_recency": None}, None),
        ({"date_recency": {"date": "soon", "quantity": "12"}}, Restriction(None, 12, None)),
        ({"date_recency": {"date": "2025-11-23T00:00:00"}}, Restriction(date(2025, 11, 23))),
    ],
)
def test_restrictions_come_in_several_forms(
    acled: Acled, said: object, restriction: Restriction | None
) -> None:
    acled.envelope = {"data_query_restrictions": said}
    assert api().count(ALL).restriction == restriction


@pytest.mark.parametrize(
    "fault",
    [
        Reply(500),
        Reply(503, headers={"retry-after": "0"}),
        Reply(200, b"<html>we are back soon</html>", {"content-type": "text/html"}),
        Reply(200, b'{"status": 200, "success": true, "data": [{"event_id_cnty": "HND'),
        Reply(200, b'{"status": 200, "data": [', claims=5000),
        Reply(200, b""),
        Reply(200, b"[]"),
        reply({"status": 429, "success": False}),
        reply({"status": "503", "success": "false"}),
    ],
    ids=[
        "500",
        "503",
        "html",
        "cut off",
        "broken off",
        "empty",
        "list",
        "429 inside",
        "503 inside",
    ],
)
def test_what_passes_is_asked_again(acled: Acled, fault: Reply) -> None:
    acled.faults = [fault, None, fault, fault, None]
    with api().read(ALL) as found:
        assert list(found) == acled.events


def test_what_does_not_pass_is_given_up(acled: Acled, server: ScriptedServer) -> None:
    acled.faults = [Reply(503)] * 4
    with pytest.raises(AcledUnavailable) as caught:
        api().count(ALL)
    assert len(server.asked_for(EVENTS_PATH)) == 4
    assert caught.value.as_record() == {
        "code": "acled_unavailable",
        "message": "ACLED does not answer as it should: "
        f"{server.url}{EVENTS_PATH} answered 503 Service Unavailable.",
        "status": 503,
    }


def test_where_it_is_too_much_all_workers_wait(
    acled: Acled, server: ScriptedServer, ledger: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    since: list[float] = []

    def answer(asked: Asked) -> Reply:
        if asked.path == EVENTS_PATH:
            since.extend(
                row["seconds"]
                for row in ledger.execute(
                    "SELECT extract(epoch FROM clock_timestamp() - held_until)::float8 AS seconds"
                    " FROM app.request_pace WHERE service = 'acled' AND held_until IS NOT NULL"
                )
            )
        return acled.answer(asked)

    monkeypatch.setattr(server, "answer", answer)
    acled.faults = [Reply(429, headers={"retry-after": "1"})]
    assert api().count(ALL).total == 7
    [seconds] = since
    # The clocks of the database and of the sleeping process may run apart by so much.
    assert seconds >= -0.01


@pytest.mark.parametrize(
    ("named", "held"),
    [
        (None, [0.01, 0.02, 0.04, 0.04]),
        ("0", [0.01, 0.02, 0.04, 0.04]),
        ("30", [30.0] * 4),
        ("100000", [900.0] * 4),
    ],
)
def test_each_time_that_it_is_too_much_all_workers_are_held_back(
    acled: Acled, monkeypatch: pytest.MonkeyPatch, named: str | None, held: list[float]
) -> None:
    told: list[float] = []
    monkeypatch.setattr(request_pace, "hold_back", lambda _, seconds: told.append(seconds))
    acled.faults = [Reply(429, headers={} if named is None else {"retry-after": named})] * 4
    with pytest.raises(AcledUnavailable):
        api().count(ALL)
    assert told == held


@pytest.mark.parametrize("status", [429, 503])
def test_a_long_wait_is_shown(acled: Acled, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    monkeypatch.setattr(transport, "_LONG_WAIT_SECONDS", 0.5)
    told: list[Any] = []
    acled.faults = [Reply(status, headers={"retry-after": "1"})]
    AcledApi(proceed, lambda **figures: told.append(figures)).count(ALL)
    before, until, after, again = told[1:]
    assert (before, after, again) == ({"requests": 2}, {"waiting_for_acled": "no"}, {"requests": 3})
    assert re.fullmatch(r"until \d\d:\d\d:\d\d UTC", until["waiting_for_acled"])


def test_every_request_waits_for_its_turn(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[tuple[str, float]] = []

    def pace(service: str, per_minute: float, check: object, waits: object) -> None:
        assert len(server.asked) == len(turns)
        turns.append((service, per_minute))

    monkeypatch.setattr(request_pace, "pace", pace)
    api().count(ALL)
    assert turns == [("acled", 60_000.0)] * 2
    assert [asked.path for asked in server.asked] == [TOKEN_PATH, EVENTS_PATH]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("You must accept the Terms of Use.", "its terms of use have to be accepted"),
        ("Consent is missing", "its terms of use have to be accepted"),
        ("Complete the required fields", "its profile at acleddata.com has to be completed"),
        ("Your access level does not permit this.", "its access tier does not include them"),
        ("Access denied", "either its terms of use have not been accepted"),
    ],
)
@pytest.mark.parametrize("inside", [False, True])
def test_an_account_that_may_not_read_is_told_why(
    acled: Acled, words: str, reason: str, inside: bool
) -> None:
    body = {"status": 403, "success": False, "messages": [words]}
    acled.faults = [reply(body, status=200 if inside else 403)]
    error = refusal()
    assert error.error_code == "acled_forbidden"
    assert "the account of ACLED_USERNAME and ACLED_PASSWORD (403)" in error.message
    assert reason in error.message
    assert error.message.endswith(f'ACLED says: "{words}"')


@pytest.mark.parametrize(
    "fault",
    [
        reply({"error": {"message": "Unknown field"}}, status=400),
        reply({"status": 200, "success": False, "error": [{"message": "Unknown field"}]}),
        reply({"status": 418, "error": "Unknown field"}),
    ],
)
def test_what_it_does_not_understand_is_said(acled: Acled, fault: Reply) -> None:
    acled.faults = [fault]
    error = refusal()
    assert error.error_code == "acled_bad_request"
    assert error.message == (
        'ACLED did not understand the request (400). ACLED says: "Unknown field"'
    )


def test_a_long_token_is_not_shown(acled: Acled) -> None:
    acled.refuses_all = True
    acled.login_faults = [reply({"access_token": f"acc3ss-{'y' * 4000}-{n}"}) for n in range(2)]
    assert refusal().message.endswith('ACLED says: "The token *** is not valid."')


def test_a_token_that_others_have_renewed_meanwhile_is_not_shown(
    acled: Acled, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    api().count(ALL)

    def refuse(asked: Asked) -> Reply:
        access._known.clear()
        return reply({"message": f"Not for {asked.headers['authorization'][7:]}."}, status=403)

    monkeypatch.setattr(server, "answer", refuse)
    assert refusal().message.endswith('ACLED says: "Not for ***."')


@pytest.mark.parametrize("data", [None, {}, "", [1]])
def test_an_answer_without_rows_is_no_empty_one(acled: Acled, data: object) -> None:
    acled.envelope = {"data": data}
    assert refusal().error_code == "acled_bad_answer"


def test_an_address_where_nothing_is_is_said(acled: Acled) -> None:
    acled.faults = [Reply(404)]
    error = refusal()
    assert error.error_code == "acled_refused"
    assert "answered 404" in error.message


def test_without_a_date_it_is_our_time(acled: Acled) -> None:
    acled.faults = [Reply(200, b'{"data": []}'), Reply(200, b'{"data": []}', {"date": "soon"})]
    for _ in range(2):
        before = datetime.now(UTC) - timedelta(seconds=1)
        assert before <= api().count(ALL).server_time <= datetime.now(UTC)


def test_it_can_be_stopped_while_acled_is_down(acled: Acled, server: ScriptedServer) -> None:
    def stop() -> None:
        if len(server.asked_for(EVENTS_PATH)) == 2:
            raise TaskCancelled("stop")

    acled.faults = [Reply(503)] * 4
    with pytest.raises(TaskCancelled):
        AcledApi(stop).count(ALL)
    assert len(server.asked_for(EVENTS_PATH)) == 2
