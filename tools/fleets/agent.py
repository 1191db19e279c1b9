"""A simulated agent: it joins, asks, streams frames, hears commands, and leaves when told to.

It says on the wire what a real one says, and computes nothing: its events are finished when its
clock says so. Signatures are not checked here; that is measured elsewhere, and costs agents alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from dataclasses import dataclass, field

from tools.fleets import payload
from tools.fleets.line import Line, Said
from tools.fleets.tally import Tally

POLL_S = 50  # seconds a long poll may last
BEAT_S = 20.0
FACTS = {"cores": 1, "memory_mb": 8000, "disk_mb": 100_000, "arch": "x86_64"}
AWAY = ("stop", "drain", "suspend")


@dataclass(frozen=True)
class Pace:
    """How an agent works: s per event, s between frames, and the seed of the payload."""

    event_s: float
    flush_s: float
    seed: int


@dataclass(eq=False)
class Work:
    """A lease in hand: ``at`` is where the events begin that are not confirmed yet."""

    task: int
    production: int
    first: int
    last: int
    began: float
    at: int
    over: bool = False

    def finished(self, now: float, event_s: float) -> int:
        """Up to which event all is computed by now."""
        return min(self.last, self.first + int((now - self.began) / event_s))


@dataclass(eq=False)
class Agent:
    """One agent. ``order`` is the last that told it how to go on, ``seq`` the last it heard."""

    number: int
    line: Line
    pace: Pace
    tally: Tally
    chance: random.Random
    work: Work | None = None
    order: str = "resume"
    order_seq: int = 0
    grace_s: float = 0.0
    seq: int = 0
    released_seq: int = 0
    over: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def join(self, token: str) -> None:
        """Join with an enrolment token, which becomes a token of its own."""
        message = {
            "request": f"fleet-{self.number:08}", "token": token,
            "name": f"agent-{self.number:05}", "facts": FACTS,
        }  # fmt: skip
        said = await self.line.call("POST", "/hosts", json.dumps(message).encode())
        if said.status != 201:
            raise RuntimeError(f"agent {self.number} may not join: {said.body}")
        self.line.token = said.body["token"]

    async def live(self) -> None:
        """Work until told that all is over."""
        listening = asyncio.create_task(self._listen())
        beating = asyncio.create_task(self._beat())
        try:
            while not self.over:
                await self._turn()
        finally:
            for task in (listening, beating):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    def end(self) -> None:
        """All is over."""
        self.over = True
        self.changed.set()

    async def _turn(self) -> None:
        if self.order != "resume":
            await self._away()
            return
        wait = await self._ask()
        if self.work is not None:
            if self.order == "stop":  # told meanwhile: it never began
                await self._report(self.work, "returned")
            else:
                await self._compute(self.work)
            self.work = None
        elif self.order == "resume" and not self.over:
            await self._pause(wait)

    async def _away(self) -> None:
        """Nothing runs here any more: say so once, and wait to be told to go on."""
        if self.released_seq < self.order_seq:
            self.released_seq = self.order_seq
            message = {"seq": self.order_seq, "released_at": time.time()}
            await self.line.call("POST", "/released", json.dumps(message).encode())
        if self.order != "resume":
            await self._pause(3600.0)

    async def _pause(self, seconds: float) -> None:
        """Wait, or until something is said."""
        self.changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.changed.wait()

    async def _ask(self) -> float:
        """A lease, if there is one; else the seconds until the next question."""
        self.tally.asks += 1
        message = {
            "ask": f"{self.number:08}-{self.chance.getrandbits(64):016x}", "slots": 1,
            "memory_mb": 8000, "disk_mb": 100_000, "seq": self.seq,
        }  # fmt: skip
        said = await self.line.call("POST", "/work", json.dumps(message).encode())
        if said.status != 200:
            return 5.0
        self._hear(said)
        for text in said.body["leases"]:
            lease = json.loads(text)
            first, last = lease["first"], lease["last"]
            self.tally.lease(first, last)
            now = time.monotonic()
            self.work = Work(lease["task"], lease["production"], first, last, now, first)
            return 0.0
        return float(said.body["retry_after"]) * (0.75 + 0.5 * self.chance.random())

    async def _compute(self, work: Work) -> None:
        """Make the events of a lease, sending what is finished from time to time."""
        event_s = self.pace.event_s
        flush = self.pace.flush_s * self.chance.random()  # a fleet does not flush in step
        while work.at < work.last and not work.over:
            if self.order == "suspend":
                stood = time.monotonic()
                await self._away()
                work.began += time.monotonic() - stood
                continue
            if self.order == "stop" or self.over:
                await self._stop(work)
                return
            left = work.began + (work.last - work.first) * event_s - time.monotonic()
            await self._pause(max(0.0, min(flush, left)))
            flush = self.pace.flush_s
            if self.order in ("resume", "drain"):
                await self._flush(work)
        if not work.over:
            await self._report(work, "delivered")

    async def _stop(self, work: Work) -> None:
        """Finish the current event if there is time, send what is finished, return the rest."""
        now = time.monotonic()
        at = work.finished(now, self.pace.event_s)
        rest = work.began + (at + 1 - work.first) * self.pace.event_s - now
        if at < work.last and rest <= self.grace_s:
            await asyncio.sleep(max(0.0, rest))
        await self._flush(work)
        if not work.over:
            await self._report(work, "delivered" if work.at >= work.last else "returned")

    async def _flush(self, work: Work) -> None:
        upto = work.finished(time.monotonic(), self.pace.event_s)
        if upto <= work.at or work.over:
            return
        body = payload.frame(work.at, upto, self.pace.seed)
        said = await self.line.call(
            "PUT",
            f"/productions/{work.production}/frames/{work.at}-{upto}",
            body,
            **{"Content-Digest": payload.digest_field(body)},
        )
        if said.status != 200:
            self._refused(work, said, upto - work.at)
            return
        self.tally.frame(work.at, upto)
        work.at = upto
        self._told(work, said.body["task"])
        self._hear(said)

    def _refused(self, work: Work, said: Said, events: int) -> None:
        """Nobody wants these events any more."""
        work.over = True
        self.tally.refused += 1
        if (said.body or {}).get("code") != "production-over":
            self.tally.dropped += events

    def _told(self, work: Work, state: dict[str, object]) -> None:
        last = state["last"]
        assert isinstance(last, int)  # noqa: S101  so says the wire
        work.last = min(work.last, last)
        if state["state"] != "leased":
            work.over = True

    async def _report(self, work: Work, outcome: str) -> None:
        message = json.dumps({"outcome": outcome, "reason": self.order}).encode()
        self._hear(await self.line.call("POST", f"/tasks/{work.task}/report", message))

    def _hear(self, said: Said) -> None:
        """Obey the commands of an answer, each once and in order."""
        if said.status != 200:
            return
        for command in sorted(said.body["commands"], key=lambda c: int(c["seq"])):
            if command["seq"] <= self.seq:
                continue
            self.seq = command["seq"]
            name, args = command["name"], command["args"]
            if name in AWAY or name == "resume":
                self.order, self.order_seq = name, self.seq
                self.grace_s = float(args.get("grace_s", "0"))
            elif name == "abort" and self.work and args.get("task") == str(self.work.task):
                self.work.over = True
            self.changed.set()

    async def _listen(self) -> None:
        """Hold the long poll, always."""
        while True:
            path = f"/commands?since={self.seq}&wait={POLL_S}"
            self._hear(await self.line.call("GET", path))

    async def _beat(self) -> None:
        """Signs of life, while there is a lease to be kept."""
        while True:
            await asyncio.sleep(BEAT_S * (0.75 + 0.5 * self.chance.random()))
            work = self.work
            if work is None or work.over:
                continue
            done = work.finished(time.monotonic(), self.pace.event_s) - work.first
            message = {"tasks": [{"task": work.task, "done": done}], "seq": self.seq}
            said = await self.line.call("POST", "/heartbeat", json.dumps(message).encode())
            self._hear(said)
            if said.status == 200 and said.body["tasks"][0]["state"] == "gone":
                work.over = True
                self.changed.set()
