"""The HTTP client against servers on this machine, which stand for those of strangers."""

from __future__ import annotations

import gzip
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from infrastructure import source_client as module
from infrastructure.metering import Meter
from infrastructure.source_client import (
    SourceClient,
    SourceRefused,
    SourceUnavailable,
    Timeouts,
)

Answer = Callable[[BaseHTTPRequestHandler], None]
LIMIT = 1 << 20


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Clients that hang up are what some tests are about."""


class Server:
    """Answers by path; remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                length = int(self.headers.get("content-length", 0))
                sent = {name.lower(): value for name, value in self.headers.items()}
                outer.asked.append((self.command, self.path, sent, self.rfile.read(length)))
                self.close_connection = True
                outer.answers[self.path.split("?")[0]](self)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = _Quiet(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def secure(self, context: ssl.SSLContext) -> None:
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def reply(status: int, body: bytes = b"", **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def other() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def client(*servers: Server, **options: Any) -> SourceClient:
    """One for which names resolve to this machine, and which may ask these servers."""
    allowed = [f"{host}:{s.port}" for s in servers for host in ("a.test", "b.test", "127.0.0.1")]
    options.setdefault("resolver", lambda host, port: ["127.0.0.1"])
    return SourceClient(allowed_hosts=tuple(allowed), **options)


def fetch(client: SourceClient, url: str, **options: Any) -> bytes:
    with client.stream("GET", url, **{"limit_bytes": LIMIT, **options}) as response:
        return response.read()


def test_a_body_is_streamed_with_its_headers(server: Server) -> None:
    body = bytes(range(256)) * 2000
    server.answers["/a.bin"] = reply(200, body, etag='"v1"')
    with client(server).stream(
        "GET",
        f"http://a.test:{server.port}/a.bin?x=1",
        params={"key": "s&t"},
        headers={"If-None-Match": '"v0"'},
        limit_bytes=LIMIT,
    ) as response:
        assert (response.status, response.headers["ETag"]) == (200, '"v1"')
        assert response.content_length == len(body)
        assert response.address == f"http://a.test:{server.port}/a.bin"
        assert b"".join(response.iter_bytes()) == body
    [(method, path, headers, _)] = server.asked
    assert (method, path) == ("GET", "/a.bin?x=1&key=s%26t")
    assert headers["host"] == f"a.test:{server.port}"
    assert headers["if-none-match"] == '"v0"'
    assert headers["accept-encoding"] == "identity"


def test_json_and_what_is_none(server: Server) -> None:
    server.answers["/a"] = reply(200, gzip.compress(b'{"n": [1]}'), content_encoding="gzip")
    server.answers["/b"] = reply(200, b"<html>", content_type="text/html")
    url = f"http://a.test:{server.port}"
    assert client(server).get_json(f"{url}/a") == {"n": [1]}
    with pytest.raises(SourceRefused, match="answered with text/html, not with JSON"):
        client(server).get_json(f"{url}/b?token=secret")


def test_what_comes_is_counted_for_whoever_asked(server: Server) -> None:
    server.answers["/a"] = reply(200, bytes(1000))
    meter = Meter()
    with meter.running():
        fetch(client(server), f"http://a.test:{server.port}/a")
    assert meter.cost().bytes_read == 1000


def test_conditional_requests_and_ranges_come_back(server: Server) -> None:
    server.answers["/same"] = reply(304)
    server.answers["/rest"] = reply(206, b"rest", content_range="bytes 4-7/8")
    url = f"http://a.test:{server.port}"
    with client(server).stream("GET", f"{url}/same", limit_bytes=1) as response:
        assert response.status == 304
    with client(server).stream(
        "GET", f"{url}/rest", headers={"Range": "bytes=4-"}, limit_bytes=9
    ) as response:
        assert (response.status, response.read()) == (206, b"rest")


def test_a_form_is_posted(server: Server) -> None:
    server.answers["/token"] = reply(200, b"{}")
    with client(server).stream(
        "POST",
        f"http://a.test:{server.port}/token",
        form={"user": "ü", "password": "p&q"},
        limit_bytes=LIMIT,
    ) as response:
        assert response.json() == {}
    assert server.asked[0][3] == b"user=%C3%BC&password=p%26q"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 418])
