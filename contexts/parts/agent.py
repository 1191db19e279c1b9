"""The agent of Windfall: joins a pool by a token or by pairing, and works within limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from contexts.asking import choice, line, number, switch
from contexts.files import file
from contexts.made import Made
from contexts.part import Machine, Pieces
from contexts.quoting import coded, quoted
from contexts.reading import switch as said
from contexts.reading import text
from contexts.schema import Document, Fault, Values
from contexts.shapes import PATH, Shape

SETTINGS = "/etc/default/windfall-agent"
TOKEN = "/etc/windfall/agent.token"  # noqa: S105  where it lies, not what it is
STARTER = "/usr/local/sbin/windfall-agent-start"
_SERVER = Shape(
    r"https?://[A-Za-z0-9]([A-Za-z0-9.-]{0,250}[A-Za-z0-9])?(:[0-9]{1,5})?(/[A-Za-z0-9._-]+){0,5}",
    "the address of a pool, https://host",
    "https://pool.example.org",
)
_TOKEN = Shape(
    r"[A-Za-z0-9._+/=-]{16,2000}", "an enrolment token, in one piece", "wf1.exampleexampleexample"
)
_DAYS = r"(mon|tue|wed|thu|fri|sat|sun)"
_TIME = r"([01]?[0-9]|2[0-3]|24)(:[0-5][0-9])?"
_WINDOW = rf"({_DAYS}(-{_DAYS})?(,{_DAYS}(-{_DAYS})?){{0,6}} )?{_TIME}-{_TIME}"
_HOURS = Shape(
    rf"{_WINDOW}(; ?{_WINDOW}){{0,9}}", "hours as 22-6 or mon-fri 18:30-7; sat,sun 0-24", "22-6"
)
_PATHS = Shape(r"/[A-Za-z0-9._/-]*(:/[A-Za-z0-9._/-]*){0,20}", "folders, colons between", "/cvmfs")
LIMITS = (
    number("slots", "Cores", "Payloads at the same time; all cores if nothing is said.", 1, 4096),
    number(
        "memory_mb",
        "Memory",
        "MB that payloads may have; the machine's if nothing is said.",
        0,
        10_000_000,
    ),
    line("hours", "Hours", "Local hours in which it works; always if nothing is said.", _HOURS),
    number("cpu_percent", "Share of a core", "% of a core's time for each payload.", 1, 100),
    number(
        "idle_s",
        "Rest while in use",
        "Seconds nobody may have used keyboard or terminals.",
        1,
        86_400,
    ),
    number(
        "free_memory_mb",
        "Leave memory",
        "It pauses while less MB than this are free.",
        0,
        10_000_000,
    ),
    choice("on_battery", "On battery", "What it does without mains power.", ("work", "pause")),
    number("reserve_mb", "Leave disk", "MB of disk that are left alone.", 0, 10_000_000),
    number("lifetime_s", "Lifetime", "Seconds after which the machine goes away.", 1, 100_000_000),
    number(
        "mean_life_s", "Mean life", "Seconds that such a machine lives, on average.", 1, 100_000_000
    ),
    number("grace", "Grace", "Seconds the current event has when it is stopped.", 0, 3600),
    number(
        "exit_when_idle",
        "End without work",
        "Seconds without work after which it ends.",
        0,
        10_000_000,
    ),
    choice(
        "sandbox",
        "Sandbox",
        "auto: if it works; require: no work without; off.",
        ("auto", "require", "off"),
    ),
    line(
        "sandbox_paths",
        "Folders in the sandbox",
        "Read-only to payloads besides the system.",
        _PATHS,
    ),
    choice(
        "network", "Network for payloads", "yes: those whose manifest asks for it.", ("no", "yes")
    ),
    line(
        "ca",
        "Certificates",
        "A file of certificates to believe instead of the system's.",
        PATH,
        example="/etc/pki/tls/certs/ca-bundle.crt",
    ),
    choice("log_level", "Log", "How much it tells.", ("info", "debug", "warning", "error")),
)
"""Settings of the agent, each by the name that `windfall-agent run` gives it."""


def _rules(values: Values, document: Document) -> Iterator[Fault]:
    if text(values, "join") == "pin" and text(values, "token"):
        yield Fault("agent.token", "the machine is paired by PIN: leave the token out")


def _pieces(values: Values, machine: Machine) -> Pieces:
    server, token = text(values, "server") or machine.server, text(values, "token") or machine.token
    if not said(values, "enabled"):
        return Pieces()
    if not server:
        return Pieces(warnings=("agent: no pool is named, so no agent is installed",))
    by_token = text(values, "join") == "token"
    files = [file(SETTINGS, settings(values)), file(STARTER, starter(server, by_token), "0755")]
    if by_token and token:
        files.append(file(TOKEN, f"{token}\n", "0600"))
    cloud: dict[str, Any] = {"write_files": files, "runcmd": [[STARTER]]}
    return Pieces(
        cloud=cloud,
        environment=_environment(values, server, token if by_token else ""),
        after=tuple(_by_shell(files)),
        secrets=("agent.token",) if by_token and token else (),
        warnings=_warnings(by_token, token),
    )


def settings(values: Values) -> str:
    """The agent's settings as systemd reads them."""
    return "".join(f"{name}={quoted(value)}\n" for name, value in _given(values).items())


