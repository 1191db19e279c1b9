"""How long the agent is here and whether it may work: orders to rest or to leave; pure.

In order of haste: the second stop (at once), a stop (grace for the current event), a finish (all
the time the current event takes), a drain (the work in hand), a rest (leases given back, the agent
stays), a suspension (payloads frozen, leases kept).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Optional

from vmagent import hand, orders, stimuli, wishes
from vmagent.backoff import pause
from vmagent.hand import PREPARING, READY, RUNNING
from vmagent.plan import Plan
from vmagent.wire import messages

# What one answer may make an agent do.
COMMANDS_MOST = 64
# Commands that are news of what is to be fetched.
NEWS = {"recontextualize": "context", "limits": "limits", "new-token": "token"}
TASK = re.compile(r"[0-9]{1,19}")
SECONDS = re.compile(r"[0-9]{1,7}(\.[0-9]{1,6})?")
# After the current event, however long that takes; a hung payload has its own limit.
PATIENT_S = 1e9
# Away for longer, the machine may have lost its leases: the server is asked before it goes on.
UNSURE_S = 10.0


class Presence(Plan):
    """What the agent makes of orders to rest and to leave."""

    def _commanded(self, event: stimuli.Commanded, now: float) -> Iterator[orders.Order]:
        fresh = {one.seq: one for one in event.commands if one.seq > self.seq}
        told = [fresh[seq] for seq in sorted(fresh)[:COMMANDS_MOST]]
        done: list[orders.Order] = []
        for command in told:
            done.append(orders.Say("commanded", why=command.name))
            done.extend(self._obey(command, now))
        if told:  # first of all: what is obeyed twice would be obeyed after the next start
            self.seq = told[-1].seq
            yield orders.Remember(self.seq, self.hold)
        yield from done

    def _obey(self, command: messages.Command, now: float) -> Iterator[orders.Order]:
        name, grace_s = command.name, _grace_of(command)
        if name in ("drain", "stop", "suspend", "resume"):
            self._hand_back_at = None
            self._release_seq = command.seq if grace_s is not None and name != "resume" else 0
            stays = name == "suspend" or "stay" in command.args
            self.hold = name if stays else ""
        if name == "drain":
            # What takes longer than this is given back after all.
            self._hand_back_at = None if grace_s is None else now + grace_s
            if "stay" not in command.args:
                yield from self._drain("server-drain")
        elif name == "stop" and (self.leaving != "stop" or self.anew):
            grace_s = self.rules.grace_s if grace_s is None else min(grace_s, self.rules.grace_s)
            if "stay" in command.args:
                yield from self._hand_back(grace_s)
            else:
                yield from self._stop(now, "server-stop", grace_s)
        elif command.name == "refresh-keys":
            yield orders.RefreshKeys()
        elif name == "work":
            self._ask_now(now)
        elif name in NEWS:
            yield orders.Owe(NEWS[name])
        elif command.name == "abort":
            number = command.args.get("task", "")
            task = self.tasks.get(int(number)) if TASK.fullmatch(number) else None
            if task is not None:
                yield from self._forget(task)

    def _ask_now(self, now: float) -> None:
        """There is work: ask, unless what was asked or done before went wrong."""
        if not (self._asks_failed or self._refusals or self._runs_failed or self._probes_lost):
            self._ask_at = min(self._ask_at, now)

    def _in_haste(self, now: float) -> Iterator[orders.Order]:
        """A drain that took longer than the server gave it."""
        if self._hand_back_at is not None and now >= self._hand_back_at:
            self._hand_back_at = None
            if self.leaving == "drain":
                yield from self._stop(now, self.reason, self.rules.grace_s)
            elif self.hold:
                yield from self._hand_back(self.rules.grace_s)

    def _release_failed(self, event: stimuli.ReleaseFailed, now: float) -> Iterator[orders.Order]:
        if not self._release_seq and self.hold and event.seq == self.seq:
            self._release_seq = event.seq
            self._release_at = now + pause(3, event.jitter, event.retry_after)
        yield from ()

    def _settings_changed(self, _: stimuli.SettingsChanged, now: float) -> Iterator[orders.Order]:
        """End in order, to begin anew; any other order to leave counts for more."""
        if not self.leaving:
            self.anew = True
            yield from self._stop(now, "settings", self.rules.grace_s)

    def _stop_asked(self, event: stimuli.StopAsked, now: float) -> Iterator[orders.Order]:
        if self.anew:
            self.anew, self.reason = False, event.reason
            yield orders.Say("stopping", why=event.reason)
        elif self.leaving == "stop":
            yield from self._exit(0, "at once")
        else:
            yield from self._stop(now, event.reason, self.rules.grace_s)

    def _finish_asked(self, event: stimuli.FinishAsked, now: float) -> Iterator[orders.Order]:
        self.anew = False
        if self.leaving not in ("finish", "stop"):
            self.leaving, self.reason = "finish", event.reason
            yield orders.Say("finishing", why=event.reason)
            yield from self._hand_back(PATIENT_S)

    def _drain_asked(self, event: stimuli.DrainAsked, now: float) -> Iterator[orders.Order]:
        yield from self._drain(event.reason)

    def _drain(self, reason: str) -> Iterator[orders.Order]:
        self.anew = False
        if not self.leaving:
            self.leaving, self.reason = "drain", reason
            yield orders.Say("draining", why=reason)

    def _stop(
        self, now: float, reason: str, grace_s: float, by: Optional[float] = None
    ) -> Iterator[orders.Order]:
        """Finish the current event, if there is the time for it; gone by ``by``."""
        self.anew = self.anew and reason == "settings"
        least = now if by is None else max(now, by)
        leave_at = now + self.goodbye_s - self.rules.grace_s + grace_s
        if by is not None and least < leave_at:
            # Half for the event, the other half to stop it and to send it.
            grace_s, leave_at = min(grace_s, (least - now) / 2), least
        self.leaving, self._leave_at, self.reason = "stop", leave_at, reason
        yield orders.Say("stopping", why=reason)
        yield from self._hand_back(grace_s)

    def _hand_back(self, grace_s: float) -> Iterator[orders.Order]:
        """End what runs after its current event, and give back what does not."""
        for manifest in self.probing:
            yield orders.KillProbe(manifest)
        for task in list(self.tasks.values()):
            if task.phase == RUNNING:
                if task.paused:
                    yield orders.Resume(task.task)
                self._set(replace(task, paused=False, ending=True))
                yield orders.Finish(task.task, grace_s)
            elif task.phase in (PREPARING, READY):
                yield from self._close(task, hand.returned("stopped"))

    def _wished(self, event: stimuli.Wished, now: float) -> Iterator[orders.Order]:
        self.by = event.by
        if event.kind == wishes.STOP:
            self.anew = False
            if self.leaving != "stop":
                yield from self._stop(now, event.reason, self.rules.grace_s, event.by)
        elif event.kind == wishes.DRAIN:
            yield from self._drain(event.reason)
        elif event.kind != self.wish:
            self.wish, self.wish_reason = event.kind, event.reason
            words = {wishes.SUSPEND: "suspending", wishes.REST: "resting"}
            yield orders.Say(words.get(event.kind, "going-on"), why=event.reason)
            if event.kind == wishes.REST and self.leaving in ("", "drain"):
                yield from self._hand_back(self.rules.grace_s)
        else:
            self.wish_reason = event.reason

    def _throttle(self, event: stimuli.Throttled, now: float) -> Iterator[orders.Order]:
        self._still = event.still
        yield from ()

    def _woke(self, event: stimuli.Woke, now: float) -> Iterator[orders.Order]:
        """Nothing known from before is sure: connections, leases, or how long to wait."""
        yield orders.Say("woke", why=f"{event.word}, {event.away_s:.0f} s", grave=True)
        yield orders.Reconnect()
        self._asks_failed = self._beats_failed = 0
        self._ask_at = self._beat_at = now
        self._old_beat = self._beating
        if event.away_s >= UNSURE_S and self._live():
            self.unsure = True


def _grace_of(command: messages.Command) -> Optional[float]:
    """The seconds that a command gives; None if it does not say."""
    told = command.args.get("grace_s", "")
    return float(told) if SECONDS.fullmatch(told) else None
