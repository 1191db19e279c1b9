"""Check-in boxes: each part and each site in a colour and in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from server.domain.alert import Level
from server.domain.farm import Mode
from server.services.cards import HERE_S, HostCard
from server.services.deps import Deps
from server.services.upkeep.desk import Probe
from server.services.upkeep.poolsigns import last_heard
from server.services.upkeep.signs import minutes

LOOKS = {None: "good", Level.NOTE: "good", Level.WARN: "warn", Level.BAD: "bad"}
DAY_S = 86_400.0


@dataclass(frozen=True)
class Box:
    """A part: its name, how it looks (good, warn, bad, off), the words, and a line beside them."""

    name: str
    look: str
    words: str
    more: str = ""
    href: str = ""


def parts(deps: Deps, now: float) -> list[Box]:
    """The server's own parts."""
    probes = deps.upkeep.probes
    return [
        _duties(deps, now),
        _probed("Database", probes.get("database"), now),
        _probed("Blobs", probes.get("blobs"), now),
        _mail(deps),
    ]


def _duties(deps: Deps, now: float) -> Box:
    known = list(deps.upkeep.rounds.known.values())
    failing = [one for one in known if one.failures]
    late = [one for one in known if one.late_by(now)]
    if late or failing:
        names = ", ".join(one.name for one in [*late, *failing][:3])
        words = (
            f"{len({one.name for one in [*late, *failing]})} of {len(known)} in trouble: {names}"
        )
        return Box("Server duties", "bad" if late else "warn", words, href="#duties")
    if not known:
        return Box("Server duties", "off", "not started")
    last = max(one.done_at for one in known)
    return Box("Server duties", "good", checked_in(now - last), f"{len(known)} go round", "#duties")


def _probed(name: str, probe: Probe | None, now: float) -> Box:
    if probe is None:
        return Box(name, "off", "not looked at yet")
    if probe.why:
        return Box(name, "bad", f"does not answer: {probe.why}")
    took = f"{1000 * probe.took_s:.0f} ms" if probe.took_s >= 0.001 else "less than 1 ms"
    return Box(name, "good", checked_in(now - probe.at), f"answers in {took}")


def _mail(deps: Deps) -> Box:
    postman = deps.doors.postman
    if not postman.works:
        return Box("Mail", "off", "not set up", "settings under [mail]")
    if postman.failures:
        return Box("Mail", "warn", f"not sent: {postman.why}", f"{postman.failures} in a row")
    return Box("Mail", "good", "nothing has failed")


@dataclass
class _Count:
    hosts: int = 0
    here: int = 0
    working: int = 0

    def add(self, card: HostCard, now: float) -> None:
        """One more machine."""
        self.hosts += 1
        self.here += now - card.seen_at < HERE_S
        self.working += bool(card.running)

    def __str__(self) -> str:
        """In words."""
        return f"{self.here} of {self.hosts} here, {self.working} working"


def sites(deps: Deps, now: float) -> Iterator[Box]:
    """Each site's machines, and those of no site."""
    heard, counts = last_heard(deps), dict[int, _Count]()
    for card in deps.registry.hosts.values():
        counts.setdefault(card.site, _Count()).add(card, now)
    for site in sorted(deps.registry.sites.values(), key=lambda one: one.name):
        href = f"/sites/{quote(site.name, safe='')}"
        count, at = counts.get(site.id, _Count()), heard.get(site.id, 0.0)
        if site.mode is not Mode.ONLINE:
            words = f"switched off since {since(site.since, now)}"
            yield Box(site.name, "off", words, str(count), href)
        elif not at:
            yield Box(site.name, "off", "no machine has joined yet", href=href)
        else:
            yield _silent(deps, site.name, now - at, at, now, str(count), href)
    if 0 in counts:
        at = heard[0]
        yield _silent(deps, "Machines of no site", now - at, at, now, str(counts[0]), "/hosts")


def heard_by_site(deps: Deps) -> dict[str, float]:
    """When each site was heard of last, by its name; empty for machines of none."""
    name = deps.registry.site_name
    return {name(site): at for site, at in last_heard(deps).items()}


def _silent(
    deps: Deps, name: str, silent: float, at: float, now: float, more: str, href: str
) -> Box:
    level = deps.upkeep.thresholds.silence(silent)
    words = f"not connected since {since(at, now)}" if level is Level.BAD else checked_in(silent)
    return Box(name, LOOKS[level], words, more, href)


def checked_in(seconds: float) -> str:
    """When it was heard of."""
    if seconds < 60.0:
        return "checked in just now"
    return f"checked in {minutes(seconds)} ago"


def since(at: float, now: float) -> str:
    """A time of day (UTC); with the date if that was more than a day ago."""
    form = "%H:%M" if now - at < DAY_S else "%Y-%m-%d %H:%M"
    return datetime.fromtimestamp(at, UTC).strftime(form)
