"""A small stand-in for the admin API whose answers a test writes down, good and broken ones."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from vmagent.wire import codec
from vmagent.wire.messages import Problem


@dataclass(frozen=True)
class Seen:
    """A request as it came."""

    method: str
    path: str
    headers: Message
    body: bytes

    def json(self) -> Any:
        """Its body, decoded."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What is sent back; with ``cut``, only so many bytes before the connection breaks."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None


Reply = Answer | Callable[[Seen], Answer]


@dataclass
class FakeAdmin:
    """The stand-in: ``answers`` by "METHOD /path below /api/v1", and what was asked."""

    url: str
    answers: dict[str, Reply] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)

    def answer(self, what: str, reply: Reply) -> None:
        """From now on, answer so."""
        self.answers[what] = reply

    def find(self, seen: Seen) -> Answer:
        """The answer to a request."""
        self.seen.append(seen)
        path = seen.path.removeprefix("/api/v1")
        reply = self.answers.get(f"{seen.method} {path}")
        if reply is None:
            return problem(404, "not-found", f"there is nothing at {path}; look elsewhere")
        return reply(seen) if callable(reply) else reply


def made(value: object, status: int = 200) -> Answer:
    """An answer in JSON."""
    return Answer(codec.encode(value), status, {"Content-Type": "application/json"})


def problem(status: int, code: str, detail: str, *faults: str, retry_after: str = "") -> Answer:
    """A refusal."""
    value = Problem("No", status, detail, code, faults=list(faults))
    headers = {"Content-Type": "application/problem+json"}
    if retry_after:
        headers["Retry-After"] = retry_after
    return Answer(codec.encode(value), status, headers)


@contextmanager
def fake_admin() -> Iterator[FakeAdmin]:
    """A stand-in on a free port of this machine."""
    fake = FakeAdmin("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _run(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            seen = Seen(self.command, self.path, self.headers, self.rfile.read(length))
            answer = fake.find(seen)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body[: answer.cut])
            self.close_connection = answer.cut is not None

        do_GET = do_POST = do_PUT = _run  # noqa: N815  # the names that http.server looks for

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
