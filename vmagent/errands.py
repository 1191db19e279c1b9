"""What the agent does over the network for its brain: each errand ends in one thing told."""

from __future__ import annotations

import logging
import random
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Optional, TypeVar

from vmagent import __version__, errors, link, monitor, orders, stimuli, trust
from vmagent.bundles import Bundles
from vmagent.calls import Server
from vmagent.home import Home
from vmagent.intervals import Intervals
from vmagent.journal import Journal
from vmagent.plaintext import lines
from vmagent.probe import Class, Classes
from vmagent.runner import Outcome
from vmagent.settings import Settings
from vmagent.spool import Spool
from vmagent.wire import codec, messages, statements

log = logging.getLogger("vmagent.errands")

LEASES_MOST = 256
NO_CLASS = "0" * 64
FAILED_MOST = 64
LOG_MOST = 60_000
# What of a failed payload's log stands in the agent's own.
SAID_LINES, SAID_MOST = 5, 1000
T = TypeVar("T")
Tell = Callable[[stimuli.Stimulus], None]


@dataclass
class Held:
    """A task in hand: its lease, its spool, events made before, and (prepared) what is run."""

    lease: messages.Lease
    spool: Spool
    done: Intervals = field(default_factory=Intervals)
    manifest: Optional[statements.Manifest] = None
    bundle: Optional[Path] = None


