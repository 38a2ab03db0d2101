"""How requests show ACLED who asks.

Since September 2025 an account logs in with its address and password, and gets an access token
for a day and a refresh token for two weeks::

    POST /oauth/token  username=...&password=...&grant_type=password&client_id=acled
    {"access_token": "...", "expires_in": 86400, "refresh_token": "..."}

All workers share one token: it lies sealed in app.source_tokens, is renewed by one of them at a
time, and the others take what that one has stored. The older scheme, key and address as
parameters of every request, needs no token.

Access goes to ACLED_URL and nowhere else, and into no message.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
import threading
import time
import urllib.parse
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from pydantic import SecretStr

from config import get_settings
from infrastructure import database, request_pace, source_token_repository
from infrastructure.faults import redact
from infrastructure.source_client import Timeouts
from services.curated import credentials, sealing
from services.curated.acled.transport import SERVICE, AcledRefused, Answer, Transport

USERNAME_SETTING = "ACLED_USERNAME"
PASSWORD_SETTING = "ACLED_PASSWORD"
EMAIL_SETTING = "ACLED_EMAIL"
KEY_SETTING = "ACLED_API_KEY"

_TOKEN_PATH = "/oauth/token"
_CLIENT = "acled"
# A login is short, and holds a connection to the database.
_TIMEOUTS = Timeouts(read=20.0, total=30.0)
# A token is renewed so long before it expires, or in the last tenth of its life.
_EARLY_SECONDS = 300.0
_DEFAULT_LIFE_SECONDS = 3600.0
_LONGEST_LIFE_SECONDS = 30 * 86_400.0
# Until one looks again whether another worker has renewed the token.
_TURN_SECONDS = 0.2
# Of ACLED's words on an error: what is looked through, and what is shown.
_READ_WORDS = 10_000
_MAX_WORDS = 300


@dataclass(frozen=True, slots=True)
class Shown:
    """What a request carries for ACLED to know who asks."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: Mapping[str, str] = field(default_factory=dict, repr=False)


class Access(ABC):
    """A scheme of access. `prefix` is what the paths of the API begin with; `settings` name the
    account's credentials."""

    prefix: str
    settings: tuple[str, ...]

    @abstractmethod
    def show(self) -> Shown:
        """What opens the API now. Raises `AcledRefused` (acled_unauthorized, acled_forbidden),
        `AcledUnavailable` and `PermanentTaskError` (credentials_missing)."""

    @abstractmethod
    def renew(self, refused: Shown) -> Shown | None:
        """What opens the API in place of what it has refused (401); None if there is nothing
        else. Raises as `show` does."""

    def quote(self, answer: Answer) -> str:
        """A sentence with ACLED's own words on an error, without what they repeat of ours; "" where
        it says nothing."""
        words = answer.words()
        if not words:
            return ""
        # Before anything is cut: a part of a secret could not be told any more.
        words = redact(_without(self._secrets(), words)[:_READ_WORDS])
        return f' ACLED says: "{words[:_MAX_WORDS]}"'

    @abstractmethod
    def _secrets(self) -> Collection[str]:
        """What nobody may see."""


def _without(secrets: Iterable[str], words: str) -> str:
    """The words without the secrets, as they are and as a page, an address or JSON writes them."""
    forms = {
        form
        for secret in secrets
        for form in (
            secret,
            html.escape(secret),
            html.escape(secret, quote=False),
            urllib.parse.quote(secret, safe=""),
            urllib.parse.quote_plus(secret),
            json.dumps(secret)[1:-1],
        )
    }
    # The longest first: one may begin with another.
    ordered = sorted(forms, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, ordered)), "***", words, flags=re.IGNORECASE)


def access(transport: Transport) -> Access:
    """The scheme that ACLED_AUTH names."""
    return KeyAccess() if get_settings().acled_auth == "key" else OauthAccess(transport)


def needed() -> tuple[str, ...]:
    """The settings that hold the credentials of the scheme that ACLED_AUTH names."""
    return KeyAccess.settings if get_settings().acled_auth == "key" else OauthAccess.settings


