"""Requests to ACLED: at the pace that all workers share, and again while it is busy or down.

ACLED says most errors by the status of HTTP, and some in an answer with 200 whose body names
another status, or `success: false`; both are the `status` of an `Answer`. What goes wrong in
passing (408, 425, 429, 5xx, a broken connection, a body that is cut off or is no JSON) is asked
again after 10, 20 and 40 seconds, or as much later as ACLED's Retry-After says, up to a quarter of
an hour. After a 429 it is all workers that wait so long, also after the last one.

Addresses are those of ACLED_URL, redirects are not followed, and no error holds a query or a
header.
"""

from __future__ import annotations

import email.utils
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import orjson

from config import get_settings
from core.errors import PermanentTaskError, TransientTaskError
from infrastructure import request_pace
from infrastructure.source_client import (
    SourceRefused,
    SourceResponse,
    SourceUnavailable,
    Timeouts,
    source_client,
)

log = logging.getLogger(__name__)

SERVICE = "acled"

# Statuses that the callers make sense of; 2xx is an answer, all others are errors here.
REFUSALS = frozenset({400, 401, 403})
_PASSING = frozenset({408, 425, 429})
_BUSY = 429

_TIMEOUTS = Timeouts(read=120.0, total=900.0)
_ANSWER_BYTES = 64 << 20
# Before a request goes out again, unless ACLED names a longer time.
_PAUSES_SECONDS = (10.0, 20.0, 40.0)
# A wait that is shown: not the ones of a second or so that the pace is made of.
_LONG_WAIT_SECONDS = 5.0

Result = TypeVar("Result")


class AcledRefused(PermanentTaskError):
    """ACLED does not do what it is asked for; again would be no better. Its codes:
    acled_unauthorized, acled_forbidden, acled_bad_request, acled_bad_answer."""

    code = "acled_refused"


class AcledUnavailable(TransientTaskError):
    """ACLED cannot be read at the moment."""

    code = "acled_unavailable"


@dataclass(frozen=True, slots=True)
class Answer:
    """What ACLED says: 200, or one of `REFUSALS`. `server_time` is ACLED's own, or ours where it
    does not say."""

    status: int
    body: dict[str, Any]
    server_time: datetime

    def words(self) -> str:
        """All that ACLED says of an error, in its own words and each sentence once; "" where it
        says nothing. It may repeat what it was sent: it is shown only by `access.Access.quote`."""
        # A login that is refused has one sentence as message and as error_description.
        return " ".join(dict.fromkeys(_texts(self.body)))


