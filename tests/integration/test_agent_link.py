"""The agent's way to the server: verified, bounded, not to be led astray; each error by name."""

from __future__ import annotations

import datetime
import ipaddress
import json
import logging
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from vmagent import backoff, errors, link, logs, settings

Answer = tuple[int, dict[str, str], bytes]


class Echo(ThreadingHTTPServer):
    """Answers as told, and notes what was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer: Answer = (200, {}, b"{}")
        self.asked: list[dict[str, str]] = []
        self.connections = 0
        self.hold, self.held = threading.Event(), threading.Event()
        self.hold.set()

    def handle_error(self, *_: Any) -> None:
        """A client that does not believe us hangs up."""

    def process_request(self, request: Any, client_address: Any) -> None:
        """Count connections."""
        self.connections += 1
        super().process_request(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Echo

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self.server.asked.append({"path": self.path, **dict(self.headers)})
        status, headers, body = self.server.answer
        if not self.server.hold.is_set():
            self.server.held.set()
            self.server.hold.wait(60)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def server() -> Iterator[Echo]:
    made = Echo()
    threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def url(server: Echo, scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{server.server_address[1]}"


def problem(code: str, **more: Any) -> bytes:
    value = {"title": code, "status": 400, "detail": "thing, rule, cure", "code": code, **more}
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    "address",
    ["http://example.org", "ftp://example.org", "example.org", "https://u:p@example.org", ""],
)
def test_only_https_is_spoken_except_on_loopback(address: str) -> None:
    with pytest.raises(errors.CannotWork):
        link.check_url(address)
    assert link.check_url("https://example.org/") == "https://example.org"
    assert link.check_url("http://[::1]:80") == "http://[::1]:80"


def test_a_connection_is_kept_and_the_token_sent(server: Echo) -> None:
    line = link.Link(url(server), "wfh_x")
    for _ in range(5):
        line.request("GET", "/keys")
    assert server.connections == 1
    assert {asked["Authorization"] for asked in server.asked} == {"Bearer wfh_x"}
    assert {asked["path"] for asked in server.asked} == {"/api/v1/keys"}


def test_a_redirect_is_not_followed_with_the_token(server: Echo) -> None:
    server.answer = (307, {"Location": f"{url(server)}/elsewhere"}, b"")
    with pytest.raises(errors.RequestRefused, match="redirects are not followed"):
        link.Link(url(server), "wfh_x").request("GET", "/keys")
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, errors.TokenRefused),
        (403, errors.RequestRefused),
        (404, errors.RequestRefused),
        (410, errors.RequestRefused),
        (429, errors.ServerBusy),
        (500, errors.ServerBusy),
        (503, errors.ServerBusy),
        (507, errors.ServerBusy),
    ],
)
def test_each_problem_has_its_error(server: Echo, status: int, kind: type[Exception]) -> None:
    server.answer = (status, {"Retry-After": "7"}, problem("some-code"))
    with pytest.raises(kind, match="some-code: thing, rule, cure") as caught:
        link.Link(url(server)).request("GET", "/keys")
    if isinstance(caught.value, errors.ServerBusy):
        assert caught.value.retry_after == 7.0


def test_a_problem_that_is_none_is_shown_cut_short(server: Echo) -> None:
    server.answer = (502, {}, b"<html>" + b"x" * 10_000)
    with pytest.raises(errors.ServerBusy) as caught:
        link.Link(url(server)).request("GET", "/keys")
    assert len(str(caught.value)) < 400


def test_an_answer_too_long_is_not_read_to_its_end(server: Echo) -> None:
    server.answer = (200, {}, b"x" * 5000)
    with pytest.raises(errors.AnswerUnreadable):
        link.Link(url(server)).request("GET", "/keys", most=1000)
    with pytest.raises(errors.AnswerUnreadable):
        list(link.Link(url(server)).download("/payloads/x", 1000))


def test_another_protocol_is_told_by_its_name(server: Echo) -> None:
    server.answer = (200, {"Windfall-Protocol": "2"}, b"{}")
    with pytest.raises(errors.ProtocolUnknown, match="speaks 2"):
        link.Link(url(server)).request("GET", "/keys")


def test_a_server_that_is_away_is_a_network_error() -> None:
    with pytest.raises(errors.NetworkDown):
        link.Link("http://127.0.0.1:9").request("GET", "/keys")


def certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([loopback]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


def test_a_certificate_nobody_vouches_for_is_not_believed(server: Echo, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with pytest.raises(errors.NetworkDown, match="CERTIFICATE_VERIFY_FAILED"):
        link.Link(url(server, "https"), "wfh_secret").request("GET", "/keys")
    assert server.asked == []
    line = link.Link(url(server, "https"), ca=str(cert))
    assert line.request("GET", "/keys").status == 200
    line.close()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_connections_that_may_be_dead_are_cut_also_while_something_waits_on_them(
    server: Echo, tmp_path: Path, scheme: str
) -> None:
    ca = None
    if scheme == "https":
        path, key = certificate(tmp_path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        ca = str(path)
    line = link.Link(url(server, scheme), "secret", ca)
    assert line.request("GET", "/before").status == 200
    server.hold.clear()
    ended: list[BaseException] = []

    def wait() -> None:
        try:
            line.request("GET", "/poll", read_s=300.0)
        except errors.LinkFault as error:
            ended.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert server.held.wait(90)
    line.renew()
    waiting.join(20)
    server.hold.set()
    assert [type(error) for error in ended] == [errors.NetworkDown]
    assert line.request("GET", "/after").status == 200, "and new ones are made"
    line.close()


def test_the_proxy_is_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "proxy.example:3128")
    monkeypatch.setenv("no_proxy", "inside.example")
    assert link.proxy_for("https://windfall.example") == "http://proxy.example:3128"
    assert link.proxy_for("https://inside.example") is None
    assert link.proxy_for("http://127.0.0.1:80") is None


def test_retry_after_is_read_in_both_its_forms() -> None:
    assert link.seconds_of("120", 0.0) == 120.0
    assert link.seconds_of("Thu, 01 Jan 1970 00:01:00 GMT", 0.0) == 60.0
    assert link.seconds_of("soon", 0.0) == 0.0
    assert link.seconds_of("-5", 0.0) == 0.0
    assert link.seconds_of("1e9", 0.0) == 3600.0
    assert link.seconds_of(None, 0.0) == 0.0


def test_waits_have_full_jitter_and_a_roof() -> None:
    assert backoff.pause(1, 0.0) == 0.0
    assert backoff.pause(3, 0.5) == 2.0
    assert backoff.pause(10_000, 0.99) < backoff.MOST_S
    assert backoff.pause(1, 0.0, retry_after=30.0) == 30.0
    assert backoff.pause(9, 0.5, retry_after=30.0) == 45.0


def test_a_log_line_is_one_line_and_holds_no_secret() -> None:
    record = logging.LogRecord("vmagent", 20, "", 0, "joined\nagain", (), None)
    record.__dict__.update(task=5, why=f"wfh_{'a' * 43} and wf1.{'b' * 43}.00")
    line = logs.Line().format(record)
    assert "\n" not in line
    assert "task=5" in line
    assert "aaa" not in line
    assert "bbb" not in line


def test_faulty_settings_are_told_all_together() -> None:
    with pytest.raises(errors.CannotWork) as caught:
        settings.Settings(slots=0, grace=-1.0, log_level="loud")
    for name in ("--slots", "--grace", "--log-level"):
        assert name in str(caught.value)


def test_every_setting_says_what_it_does() -> None:
    assert all(one.metadata["about"] for one in settings.Settings.__dataclass_fields__.values())


def test_every_exit_code_has_its_line_in_the_table() -> None:
    kinds = [errors.AgentError]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
    assert {kind.code for kind in kinds} <= set(errors.EXIT_CODES)