def test_a_refusal_is_permanent(server: Server, status: int) -> None:
    server.answers["/a"] = reply(status, b"why")
    with pytest.raises(SourceRefused, match=f"/a answered {status}") as caught:
        fetch(client(server), f"http://a.test:{server.port}/a?sig=secret")
    assert caught.value.details["status"] == status
    assert "secret" not in str(caught.value.as_record())


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_an_outage_is_transient(server: Server, status: int) -> None:
    later = (datetime.now(UTC) + timedelta(seconds=100)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    for header, low, high in (("7", 7, 7), (later, 90, 100)):
        server.answers["/a"] = reply(status, retry_after=header)
        with pytest.raises(SourceUnavailable) as caught:
            fetch(client(server), f"http://a.test:{server.port}/a")
        assert low <= caught.value.details["retry_after_seconds"] <= high


def test_nobody_there_is_transient(server: Server) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    lonely = SourceClient(allowed_hosts=("127.0.0.1",))
    with pytest.raises(SourceUnavailable, match="does not take connections") as caught:
        fetch(lonely, f"http://127.0.0.1:{port}/a?sig=secret")
    assert "secret" not in caught.value.message


def test_the_next_address_is_tried_where_one_takes_no_connection(server: Server) -> None:
    server.answers["/a"] = reply(200, b"there")
    both = client(server, resolver=lambda host, port: ["127.0.0.9", "127.0.0.1"])
    assert fetch(both, f"http://a.test:{server.port}/a") == b"there"


def test_a_body_that_breaks_off_is_transient(server: Server) -> None:
    server.answers["/a"] = reply(200, b"half", content_length="8")
    with pytest.raises(SourceUnavailable, match="broke off"):
        fetch(client(server), f"http://a.test:{server.port}/a")


def test_silence_and_slowness_have_an_end(server: Server) -> None:
    enough = threading.Event()

    def silent(handler: BaseHTTPRequestHandler) -> None:
        enough.wait(60)

    def slow(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("content-length", "100000")
        handler.end_headers()
        # Until the client hangs up, at which writing fails.
        while not enough.wait(0.1):
            handler.wfile.write(b"x")

    server.answers |= {"/silent": silent, "/slow": slow}
    for path, timeouts, message in (
        ("silent", Timeouts(connect=60, read=0.5, total=60), "stopped answering"),
        ("slow", Timeouts(connect=60, read=60, total=1), "took too long"),
    ):
        with pytest.raises(SourceUnavailable, match=message):
            fetch(client(server, timeouts=timeouts), f"http://a.test:{server.port}/{path}")
    enough.set()


def test_a_body_is_limited_whatever_is_said_of_it(server: Server) -> None:
    server.answers["/said"] = reply(200, bytes(2000))
    server.answers["/bomb"] = reply(200, gzip.compress(bytes(3 << 20)), content_encoding="gzip")
    url = f"http://a.test:{server.port}"
    with pytest.raises(SourceRefused, match="has 2,000 bytes, more than the 1,000"):
        fetch(client(server), f"{url}/said", limit_bytes=1000)
    with pytest.raises(SourceRefused, match="has more than the 1,048,576 bytes"):
        fetch(client(server), f"{url}/bomb")
    assert fetch(client(server), f"{url}/said", limit_bytes=2000) == bytes(2000)


# Where requests may go


def test_this_machine_is_refused_by_default(server: Server) -> None:
    for host in ("127.0.0.1", "localhost", "[::1]", "0x7f.1"):
        with pytest.raises(SourceRefused):
            fetch(SourceClient(), f"http://{host}:{server.port}/a")
    assert server.asked == []


def test_a_redirect_is_checked_as_the_first_address_was(server: Server, other: Server) -> None:
    server.answers["/a"] = reply(302, location=f"http://127.0.0.1:{other.port}/secret")
    other.answers["/secret"] = reply(200, b"secret")
    with pytest.raises(SourceRefused, match="private network"):
        fetch(client(server), f"http://a.test:{server.port}/a")
    assert other.asked == []
    assert fetch(client(server, other), f"http://a.test:{server.port}/a") == b"secret"


@pytest.mark.parametrize("location", ["file:///etc/passwd", "http://u:p@a.test/", "http://[", "//"])
def test_a_redirect_to_what_is_no_address(server: Server, location: str) -> None:
    server.answers["/a"] = reply(302, location=location)
    with pytest.raises(SourceRefused):
        fetch(client(server), f"http://a.test:{server.port}/a")


def test_redirects_have_an_end(server: Server) -> None:
    for number in range(7):
        server.answers[f"/{number}"] = reply(302, location=f"/{number + 1}")
    server.answers["/7"] = reply(200, b"there")
    url = f"http://a.test:{server.port}"
    assert fetch(client(server), f"{url}/2") == b"there"
    with pytest.raises(SourceRefused, match="more than 5 redirects"):
        fetch(client(server), f"{url}/1")


def test_a_request_may_go_to_one_place_only(server: Server, other: Server) -> None:
    server.answers["/a"] = reply(302, location=f"http://b.test:{other.port}/b?key=s3cret")
    with pytest.raises(SourceRefused, match="redirect, which is not followed") as raised:
        fetch(client(server, other), f"http://a.test:{server.port}/a", redirects=0)
    assert other.asked == []
    assert "s3cret" not in str(raised.value)
    server.answers["/b"] = reply(200, b"here")
    assert fetch(client(server), f"http://a.test:{server.port}/b", redirects=0) == b"here"


def test_a_host_is_resolved_once_for_each_request(server: Server) -> None:
    """A name that answers with another address at a second look gains nothing by it."""
    server.answers["/a"] = reply(200, b"checked")
    looks: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        looks.append(host)
        return ["127.0.0.1"] if len(looks) == 1 else ["127.0.0.9"]

    assert fetch(client(server, resolver=rebinding), f"http://a.test:{server.port}/a") == b"checked"
    assert looks == ["a.test"]


def test_what_says_who_asks_stays_with_its_origin(server: Server, other: Server) -> None:
    secrets = {"Authorization": "Bearer s", "X-Api-Key": "s", "Cookie": "s", "Range": "bytes=1-"}
    server.answers["/a"] = reply(302, location="/b")
    server.answers["/b"] = reply(302, location=f"http://b.test:{other.port}/c")
    other.answers["/c"] = reply(200, b"there")
    fetch(client(server, other), f"http://a.test:{server.port}/a", headers=secrets)
    assert all(asked[2]["authorization"] == "Bearer s" for asked in server.asked)
    assert len(server.asked) == 2
    [(_, _, headers, _)] = other.asked
    assert {"authorization", "x-api-key", "cookie"}.isdisjoint(headers)
    assert headers["range"] == "bytes=1-"


def test_a_form_follows_within_its_origin_only(server: Server, other: Server) -> None:
    server.answers["/near"] = reply(307, location="/end")
    server.answers["/seen"] = reply(303, location="/end")
    server.answers["/far"] = reply(307, location=f"http://a.test:{other.port}/end")
    server.answers["/end"] = reply(200, b"there")
    for path, method, body in (("near", "POST", b"p=s"), ("seen", "GET", b"")):
        with client(server, other).stream(
            "POST", f"http://a.test:{server.port}/{path}", form={"p": "s"}, limit_bytes=9
        ):
            assert (server.asked[-1][0], server.asked[-1][3]) == (method, body)
    with (
        pytest.raises(SourceRefused, match="redirects a form"),
        client(server, other).stream(
            "POST", f"http://a.test:{server.port}/far", form={"p": "s"}, limit_bytes=9
        ),
    ):
        pass
    assert other.asked == []


def test_the_environment_names_no_proxy(
    server: Server, other: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers["/a"] = reply(200, b"there")
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{other.port}")
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{other.port}")
    assert fetch(client(server), f"http://a.test:{server.port}/a") == b"there"
    assert other.asked == []


def test_no_log_has_a_query_in_it(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    server.answers["/a"] = reply(200)
    with caplog.at_level(logging.DEBUG):
        fetch(client(server), f"http://a.test:{server.port}/a?sig=hunter2")
    assert "hunter2" not in caplog.text


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for a host, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder / "cert.pem", folder / "key.pem"


def test_the_certificate_is_that_of_the_name_not_of_the_address(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cert, key = certificate(tmp_path, "a.test")
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(cert, key)
    server.secure(serving)
    server.answers["/a"] = reply(200, b"there")
    with pytest.raises(SourceRefused, match=r"certificate of https://a\.test"):
        fetch(client(server), f"https://a.test:{server.port}/a")
    trusting = ssl.create_default_context(cafile=str(cert))
    monkeypatch.setattr(module, "_ssl_context", lambda: trusting)
    assert fetch(client(server), f"https://a.test:{server.port}/a") == b"there"
    with pytest.raises(SourceRefused, match=r"certificate of https://b\.test"):
        fetch(client(server), f"https://b.test:{server.port}/a")
    server.answers["/down"] = reply(302, location=f"http://a.test:{server.port}/a")
    with pytest.raises(SourceRefused, match="from https to http"):
        fetch(client(server), f"https://a.test:{server.port}/down")


def test_a_refusal_is_handed_out_where_that_is_asked_for(server: Server) -> None:
    server.answers["/a"] = reply(403, b'{"message": "accept the terms"}')
    url = f"http://a.test:{server.port}/a"
    with client(server).stream("GET", url, limit_bytes=LIMIT, statuses={401, 403}) as response:
        assert (response.status, response.json()) == (403, {"message": "accept the terms"})
    with pytest.raises(SourceRefused):
        fetch(client(server), url, statuses={401})
