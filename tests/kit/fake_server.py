"""A small server that speaks the wire for tests of the agent; it holds one production in memory."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.kit.fake_pairing import HOST_TOKEN, PairingDesk
from vmagent.intervals import Intervals
from vmagent.wire import codec, frames, jws, merkle, messages, pairing, statements

TOKEN_SECRET = "A" * 43
BASE = "/api/v1"


def pack(files: dict[str, str]) -> bytes:
    """A bundle of these texts."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(text.encode()), 0o755
            tar.addfile(member, io.BytesIO(text.encode()))
    return raw.getvalue()


class Keys:
    """A release key and a work key with their statements."""

    def __init__(self) -> None:
        self.release, self.work = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
        self.statements = [self.state("release", self.release), self.state("work", self.work)]

    def state(self, use: str, key: Ed25519PrivateKey, **changes: Any) -> str:
        """A statement of a key, signed by the release key."""
        public = jws.public_text(key.public_key())
        value = statements.KeyStatement(use, jws.key_id(public), public)
        return jws.sign(statements.KEY, asdict(replace(value, **changes)), self.release)

    def kid(self, key: Ed25519PrivateKey) -> str:
        """The id of a key."""
        return jws.key_id(jws.public_text(key.public_key()))

    def prove(self, texts: list[str], key: Ed25519PrivateKey | None = None) -> messages.Proof:
        """One signature for these lease texts."""
        signer = key or self.work
        root, paths = merkle.tree([text.encode() for text in texts])
        signature = jws.b64(signer.sign(merkle.CONTEXT + root))
        shown = [jws.b64(path) for path in paths]
        return messages.Proof(self.kid(signer), signature, len(texts), 0, shown)


