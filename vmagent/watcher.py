"""The threads that look at the machine and its site, and tell the brain what has changed.

What is near (clocks, files, /proc) is looked at every second by one thread. What is asked over HTTP
may take its time, so each such source has a thread of its own; its last word counts until the next.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from vmagent import clock, mjf, orderfile, spot, stimuli, throttle, waking, wishes
from vmagent.fetch import Away
from vmagent.owner import Owner, own_cpu
from vmagent.settings import Settings
from vmagent.wishes import Reading, Wish

log = logging.getLogger("vmagent.watcher")

LOOK_S = 1.0
SPOT_S = 5.0  # as often as Amazon's user guide asks for
Look = Callable[[], list[Reading]]


class Source(threading.Thread):
    """Something that is asked over the network, every so often."""

    def __init__(self, name: str, every_s: float, look: Look) -> None:
        super().__init__(name=name, daemon=True)
        self.said: list[Reading] = []
        self._every_s, self._look = every_s, look
        self._over = threading.Event()
        self._away = False

    def run(self) -> None:
        """Until stopped."""
        while not self._over.is_set():
            try:
                self.said = self._look()
                self._away = False
            except Away as error:
                if not self._away:
                    log.info("source away", extra={"source": self.name, "why": str(error)})
                self._away = True
            except Exception:  # a fault of ours: the machine may yet be told to go
                log.exception("source fault", extra={"source": self.name})
            self._over.wait(self._every_s)

    def stop(self) -> None:
        """Look no more."""
        self._over.set()


class Watcher(threading.Thread):
    """Tells `Wished`, `Woke` and `Throttled`."""

    def __init__(
        self,
        settings: Settings,
        state: Path,
        features: mjf.Features,
        tell: Callable[[stimuli.Stimulus], None],
        goodbye_s: float,
        unix: Callable[[], float],
    ) -> None:
        super().__init__(name="watcher", daemon=True)
        self._settings, self._state, self._tell = settings, state, tell
        self._goodbye_s, self._unix = goodbye_s, unix
        self._owner = Owner(settings)
        self._waking = waking.Waking(every_s=LOOK_S)
        self._features, self._granted = features, mjf.Granted()
        self._stop_file = Path(settings.stop_file) if settings.stop_file else None
        self._runs = True
        self._over = threading.Event()
        self.wish = Wish()
        self.sources = [*self._site(), *self._cloud()]

    def _site(self) -> list[Source]:
        if not self._features.given:
            return []
        self._granted = self._features.look()
        return [Source("features", self._settings.features_s, self._look_again)]

    def _look_again(self) -> list[Reading]:
        self._granted = self._features.look()
        return []  # its times are made ours at every look of the watcher: they move

    def _cloud(self) -> list[Source]:
        wanted = self._settings.spot
        if wanted == "off" or (wanted == "auto" and not spot.here()):
            return []
        address = spot.ADDRESS if wanted == "auto" else wanted
        found = spot.Spot(address, self._unix, self._settings.rebalance == "drain")
        return [Source("spot", SPOT_S, lambda: found.look(clock.monotonic()))]

    def run(self) -> None:
        """Until stopped."""
        for source in self.sources:
            source.start()
        look_at = 0.0
        while not self._over.is_set():
            now = clock.monotonic()
            try:
                self._turn(now)
                if now >= look_at:
                    look_at = now + LOOK_S
                    self._look(now)
            except Exception:  # a fault of ours: without this thread nobody hears the machine
                log.exception("watcher fault")
            pause = throttle.next_turn(now, self._settings.cpu_percent)
            self._over.wait(max(0.01, min(pause, look_at - now)))
        for source in self.sources:
            source.stop()

    def stop(self) -> None:
        """Look no more."""
        self._over.set()

    def _turn(self, now: float) -> None:
        runs = throttle.runs(now, self._settings.cpu_percent)
        if runs != self._runs:
            self._runs = runs
            self._tell(stimuli.Throttled(not runs))

    def _look(self, now: float) -> None:
        woke = self._waking.look() or self._waking.moved(waking.addresses())
        if woke is not None:
            self._tell(stimuli.Woke(woke.word, woke.away_s))
        before, self.wish = self.wish, self._wish(now)
        if before.told() != self.wish.told():
            wish = self.wish
            self._tell(stimuli.Wished(wish.kind, wish.reason, wish.by))

    def _wish(self, now: float) -> Wish:
        found: list[Reading] = []
        for source in self.sources:
            found.extend(source.said)
        if self._features.given:
            spent = own_cpu() if self._granted.cpu_s is not None else 0.0
            slots = self._settings.slots
            found.extend(mjf.readings(self._granted, now, self._unix(), spent, slots))
        found.extend(orderfile.read(self._stop_file, self._state))
        found.extend(self._owner.look(now))
        return wishes.decide(found, self.wish, now, self._goodbye_s)


def best_unix(server: clock.ServerClock, wall: Callable[[], float]) -> Callable[[], float]:
    """The time as well as it is known: the server's, or before it has told, the machine's."""
    return lambda: server.now() if server.known else wall()
