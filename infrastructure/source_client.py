"""The one way out: HTTP to addresses that users and data providers name.

::

    with source_client().stream("GET", url, limit_bytes=1 << 30) as response:
        for part in response.iter_bytes():
            ...

Where requests may go is for `infrastructure.source_addresses` to say, at every redirect anew.
Proxies and .netrc of the environment are not used. No message or log has a query string in it:
presigned addresses are passwords. Callers decide about retries, by the class of the error.
"""

from __future__ import annotations

import email.utils
import json
import logging
import ssl
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import httpx

from config import get_settings
from infrastructure import metering, source_addresses
from infrastructure.source_addresses import (
    Resolve,
    SourceRefused,
    SourceUnavailable,
    Target,
    shown,
)

__all__ = [
    "SourceClient",
    "SourceRefused",
    "SourceResponse",
    "SourceUnavailable",
    "Timeouts",
    "source_client",
]

# They write whole addresses into the log.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)

_USER_AGENT = "geoforge"
_MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_PASSING = (408, 425, 429)
_JSON_BYTES = 64 << 20
# What another origin may see of a request: nothing that says who asks.
_HARMLESS_HEADERS = {
    "accept", "accept-encoding", "accept-language", "if-modified-since", "if-none-match",
    "if-range", "range", "user-agent",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: for a connection, between two pieces of an answer, and for all of it."""

    connect: float = 10.0
    read: float = 60.0
    total: float = 7200.0


class SourceResponse:
    """An answer whose body is read once, as a stream. Its status is 2xx or 304, or one that was
    asked for."""

    def __init__(
        self, response: httpx.Response, url: httpx.URL, limit_bytes: int, deadline: float
    ) -> None:
        self._response = response
        self._url = url
        self._limit_bytes = limit_bytes
        self._deadline = deadline

    @property
    def status(self) -> int:
        return self._response.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, by names in any case."""
        return self._response.headers

    @property
    def address(self) -> str:
        """Where the answer came from in the end, without its query."""
        return shown(self._url)

    @property
    def path(self) -> str:
        """The path of that address, decoded."""
        return self._url.path

    @property
    def content_length(self) -> int | None:
        """The bytes that the body has on the way; None where the server does not say."""
        text = self._response.headers.get("content-length", "")
        return int(text) if text.isascii() and text.isdigit() else None

    def iter_bytes(self) -> Iterator[bytes]:
        """The body, decoded. Raises `SourceRefused` beyond the limit, `SourceUnavailable` where
        it breaks off or takes too long.
        """
        received = 0
        with _faults(self._url):
            for part in self._response.iter_bytes():
                received += len(part)
                metering.read(len(part))
                if received > self._limit_bytes:
                    raise _too_large(self._url, self._limit_bytes)
                if time.monotonic() > self._deadline:
                    raise SourceUnavailable(
                        f"{self.address} took too long to answer.", code="source_too_slow"
                    )
                yield part

    def read(self) -> bytes:
        """The whole body."""
        return b"".join(self.iter_bytes())

    def json(self) -> Any:
        """The body as JSON. Raises `SourceRefused` for what is none."""
        data = self.read()
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            kind = self._response.headers.get("content-type", "an unnamed type")[:80]
            raise SourceRefused(
                f"{self.address} answered with {kind}, not with JSON.", code="source_not_json"
            ) from None


class SourceClient:
    """HTTP requests that go to public hosts and to those that are allowed by name."""

    def __init__(
        self,
        *,
        allowed_hosts: tuple[str, ...] = (),
        timeouts: Timeouts | None = None,
        resolver: Resolve = source_addresses.resolve,
    ) -> None:
        self._allowed_hosts = allowed_hosts
        self._timeouts = timeouts or Timeouts()
        self._resolver = resolver

    @contextmanager
    def stream(
        self,
        method: str,
        url: str,
        *,
        limit_bytes: int,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        redirects: int = _MAX_REDIRECTS,
        statuses: Collection[int] = (),
    ) -> Iterator[SourceResponse]:
        """Send a request, follow so many redirects, and stream the answer.

        `params` are added to the URL's query, `form` is sent as a form. To another origin go
        neither the headers that may say who asks, nor the form. `limit_bytes` is for the
        decoded body. Bodies are asked for as they are, so that their length is known; a caller
        may ask otherwise by `Accept-Encoding`. Answers with one of these `statuses` are handed
        out too, for what they say.

        Raises `SourceRefused` for an address that may not be asked, an answer that is too
        large, and a status 4xx (in `details["status"]`); `SourceUnavailable` for outages, and
        for 408, 425, 429 and 5xx.
        """
        parsed = source_addresses.parse(url)
        if params:
            parsed = parsed.copy_merge_params(dict(params))
        sent = {"user-agent": _USER_AGENT, "accept-encoding": "identity"}
        sent |= {name.lower(): value for name, value in (headers or {}).items()}
        request = _Request(method.upper(), sent, dict(form) if form else None)
        deadline = time.monotonic() + self._timeouts.total
        with ExitStack() as stack:
            response, final = self._follow(parsed, request, redirects, stack)
            if response.status_code not in statuses:
                _judge(response, final)
            answer = SourceResponse(response, final, limit_bytes, deadline)
            if (answer.content_length or 0) > limit_bytes:
                raise _too_large(final, limit_bytes, answer.content_length)
            yield answer

    def get_json(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        limit_bytes: int = _JSON_BYTES,
        redirects: int = _MAX_REDIRECTS,
    ) -> Any:
        """The JSON at an address. Raises what `stream` does."""
        wanted = {"accept": "application/json", "accept-encoding": "gzip", **(headers or {})}
        with self.stream(
            "GET", url, headers=wanted, params=params, limit_bytes=limit_bytes, redirects=redirects
        ) as response:
            return response.json()

    def _follow(
        self, url: httpx.URL, request: _Request, redirects: int, stack: ExitStack
    ) -> tuple[httpx.Response, httpx.URL]:
        """The answer at the end of the redirects, and where that is."""
        for _ in range(redirects + 1):
            target = source_addresses.check(url, self._resolver, self._allowed_hosts)
            hop = stack.enter_context(ExitStack())
            response = self._send(target, request, hop)
            location = response.headers.get("location")
            if response.status_code not in _REDIRECTS or not location:
                return response, url
            hop.close()
            url, request = _redirected(target, response.status_code, location, request)
        raise SourceRefused(
            f"{shown(url)} lies behind more than {redirects} redirects."
            if redirects
            else f"{shown(url)} lies behind a redirect, which is not followed.",
            code="too_many_redirects",
        )

    def _send(self, target: Target, request: _Request, stack: ExitStack) -> httpx.Response:
        """Send one request to the first of the host's addresses that takes a connection."""
        client = stack.enter_context(self._client())
        last = len(target.addresses) - 1
        for number, address in enumerate(target.addresses):
            try:
                with _faults(target.url):
                    return stack.enter_context(
                        client.stream(
                            request.method,
                            target.url.copy_with(host=address),
                            headers={**request.headers, "host": target.url.netloc.decode("ascii")},
                            data=request.form,
                            extensions={"sni_hostname": target.url.raw_host.decode("ascii")},
                        )
                    )
            except _NotConnected:
                if number == last:
                    raise
        raise SourceRefused(f"There is no host {target.url.host}.", code="host_unknown")

    def _client(self) -> httpx.Client:
        """A client of one host: connections go by addresses, which hosts may share."""
        timeouts = self._timeouts
        return httpx.Client(
            verify=_ssl_context(),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(timeouts.read, connect=timeouts.connect),
        )


def source_client(timeouts: Timeouts | None = None) -> SourceClient:
    """The client by the app's settings."""
    return SourceClient(
        allowed_hosts=tuple(get_settings().allowed_hosts.split(",")), timeouts=timeouts
    )


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    headers: Mapping[str, str]
    form: dict[str, str] | None


class _NotConnected(SourceUnavailable):
    """No request was sent yet, so another address may be tried."""


@cache
def _ssl_context() -> ssl.SSLContext:
    """Made once: reading the certificates takes longer than many a request."""
    return httpx.create_ssl_context(trust_env=False)


def _redirected(
    target: Target, status: int, location: str, request: _Request
) -> tuple[httpx.URL, _Request]:
    """Where a redirect leads, and what may be sent there."""
    try:
        url = source_addresses.parse(str(target.url.join(location)))
    except (httpx.InvalidURL, ValueError):
        raise SourceRefused(
            f"{shown(target.url)} redirects to no valid address.", code="address_invalid"
        ) from None
    if target.url.scheme == "https" and url.scheme == "http":
        raise SourceRefused(
            f"{shown(target.url)} redirects from https to http.", code="insecure_redirect"
        )
    method, form = request.method, request.form
    if method != "HEAD" and (status == 303 or (status in (301, 302) and method == "POST")):
        method, form = "GET", None
    headers = request.headers
    if (url.scheme, url.host, source_addresses.port_of(url)) != target.origin:
        if form is not None:
            raise SourceRefused(
                f"{shown(target.url)} redirects a form to {shown(url)}, which is not followed.",
                code="insecure_redirect",
            )
        headers = {name: value for name, value in headers.items() if name in _HARMLESS_HEADERS}
    return url, _Request(method, headers, form)


def _judge(response: httpx.Response, url: httpx.URL) -> None:
    """Raise for a status that is no answer."""
    status = response.status_code
    if 200 <= status < 300 or status == 304:
        return
    sentence = f"{shown(url)} answered {status} {response.reason_phrase}".rstrip() + "."
    if status in _PASSING or status >= 500:
        seconds = _retry_after(response.headers.get("retry-after"))
        if seconds is None:
            raise SourceUnavailable(sentence, status=status)
        raise SourceUnavailable(sentence, status=status, retry_after_seconds=seconds)
    raise SourceRefused(sentence, status=status)


def _retry_after(header: str | None) -> float | None:
    """The seconds of a Retry-After header, which holds a number or a date."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        when = email.utils.parsedate_to_datetime(header)
    except ValueError:
        return None
    aware = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())


def _too_large(url: httpx.URL, limit: int, size: int | None = None) -> SourceRefused:
    has = "has more than" if size is None else f"has {size:,} bytes, more than"
    return SourceRefused(
        f"{shown(url)} {has} the {limit:,} bytes that are read.", code="source_too_large"
    )


@contextmanager
def _faults(url: httpx.URL) -> Iterator[None]:
    """Turn httpx's errors into ours. Their own texts may hold whole addresses."""
    where = shown(url)
    try:
        yield
    except httpx.ConnectError as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise SourceRefused(
                f"The certificate of {where} is not valid.", code="certificate_invalid"
            ) from None
        raise _NotConnected(f"{where} does not take connections.") from None
    except httpx.ConnectTimeout:
        raise _NotConnected(f"{where} does not take connections in time.") from None
    except httpx.TimeoutException:
        raise SourceUnavailable(f"{where} stopped answering.", code="source_too_slow") from None
    except httpx.DecodingError:
        raise SourceUnavailable(f"The answer of {where} cannot be decompressed.") from None
    except (httpx.TransportError, httpx.StreamError, ssl.SSLError):
        raise SourceUnavailable(f"The connection to {where} broke off.") from None
