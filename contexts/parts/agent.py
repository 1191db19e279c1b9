"""The agent of Windfall: joins a pool by a token or by pairing, and works within limits."""

from __future__ import annotations

from dataclasses import replace

from contexts import joining
from contexts.asking import choice, line, number, switch
from contexts.made import Made
from contexts.part import Machine, Pieces
from contexts.reading import switch as said
from contexts.reading import text
from contexts.schema import Values
from contexts.shapes import PATH, Shape

_SERVER = Shape(
    r"https?://[A-Za-z0-9]([A-Za-z0-9.-]{0,250}[A-Za-z0-9])?(:[0-9]{1,5})?(/[A-Za-z0-9._-]+){0,5}",
    "the address of a pool, https://host",
    "https://pool.example.org",
)
_TOKEN = Shape(
    r"[A-Za-z0-9._+/=-]{16,2000}", "an enrolment token, in one piece", "wf1.exampleexampleexample"
)
_SHA256 = Shape(r"[0-9a-f]{64}", "64 hexadecimal digits", "ab" * 32)
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


def _pieces(values: Values, machine: Machine) -> Pieces:
    if not said(values, "enabled"):
        return Pieces()
    server = text(values, "server") or machine.server
    own, home = text(values, "token"), server == machine.server
    by_token = text(values, "join") != "pin"
    asked = replace(
        machine,
        server=server,
        # What this pool gave out is not for another.
        token=(own or (machine.token if home else "")) if by_token else "",
        agent_sha256=text(values, "sha256") or (machine.agent_sha256 if home else ""),
        release_key=machine.release_key if home else "",
    )
    made = joining.pieces(asked, _given(values))
    unused = ("agent: the token is not used, for the machine is paired by PIN",)
    return replace(
        made,
        secrets=("agent.token",) if by_token and own and server else (),
        warnings=(*made.warnings, *(unused if own and not by_token else ())),
    )


def _given(values: Values) -> dict[str, str]:
    return {
        f"WINDFALL_{one.key.upper()}": str(value)
        for one in LIMITS
        if (value := values.get(one.key)) not in (None, "")
    }


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
        line(
            "sha256",
            "Digest of the agent",
            "SHA-256 of windfall-agent.pyz; that of the pool which makes the context if not said.",
            _SHA256,
        ),
        *LIMITS,
    ),
    _pieces,
)
