"""Which addresses users may send the app to."""

from __future__ import annotations

import ipaddress
import socket

import pytest

from infrastructure.source_addresses import (
    SourceRefused,
    SourceUnavailable,
    check,
    is_public,
    parse,
    shown,
)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "169.254.169.254", "0.0.0.0", "0.1.2.3", "100.64.0.1", "100.127.255.255", "192.0.0.1",
        "198.18.0.1", "192.0.2.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
        "::", "::1", "fe80::1", "fc00::1", "fd12::1", "fec0::1", "ff02::1", "2001:db8::1",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1",
        "64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2002:a01:203::",
        "2001:0:a9fe:a9fe::1",
    ],
)  # fmt: skip
def test_what_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    ["93.184.216.34", "1.1.1.1", "172.32.0.1", "2606:4700::1111", "64:ff9b::101:101",
     "::ffff:1.1.1.1", "2002:101:101::"],
)  # fmt: skip
def test_what_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    ["", "parks.zip", "/etc/passwd", "file:///etc/passwd", "ftp://a.test/x", "http://", "http:///x",
     "gopher://a.test", "http://user:secret@a.test/", "http://user@a.test/", "http://[::1/",
     "http://a.test:99999/", "http://a.test/" + "x" * 9000, "http://a b.test/"],
)  # fmt: skip
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(SourceRefused) as caught:
        parse(url)
    assert caught.value.error_code == "address_invalid"
    assert "secret" not in caught.value.message


def test_an_address_is_shown_without_what_may_be_secret() -> None:
    assert shown(parse("https://a.test:8443/b/c.zip?sig=s#f")) == "https://a.test:8443/b/c.zip"
    assert shown(parse("http://[2606:4700::1111]/x")) == "http://[2606:4700::1111]/x"


def answers(*addresses: str):  # type: ignore[no-untyped-def]
    return lambda host, port: list(addresses)


@pytest.mark.parametrize(
    "url", ["http://inside.test/x", "http://127.0.0.1/", "http://2130706433/", "http://[::1]/"]
)
def test_a_private_host_is_refused(url: str) -> None:
    with pytest.raises(SourceRefused, match="private network") as caught:
        check(parse(url), answers("127.0.0.1"), ())
    assert caught.value.error_code == "address_not_public"


def test_one_private_address_among_public_ones_is_enough() -> None:
    with pytest.raises(SourceRefused, match=r"10\.0\.0\.1"):
        check(parse("http://a.test/"), answers("1.1.1.1", "10.0.0.1"), ())


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://Inside.test/x", ("other", "inside.TEST")),
        ("http://inside.test:8080/x", ("inside.test:8080",)),
        ("https://inside.test/x", (" inside.test:443 ",)),
        ("http://[::1]:81/", ("[::1]:81",)),
    ],
)
def test_hosts_are_allowed_by_name(url: str, allowed: tuple[str, ...]) -> None:
    assert check(parse(url), answers("127.0.0.1"), allowed).addresses == ("127.0.0.1",)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://inside.test:81/", ("inside.test:80",)),
        ("http://xinside.test/", ("inside.test",)),
        ("http://inside.test.evil.test/", ("inside.test",)),
        ("http://inside.test/", ("", " ")),
    ],
)
def test_and_by_no_other(url: str, allowed: tuple[str, ...]) -> None:
    with pytest.raises(SourceRefused):
        check(parse(url), answers("127.0.0.1"), allowed)


def test_a_name_that_is_not_found() -> None:
    def fail(number: int):  # type: ignore[no-untyped-def]
        def resolver(host: str, port: int) -> list[str]:
            raise socket.gaierror(number, "no")

        return resolver

    with pytest.raises(SourceRefused, match=r"no host nowhere\.test"):
        check(parse("http://nowhere.test/?sig=x"), fail(socket.EAI_NONAME), ())
    with pytest.raises(SourceUnavailable, match="could not be looked up"):
        check(parse("http://nowhere.test/?sig=x"), fail(socket.EAI_AGAIN), ())
