"""HTCondor: the head of a pool, or a worker of one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from contexts.asking import line, number, several, switch
from contexts.files import file
from contexts.made import Section
from contexts.part import Machine, Pieces
from contexts.quoting import plain
from contexts.reading import lines, text
from contexts.reading import number as figure
from contexts.schema import Document, Fault, Values
from contexts.shapes import HOST, PATH, SECRET, USER, WORDS, Shape

PLACEHOLDER = "###MASTER_IP_PLACEHOLDER###"
"""What a worker of a cluster puts the head's address for (CernVM's cluster pairing)."""
MASTER = Shape(rf"{HOST.pattern}|{PLACEHOLDER}", f"{HOST.form}, or {PLACEHOLDER}", HOST.example)
_DOMAIN = Shape(rf"{HOST.pattern}|\*", "a domain, or *", "example.org")
_MAIL = Shape(rf"[A-Za-z0-9._+-]{{1,64}}@{HOST.pattern}", "a mail address", "root@example.org")
_WRITERS = Shape(r"[A-Za-z0-9.*:/_-]{1,100}", "a host, network or pattern", "*.example.org")
_VARIABLE = Shape(
    r"[A-Za-z_][A-Za-z0-9_.]{0,60} = [A-Za-z0-9._/:@*+-]{1,100}( [A-Za-z0-9._/:@*+-]{1,100}){0,9}",
    "NAME = value, without commas",
    "NUM_SLOTS = 1",
)
_CONFIG = "/etc/condor/config.d/90-context.conf"


def _rules(values: Values, document: Document) -> Iterator[Fault]:
    low, high = figure(values, "lowport") or 9600, figure(values, "highport") or 9700
    if low >= high:
        yield Fault("condor.lowport", f"{low} is not below {high}, the highest port: lower it")


def _more(values: Values, machine: Machine) -> Pieces:
    master, secret = text(values, "master"), text(values, "secret")
    head = master or "$(FULL_HOSTNAME)"
    daemons = "MASTER, STARTD" if master else "COLLECTOR, MASTER, NEGOTIATOR, SCHEDD"
    config = [f"CONDOR_HOST = {head}", f"DAEMON_LIST = {daemons}"]
    config += [f"{name} = {said}" for name, said in _settings(values)]
    config += lines(values, "extra_vars")
    cloud: dict[str, Any] = {"write_files": [file(_CONFIG, "\n".join(config) + "\n")]}
    start = "systemctl enable condor && systemctl restart condor"
    if secret:
        start = f"condor_store_cred add -c -p {plain(secret)} >/dev/null && {start}"
    # amiconfig does the same on CernVM 3 and 4, and once is enough.
    cloud["runcmd"] = [_on_plain_machines(f"command -v condor_master >/dev/null && {start}")]
    placeholder = master == PLACEHOLDER
    warnings = ["condor: the machine is the head of a pool"] if not master else []
    if placeholder:
        warnings.append(
            "condor: only CernVM 3 and 4 put the head's address in, by the part cluster"
        )
    if not secret:
        warnings.append("condor: there is no pool password, so anybody who gets through may join")
    return Pieces(cloud={} if placeholder else cloud, warnings=tuple(warnings))


def _on_plain_machines(line_: str) -> list[str]:
    return ["sh", "-c", f"command -v amiconfig >/dev/null || {{ {line_}; }}"]


def _settings(values: Values) -> Iterator[tuple[str, str]]:
    names = {
        "collector_name": "COLLECTOR_NAME",
        "admin": "CONDOR_ADMIN",
        "uid_domain": "UID_DOMAIN",
        "lowport": "LOWPORT",
        "highport": "HIGHPORT",
    }
    for key, name in names.items():
        if (value := values.get(key)) not in (None, ""):
            yield name, str(value)
    if writers := lines(values, "allow_write"):
        yield "ALLOW_WRITE", ", ".join(writers)


PART = Section(
    "condor",
    "Advanced",
    "HTCondor",
    "Joins the machine to an HTCondor pool as a worker, or makes it the head of one.",
    (
        line("master", "Head", "The head of the pool; none: this machine is the head.", MASTER),
        line(
            "secret", "Pool password", "The same on all machines of the pool.", SECRET, secret=True
        ),
        line("hostname", "Host name", "What this machine calls itself.", HOST),
        line(
            "collector_name",
            "Name of the pool",
            "As the collector shows it.",
            WORDS,
            example="CernVM",
        ),
        line(
            "user",
            "User",
            "Whom the daemons run as; condor if none is given.",
            USER,
            example="condor",
        ),
        line("group", "Group", "Their group; condor if none is given.", USER, example="condor"),
        line(
            "dir",
            "Folder",
            "Where the daemons keep their state; the user's home.",
            PATH,
            example="/var/lib/condor",
        ),
        line("admin", "Administrator", "Who gets the mail.", _MAIL),
        number("highport", "Highest port", "9700 if nothing is said.", 1024, 65_535, example=9700),
        number("lowport", "Lowest port", "9600 if nothing is said.", 1024, 65_535, example=9600),
        line("uid_domain", "Domain of users", "* keeps the users that jobs come with.", _DOMAIN),
        several("allow_write", "May join", "Hosts that may join and submit.", _WRITERS),
        several("extra_vars", "Further settings", "As in condor_config, one a line.", _VARIABLE),
        switch("use_ips", "Addresses for names", "For networks where names do not resolve."),
    ),
    "condor",
    "condor",
    keys={
        "master": "condor_master",
        "secret": "condor_secret",
        "user": "condor_user",
        "group": "condor_group",
        "dir": "condor_dir",
        "admin": "condor_admin",
    },
    words=("true", "false"),
    more=_more,
    rules=_rules,
    note="amiconfig hands the password to root's shell: hence its narrow alphabet.",
)
