"""Tokens of ACLED: one login for all workers, renewed in time, sealed, and shown to nobody."""

from __future__ import annotations

import html
import logging
import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote_plus

import pytest
from pydantic import SecretStr

from config import get_settings
from core.errors import PermanentTaskError
from infrastructure import request_pace, source_token_repository
from infrastructure.database import Connection
from infrastructure.source_client import Timeouts
from local.stack.settings import CHECKOUT
from services.curated import sealing
from services.curated.acled import access, transport
from services.curated.acled.api import AcledApi, EventQuery
from services.curated.acled.transport import AcledRefused
from tests.support.acled_server import (
    EMAIL,
    EVENTS_PATH,
    KEY,
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

DEADLINE = 60.0
SECRETS = (PASSWORD, USERNAME, EMAIL, KEY, "acc3ss", "r3fresh")

# Asks when all of its kind are ready, and prints how many events there are.
WORKER = """
import sys
from services.curated.acled.api import AcledApi, EventQuery

print("ready", flush=True)
sys.stdin.readline()
print(AcledApi(lambda: None).count(EventQuery()).total)
"""


@pytest.fixture
def acled() -> Acled:
    return Acled(events(3))


@pytest.fixture
def server(acled: Acled) -> Iterator[ScriptedServer]:
    with acled_server(acled) as server:
        yield server


def settings(server: ScriptedServer, ledger_url: str) -> dict[str, str]:
    return {
        "DATABASE_URL": ledger_url,
        "GEOFORGE_ALLOWED_HOSTS": "127.0.0.1",
        "ACLED_URL": server.url,
        "ACLED_USERNAME": USERNAME,
        "ACLED_PASSWORD": PASSWORD,
        "ACLED_EMAIL": EMAIL,
        "ACLED_API_KEY": KEY,
        "ACLED_REQUESTS_PER_MINUTE": "60000",
    }


@pytest.fixture(autouse=True)
def _app(
    server: ScriptedServer,
    ledger: Connection,
    ledger_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    monkeypatch.setattr(transport, "_PAUSES_SECONDS", (0.01, 0.02, 0.04))
    ledger.execute("TRUNCATE app.source_tokens, app.request_pace")
    with app_settings(**settings(server, ledger_url)):
        yield


def proceed() -> None:
    """A check that lets everything go on."""


def count() -> int | None:
    return AcledApi(proceed).count(EventQuery()).total


def as_another_worker() -> int | None:
    """Ask as a worker would that knows no more than what lies in the database."""
    access._known.clear()
    return count()


def no_secret_in(*shown: object) -> None:
    for secret in SECRETS:
        assert secret not in " ".join(map(str, shown))


def refusal() -> AcledRefused:
    with pytest.raises(AcledRefused) as caught:
        count()
    error = caught.value
    no_secret_in(error.as_record(), repr(error), *traceback.format_exception(error))
    # Those that it stems from would hold on to the request, with its form and its token.
    assert error.__context__ is None
    return error


def test_one_logs_in_and_shows_the_token(acled: Acled, server: ScriptedServer) -> None:
    assert count() == 3
    [login] = server.asked_for(TOKEN_PATH)
    assert (login.method, login.query) == ("POST", {})
    assert login.form == {
        "grant_type": "password",
        "client_id": "acled",
        "username": USERNAME,
        "password": PASSWORD,
    }
    [asked] = server.asked_for(EVENTS_PATH)
    assert asked.headers["authorization"] == "Bearer acc3ss-0"
    no_secret_in(asked.query)
    assert count() == as_another_worker() == 3
    assert acled.grants == ["password"]


def test_the_threads_of_a_process_log_in_once(acled: Acled) -> None:
    with ThreadPoolExecutor(12) as threads:
        assert list(threads.map(lambda _: count(), range(24))) == [3] * 24
    assert acled.grants == ["password"]


def test_processes_log_in_once(acled: Acled, server: ScriptedServer, ledger_url: str) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER],
            cwd=CHECKOUT,
            env={**os.environ, **settings(server, ledger_url)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    assert [worker.communicate(timeout=DEADLINE)[0] for worker in workers] == ["3\n"] * 3
    assert acled.grants == ["password"]


def test_while_one_waits_to_try_again_another_may_log_in(
    acled: Acled, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause, wait = 70.0, request_pace.wait
    monkeypatch.setattr(transport, "_PAUSES_SECONDS", (pause,))
    with ThreadPoolExecutor(1) as another:

        def let_another_ask(seconds: float, check: Callable[[], None]) -> None:
            if seconds != pause:
                return wait(seconds, check)
            assert another.submit(count).result(timeout=DEADLINE) == 3
            return None

        monkeypatch.setattr(request_pace, "wait", let_another_ask)
        acled.login_faults = [Reply(503)]
        assert count() == 3
    assert acled.grants == ["password"]


def test_who_waits_for_another_to_renew_opens_what_is_stored_once(
    acled: Acled, ledger: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    count()
    acled.revoke()
    [row] = ledger.execute("SELECT account FROM app.source_tokens").fetchall()
    monkeypatch.setattr(access, "_TURN_SECONDS", 0.01)
    opened, has_looked = [], threading.Semaphore(0)
    unseal, try_turn = sealing.unseal, source_token_repository.try_turn

    def opening(sealed: bytes, secret: SecretStr, purpose: str) -> bytes | None:
        opened.append(sealed)
        return unseal(sealed, secret, purpose)

    def trying(*turn: Any) -> bool:
        has_looked.release()
        return try_turn(*turn)

    with ThreadPoolExecutor(1) as waiting:
        with ledger.transaction():
            assert try_turn(ledger, "acled", row["account"])
            monkeypatch.setattr(sealing, "unseal", opening)
            monkeypatch.setattr(source_token_repository, "try_turn", trying)
            found = waiting.submit(count)
            assert all(has_looked.acquire(timeout=DEADLINE) for _ in range(5))
        assert found.result(timeout=DEADLINE) == 3
    assert len(opened) == 1
    assert acled.grants == ["password", "refresh_token"]


def test_a_login_that_hangs_is_given_up_soon(
    acled: Acled, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "_TIMEOUTS", Timeouts(read=0.2, total=0.3))
    is_over = threading.Event()

    def hang_once(asked: Asked) -> Reply:
        if len(server.asked) == 1:
            is_over.wait(2 * DEADLINE)
        return acled.answer(asked)

    monkeypatch.setattr(server, "answer", hang_once)
    began = time.monotonic()
    try:
        assert count() == 3
    finally:
        is_over.set()
    assert time.monotonic() - began < DEADLINE


def test_nothing_of_the_account_can_be_read_in_the_database(ledger: Connection) -> None:
    count()
    [row] = ledger.execute("SELECT * FROM app.source_tokens").fetchall()
    assert row["service"] == "acled"
    for secret in SECRETS:
        assert secret.encode() not in row["sealed"]
        assert secret not in row["account"]


def test_after_a_change_of_the_password_one_logs_in_anew(
    acled: Acled, monkeypatch: pytest.MonkeyPatch
) -> None:
    count()
    acled.password = "an0ther"
    monkeypatch.setenv("ACLED_PASSWORD", "an0ther\n")
    get_settings.cache_clear()
    assert as_another_worker() == 3
    # Not by the refresh token of before, which the new password cannot open.
    assert acled.grants == ["password", "password"]


def test_a_token_that_is_refused_is_renewed_by_its_refresh_token(
    acled: Acled, server: ScriptedServer
) -> None:
    count()
    acled.revoke()
    assert count() == 3
    assert acled.grants == ["password", "refresh_token"]
    assert [each.headers["authorization"] for each in server.asked_for(EVENTS_PATH)] == [
        "Bearer acc3ss-0",
        "Bearer acc3ss-0",
        "Bearer acc3ss-1",
    ]
    assert server.asked_for(TOKEN_PATH)[1].form == {
        "grant_type": "refresh_token",
        "refresh_token": "r3fresh-0",
        "client_id": "acled",
    }


def test_a_token_that_another_worker_has_renewed_is_taken(acled: Acled) -> None:
    count()
    known = dict(access._known)
    acled.revoke()
    as_another_worker()
    access._known.update(known)
    assert count() == 3
    assert acled.grants == ["password", "refresh_token"]


def test_threads_whose_token_is_refused_renew_it_once(acled: Acled) -> None:
    count()
    acled.revoke()
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda _: count(), range(16))) == [3] * 16
    assert acled.grants == ["password", "refresh_token"]


def test_a_refresh_token_that_is_refused_falls_back_to_the_password(acled: Acled) -> None:
    count()
    acled.revoke()
    acled.refreshing.clear()
    assert count() == 3
    assert acled.grants == ["password", "refresh_token", "password"]


def test_a_token_is_renewed_before_it_expires(acled: Acled, ledger: Connection) -> None:
    count()
    ledger.execute(
        "UPDATE app.source_tokens SET expires_at = clock_timestamp() + interval '4 min',"
        " renewed_at = clock_timestamp() - interval '1 day'"
    )
    assert as_another_worker() == 3
    assert acled.grants == ["password", "refresh_token"]


def test_a_token_of_a_short_life_is_used_for_most_of_it(acled: Acled) -> None:
    acled.life_seconds = 3
    count()
    acled.life_seconds = 86_400
    # The process renews it by itself when its time is up.
    until = time.monotonic() + DEADLINE
    while acled.grants == ["password"] and time.monotonic() < until:
        count()
        time.sleep(0.05)
    assert acled.grants == ["password", "refresh_token"]


def test_wrong_credentials_are_said(acled: Acled, server: ScriptedServer) -> None:
    acled.password = "an0ther"
    error = refusal()
    assert error.error_code == "acled_unauthorized"
    assert error.message == (
        "ACLED refused to log in with ACLED_USERNAME and ACLED_PASSWORD (400). "
        'ACLED says: "Not so, ***. invalid_grant"'
    )
    # Not again and again: that would lock the account.
    assert len(server.asked_for(TOKEN_PATH)) == 1


def test_what_acled_says_twice_is_said_once(acled: Acled) -> None:
    sentence = "The user credentials were incorrect."
    said = {"message": sentence, "error_description": sentence, "error": "invalid_grant"}
    acled.login_faults = [reply(said, status=400)]
    assert refusal().message.endswith(f'ACLED says: "{sentence} invalid_grant"')


@pytest.mark.parametrize("before", [280, 290, 295, 299])
def test_no_part_of_a_secret_is_shown_where_words_are_cut(acled: Acled, before: int) -> None:
    said = "x" * before + PASSWORD + " is wrong"
    acled.login_faults = [reply({"message": said}, status=400)]
    assert refusal().message.split('"')[1] == ("x" * before + "*** is wrong")[:300]


@pytest.mark.parametrize(
    "secret",
    [
        html.escape(PASSWORD),
        quote_plus(PASSWORD),
        quote_plus(USERNAME),
        quote_plus(PASSWORD).swapcase(),
    ],
)
def test_no_secret_is_shown_in_other_words(acled: Acled, secret: str) -> None:
    acled.login_faults = [reply({"message": f"No {secret} here."}, status=400)]
    assert refusal().message.endswith('ACLED says: "No *** here."')


def test_an_account_that_may_not_log_in_is_said(acled: Acled) -> None:
    acled.login_faults = [reply({"message": "Blocked."}, status=403)]
    error = refusal()
    assert error.error_code == "acled_forbidden"
    assert error.message.endswith('log in (403). ACLED says: "Blocked."')


@pytest.mark.parametrize(
    "answer",
    [
        {"token_type": "Bearer"},
        {"access_token": ""},
        {"access_token": 7},
        {"access_token": "a\nb: c"},
    ],
)
def test_a_login_without_a_usable_token_is_said(acled: Acled, answer: object) -> None:
    acled.login_faults = [reply(answer)]
    assert refusal().error_code == "acled_bad_answer"


@pytest.mark.parametrize("life", [None, "soon", -5, "3600"])
def test_a_login_need_not_say_how_long_it_serves(acled: Acled, life: object) -> None:
    acled.valid.add("acc3ss-x")
    acled.login_faults = [reply({"access_token": "acc3ss-x", "expires_in": life})]
    assert count() == as_another_worker() == 3
    assert acled.grants == []


def test_a_token_that_is_refused_at_once_is_given_up(acled: Acled) -> None:
    acled.refuses_all = True
    error = refusal()
    assert error.error_code == "acled_unauthorized"
    assert error.message == (
        "ACLED does not accept the account of ACLED_USERNAME and ACLED_PASSWORD (401). "
        'ACLED says: "The token *** is not valid."'
    )
    assert acled.grants == ["password", "refresh_token"]


def test_a_login_is_tried_again_while_acled_is_down(acled: Acled) -> None:
    acled.login_faults = [Reply(503), Reply(200, b"<html>"), reply({}, status=500)]
    assert count() == 3
    assert acled.grants == ["password"]


def test_credentials_are_sent_along_no_redirect(acled: Acled) -> None:
    with acled_server(Acled()) as elsewhere:
        away = {"location": f"{elsewhere.url}{TOKEN_PATH}"}
        acled.login_faults = [Reply(307, headers=away)]
        assert refusal().error_code == "acled_refused"
        away = {"location": f"{elsewhere.url}{EVENTS_PATH}"}
        acled.faults = [Reply(302, headers=away)]
        assert refusal().error_code == "acled_refused"
        assert elsewhere.asked == []


@pytest.mark.parametrize("setting", ["ACLED_USERNAME", "ACLED_PASSWORD"])
def test_a_missing_setting_is_named(
    setting: str, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(setting, "")
    get_settings.cache_clear()
    with pytest.raises(PermanentTaskError, match=f"^{setting} is not set") as caught:
        count()
    assert caught.value.error_code == "credentials_missing"
    assert server.asked == []


def test_by_the_older_scheme_key_and_address_go_with_every_request(
    acled: Acled,
    server: ScriptedServer,
    ledger: Connection,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("ACLED_AUTH", "key")
    get_settings.cache_clear()
    assert access.needed() == ("ACLED_EMAIL", "ACLED_API_KEY")
    assert count() == 3
    [asked] = server.asked
    assert asked.path == "/acled/read"
    assert (asked.query["key"], asked.query["email"]) == (KEY, EMAIL)
    assert "authorization" not in asked.headers
    assert ledger.execute("SELECT FROM app.source_tokens").fetchall() == []
    # Nothing that goes wrong repeats them.
    acled.faults = [Reply(200, b"[" * 100_000), Reply(500)]
    assert count() == 3
    monkeypatch.setenv("ACLED_API_KEY", "wr0ng-key")
    get_settings.cache_clear()
    error = refusal()
    assert error.error_code == "acled_unauthorized"
    assert 'of ACLED_EMAIL and ACLED_API_KEY (401). ACLED says: "No user *** with ***"' in str(
        error
    )
    no_secret_in(caplog.text)
    assert "wr0ng-key" not in caplog.text


def test_no_secret_is_in_the_log(acled: Acled, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    acled.faults = [Reply(503), reply({"status": "500"}), None]
    count()
    acled.revoke()
    count()
    assert "ACLED is asked again" in caplog.text
    no_secret_in(caplog.text)


def test_an_error_holds_on_to_no_request(acled: Acled) -> None:
    acled.login_faults = [Reply(503)] * 4
    with pytest.raises(transport.AcledUnavailable) as caught:
        count()
    assert caught.value.__context__ is None
    no_secret_in(caught.value.as_record())