def _given(values: Values) -> dict[str, str]:
    return {
        f"WINDFALL_{one.key.upper()}": str(value)
        for one in LIMITS
        if (value := values.get(one.key)) not in (None, "")
    }


def _environment(values: Values, server: str, token: str) -> dict[str, str]:
    joined = {"WINDFALL_SERVER": server, "WINDFALL_TOKEN": token}
    return {key: value for key, value in (joined | _given(values)).items() if value}


def starter(server: str, by_token: bool) -> str:
    """The program that fetches, joins and starts the agent; run by root, again if need be."""
    join = _JOIN if by_token else _PAIR
    return f"{_HEAD}server={quoted(server)}\n{_FETCH}{join}"


_HEAD = """#!/bin/sh
# Fetches the agent of Windfall, joins the pool and starts it. It may be run again.
set -eu
"""
_FETCH = """state=/var/lib/windfall-agent
agent=/opt/windfall/windfall-agent.pyz
say() { echo "windfall-agent: $1" >&2; }
python="$(command -v python3 || true)"
[ -n "$python" ] || { say "this machine has no python3, which the agent needs"; exit 1; }
id windfall >/dev/null 2>&1 || useradd --system --home-dir "$state" windfall
install -d -o windfall -g windfall -m 0700 "$state"
install -d -m 0755 /opt/windfall
if [ ! -s "$agent" ]; then
  curl --fail --silent --show-error --location --retry 5 --output "$agent.new" \\
    "$server/agent/windfall-agent.pyz" || { say "$server is out of reach"; exit 1; }
  mv "$agent.new" "$agent"
fi
unit() {
  "$python" "$agent" unit > /etc/systemd/system/windfall-agent.service
  systemctl daemon-reload
  systemctl enable --now windfall-agent
}
as_agent() { runuser -u windfall -- "$python" "$agent" --state "$state" "$@"; }
if [ -s "$state/identity.json" ]; then rm -f {TOKEN}; unit; exit 0; fi
"""
_JOIN = f"""if [ ! -s {TOKEN} ]; then say "there is no token in {TOKEN}"; exit 1; fi
set -a; [ ! -r {SETTINGS} ] || . {SETTINGS}; set +a
as_agent join --server "$server" --token-file - < {TOKEN}
rm -f {TOKEN}
unit
"""
_PAIR = """say "pair this machine: log in and run windfall-agent pair"
"""


def _by_shell(files: list[dict[str, str]]) -> Iterator[str]:
    """The same on a machine without cloud-init."""
    for one in files:
        path, mode = one["path"], one["permissions"]
        yield f"mkdir -p {path.rpartition('/')[0]}"
        yield f"(umask 077; echo {coded(one['content'])} | base64 -d > {path}; chmod {mode} {path})"
    yield f"{STARTER} || true"


def _warnings(by_token: bool, token: str) -> tuple[str, ...]:
    if by_token and not token:
        return ("agent: there is no enrolment token; give one when the machine is made",)
    return ()


PART = Made(
    "agent",
    "Agent",
    "Agent",
    "Installs the agent of Windfall, joins a pool and works for it within limits.",
    (
        switch("enabled", "Enable the agent", "Whether the agent is put on the machine.", True),
        line(
            "server",
            "Pool",
            "Its address; the pool that makes the context if nothing is said.",
            _SERVER,
        ),
        choice(
            "join",
            "Joins by",
            "token: at once; pin: somebody pairs it at its console.",
            ("token", "pin"),
            "token",
        ),
        line(
            "token",
            "Enrolment token",
            "Only if not the one that is made when the machine is.",
            _TOKEN,
            secret=True,
            longest=2000,
        ),
        *LIMITS,
    ),
    _pieces,
    _rules,
)