class Errands:
    """The agent's ways to the server; every method may run in a thread of its own."""

    def __init__(
        self, home: Home, host: int, server: Server, settings: Settings, tell: Tell
    ) -> None:
        self.home, self.host, self.server, self.tell = home, host, server, tell
        self._settings = settings
        self.pins = home.pins()
        self.journal = Journal(home.path)
        self.bundles = Bundles(home.path)
        self.classes = Classes(home.path)
        self.held: dict[int, Held] = {}
        self.refusals = 0
        self.last_refusal = ""
        self.failed_probes: dict[str, str] = {}
        self.untold: dict[str, messages.ClassReport] = {}
        self.sandbox = self.banned = ""
        self.benchmarks: Callable[[], dict[str, float]] = dict
        self._ask = str(home.note("ask") or "")
        self.instance = secrets.token_hex(8)  # tells two agents with one identity apart

    def ask(self, order: orders.Ask, seq: int) -> None:
        """Ask for work; the same question again until it is answered.

        It is kept on disk meanwhile: after a crash it brings the leases that got lost with it.
        """
        try:
            if not self._ask:
                fresh = secrets.token_urlsafe(16)
                self.home.keep_note("ask", fresh)
                self._ask = fresh
            reply = self.server.ask(self._question(order, seq))
        except errors.AgentBanned as error:
            self.banned = str(error)
            extra = {"why": self.banned, "wait_s": error.retry_after}
            log.error("this version of the agent is banned", extra=extra)
            self.tell(stimuli.AskFailed(jitter(), error.retry_after))
            return
        except errors.LinkFault as error:
            self._failed(error, stimuli.AskFailed(jitter(), error.retry_after))
            return
        self.banned = ""
        asked, taken, refused = self._ask, [], 0
        for number, text in enumerate(reply.leases[:LEASES_MOST]):
            try:
                taken.append(self._take(text, reply.proof, number, asked))
            except errors.Untrusted as refusal:
                refused += 1
                self._refuse_lease(text, refusal)
            except OSError as error:  # it cannot be kept, so it is not taken; it will expire
                log.warning("lease not kept", extra={"why": str(error)})
                refused += 1
        self._ask = ""
        self.home.drop_note("ask")
        self._commands(reply.commands)
        probes = tuple(probe for probe in reply.probes if self._needs_probe(probe))
        self.tell(stimuli.AskAnswered(tuple(taken), probes, reply.retry_after, refused, jitter()))

    def _question(self, order: orders.Ask, seq: int) -> messages.AskRequest:
        settings = self._settings
        return messages.AskRequest(
            self._ask,
            order.slots,
            monitor.memory_mb(settings.memory_mb),
            monitor.disk_mb(self.home.path, settings.reserve_mb),
            order.seconds_left,
            self.classes.digests(),
            min(order.slots, LEASES_MOST),
            seq=seq,
            sandbox=self.sandbox,
            network=settings.network == "yes",
            instance=self.instance,
            agent=__version__,
            **self.benchmarks(),
        )

    def _needs_probe(self, manifest: str) -> bool:
        return len(manifest) == 64 and set(manifest) <= set("0123456789abcdef")

    def _take(
        self, text: str, proof: Optional[messages.Proof], number: int, asked: str
    ) -> stimuli.Taken:
        place = trust.place_of(proof, number)
        question = trust.Asked(self.host, asked, self.journal.seen)
        lease = self._believe(lambda pins, now: pins.lease(text, place, question, now))
        if place is None:
            raise errors.Untrusted("unsigned", "a lease", "it came without a proof")
        spool = self.journal.take(lease, text, place)
        self.keep(lease, spool)
        return taken_of(lease)

    def _believe(self, check: Callable[[trust.Pins, float], T]) -> T:
        """What a check finds; a key not known yet is looked for once in the server's list."""
        try:
            return check(self.pins, self.server.time.now())
        except errors.Untrusted as refusal:
            if refusal.word != "unsigned":
                raise
            before = len(self.pins.texts)
            self.refresh_keys()
            if len(self.pins.texts) == before:
                raise
        return check(self.pins, self.server.time.now())

    def refresh_keys(self) -> None:
        """Fetch the key list; what no pinned release key vouches for is refused."""
        try:
            pins = self.pins.extend(self.server.keys().keys)
        except errors.Untrusted as refusal:
            self._refused(refusal)
            return
        except errors.LinkFault as error:
            log.warning("keys not fetched", extra={"why": str(error)})
            return
        if pins != self.pins:
            self.home.keep_pins(pins)
            self.pins = pins
            log.info("keys pinned", extra={"keys": len(pins.keys)})

    def _refused(self, refusal: errors.Untrusted, task: int = 0) -> None:
        self.refusals += 1
        self.last_refusal = f"{refusal.what} is {refusal.word}: {refusal.why}"
        extra = {"task": task or None, "word": refusal.word, "what": refusal.what}
        log.warning("refused", extra={**extra, "why": refusal.why})

    def _refuse_lease(self, text: str, refusal: errors.Untrusted) -> None:
        self._refused(refusal)
        try:
            lease = codec.decode(text, messages.Lease)
        except codec.BadMessage:
            return
        known = lease.task in self.journal.seen or lease.host != self.host
        if known or refusal.word not in ("unsigned", "altered", "expired"):
            return  # it may name a task that is well under way, here or elsewhere
        try:
            self.server.report(
                lease.task, messages.ReportRequest("returned", f"refused-{refusal.word}")
            )
        except errors.LinkFault as error:
            log.warning("refusal not told", extra={"task": lease.task, "why": str(error)})

    def keep(self, lease: messages.Lease, spool: Spool) -> None:
        """Take a task from the disk into hand."""
        self.held[lease.task] = Held(lease, spool)

    def inquire(self, task: int) -> None:
        """What the server knows of a task found on disk; what it holds leaves the spool."""
        held = self.held[task]
        try:
            state = self.server.task(task)
        except errors.RequestRefused as error:
            final = error.status in (403, 404, 410) and error.word != link.UNKNOWN
            if isinstance(error, errors.TokenRefused) or not final:
                self._failed(error, stimuli.CallFailed(task, jitter()))
                return
            state = messages.TaskState(task, "gone", held.lease.first, held.lease.last, [], 0.0)
        except errors.LinkFault as error:
            self._failed(error, stimuli.CallFailed(task, jitter(), error.retry_after))
            return
        done = Intervals(state.held)
        dropped = held.spool.drop_held(done)
        left = list(held.spool)
        for one in left:
            done.add(one.first, one.last)
        last = min(state.last, held.lease.last)
        missing = sum(b - a for a, b in done.missing(held.lease.first, last))
        # Fixed before anything of it is sent: from now on frames move from the spool to the server.
        held.done = done
        extra = {"task": task, "state": state.state, "held": dropped, "unsent": len(left)}
        log.info("inquired", extra={**extra, "missing": missing})
        self.tell(stimuli.Inquired(state, len(left), missing))

    def prepare(self, task: int) -> None:
        """Get and check manifest and payload of a task."""
        held = self.held[task]
        try:
            held.manifest, held.bundle = self.fetch(held.lease.manifest)
            trust.fits(held.lease, held.manifest)
        except errors.Untrusted as refusal:
            self._refused(refusal, task)
            self.tell(stimuli.Unprepared(task, refusal.word))
        except errors.RequestRefused as error:
            gone = error.status in (403, 404, 410) and not isinstance(error, errors.TokenRefused)
            if gone:
                self.tell(stimuli.Unprepared(task, "missing"))
            else:
                self._failed(error, stimuli.CallFailed(task, jitter()))
        except errors.LinkFault as error:
            self._failed(error, stimuli.CallFailed(task, jitter(), error.retry_after))
        except OSError as error:
            log.warning("cannot unpack", extra={"task": task, "why": str(error)})
            self.tell(stimuli.CallFailed(task, jitter()))
        else:
            self.tell(stimuli.Prepared(task, held.manifest.cores))

    def fetch(self, digest: str) -> tuple[statements.Manifest, Path]:
        """A manifest and the folder of its payload, from here or the server, both checked."""
        kept = self.journal.manifest(digest)
        text = kept if kept is not None else self.server.manifest(digest)
        manifest = self._believe(lambda pins, now: pins.manifest(text, digest, now))
        if kept is None:
            self.journal.keep_manifest(digest, text)
        if manifest.network and self._settings.network != "yes":
            what = f"manifest {digest[:12]} of {manifest.name[:40]}"
            raise errors.Untrusted(
                "unwelcome", what, "it asks for the network, which --network yes would allow"
            )
        payload = manifest.payload
        if self.bundles.has(payload):
            return manifest, self.bundles.find(payload)
        signed = self.server.payload_statement(payload)
        statement = self._believe(lambda pins, now: pins.payload(signed, payload, now))
        return manifest, self.bundles.get(
            payload, statement.size, lambda path, size: self.server.payload(payload, path, size)
        )

    def report(self, task: int, report: messages.ReportRequest) -> None:
        """Tell how a task ended."""
        try:
            reply = self.server.report(task, report)
        except errors.RequestRefused as error:
            if isinstance(error, errors.TokenRefused):
                self.tell(revoked(error))
                return
            log.warning("report refused", extra={"task": task, "why": str(error)})
            self.tell(stimuli.Reported(task))
        except errors.LinkFault as error:
            self._failed(error, stimuli.CallFailed(task, jitter(), error.retry_after))
        else:
            self.tell(stimuli.Reported(task))
            self._commands(reply.commands)

    def heartbeat(self, order: orders.Heartbeat, seq: int) -> None:
        """A sign of life. That it was taken is told after what it said of the tasks."""
        request = messages.HeartbeatRequest(
            list(order.tasks), seq, order.doing, order.why, self.instance
        )
        try:
            reply = self.server.heartbeat(request)
        except errors.LinkFault as error:
            self._failed(error, stimuli.HeartbeatFailed(jitter(), error.retry_after))
            return
        for state in reply.tasks:
            self.tell(stimuli.TaskTold(state))
        self.tell(stimuli.HeartbeatTaken())
        self._commands(reply.commands)

    def release(self, seq: int) -> None:
        """Tell that a command to leave is obeyed."""
        try:
            self.server.release(messages.ReleasedRequest(seq, self.server.time.now()))
        except errors.RequestRefused as error:
            log.warning("release refused", extra={"seq": seq, "why": str(error)})
        except errors.LinkFault as error:
            self._failed(error, stimuli.ReleaseFailed(seq, jitter(), error.retry_after))

    def tell_class(self, manifest: str, found: Class) -> None:
        """Tell the class of this host for a manifest."""
        self.failed_probes.pop(manifest, None)
        report = messages.ClassReport(manifest, found.digest, found.seconds_per_event)
        self._report_class(report, stimuli.Probed(manifest))

    def tell_failed(self, manifest: str, word: str, said: str = "") -> None:
        """Tell that the reference events cannot be made here: in a word, and the payload's log."""
        self.failed_probes[manifest] = word
        for oldest in list(self.failed_probes)[:-FAILED_MOST]:
            del self.failed_probes[oldest]
        report = messages.ClassReport(manifest, NO_CLASS, failed=word, log=said[-LOG_MOST:])
        self.untold[manifest] = report
        self._report_class(report, stimuli.ProbeFailed(manifest, jitter(), told=True))

    def tell_again(self, manifest: str) -> bool:
        """Tell a failure that did not get through; False if there is none."""
        report = self.untold.get(manifest)
        if report is None:
            return False
        self._report_class(report, stimuli.ProbeFailed(manifest, jitter(), told=True))
        return True

    def _report_class(self, report: messages.ClassReport, done: stimuli.Stimulus) -> None:
        manifest = report.manifest
        try:
            self.server.report_class(report)
        except errors.LinkFault as error:
            final = isinstance(error, errors.RequestRefused)  # it will not be taken later either
            if final:
                self.untold.pop(manifest, None)
            self._failed(
                error, stimuli.ProbeFailed(manifest, jitter(), error.retry_after, told=final)
            )
        else:
            self.untold.pop(manifest, None)
            self.tell(done)

    def probe_refused(self, manifest: str, error: Exception) -> None:
        """A probe whose manifest or payload could not be had, or is not to be believed."""
        if isinstance(error, errors.Untrusted):
            self._refused(error)
            self.tell_failed(manifest, f"refused-{error.word}", str(error))
            return
        log.warning("probe", extra={"manifest": manifest[:12], "why": str(error)})
        if isinstance(error, errors.TokenRefused):
            self.tell(revoked(error))
        elif isinstance(error, errors.RequestRefused) and error.status in (403, 404, 410):
            self.tell_failed(manifest, "missing", str(error))
        else:
            self.tell(stimuli.ProbeFailed(manifest, jitter(), getattr(error, "retry_after", 0.0)))

    def probe_ended(self, manifest: statements.Manifest, digest: str, outcome: Outcome) -> None:
        """A probe whose payload did not make its reference events."""
        said = outcome.log.strip().splitlines()[-SAID_LINES:]
        extra = {"production": manifest.name, "manifest": digest[:12], "word": outcome.word}
        shown = lines("\n".join(said))[-SAID_MOST:]
        log.warning("probe failed", extra={**extra, "why": outcome.why, "said": shown})
        if outcome.word == "stopped":  # by us, not by a fault of it
            self.tell(stimuli.ProbeFailed(digest, jitter()))
        else:
            self.tell_failed(digest, outcome.word, outcome.log)

    def forget(self, task: int) -> None:
        """Let a task go, its spool too."""
        held = self.held.pop(task, None)
        if held is not None:
            held.spool.close()
            self.journal.forget(task)

    def _commands(self, commands: list[messages.Command]) -> None:
        if commands:
            self.tell(stimuli.Commanded(tuple(commands)))

    def _failed(self, error: errors.LinkFault, otherwise: stimuli.Stimulus) -> None:
        log.warning("no answer", extra={"why": str(error), "wait_s": error.retry_after or None})
        refused = isinstance(error, errors.TokenRefused)
        self.tell(revoked(error) if refused else otherwise)


def revoked(error: errors.LinkFault) -> stimuli.HostRevoked:
    """What a token that is not taken any more means."""
    return stimuli.HostRevoked(isinstance(error, errors.Unmanaged))


def taken_of(lease: messages.Lease) -> stimuli.Taken:
    """What the brain is told of a lease."""
    lease_s = max(1.0, lease.until - lease.issued)
    return stimuli.Taken(
        lease.task, lease.production, lease.manifest, lease.first, lease.last, lease_s
    )


def jitter() -> float:
    """Uniform in [0, 1)."""
    return random.random()  # noqa: S311 - spreads retries, no secret