class Transport:
    """Sends requests. `check` is called while it waits and reads, and may raise; `progress` is
    told `requests`, those that were sent by now, and `waiting_for_acled` where it takes long."""

    def __init__(
        self, check: Callable[[], None], progress: Callable[..., None] | None = None
    ) -> None:
        self.check = check
        self._requests = 0
        self._progress = progress or _show_nothing

    def send(
        self,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Answer:
        """Get what is at a path. Raises `AcledUnavailable` and `AcledRefused`."""
        return self.patiently(lambda: self._next(path, headers or {}, params or {}))

    def patiently(self, attempt: Callable[[], Result]) -> Result:
        """Do what sends a request with `once`, and do it again while ACLED is busy or down.

        Raises `AcledUnavailable` when it stays so, and `AcledRefused`.
        """
        for pause in (*_PAUSES_SECONDS, None):
            # Errors are raised behind the except blocks: the ones that they stem from hold on to
            # the request, with all that is secret in it.
            refused: AcledRefused | None = None
            try:
                return attempt()
            except SourceRefused as error:
                refused = AcledRefused(f"ACLED could not be asked: {error.message}")
            except SourceUnavailable as error:
                message, details = error.message, dict(error.details)
            if refused is not None:
                raise refused
            asked_to = min(
                details.get("retry_after_seconds", 0.0), request_pace.LONGEST_HOLD_SECONDS
            )
            seconds = max(_PAUSES_SECONDS[-1] if pause is None else pause, asked_to)
            is_busy = details.get("status") == _BUSY
            if is_busy:
                # The last time as well: others are about to ask.
                request_pace.hold_back(SERVICE, seconds)
            if pause is None:
                break
            log.info("ACLED is asked again: %s", message)
            if not is_busy:
                with self._showing_waits() as show:
                    show(datetime.now(UTC) + timedelta(seconds=seconds), seconds)
                    request_pace.wait(seconds, self.check)
        raise AcledUnavailable(f"ACLED does not answer as it should: {message}", **details)

    def pace(self) -> None:
        """Wait for the turn to send a request."""
        per_minute = get_settings().acled_requests_per_minute
        with self._showing_waits() as show:
            request_pace.pace(SERVICE, per_minute, self.check, show)

    @contextmanager
    def _showing_waits(self) -> Iterator[Callable[[datetime, float], None]]:
        """A function that shows until when one waits, if it is long. What it has shown goes when
        the wait is over."""
        is_shown = False

        def show(until: datetime, seconds: float) -> None:
            nonlocal is_shown
            if seconds >= _LONG_WAIT_SECONDS:
                is_shown = True
                self._progress(waiting_for_acled=f"until {until.astimezone(UTC):%H:%M:%S} UTC")

        try:
            yield show
        finally:
            if is_shown:
                self._progress(waiting_for_acled="no")

    def once(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        timeouts: Timeouts = _TIMEOUTS,
    ) -> Answer:
        """Send one request, now. Raises `SourceUnavailable` and `SourceRefused`."""
        self._requests += 1
        self._progress(requests=self._requests)
        wanted = {"accept": "application/json", "accept-encoding": "gzip", **(headers or {})}
        with source_client(timeouts).stream(
            method,
            get_settings().acled_url + path,
            headers=wanted,
            params=params,
            form=form,
            limit_bytes=_ANSWER_BYTES,
            redirects=0,
            statuses=REFUSALS,
        ) as response:
            return self._answer(response)

    def _next(self, path: str, headers: Mapping[str, str], params: Mapping[str, str]) -> Answer:
        self.pace()
        return self.once("GET", path, headers=headers, params=params)

    def _answer(self, response: SourceResponse) -> Answer:
        status, data = response.status, bytearray()
        for part in response.iter_bytes():
            self.check()
            data += part
        body = _json(data)
        if status in REFUSALS:
            # A proxy's page is as good as no words.
            return Answer(status, body if isinstance(body, dict) else {}, _time(response))
        if not isinstance(body, dict):
            kind = response.headers.get("content-type", "an unnamed type")[:80]
            raise SourceUnavailable(f"{response.address} answered with {kind} that is no object.")
        answer = Answer(_status(body), body, _time(response))
        if answer.status in _PASSING or answer.status >= 500:
            raise SourceUnavailable(
                f"{response.address} answered {answer.status}.", status=answer.status
            )
        return answer


def _show_nothing(**figures: object) -> None:
    """Progress for nobody to see."""


def _json(data: bytearray) -> Any:
    """The body, None where it is no JSON."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None


def _status(body: dict[str, Any]) -> int:
    """The status that a body names, as a number or a text: 0, like no status at all, says
    nothing. What is no success and no status that we know counts as a bad request."""
    try:
        status = int(body.get("status") or 200)
    except (TypeError, ValueError):
        status = 200
    if 200 <= status < 300 and body.get("success", True) not in (False, "false", 0):
        return 200
    return status if status in REFUSALS or status in _PASSING or status >= 500 else 400


def _texts(said: Any, depth: int = 0) -> list[str]:
    """The sentences in what ACLED sends along with an error, in the forms that it knows:
    message, messages, error {message} and error_description."""
    if isinstance(said, str):
        return [said.strip()] if said.strip() else []
    if depth == 3:
        return []
    if isinstance(said, list):
        return [text for each in said[:5] for text in _texts(each, depth + 1)]
    if isinstance(said, dict):
        names = ("message", "messages", "error_description", "error")
        return [text for name in names for text in _texts(said.get(name), depth + 1)]
    return []


def _time(response: SourceResponse) -> datetime:
    """The server's time, to the second."""
    try:
        said = email.utils.parsedate_to_datetime(response.headers.get("date", ""))
    except ValueError:
        said = datetime.now(UTC)
    aware = said if said.tzinfo is not None else said.replace(tzinfo=UTC)
    return aware.astimezone(UTC).replace(microsecond=0)
