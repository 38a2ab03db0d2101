"""Download a file from an address, going on where the connection broke off.

A download goes on within one process by itself, and in a later process from what was kept of it
(`Begun`). Where the address is a signed one that expires, a function gives a fresh one.
"""

from __future__ import annotations

import posixpath
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from email.message import Message
from urllib.parse import unquote

from infrastructure.source_client import (
    SourceClient,
    SourceRefused,
    SourceResponse,
    SourceUnavailable,
)

# In a row, without as much as this coming in between.
_RESUMPTIONS = 5
_WORTHWHILE_BYTES = 4 << 20
_FIRST_PAUSE_SECONDS = 1.0
_MAX_VALIDATOR = 512
# How servers answer an address whose signature has expired.
_EXPIRED = (400, 401, 403, 410)

Check = Callable[[], None]
# An address, or what makes one that can be used for some time.
Address = str | Callable[[], str]


@dataclass(frozen=True, slots=True)
class Begun:
    """What an earlier attempt kept: so many bytes of the content that `validator` names."""

    received: int
    validator: str


class Download:
    """A file on its way.

    `position` is where its content begins: after what was `begun`, or 0 where the server has
    something else by now. `size` is that of the whole file, and `validator` names exactly this
    content (a strong ETag, or the date of its last change); None where the server does not say.
    """

    def __init__(
        self,
        client: SourceClient,
        address: Address,
        *,
        limit_bytes: int,
        check: Check,
        stack: ExitStack,
        headers: Mapping[str, str] | None = None,
        begun: Begun | None = None,
    ) -> None:
        self._client = client
        self._fresh = address if callable(address) else None
        self._url = address() if callable(address) else address
        self._headers = dict(headers or {})
        self._limit_bytes = limit_bytes
        self._check = check
        self._stack = stack
        self._received = 0 if begun is None else begun.received
        self._response = self._ask(None if begun is None else begun.validator)
        if not _continues(self._response, self._received):
            if self._response.status == 206:
                raise SourceUnavailable(
                    f"{self._response.address} answered with a part that was not asked for."
                )
            self._received = 0
        self.position = self._received
        self.name = file_name(self._response)
        encoded = "content-encoding" in self._response.headers
        length = None if encoded else self._response.content_length
        self.size = None if length is None else self.position + length
        if begun is not None and self.position:
            self.validator: str | None = begun.validator
        else:
            self.validator = None if encoded else validator_of(self._response)

    def iter_bytes(self) -> Iterator[bytes]:
        """The content from `position` on. A connection that breaks off is made again where the
        server can go on from the middle of the same version, up to five times without anything
        worthwhile coming in between; `check` is called between parts.
        """
        resumptions, since = 0, self._received
        while True:
            try:
                for part in self._response.iter_bytes():
                    self._check()
                    self._received += len(part)
                    if self._received > self._limit_bytes:
                        raise SourceRefused(
                            f"{self._response.address} has more than the {self._limit_bytes:,} "
                            "bytes that are read.",
                            code="source_too_large",
                        )
                    yield part
                return
            except SourceUnavailable:
                if self.validator is None:
                    raise
                if self._received - since >= _WORTHWHILE_BYTES:
                    resumptions, since = 0, self._received
                resumptions = self._resume(resumptions, self.validator)

    def _resume(self, resumptions: int, validator: str) -> int:
        """Ask for the rest; how often that was done by now."""
        while True:
            if resumptions == _RESUMPTIONS:
                raise SourceUnavailable(
                    f"The connection to {self._response.address} broke off again and again, at "
                    f"last after {self._received:,} bytes."
                )
            self._pause(_FIRST_PAUSE_SECONDS * 2**resumptions)
            resumptions += 1
            try:
                response = self._ask_again(validator)
            except SourceUnavailable:
                continue
            if not _continues(response, self._received):
                raise SourceUnavailable(
                    f"{response.address} changed while it was fetched.", code="source_changed"
                )
            self._response = response
            return resumptions

    def _ask_again(self, validator: str) -> SourceResponse:
        """As `_ask`, at a fresh address where the one that has served so far is refused."""
        try:
            return self._ask(validator)
        except SourceRefused as refused:
            if self._fresh is None or refused.details.get("status") not in _EXPIRED:
                raise
        self._url = self._fresh()
        return self._ask(validator)

    def _ask(self, validator: str | None) -> SourceResponse:
        """Ask for all, or for what is missing of the content that `validator` names."""
        self._stack.close()
        headers = dict(self._headers)
        if validator is not None:
            headers |= {"Range": f"bytes={self._received}-", "If-Range": validator}
        return self._stack.enter_context(
            self._client.stream("GET", self._url, headers=headers, limit_bytes=self._limit_bytes)
        )

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._check()
            time.sleep(min(left, 0.5))


@contextmanager
def download(
    client: SourceClient,
    address: Address,
    *,
    limit_bytes: int,
    check: Check,
    headers: Mapping[str, str] | None = None,
    begun: Begun | None = None,
) -> Iterator[Download]:
    """Ask for the file at an address, or for the rest of one that was begun.

    `headers` go to the address's own origin only, but for harmless ones. Raises `SourceRefused`
    and `SourceUnavailable`.
    """
    with ExitStack() as stack:
        yield Download(
            client,
            address,
            limit_bytes=limit_bytes,
            check=check,
            stack=stack,
            headers=headers,
            begun=begun,
        )


def file_name(response: SourceResponse) -> str:
    """What the server calls the file, or the end of its address; "source" where neither says
    anything. Not to be used as a path."""
    message = Message()
    message["content-disposition"] = response.headers.get("content-disposition", "")
    named = message.get_filename() or unquote(posixpath.basename(response.path.rstrip("/")))
    return posixpath.basename(named.replace("\\", "/")).strip() or "source"


def validator_of(response: SourceResponse) -> str | None:
    """What names exactly this content, for If-Range; a weak ETag does not, and neither does
    what could not be sent back as it is."""
    etag = response.headers.get("etag", "")
    for named in (etag if etag.startswith('"') else "", response.headers.get("last-modified", "")):
        if 0 < len(named) <= _MAX_VALIDATOR and named.isascii() and named.isprintable():
            return named
    return None


def _continues(response: SourceResponse, position: int) -> bool:
    """Whether the answer is the rest of what came until then."""
    given = response.headers.get("content-range", "")
    return response.status == 206 and given.startswith(f"bytes {position}-")
