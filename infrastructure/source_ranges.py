"""Parts of a file at an address, by HTTP Range requests (RFC 9110, section 14).

For those who need a little of a large file. All parts are of one version of it: every request
names the version that it is about (If-Range), and an answer that is no such part is refused.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from infrastructure.source_client import (
    SourceClient,
    SourceRefused,
    SourceResponse,
    SourceUnavailable,
)
from infrastructure.source_download import validator_of

_NOT_SATISFIABLE = 416


class SourceRanges:
    """A file at an address as a source of byte ranges.

    `size` and `validator` are those of its version, as `infrastructure.source_probe` found them;
    `check` is called before every request and may raise.
    """

    def __init__(
        self,
        client: SourceClient,
        url: str,
        *,
        size: int,
        validator: str | None,
        check: Callable[[], None],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.size = size
        self._client = client
        self._url = url
        self._validator = validator
        self._check = check
        self._headers = dict(headers or {})

    def read(self, offset: int, length: int) -> bytes:
        """At most `length` bytes from `offset`; fewer only at the end.

        Raises `SourceRefused` (ranges_unsupported) where the server gives the whole file or
        nothing but that, `SourceUnavailable` (source_changed) where it has another version by
        now, and what the client raises.
        """
        last = min(offset + length, self.size) - 1
        if last < offset:
            return b""
        self._check()
        headers = {**self._headers, "Range": f"bytes={offset}-{last}"}
        if self._validator is not None:
            headers["If-Range"] = self._validator
        wanted = last + 1 - offset
        try:
            # A server that gives everything is left before its first byte, however much it has.
            with self._client.stream(
                "GET", self._url, headers=headers, limit_bytes=sys.maxsize
            ) as response:
                self._judge(response, offset, last)
                data = _read(response, wanted)
        except SourceRefused as refused:
            if refused.details.get("status") == _NOT_SATISFIABLE:
                raise self._changed() from None
            raise
        if len(data) != wanted:
            raise SourceUnavailable(
                f"{response.address} answered with other than the {wanted:,} bytes asked for.",
                code="source_incomplete",
            )
        return data

    def _judge(self, response: SourceResponse, offset: int, last: int) -> None:
        """Raise unless the answer is the part that was asked for, of this version."""
        named = validator_of(response)
        # A part of the version that If-Range names need not name it again.
        if named is not None and self._validator not in (None, named):
            raise self._changed()
        if response.status != 206 or "content-encoding" in response.headers:
            raise SourceRefused(
                f"{response.address} gives its file in one piece only.", code="ranges_unsupported"
            )
        given = response.headers.get("content-range", "").strip()
        if given not in (f"bytes {offset}-{last}/{self.size}", f"bytes {offset}-{last}/*"):
            raise self._changed()

    def _changed(self) -> SourceUnavailable:
        return SourceUnavailable(
            "The source changed while it was looked into.", code="source_changed"
        )


def _read(response: SourceResponse, wanted: int) -> bytes:
    """The body, of which no more is taken than was asked for."""
    data = bytearray()
    for part in response.iter_bytes():
        data += part
        if len(data) > wanted:
            break
    return bytes(data)