class KeyAccess(Access):
    """The older scheme: key and e-mail address are parameters of every request."""

    prefix = ""
    settings = (EMAIL_SETTING, KEY_SETTING)

    def show(self) -> Shown:
        return Shown(
            params={
                "key": credentials.secret(KEY_SETTING).get_secret_value(),
                "email": credentials.secret(EMAIL_SETTING).get_secret_value(),
            }
        )

    def renew(self, refused: Shown) -> Shown | None:  # noqa: ARG002  # there is one key only
        return None

    def _secrets(self) -> Collection[str]:
        return self.show().params.values()


@dataclass(frozen=True, slots=True)
class _Token:
    """A token as this process knows it. `good_until` is by time.monotonic()."""

    access: str = field(repr=False)
    refresh: str | None = field(repr=False)
    good_until: float

    @property
    def is_good(self) -> bool:
        return time.monotonic() < self.good_until


@dataclass(frozen=True, slots=True)
class _Account:
    """Where an account logs in, and with what. `name` tells it from others in the database,
    and says nothing of it."""

    username: SecretStr
    password: SecretStr
    name: str

    @classmethod
    def of_settings(cls) -> _Account:
        username = credentials.secret(USERNAME_SETTING)
        password = credentials.secret(PASSWORD_SETTING)
        whole = f"{get_settings().acled_url}\n{username.get_secret_value()}"
        return cls(username, password, hashlib.sha256(whole.encode()).hexdigest()[:32])


# By account, password included: what this process knows, and who looks for more at the moment,
# so that the threads of a process do not all wait for the database.
_known: dict[_Account, _Token] = {}
_searching = threading.Lock()


class OauthAccess(Access):
    """An access token, which is shared by all workers."""

    prefix = "/api"
    settings = (USERNAME_SETTING, PASSWORD_SETTING)

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        # All that was shown, or might have been: others may have renewed it meanwhile.
        self._held: set[str] = set()

    def show(self) -> Shown:
        return _bearer(self._token(refused=None))

    def renew(self, refused: Shown) -> Shown | None:
        return _bearer(self._token(refused.headers["authorization"].removeprefix("Bearer ")))

    def _secrets(self) -> Collection[str]:
        account = _Account.of_settings()
        return {
            account.password.get_secret_value(),
            account.username.get_secret_value(),
            *self._held,
        }

    def _token(self, refused: str | None) -> _Token:
        """The token in force, other than the one that was refused: the one that this process
        knows, the one that another worker has stored, or a new one."""
        account = _Account.of_settings()
        known = _known.get(account)
        if not _serves(known, refused):
            known = self._transport.patiently(lambda: self._searched(account, refused))
        self._hold(known)
        return known

    def _hold(self, token: _Token) -> None:
        self._held.update(text for text in (token.access, token.refresh) if text)

    def _searched(self, account: _Account, refused: str | None) -> _Token:
        """One search for a token. Others search while this one waits to search again."""
        with _alone(self._transport.check):
            if not _serves(known := _known.get(account), refused):
                known = self._stored_or_new(account, refused)
                _known[account] = known
            return known

    def _stored_or_new(self, account: _Account, refused: str | None) -> _Token:
        has_paced, shared = False, _Shared(account)
        while True:
            with database.transaction() as connection:
                stored = shared.token(connection)
            if _serves(stored, refused):
                return stored
            if not has_paced:
                # Before the turn, which is held in a transaction.
                self._transport.pace()
                has_paced = True
            with database.transaction() as connection:
                if source_token_repository.try_turn(connection, SERVICE, account.name):
                    stored = shared.token(connection)
                    if _serves(stored, refused):
                        return stored
                    return self._granted(connection, account, stored)
            request_pace.wait(_TURN_SECONDS, self._transport.check)

    def _granted(
        self, connection: database.Connection, account: _Account, stored: _Token | None
    ) -> _Token:
        """A new token: by the refresh token of the one before, or else by the password."""
        answer = None
        if stored is not None and stored.refresh is not None:
            self._hold(stored)
            form = {"grant_type": "refresh_token", "refresh_token": stored.refresh}
            answer = self._ask(form)
        if answer is None or answer.status != 200:
            form = {
                "grant_type": "password",
                "username": account.username.get_secret_value(),
                "password": account.password.get_secret_value(),
            }
            answer = self._ask(form)
        if answer.status != 200:
            raise self._refusal(answer)
        token, life_seconds = _parsed(answer)
        content = json.dumps({"access": token.access, "refresh": token.refresh}).encode()
        sealed = sealing.seal(content, account.password, _purpose(account))
        source_token_repository.store(connection, SERVICE, account.name, sealed, life_seconds)
        return token

    def _ask(self, form: Mapping[str, str]) -> Answer:
        form = {**form, "client_id": _CLIENT}
        return self._transport.once("POST", _TOKEN_PATH, form=form, timeouts=_TIMEOUTS)

    def _refusal(self, answer: Answer) -> AcledRefused:
        said = self.quote(answer)
        if answer.status == 403:
            return AcledRefused(
                f"ACLED does not let the account of {USERNAME_SETTING} log in (403).{said}",
                code="acled_forbidden",
            )
        return AcledRefused(
            f"ACLED refused to log in with {USERNAME_SETTING} and {PASSWORD_SETTING} "
            f"({answer.status}).{said}",
            code="acled_unauthorized",
        )


