"""Download a file from an address, going on where the connection broke off."""

from __future__ import annotations

import posixpath
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from email.message import Message
from urllib.parse import unquote

from infrastructure.source_client import (
    SourceClient,
    SourceRefused,
    SourceResponse,
    SourceUnavailable,
)

_RESUMPTIONS = 5
_FIRST_PAUSE_SECONDS = 1.0

Check = Callable[[], None]


class Download:
    """A file on its way. `size` is None where the server does not say it."""

    def __init__(
        self, client: SourceClient, url: str, limit_bytes: int, check: Check, stack: ExitStack
    ) -> None:
        self._client = client
        self._url = url
        self._limit_bytes = limit_bytes
        self._check = check
        self._stack = stack
        self._received = 0
        self._response = self._open(None)
        encoded = "content-encoding" in self._response.headers
        self.size = None if encoded else self._response.content_length
        self.name = file_name(self._response)
        self._version = None if encoded else _strong_version(self._response)

    def iter_bytes(self) -> Iterator[bytes]:
        """The content. A connection that breaks off is made again, up to five times, where the
        server can go on from the middle of the same version; `check` is called between parts.
        """
        resumptions = 0
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
                if self._version is None:
                    raise
                resumptions = self._resume(resumptions)

    def _resume(self, resumptions: int) -> int:
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
                response = self._open(self._version)
            except SourceUnavailable:
                continue
            if not _continues(response, self._received):
                raise SourceUnavailable(
                    f"{response.address} changed while it was fetched.", code="source_changed"
                )
            self._response = response
            return resumptions

    def _open(self, version: str | None) -> SourceResponse:
        self._stack.close()
        headers = {}
        if version is not None:
            headers = {"Range": f"bytes={self._received}-", "If-Range": version}
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
    client: SourceClient, url: str, *, limit_bytes: int, check: Check
) -> Iterator[Download]:
    """Ask for the file at an address. Raises `SourceRefused` and `SourceUnavailable`."""
    with ExitStack() as stack:
        yield Download(client, url, limit_bytes, check, stack)


def file_name(response: SourceResponse) -> str:
    """What the server calls the file, or the end of its address; "source" where neither says
    anything. Not to be used as a path."""
    message = Message()
    message["content-disposition"] = response.headers.get("content-disposition", "")
    named = message.get_filename() or unquote(posixpath.basename(response.path.rstrip("/")))
    return posixpath.basename(named.replace("\\", "/")).strip() or "source"


def _strong_version(response: SourceResponse) -> str | None:
    """What names exactly this content, for If-Range; a weak ETag does not."""
    etag = response.headers.get("etag", "")
    return etag if etag.startswith('"') else response.headers.get("last-modified")


def _continues(response: SourceResponse, position: int) -> bool:
    """Whether the answer is the rest of what came until then."""
    given = response.headers.get("content-range", "")
    return response.status == 206 and given.startswith(f"bytes {position}-")
