"""BOINC's statistics export as text: tables.xml, and the lists of users, hosts and teams.

The elements, their names and their order are those that BOINC's own db_dump writes
(sched/db_dump.cpp) and its page XmlStats describes; sites of statistics read these files daily.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

COBBLESTONES_PER_DAY = 200.0  # of a computer of one GFLOPS (BOINC's definition)
HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'


@dataclass(frozen=True)
class User:
    """Somebody who agreed to be seen; ``cpid`` is already the public one."""

    id: int
    name: str
    create_time: float
    total: float
    average: float
    cpid: str
    team: int = 0


@dataclass(frozen=True)
class Machine:
    """A computer of somebody who agreed to be seen; sizes in bytes."""

    id: int
    user: int
    total: float
    average: float
    model: str
    system: str
    create_time: float
    seen_time: float
    cores: int
    memory: float
    disk: float
    cpid: str


@dataclass(frozen=True)
class Team:
    """A team; ``founder`` is 0 and has no name if he did not agree to be seen."""

    id: int
    name: str
    founder: int
    founder_name: str
    total: float
    average: float
    create_time: float
    url: str
    words: str
    country: str


@dataclass(frozen=True)
class Totals:
    """What stands in tables.xml: counts are of all that have credit, whoever agreed."""

    at: float
    users: int
    teams: int
    hosts: int
    credit: float
    applications: Sequence[str]


def cobblestones(core_seconds: float, gflops: float) -> float:
    """Credit of this pool as BOINC's, for a reference core of so many GFLOPS (Whetstone)."""
    return core_seconds * gflops * COBBLESTONES_PER_DAY / 86_400.0


def public_id(cross_id: str, email: str) -> str:
    """The cross-project id that is published: MD5 of the private one and the e-mail address."""
    return _md5(f"{cross_id}{email}")


def host_id(cross_id: str, host: int, email: str) -> str:
    """The published id of a computer: it tells nothing of the machine, and does not change."""
    return _md5(f"{_md5(f'{cross_id}:{host}')}{email}")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def tables(found: Totals) -> str:
    """tables.xml."""
    lines = [f"    <update_time>{int(found.at)}</update_time>"]
    for name, number in (("users", found.users), ("teams", found.teams), ("hosts", found.hosts)):
        if number:
            lines.append(f"    <n{name}_total>{number}</n{name}_total>")
    if found.credit:
        lines.append(f"    <total_credit>{found.credit:.6f}</total_credit>")
    lines.append("    <applications>")
    for name in found.applications:
        lines += ["        <application>", f"            <name>{_clean(name)}</name>",
                  "        </application>"]  # fmt: skip
    lines += ["    </applications>", "    <badges>", "    </badges>"]
    return _file("tables", lines)


def users(found: Iterable[User], now: float) -> str:
    """The list of users."""
    lines = []
    for one in found:
        lines += ["<user>", *_named(one.id, one.name), f" <create_time>{int(one.create_time)}"
                  "</create_time>", *_credit(one.total, one.average, now),
                  f" <cpid>{one.cpid}</cpid>"]  # fmt: skip
        if one.team:
            lines.append(f" <teamid>{one.team}</teamid>")
        lines.append("</user>")
    return _file("users", lines)


def hosts(found: Iterable[Machine], now: float) -> str:
    """The list of computers; what no agent measures is 0, as BOINC's own server writes it."""
    lines = []
    for one in found:
        facts: tuple[tuple[str, object], ...] = (
            ("p_vendor", ""), ("p_model", _clean(one.model)), ("os_name", _clean(one.system)),
            ("os_version", ""), ("create_time", int(one.create_time)),
            ("rpc_time", int(one.seen_time)), ("timezone", 0), ("ncpus", one.cores),
            ("p_fpops", _real(0)), ("p_iops", _real(0)), ("p_membw", _real(0)),
            ("m_nbytes", _real(one.memory)), ("m_cache", _real(0)), ("m_swap", _real(0)),
            ("d_total", _real(one.disk)), ("d_free", _real(one.disk)), ("n_bwup", _real(0)),
            ("n_bwdown", _real(0)), ("avg_turnaround", _real(0)),
            ("credit_per_cpu_sec", _real(0)), ("host_cpid", one.cpid),
        )  # fmt: skip
        lines += ["<host>", f" <id>{one.id}</id>", f" <userid>{one.user}</userid>",
                  *_credit(one.total, one.average, now),
                  *(f" <{name}>{value}</{name}>" for name, value in facts), "</host>"]  # fmt: skip
    return _file("hosts", lines)


def teams(found: Iterable[Team], now: float) -> str:
    """The list of teams."""
    lines = []
    for one in found:
        lines += ["<team>", f" <id>{one.id}</id>", " <type>1</type>",
                  f" <name>{_clean(one.name)}</name>", f" <userid>{one.founder}</userid>",
                  *_credit(one.total, one.average, now)]  # fmt: skip
        if one.founder_name:
            lines.append(f" <founder_name>{_clean(one.founder_name)}</founder_name>")
        lines.append(f" <create_time>{int(one.create_time)}</create_time>")
        lines += [f" <{name}>{_clean(text)}</{name}>" for name, text in
                  (("url", one.url), ("description", one.words)) if text]  # fmt: skip
        lines += [f" <country>{_clean(one.country)}</country>", "</team>"]
    return _file("teams", lines)


def gone_users(found: Iterable[tuple[int, str]]) -> str:
    """Those who agree no more (id, public cross-project id): sites delete what they have."""
    lines = []
    for number, cpid in found:
        lines += ["<user>", f"    <id>{number}</id>", f"    <cpid>{cpid}</cpid>", "</user>"]
    return _file("users_deleted", lines)


def gone_hosts(found: Iterable[tuple[int, str]]) -> str:
    """Their computers (id, published id)."""
    lines = []
    for number, cpid in found:
        lines += ["<host>", f"    <id>{number}</id>", f"    <host_cpid>{cpid}</host_cpid>",
                  "</host>"]  # fmt: skip
    return _file("hosts_deleted", lines)


def _file(tag: str, lines: Iterable[str]) -> str:
    body = "".join(f"{line}\n" for line in lines)
    return f"{HEAD}<{tag}>\n{body}</{tag}>\n"


def _named(number: int, name: str) -> list[str]:
    return [f" <id>{number}</id>", f" <name>{_clean(name)}</name>"]


def _credit(total: float, average: float, now: float) -> list[str]:
    return [
        f" <total_credit>{_real(total)}</total_credit>",
        f" <expavg_credit>{_real(average)}</expavg_credit>",
        f" <expavg_time>{_real(now)}</expavg_time>",
    ]


def _real(number: float) -> str:
    return f"{number:.6f}"


def _clean(text: str) -> str:
    """A text as XML 1.0 may hold it."""
    return escape("".join(letter for letter in text if letter.isprintable()))
