"""Benchmarks of machines: what operators said of them, and what they say of themselves."""

from __future__ import annotations

from dataclasses import dataclass

from server.db.base import Tx
from server.domain.giving import Power


@dataclass(frozen=True)
class Said:
    """What an operator said that a whole machine does in a benchmark."""

    name: str
    value: float
    by: str
    at: float


@dataclass(frozen=True)
class Told:
    """What a machine says that a core of it does, and when it said so first."""

    power: Power
    at: float | None


async def of_site(tx: Tx, site: int) -> dict[int, dict[str, float]]:
    """What operators said of the machines of a site, by host and name."""
    rows = await tx.all(
        "SELECT b.host, b.name, b.value FROM benchmarks b JOIN hosts ON hosts.id = b.host"
        " WHERE hosts.site = $1",
        site,
    )
    found: dict[int, dict[str, float]] = {}
    for host, name, value in rows:
        found.setdefault(host, {})[name] = value
    return found


async def of_host(tx: Tx, host: int) -> list[Said]:
    """What operators said of a machine."""
    rows = await tx.all(
        "SELECT name, value, told_by, at FROM benchmarks WHERE host = $1 ORDER BY name", host
    )
    return [Said(*row) for row in rows]


async def say(tx: Tx, host: int, said: Said) -> None:
    """Keep what an operator says of a machine."""
    await tx.run(
        "INSERT INTO benchmarks (host, name, value, told_by, at) VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT (host, name) DO UPDATE SET value = $3, told_by = $4, at = $5",
        host,
        said.name,
        said.value,
        said.by,
        said.at,
    )


async def told_by(tx: Tx, host: int) -> Told:
    """What a machine says of itself."""
    row = await tx.one(
        "SELECT hs06_told, hepscore23_told, power_told_at FROM hosts WHERE id = $1", host
    )
    return Told(Power(), None) if row is None else Told(Power(row[0], row[1]), row[2])


async def told_at(tx: Tx, site: int) -> dict[int, Power]:
    """What the machines of a site say of themselves, those that say nothing left out."""
    rows = await tx.all(
        "SELECT id, hs06_told, hepscore23_told FROM hosts"
        " WHERE site = $1 AND (hs06_told > 0 OR hepscore23_told > 0)",
        site,
    )
    return {row[0]: Power(row[1], row[2]) for row in rows}


async def told(tx: Tx) -> dict[int, Power]:
    """What all machines say of themselves, those that say nothing left out."""
    rows = await tx.all(
        "SELECT id, hs06_told, hepscore23_told FROM hosts"
        " WHERE hs06_told > 0 OR hepscore23_told > 0"
    )
    return {row[0]: Power(row[1], row[2]) for row in rows}


def tell(tx: Tx, host: int, power: Power, at: float) -> None:
    """A machine says this of itself from now on."""
    tx.later(
        "UPDATE hosts SET hs06_told = $1, hepscore23_told = $2, power_told_at = $3 WHERE id = $4",
        (power.hs06, power.hepscore23, at, host),
    )
