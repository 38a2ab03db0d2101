"""Which addresses on the network the app may be sent to by its users.

A user names an address and the app fetches it, from inside a network with databases, metadata
services and other people's machines. So a host is resolved once, each of its addresses is
checked, and the connection goes to one that was checked: a name that resolves to something else
a moment later (DNS rebinding) changes nothing.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import httpx

from core.errors import PermanentTaskError, TransientTaskError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], list[str]]

_PORTS = {"http": 80, "https": 443}
_MAX_URL = 8192
_HOST = re.compile(rb"[A-Za-z0-9._-]+|\[?[0-9A-Fa-f:.]+\]?")
# IPv6 addresses that carry an IPv4 address: RFC 6052, RFC 3056, RFC 4291 (2.5.5).
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR = ipaddress.IPv6Network("2002::/16")
_COMPATIBLE = ipaddress.IPv6Network("::/96")


class SourceRefused(PermanentTaskError):
    """An address may not be asked, or its answer cannot be used; again would be no better."""

    code = "source_refused"


class SourceUnavailable(TransientTaskError):
    """An address did not answer as it should, and may do so later.

    `details` may hold `status`, and `retry_after_seconds` where the server named a time.
    """

    code = "source_unavailable"


@dataclass(frozen=True, slots=True)
class Target:
    """A URL and the checked addresses of its host."""

    url: httpx.URL
    addresses: tuple[str, ...]

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: what a credential is meant for."""
        return self.url.scheme, self.url.host, port_of(self.url)


def parse(url: str) -> httpx.URL:
    """The URL, if it is http or https, names a host, and holds no password."""
    try:
        parsed = httpx.URL(url)
        valid = (
            _HOST.fullmatch(parsed.raw_host) is not None
            and 0 < (parsed.port or 1) < 65536
            and len(url) <= _MAX_URL
        )
    except (httpx.InvalidURL, UnicodeError, ValueError):
        valid = False
    if not valid:
        raise SourceRefused("The address is not a URL with a host.", code="address_invalid")
    if parsed.scheme not in _PORTS:
        raise SourceRefused(
            f"Addresses begin with http:// or https://, not {parsed.scheme[:20]}:.",
            code="address_invalid",
        )
    if parsed.userinfo:
        raise SourceRefused(
            f"{shown(parsed)} has a user or password in it, which is not sent.",
            code="address_invalid",
        )
    return parsed


def port_of(url: httpx.URL) -> int:
    return url.port or _PORTS[url.scheme]


def shown(url: httpx.URL) -> str:
    """The address as people may see it: a query may be a signature, and a user is one."""
    port = "" if url.port is None else f":{url.port}"
    host = f"[{url.host}]" if ":" in url.host else url.host
    return f"{url.scheme}://{host}{port}{url.path}"


def resolve(host: str, port: int) -> list[str]:
    """The host's addresses in the system's order."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def check(url: httpx.URL, resolver: Resolve, allowed_hosts: Iterable[str]) -> Target:
    """The URL with addresses that may be connected to.

    A host with any address that is not public is refused, unless it is allowed by name: as
    `host`, or as `host:port`. Raises `SourceRefused` and, where the name cannot be resolved at
    the moment, `SourceUnavailable`.
    """
    port = port_of(url)
    ascii_host = url.raw_host.decode("ascii").strip("[]")
    try:
        found = resolver(ascii_host, port)
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            raise SourceUnavailable(
                f"The host of {shown(url)} could not be looked up.", code="host_not_resolved"
            ) from None
        raise SourceRefused(f"There is no host {url.host}.", code="host_unknown") from None
    except (OSError, UnicodeError):
        raise SourceRefused(f"There is no host {url.host}.", code="host_unknown") from None
    if not _is_allowed(ascii_host, port, allowed_hosts):
        for text in found:
            if not is_public(ipaddress.ip_address(text.split("%", 1)[0])):
                raise SourceRefused(
                    f"{shown(url)} is on a private network: {url.host} is {text}. Allow the host "
                    "in GEOFORGE_ALLOWED_HOSTS if it is meant to be read.",
                    code="address_not_public",
                )
    return Target(url, tuple(found))


def is_public(address: Address) -> bool:
    """Whether an address belongs to one host of the public Internet."""
    if isinstance(address, ipaddress.IPv6Address):
        embedded = _embedded(address)
        if embedded is not None:
            return is_public(embedded)
        if address.is_site_local or address.teredo is not None:
            return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified
    )


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that packets to an IPv6 address end up at."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64 or address in _COMPATIBLE:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour if address in _SIX_TO_FOUR else None


def _is_allowed(host: str, port: int, allowed_hosts: Iterable[str]) -> bool:
    written = f"[{host}]" if ":" in host else host
    names = {host.lower(), written.lower(), f"{written}:{port}".lower()}
    return any(allowed.strip().lower() in names for allowed in allowed_hosts if allowed.strip())
