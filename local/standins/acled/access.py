"""Who may read: the account, its tokens (OAuth 2), and its key of the older scheme."""

from __future__ import annotations

import calendar
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from local.standins.acled.clock import Clock

CLIENT = "acled"

TWO_WEEKS = 14 * 86_400


class Refusal(Exception):
    """An answer other than what was asked for: its status and its body."""

    def __init__(self, status: int, body: Mapping[str, object]) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body


@dataclass(frozen=True, slots=True)
class Account:
    """An account of ACLED.

    `terms_accepted` and `may_read`, the tier, decide whether it gets data; `embargo_months` is how
    old events must be for it to see them.
    """

    username: str = "reader@example.org"
    password: str = "standin-password"
    key: str = "standin-key"
    terms_accepted: bool = True
    may_read: bool = True
    embargo_months: int | None = None


class Access:
    """Hands tokens out and knows which are good.

    `expires_in` is how many seconds an access token is good for. A refresh token is used once;
    then it and the access token that came with it are good no more, as OAuth servers have it.
    """

    def __init__(self, account: Account, clock: Clock, expires_in: int = 86_400) -> None:
        self.account = account
        self.expires_in = expires_in
        self.logins = 0
        self.refreshes = 0
        self._clock = clock
        self._lock = threading.Lock()
        self._good_until: dict[str, float] = {}
        self._refresh: dict[str, tuple[str, float]] = {}

    def change(self, **of_account: object) -> None:
        """Change the account: Account's fields."""
        self.account = replace(self.account, **of_account)  # type: ignore[arg-type]

    def sees_until(self) -> date | None:
        """The newest day whose events the account may see; None without an embargo."""
        months = self.account.embargo_months
        if months is None:
            return None
        today = self._clock.today()
        year, month = divmod(today.year * 12 + today.month - 1 - months, 12)
        day = min(today.day, calendar.monthrange(year, month + 1)[1])
        return date(year, month + 1, day)

    def token(self, form: Mapping[str, str]) -> dict[str, object]:
        """Answer a request for a token. Raises Refusal as RFC 6749 has it (section 5.2)."""
        if form.get("client_id") != CLIENT:
            raise _oauth(401, "invalid_client", "Client authentication failed")
        match form.get("grant_type"):
            case "password":
                return self._log_in(form)
            case "refresh_token":
                return self._renew(form.get("refresh_token", ""))
            case _:
                raise _oauth(
                    *(400, "unsupported_grant_type"),
                    "The authorization grant type is not supported by the authorization server.",
                )

    def check(self, authorization: str | None) -> None:
        """Let a request with an access token pass. Raises Refusal: 401, 403."""
        scheme, _, token = (authorization or "").partition(" ")
        with self._lock:
            good_until = self._good_until.get(token, 0.0)
        if scheme != "Bearer" or good_until <= self._clock.now().timestamp():
            raise Refusal(
                401,
                {
                    "error": "access_denied",
                    "message": "The resource owner or authorization server denied the request.",
                },
            )
        self._check_account()

    def check_key(self, key: str | None, email: str | None) -> None:
        """Let a request of the older scheme pass. Raises Refusal: 403."""
        if (key, email) != (self.account.key, self.account.username):
            raise Refusal(
                403,
                {
                    "status": 403,
                    "success": False,
                    "error": [{"status": 403, "message": "Access key or email is not valid."}],
                },
            )
        self._check_account()

    def revoke(self, *, refresh_tokens: bool = False) -> None:
        """Let no access token be good any more; with `refresh_tokens` none of those either."""
        with self._lock:
            self._good_until.clear()
            if refresh_tokens:
                self._refresh.clear()

    def _check_account(self) -> None:
        if not self.account.terms_accepted:
            raise Refusal(
                403,
                {"message": "Consent to the Terms and Conditions is required to access data."},
            )
        if not self.account.may_read:
            raise Refusal(403, {"message": "Access denied: your access level has no API access."})

    def _log_in(self, form: Mapping[str, str]) -> dict[str, object]:
        offered = form.get("username"), form.get("password")
        if None in offered:
            raise _oauth(400, "invalid_request", "The request is missing a required parameter.")
        if offered != (self.account.username, self.account.password):
            raise _oauth(400, "invalid_grant", "The user credentials were incorrect.")
        with self._lock:
            self.logins += 1
            return self._issue()

    def _renew(self, refresh_token: str) -> dict[str, object]:
        with self._lock:
            access, good_until = self._refresh.pop(refresh_token, ("", 0.0))
            if good_until <= self._clock.now().timestamp():
                raise _oauth(401, "invalid_request", "The refresh token is invalid.")
            self._good_until.pop(access, None)
            self.refreshes += 1
            return self._issue()

    def _issue(self) -> dict[str, object]:
        now = self._clock.now().timestamp()
        access, refresh = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self._good_until[access] = now + self.expires_in
        self._refresh[refresh] = access, now + TWO_WEEKS
        return {
            "token_type": "Bearer",
            "expires_in": self.expires_in,
            "access_token": access,
            "refresh_token": refresh,
        }


def _oauth(status: int, error: str, description: str) -> Refusal:
    return Refusal(
        status, {"error": error, "error_description": description, "message": description}
    )