class FakeServer(ThreadingHTTPServer):
    """Start it, point an agent at ``url``, look at what it holds."""

    daemon_threads = True

    def __init__(self, script: str, events: int = 100, unit: int = 50, **manifest: Any) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.keys, self.lock = Keys(), threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.bundle = pack({"main.py": script})
        self.payload = hashlib.sha256(self.bundle).hexdigest()
        value = statements.Manifest(
            "fake", self.payload, ["{python}", "main.py"], events, 7, **manifest
        )
        self.manifest_text = jws.sign(statements.MANIFEST, asdict(value), self.keys.release)
        self.manifest = jws.digest(self.manifest_text)
        said = statements.PayloadStatement("fake", "1", self.payload, len(self.bundle))
        self.payload_text = jws.sign(statements.PAYLOAD, asdict(said), self.keys.release)
        self.events, self.unit, self.granule = events, unit, value.granule
        self.tasks: dict[int, messages.TaskState] = {}
        self.records: dict[int, bytes] = {}
        self.reports: dict[int, messages.ReportRequest] = {}
        self.asked: dict[str, messages.AskReply] = {}
        self.questions: list[messages.AskRequest] = []
        self.enrolled: list[messages.EnrolRequest] = []
        self.commands: list[messages.Command] = []
        self.classes: dict[str, str] = {}
        self.failed: dict[str, messages.ClassReport] = {}
        self.classes_away = 0
        self.html = False
        self.others: dict[str, str] = {}
        self.payloads: dict[str, tuple[str, bytes]] = {}
        self.seen: list[str] = []
        self.time_off = 0.0
        self.lease_s = 60.0
        self.wants_probe = self.deaf = self.revoked = False
        self.busy: list[int] = []
        self.frame_answer: tuple[int, str] | None = None
        self.tamper: Callable[[messages.AskReply], messages.AskReply] = lambda reply: reply
        self.duplicates = 0
        self.moods: list[tuple[str, str]] = []
        self.released: list[int] = []
        self.unmanaged = False
        self.desk = PairingDesk(self)

    def offer(self, script: str, **manifest: Any) -> str:
        """Another production, of which only the reference events are ever wanted; its digest."""
        bundle = pack({"main.py": script})
        payload = hashlib.sha256(bundle).hexdigest()
        value = statements.Manifest("other", payload, ["{python}", "main.py"], 50, 7, **manifest)
        text = jws.sign(statements.MANIFEST, asdict(value), self.keys.release)
        said = statements.PayloadStatement("other", "1", payload, len(bundle))
        signed = jws.sign(statements.PAYLOAD, asdict(said), self.keys.release)
        self.payloads[payload] = (signed, bundle)
        self.others[jws.digest(text)] = text
        return jws.digest(text)

    def wanted_probes(self, known: dict[str, str]) -> list[str]:
        """The manifests of which a host with these classes is to make the reference events."""
        own = [self.manifest] if self.wants_probe else []
        return [m for m in (*self.others, *own) if m not in known and m not in self.failed]

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def token(self) -> str:
        """The enrolment token that it takes."""
        return f"wf1.{TOKEN_SECRET}.{self.keys.kid(self.keys.release)}"

    def start(self) -> FakeServer:
        """Serve in a thread."""
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def close(self) -> None:
        """The end: nobody is answered, and who waits for commands waits no longer."""
        with self.changed:
            self.deaf = True
            self.commands.append(messages.Command(10**9, "none"))
            self.changed.notify_all()
        self.shutdown()
        self.server_close()

    def handle_error(self, *_: Any) -> None:
        """Agents are killed in these tests; their broken connections are no news."""

    def now(self) -> float:
        """The server's time."""
        return time.time() + self.time_off

    def wait_for(self, condition: Callable[[], bool], seconds: float = 90.0) -> None:
        """Until something holds; AssertionError if it never does."""
        with self.changed:
            if not self.changed.wait_for(condition, seconds):
                raise AssertionError(f"it did not come to pass in {seconds} s: {self.seen[-20:]}")

    def complete(self) -> bool:
        """Whether every event is held."""
        return len(self.records) * self.granule >= self.events

    def command(self, name: str, **args: str) -> None:
        """Give a command."""
        with self.changed:
            self.commands.append(messages.Command(len(self.commands) + 1, name, args))
            self.changed.notify_all()

    def next_range(self) -> tuple[int, int] | None:
        """The next events that nobody has or makes."""
        taken = Intervals()
        for state in self.tasks.values():
            for first, last in state.held:
                taken.add(first, last)
            if state.state == "leased":
                taken.add(state.first, state.last)
        for first, last in taken.missing(0, self.events):
            return first, min(last, first - first % self.unit + self.unit)
        return None

    def lease(self, ask: str, **changes: Any) -> messages.Lease | None:
        """A new lease."""
        span = self.next_range()
        if span is None:
            return None
        task, now = len(self.tasks) + 1, self.now()
        until = now + self.lease_s
        self.tasks[task] = messages.TaskState(task, "leased", span[0], span[1], [], until)
        value = messages.Lease(task, 1, self.manifest, 1, span[0], span[1], now, until, ask)
        return replace(value, **changes)

    def answer_ask(self, request: messages.AskRequest) -> messages.AskReply:
        """The answer to a question for work, the same to the same."""
        self.questions.append(request)
        if request.ask in self.asked:
            return self.asked[request.ask]
        reply = messages.AskReply(self.now(), retry_after=0.2)
        if self.wants_probe and self.manifest not in request.classes:
            return replace(reply, probes=self.wanted_probes(request.classes))
        leases = [
            one for one in (self.lease(request.ask) for _ in range(request.most_leases)) if one
        ]
        if leases:
            texts = [codec.encode(one).decode() for one in leases]
            reply = replace(reply, leases=texts, proof=self.keys.prove(texts), retry_after=0.0)
        reply = self.tamper(reply)
        self.asked[request.ask] = reply
        return reply

    def take_frame(self, first: int, last: int, raw: bytes) -> messages.TaskState:
        """Hold a frame; the task it belongs to."""
        frame = frames.decode(raw, self.granule)
        assert (frame.first, frame.last) == (first, last)
        for start, _, record in frame.records():
            self.duplicates += start in self.records
            assert self.records.get(start, record) == record
            self.records[start] = record
        found = next(t for t in self.tasks.values() if t.first <= first and last <= t.last)
        held = Intervals([*found.held, (first, last)])
        self.tasks[found.task] = replace(found, held=list(held))
        return self.tasks[found.task]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: FakeServer

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        server, path = self.server, self.path.partition("?")[0]
        with server.changed:
            server.seen.append(f"{self.command} {path.replace(BASE, '')}")
            if server.deaf:
                self.close_connection = True
                return
            if server.html:
                self.send(200, b"<html>A web server</html>")
                return
            if server.busy:
                self.problem(server.busy.pop(0), "busy", {"Retry-After": "0.1"})
                return
            short = path.replace(BASE, "").strip("/").split("/")
            if short[0] == "pair":
                server.desk.answer(self, short, body)
                server.changed.notify_all()
                return
            if server.unmanaged:
                self.problem(410, pairing.UNMANAGED)
                return
            wants_token = path not in (f"{BASE}/hosts", f"{BASE}/keys")
            if wants_token and (
                server.revoked or self.headers.get("Authorization") != f"Bearer {HOST_TOKEN}"
            ):
                self.problem(401, "token-revoked")
                return
            if short[0] == "machines":
                server.desk.answer(self, short, body)
            else:
                self._route(short, body)
            server.changed.notify_all()

    do_GET = do_POST = do_PUT = _any  # noqa: N815 - the library's names

    def _route(self, parts: list[str], body: bytes) -> None:
        server = self.server
        kind = parts[0]
        if kind == "hosts":
            server.enrolled.append(codec.decode(body, messages.EnrolRequest))
            self.json(
                messages.Enrolled(1, HOST_TOKEN, "ann", server.keys.statements, server.now()), 201
            )
        elif kind == "keys":
            self.json(messages.KeyList(server.keys.statements))
        elif kind == "work":
            self.json(server.answer_ask(codec.decode(body, messages.AskRequest)))
        elif kind == "classes":
            self._classify(codec.decode(body, messages.ClassReport))
        elif kind == "manifests":
            self.send(200, server.others.get(parts[1], server.manifest_text).encode())
        elif kind == "payloads":
            own = (server.payload_text, server.bundle)
            text, bundle = own if parts[1] == server.payload else server.payloads[parts[1]]
            self.send(200, text.encode() if len(parts) > 2 else bundle)
        elif kind == "productions":
            self._frame(parts[3], body)
        elif kind == "tasks":
            self._task(int(parts[1]), body if len(parts) > 2 else None)
        elif kind == "heartbeat":
            beat = codec.decode(body, messages.HeartbeatRequest)
            server.moods.append((beat.doing, beat.why))
            states = [server.tasks[p.task] for p in beat.tasks if p.task in server.tasks]
            self.json(messages.HeartbeatReply(server.now(), states))
        elif kind == "released":
            server.released.append(codec.decode(body, messages.ReleasedRequest).seq)
            self.send(204, b"")
        elif kind == "commands":
            self._commands()
        else:
            self.problem(404, "unknown")

    def _commands(self) -> None:
        server = self.server
        query = dict(pair.split("=") for pair in self.path.partition("?")[2].split("&"))
        since = int(query["since"])
        server.changed.wait_for(
            lambda: len(server.commands) > since or server.unmanaged, float(query["wait"])
        )
        if server.unmanaged:
            self.problem(410, pairing.UNMANAGED)
        else:
            self.json(messages.CommandsReply(server.commands[since:]))

    def _classify(self, report: messages.ClassReport) -> None:
        server = self.server
        if server.classes_away:
            server.classes_away -= 1
            self.problem(503, "busy", {"Retry-After": "0.2"})
            return
        if report.failed:
            server.failed[report.manifest] = report
        else:
            server.classes[report.manifest] = report.digest
        self.send(204, b"")

    def _frame(self, span: str, body: bytes) -> None:
        server = self.server
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        if server.frame_answer is not None:
            self.problem(*server.frame_answer)
        elif self.headers.get("Content-Digest") != f"sha-256=:{digest}:":
            self.problem(400, "digest-mismatch")
        else:
            first, _, last = span.partition("-")
            self.json(messages.FrameReply(server.take_frame(int(first), int(last), body)))

    def _task(self, task: int, report: bytes | None) -> None:
        server = self.server
        state = server.tasks.get(task)
        if state is None:
            self.problem(404, "gone")
        elif report is None:
            self.json(state)
        else:
            value = codec.decode(report, messages.ReportRequest)
            server.reports[task] = value
            server.tasks[task] = replace(state, state=value.outcome)
            self.json(messages.ReportReply(server.tasks[task]))

    def json(self, value: Any, status: int = 200) -> None:
        """Answer with a message."""
        self.send(status, codec.encode(value))

    def problem(self, status: int, word: str, headers: dict[str, str] | None = None) -> None:
        """Answer with problem details."""
        problem = messages.Problem(word, status, f"{word} it is", word)
        self.send(status, json.dumps(asdict(problem)).encode(), headers)

    def send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Answer with these bytes."""
        self.send_response(status)
        for name, value in {"Windfall-Protocol": "1", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
