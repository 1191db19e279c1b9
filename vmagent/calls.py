"""Each request of the protocol as a function call: values in, values out."""

from __future__ import annotations

import hashlib
from typing import Optional, TypeVar

from vmagent import clock, errors, link
from vmagent.wire import codec, messages, pairing

T = TypeVar("T")


class Server:
    """The server as this host sees it."""

    def __init__(self, line: link.Link, time: clock.ServerClock) -> None:
        self.line, self.time = line, time

    def enrol(self, request: messages.EnrolRequest) -> messages.Enrolled:
        """Join; the same request twice is the same host."""
        return self._post("/hosts", request, messages.Enrolled, auth=False)

    def keys(self) -> messages.KeyList:
        """The key statements, oldest first."""
        return _decode(self.line.request("GET", "/keys", auth=False), messages.KeyList)

    def ask(self, request: messages.AskRequest) -> messages.AskReply:
        """Ask for leases; the same ask twice is answered with the same leases."""
        return self._timed("/work", request, messages.AskReply)

    def report_class(self, report: messages.ClassReport) -> None:
        """Tell the digest of the reference events of a manifest."""
        self.line.request("POST", "/classes", codec.encode(report), _JSON)

    def heartbeat(self, request: messages.HeartbeatRequest) -> messages.HeartbeatReply:
        """A sign of life, renewing the leases named."""
        return self._timed("/heartbeat", request, messages.HeartbeatReply)

    def release(self, request: messages.ReleasedRequest) -> None:
        """Tell that a command to leave is obeyed; again is harmless."""
        self.line.request("POST", "/released", codec.encode(request), _JSON)

    def commands(self, since: int, wait: int) -> messages.CommandsReply:
        """Commands after ``since``, waiting up to ``wait`` seconds for one."""
        path = f"/commands?since={since}&wait={wait}"
        answer = self.line.request("GET", path, read_s=wait + 20.0)
        return _decode(answer, messages.CommandsReply)

    def task(self, task: int) -> messages.TaskState:
        """A task as the server has it."""
        return _decode(self.line.request("GET", f"/tasks/{task}"), messages.TaskState)

    def report(self, task: int, report: messages.ReportRequest) -> messages.ReportReply:
        """The end of a task."""
        return self._post(f"/tasks/{task}/report", report, messages.ReportReply)

    def frame(self, production: int, first: int, last: int, raw: bytes) -> messages.FrameReply:
        """Deliver a frame; once this returns it is durable."""
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Digest": link.content_digest(raw),
        }
        path = f"/productions/{production}/frames/{first}-{last}"
        return _decode(self.line.request("PUT", path, raw, headers), messages.FrameReply)

    def manifest(self, digest: str) -> str:
        """The text of a manifest."""
        return link.statement_text(self.line.request("GET", f"/manifests/{digest}"))

    def payload_statement(self, digest: str) -> str:
        """The signed statement of a payload bundle."""
        return link.statement_text(self.line.request("GET", f"/payloads/{digest}/statement"))

    def payload(self, digest: str, path: str, size: int) -> str:
        """Write the bundle to ``path``; its SHA-256 as found, at most ``size`` bytes."""
        found = hashlib.sha256()
        with open(path, "wb") as out:
            for piece in self.line.download(f"/payloads/{digest}", size):
                found.update(piece)
                out.write(piece)
        return found.hexdigest()

    def pair(self, request: pairing.PairRequest) -> pairing.PairStarted:
        """Ask for an owner with a PIN; the same request twice is one."""
        return self._post("/pair", request, pairing.PairStarted, auth=False)

    def pair_code(self, request: pairing.PairRequest) -> pairing.DeviceStarted:
        """Ask for an owner with a code to be typed on the web."""
        return self._post("/pair/device", request, pairing.DeviceStarted, auth=False)

    def pair_status(self) -> pairing.PairStatus:
        """How the request stands whose poll token this link has."""
        return _decode(self.line.request("GET", "/pair/status"), pairing.PairStatus)

    def collect(self, request: pairing.CollectRequest) -> pairing.Collected:
        """Take what the owner agreed to."""
        return self._post("/pair/collect", request, pairing.Collected)

    def context(self) -> pairing.MachineContext:
        """The context of this host, rendered."""
        return _decode(self.line.request("GET", "/machines/self/context"), pairing.MachineContext)

    def report_context(self, report: pairing.ContextReport) -> None:
        """Tell what became of a revision of the context."""
        self.line.request("POST", "/machines/self/context", codec.encode(report), _JSON)

    def limits(self) -> pairing.MachineLimits:
        """What the owner lets this host use."""
        return _decode(self.line.request("GET", "/machines/self/limits"), pairing.MachineLimits)

    def new_token(self) -> pairing.NewToken:
        """Another token for this host; the one it has stays good."""
        answer = self.line.request("POST", "/machines/self/token")
        return _decode(answer, pairing.NewToken)

    def token_kept(self) -> None:
        """The token that this link has now is on the disk."""
        self.line.request("PUT", "/machines/self/token")

    def _post(self, path: str, request: object, kind: type[T], auth: bool = True) -> T:
        answer = self.line.request("POST", path, codec.encode(request), _JSON, auth=auth)
        return _decode(answer, kind)

    def _timed(self, path: str, request: object, kind: type[T]) -> T:
        sent = self.time.ticks()
        reply = self._post(path, request, kind)
        stamped: Optional[float] = getattr(reply, "time", None)
        if stamped is not None:
            self.time.learn(stamped, sent, self.time.ticks())
        return reply


_JSON = {"Content-Type": "application/json"}


def _decode(answer: link.Answer, kind: type[T]) -> T:
    try:
        return codec.decode(answer.body, kind)
    except codec.BadMessage as error:
        raise errors.AnswerUnreadable(f"{kind.__name__}: {error}") from error
