"""What lies at an address: asked for by its first byte.

Not by HEAD: addresses that are signed for GET refuse it, and many applications never heard of
it. A server that cannot give a part begins to send everything, and is left at that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from infrastructure.source_client import SourceClient, SourceRefused, SourceResponse
from infrastructure.source_download import file_name, validator_of

_TOTAL = re.compile(r"bytes\s+(?:\*|\d+-\d+)/(\d+)")
_NOT_SATISFIABLE = 416


@dataclass(frozen=True, slots=True)
class Offer:
    """What a server says of a file. `address` is without its query; `validator` is the strong
    ETag, or else the date of the last change, and `size` is in bytes: None where it does not
    say."""

    address: str
    name: str
    size: int | None
    validator: str | None
    content_type: str | None


def probe(
    client: SourceClient, url: str, *, limit_bytes: int, headers: Mapping[str, str] | None = None
) -> Offer:
    """Ask what is at an address. Raises `SourceRefused` and `SourceUnavailable`; a file larger
    than the limit is refused (source_too_large).
    """
    try:
        return _ask(client, url, limit_bytes, {**(headers or {}), "Range": "bytes=0-0"})
    except SourceRefused as refused:
        if refused.details.get("status") != _NOT_SATISFIABLE:
            raise
    # An empty file has no first byte.
    return _ask(client, url, limit_bytes, headers or {})


def _ask(client: SourceClient, url: str, limit_bytes: int, headers: Mapping[str, str]) -> Offer:
    with client.stream("GET", url, headers=headers, limit_bytes=limit_bytes) as response:
        encoded = "content-encoding" in response.headers
        size = None if encoded else _size(response)
        if size is not None and size > limit_bytes:
            raise SourceRefused(
                f"{response.address} has {size:,} bytes, more than the {limit_bytes:,} bytes "
                "that are read.",
                code="source_too_large",
            )
        return Offer(
            address=response.address,
            name=file_name(response),
            size=size,
            validator=None if encoded else validator_of(response),
            content_type=response.headers.get("content-type"),
        )


def _size(response: SourceResponse) -> int | None:
    """The bytes of the whole file, of which the answer may be a part."""
    if response.status != 206:
        return response.content_length
    total = _TOTAL.match(response.headers.get("content-range", ""))
    return None if total is None else int(total[1])