def _bearer(token: _Token) -> Shown:
    return Shown(headers={"authorization": f"Bearer {token.access}"})


@contextmanager
def _alone(check: Callable[[], None]) -> Iterator[None]:
    """Wait until no other thread of this process looks for a token."""
    while not _searching.acquire(timeout=_TURN_SECONDS):
        check()
    try:
        yield
    finally:
        _searching.release()


def _serves(token: _Token | None, refused: str | None) -> TypeGuard[_Token]:
    return token is not None and token.is_good and token.access != refused


class _Shared:
    """The token that the workers share. To open it takes as long as to guess at its key: what lies
    there is opened once, however often one looks."""

    def __init__(self, account: _Account) -> None:
        self._account = account
        self._sealed: bytes | None = None
        self._content: dict[str, Any] | None = None

    def token(self, connection: database.Connection) -> _Token | None:
        """The token, good or not; None where there is none, or it was sealed with another
        password."""
        row = source_token_repository.find(connection, SERVICE, self._account.name)
        if row is None:
            return None
        if row.sealed != self._sealed:
            opened = sealing.unseal(row.sealed, self._account.password, _purpose(self._account))
            self._sealed = row.sealed
            self._content = None if opened is None else json.loads(opened)
        if self._content is None:
            return None
        good_until = _good_until(row.left_seconds, row.life_seconds)
        return _Token(self._content["access"], self._content["refresh"], good_until)


def _parsed(answer: Answer) -> tuple[_Token, float]:
    """The token that was granted, and its life in seconds. Raises `AcledRefused`
    (acled_bad_answer)."""
    granted, refresh = answer.body.get("access_token"), answer.body.get("refresh_token")
    if not _is_token(granted):
        raise AcledRefused(
            "ACLED's answer to the login has no access token in it.", code="acled_bad_answer"
        )
    try:
        life = float(answer.body.get("expires_in", _DEFAULT_LIFE_SECONDS))
    except (TypeError, ValueError):
        life = _DEFAULT_LIFE_SECONDS
    life = min(life, _LONGEST_LIFE_SECONDS) if life > 0 else _DEFAULT_LIFE_SECONDS
    token = _Token(granted, refresh if _is_token(refresh) else None, _good_until(life, life))
    return token, life


def _good_until(left_seconds: float, life_seconds: float) -> float:
    """Until when a token is used, by time.monotonic()."""
    return time.monotonic() + left_seconds - min(_EARLY_SECONDS, life_seconds / 10)


def _is_token(value: object) -> TypeGuard[str]:
    """Whether it can go into a header."""
    return isinstance(value, str) and re.fullmatch(r"[!-~]{1,8192}", value) is not None


def _purpose(account: _Account) -> str:
    return f"{SERVICE}:{account.name}"
