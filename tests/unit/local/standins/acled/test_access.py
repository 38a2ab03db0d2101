"""Who may read from the stand-in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from local.standins.acled.access import TWO_WEEKS, Access, Account, Refusal
from local.standins.acled.clock import Clock
from local.standins.acled.rate import Rate

ACCOUNT = Account()


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 11, 23, 9, tzinfo=UTC))


@pytest.fixture
def access(clock: Clock) -> Access:
    return Access(ACCOUNT, clock)


def log_in(access: Access, **form: str) -> dict[str, str]:
    right = {
        "grant_type": "password",
        "client_id": "acled",
        "username": ACCOUNT.username,
        "password": ACCOUNT.password,
    }
    return {name: str(value) for name, value in access.token({**right, **form}).items()}


def renew(access: Access, refresh_token: str) -> dict[str, str]:
    return log_in(access, grant_type="refresh_token", refresh_token=refresh_token)


def bearer(token: dict[str, str]) -> str:
    return f"{token['token_type']} {token['access_token']}"


def status(refused: pytest.ExceptionInfo[Refusal]) -> tuple[int, object]:
    return refused.value.status, refused.value.body.get("error")


def test_a_token_is_good_until_it_expires(access: Access, clock: Clock) -> None:
    token = log_in(access)
    assert token["expires_in"] == "86400"
    clock.advance(timedelta(hours=23, minutes=59))
    access.check(bearer(token))
    clock.advance(timedelta(minutes=1))
    with pytest.raises(Refusal) as refused:
        access.check(bearer(token))
    assert refused.value.status == 401


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"password": "wrong"}, (400, "invalid_grant")),
        ({"username": "nobody@example.org"}, (400, "invalid_grant")),
        ({"client_id": "other"}, (401, "invalid_client")),
        ({"grant_type": "magic"}, (400, "unsupported_grant_type")),
        ({"grant_type": "refresh_token"}, (401, "invalid_request")),
    ],
)
def test_a_wrong_request_for_a_token_is_refused(
    access: Access, form: dict[str, str], expected: tuple[int, str]
) -> None:
    with pytest.raises(Refusal) as refused:
        log_in(access, **form)
    assert status(refused) == expected
    assert access.logins == 0


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer guess"])
def test_a_request_without_a_token_is_refused(access: Access, authorization: str | None) -> None:
    log_in(access)
    with pytest.raises(Refusal) as refused:
        access.check(authorization)
    assert refused.value.status == 401


def test_a_refresh_token_serves_once_and_ends_the_token_that_came_with_it(access: Access) -> None:
    first = log_in(access)
    second = renew(access, first["refresh_token"])
    access.check(bearer(second))
    with pytest.raises(Refusal):
        access.check(bearer(first))
    with pytest.raises(Refusal) as refused:
        renew(access, first["refresh_token"])
    assert status(refused) == (401, "invalid_request")
    assert (access.logins, access.refreshes) == (1, 1)


def test_a_refresh_token_lives_two_weeks(access: Access, clock: Clock) -> None:
    first = log_in(access)
    clock.advance(timedelta(seconds=TWO_WEEKS - 1))
    second = renew(access, first["refresh_token"])
    clock.advance(timedelta(seconds=TWO_WEEKS))
    with pytest.raises(Refusal):
        renew(access, second["refresh_token"])


def test_tokens_are_revoked(access: Access) -> None:
    token = log_in(access)
    access.revoke()
    with pytest.raises(Refusal):
        access.check(bearer(token))
    token = renew(access, token["refresh_token"])
    access.revoke(refresh_tokens=True)
    with pytest.raises(Refusal):
        renew(access, token["refresh_token"])


@pytest.mark.parametrize("field", ["terms_accepted", "may_read"])
def test_an_account_without_the_right_gets_no_data(access: Access, field: str) -> None:
    token = log_in(access)
    access.change(**{field: False})
    with pytest.raises(Refusal) as refused:
        access.check(bearer(token))
    assert refused.value.status == 403
    with pytest.raises(Refusal) as refused:
        access.check_key(ACCOUNT.key, ACCOUNT.username)
    assert refused.value.status == 403


def test_the_older_scheme_wants_key_and_address(access: Access) -> None:
    access.check_key(ACCOUNT.key, ACCOUNT.username)
    for key, email in ((ACCOUNT.key, None), (None, ACCOUNT.username), ("guess", ACCOUNT.username)):
        with pytest.raises(Refusal) as refused:
            access.check_key(key, email)
        assert refused.value.status == 403


def test_so_many_requests_pass_within_so_many_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("local.standins.acled.rate.time.monotonic", lambda: now[0])
    rate = Rate(2, seconds=60)
    assert [rate.wait(), rate.wait()] == [None, None]
    now[0] += 17.5
    # What is refused does not count.
    assert [rate.wait(), rate.wait()] == [43, 43]
    now[0] += 43
    assert rate.wait() is None


def test_without_a_limit_all_pass() -> None:
    rate = Rate()
    assert {rate.wait() for _ in range(1000)} == {None}
