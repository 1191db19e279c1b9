"""What is wrong with the pool itself: productions, sites, bans, mail, backups; as signs."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from server.db import backups, units
from server.db.backups import Backup
from server.db.base import Tx
from server.domain.alert import Level, Sign
from server.domain.farm import Mode
from server.domain.production import ProductionState
from server.services.cards import ProductionCard
from server.services.deps import Deps
from server.services.upkeep.signs import PAGE, minutes

REASONS = 2  # held units whose reasons are told
WORDS_MOST = 300  # characters of a reason

ELSEWHERE = "If somebody else makes them: backup.elsewhere = true."

Held = tuple[ProductionCard, int, list[tuple[int, str]]]


async def all_of(deps: Deps, now: float) -> list[Sign]:
    """Every sign that the database has to be asked for, or the pool's memory."""
    found = [*of_sites(deps, now), *of_bans(deps, now), *of_mail(deps)]
    cards = list(deps.registry.productions.values())

    async def read(tx: Tx) -> tuple[list[Held], Backup | None, list[Backup]]:
        held = [(card, *await units.held(tx, card.id, REASONS)) for card in cards]
        return held, await backups.last_whole(tx), await backups.latest(tx, 1)

    held, last, latest = await deps.store.read(read)
    deps.upkeep.last_backup_at = last.ended_at if last else 0.0
    for card, count, reasons in held:
        found += of_production(deps, card, count, reasons)
    return [*found, *of_backups(deps, last, latest, now)]


def of_production(
    deps: Deps, card: ProductionCard, count: int, reasons: list[tuple[int, str]]
) -> Iterator[Sign]:
    """A production that is held, has held units, or cannot be judged or merged."""
    href = f"/productions/{quote(card.name, safe='')}"
    if card.state is ProductionState.HELD:
        yield Sign(
            "production-held", card.name, Level.BAD, f"Production {card.name} is held",
            f"Read why on its page, mend it, then: windfall production release {card.name}", href,
        )  # fmt: skip
    elif count:
        told = "; ".join(f"unit {number}: {reason}" for number, reason in reasons)
        many = f"{count} work unit{'s' * (count > 1)} of {card.name} held"
        yield Sign(
            "units-held", card.name, Level.WARN, f"{many}: {told}"[:WORDS_MOST],
            f"Look at their logs, then: windfall production release {card.name}", href,
        )  # fmt: skip
    troubles = deps.troubles.of(
        card.id, lambda unit: "output not merged" if unit is None else f"unit {unit} not written"
    )
    if troubles:
        yield Sign(
            "production-trouble", card.name, Level.WARN,
            f"{card.name}: {troubles[0]}"[:WORDS_MOST],
            "It is tried again by itself; see blobs and disks if it goes on.", href,
        )  # fmt: skip


def of_sites(deps: Deps, now: float) -> Iterator[Sign]:
    """A site that may work, has machines, and says nothing."""
    heard = last_heard(deps)
    for site in deps.registry.sites.values():
        at = heard.get(site.id)
        if at is None or site.mode is not Mode.ONLINE:
            continue
        silent = now - max(at, site.since)
        level = deps.upkeep.thresholds.silence(silent)
        if level is not None:
            yield Sign(
                "site-silent", site.name, level,
                f"No machine of {site.name} was heard of for {minutes(silent)}",
                "Ask its admin: power, network, proxy; or switch it off until it is back.",
                f"/sites/{quote(site.name, safe='')}",
            )  # fmt: skip


def last_heard(deps: Deps) -> dict[int, float]:
    """When each site (0: machines of none) was heard of last, through any of its machines."""
    found: dict[int, float] = {}
    for card in deps.registry.hosts.values():
        if card.seen_at > found.get(card.site, 0.0):
            found[card.site] = card.seen_at
    return found


def of_bans(deps: Deps, now: float) -> Iterator[Sign]:
    """Machines that are refused: good to know, as somebody decided it."""
    cards = deps.registry.hosts.values()
    banned = sum(1 for card in cards if card.ban and (card.ban.until or now + 1) > now)
    barred = sum(1 for card in cards if card.barred and (card.barred.until or now + 1) > now)
    if banned:
        yield Sign(
            "bans", "machines", Level.NOTE, f"{banned} machine{'s' * (banned > 1)} banned",
            "Their page tells why; lift what is over.", "/bans",
        )  # fmt: skip
    if barred:
        yield Sign(
            "bans", "agents", Level.NOTE,
            f"{barred} machine{'s' * (barred > 1)} with a banned version of the agent",
            "Their owners have to update.", "/bans",
        )  # fmt: skip


def of_mail(deps: Deps) -> Iterator[Sign]:
    """Letters that the mail server did not take."""
    postman = deps.doors.postman
    if postman.works and postman.failures:
        yield Sign(
            "mail", "server", Level.WARN,
            f"Mail is not sent: {postman.why} ({postman.failures} in a row)",
            "See the settings under [mail] and the mail server's log.", PAGE,
        )  # fmt: skip


def of_backups(deps: Deps, last: Backup | None, latest: list[Backup], now: float) -> Iterator[Sign]:
    """No backup, or none for too long; or the last one failed."""
    schedule = deps.upkeep.schedule
    if schedule.elsewhere or deps.upkeep.vault is None:
        return
    cure = f"Set backup.every_hours. {ELSEWHERE}"
    if not schedule.every_s:
        yield Sign("backup", "schedule", Level.WARN, "No backups are made", cure, PAGE)
        return
    if latest and latest[0].state == "failed":
        cause = f"The last backup failed: {latest[0].why}"[:WORDS_MOST]
        again = f"Mend it, then: windfall backup make. {ELSEWHERE}"
        yield Sign("backup", "last", Level.WARN, cause, again, PAGE)
    age = now - (last.ended_at if last else deps.upkeep.started_at)
    if age > schedule.late_after():
        since = f"The last backup is {minutes(age)} old" if last else "No backup is known"
        cure = "The list of backups tells what failed; windfall backup make tries at once."
        yield Sign("backup", "schedule", Level.BAD, since, cure, PAGE)
