"""Contextualization: scripts, a command, services, environment variables and packages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from contexts import scripts
from contexts.asking import block, line, several
from contexts.files import file
from contexts.made import Made, written
from contexts.part import Machine, Pieces
from contexts.quoting import coded, fitting, word
from contexts.reading import lines, text
from contexts.schema import Document, Fault, Values
from contexts.shapes import COMMAND, NAME, Shape

PROFILE = "/etc/profile.d/zz-context.sh"
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=[A-Za-z0-9._/:@%+-]*")
_VARIABLE = Shape(
    r"[A-Za-z_][A-Za-z0-9_]{0,100}=[^\x00-\x1f\x7f]{0,2000}", "NAME=value", "STAGE=/tmp/stage"
)
_PACKAGE = Shape(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,100}", "the name of a package", "htop")
_LOWER = Shape(r"[a-z]{1,31}", "a login name of lower-case letters alone", "worker")


def _rules(values: Values, document: Document) -> Iterator[Fault]:
    if text(values, "command") and not text(values, "command_user"):
        yield Fault("contextualization.command_user", "the command needs a user: name who runs it")
    for key in ("before", "after"):
        if not scripts.is_readable(text(values, key)):
            yield Fault(
                f"contextualization.{key}",
                "its first line is no plain interpreter: give #!/bin/sh, #!/bin/bash or none",
            )
    names = [item.partition("=")[0] for item in lines(values, "environment")]
    for number, name in enumerate(names):
        if name in names[:number]:
            path = f"contextualization.environment[{number}]"
            yield Fault(path, f"{name} is set twice: keep one")


def _pieces(values: Values, machine: Machine) -> Pieces:
    given = lines(values, "environment")
    easy = [item for item in given if _PLAIN.fullmatch(item)]
    hard = [item for item in given if item not in easy]
    profile = "".join(f"export {_assignment(item)}\n" for item in hard)
    put = f"echo {coded(profile)} | base64 -d > {PROFILE}"
    section = {
        "services": ",".join(lines(values, "services")),
        "environment": ",".join(easy),
        "contextualization_command": command(values),
    }
    return Pieces(
        amiconfig=written("cernvm", section),
        plugins=("cernvm",) if any(section.values()) else (),
        cloud=_cloud(values, [*given]),
        environment=dict(_pair(item) for item in given),
        before=(*([put] if hard else []), *scripts.lines(text(values, "before"))),
        after=(*_installing(values), *scripts.lines(text(values, "after"))),
        warnings=_warnings(values),
    )


def command(values: Values) -> str:
    """``user:/path arguments`` as amiconfig has it; between quotes if there are blanks."""
    said, user = text(values, "command"), text(values, "command_user")
    return fitting(f"{user}:{said}") if said else ""


def _pair(item: str) -> tuple[str, str]:
    name, _, value = item.partition("=")
    return name, value


def _assignment(item: str) -> str:
    name, value = _pair(item)
    return f"{name}={word(value)}"


def _cloud(values: Values, given: list[str]) -> dict[str, Any]:
    cloud: dict[str, Any] = {}
    if given:
        text_ = "".join(f"export {_assignment(item)}\n" for item in given)
        cloud["write_files"] = [file(PROFILE, text_)]
    if packages := lines(values, "packages"):
        cloud["packages"] = packages
    runs = [["systemctl", "enable", "--now", name] for name in lines(values, "services")]
    if said := text(values, "command"):
        runs.append(["su", "-", text(values, "command_user"), "-c", f"{said} >/dev/null 2>&1 &"])
    if late := scripts.lines(text(values, "after")):
        runs.append(["sh", "-c", "\n".join(late)])
    if runs:
        cloud["runcmd"] = runs
    if early := scripts.lines(text(values, "before")):
        # bootcmd comes before all else, and at every boot: so once, by cloud-init's own help.
        once = ["cloud-init-per", "instance", "windfall-before"]
        cloud["bootcmd"] = [[*once, "sh", "-c", "\n".join(early)]]
    return cloud


def _installing(values: Values) -> tuple[str, ...]:
    packages = " ".join(lines(values, "packages"))
    return (f"command -v yum >/dev/null && yum -y install {packages} || true",) if packages else ()


def _warnings(values: Values) -> tuple[str, ...]:
    if lines(values, "packages"):
        return ("contextualization: packages of the day break exact reproducibility",)
    return ()


PART = Made(
    "contextualization",
    "Contextualization",
    "Contextualization",
    "Runs scripts as root and a command as a user, starts services, sets variables, adds packages.",
    (
        block(
            "before",
            "Script before",
            "Run by root before anything else is set up.",
            "echo CVMFS_QUOTA_LIMIT=8000 >> /etc/cvmfs/default.local",
            runs=True,
            longest=60_000,
        ),
        block(
            "after",
            "Script after",
            "Run by root when everything is set up.",
            "mkdir -p /var/spool/analysis",
            runs=True,
            longest=60_000,
        ),
        line(
            "command",
            "Command",
            "Started in the background when the machine is ready.",
            COMMAND,
            runs=True,
        ),
        line(
            "command_user",
            "Run by",
            "Whose command it is; a user with a number from 500 on.",
            _LOWER,
        ),
        several(
            "services", "Services", "Started after the set-up.", NAME, example=["autofs"], adds=True
        ),
        several(
            "environment",
            "Environment variables",
            "Set for every login.",
            _VARIABLE,
            example=["STAGE=/tmp/stage"],
            adds=True,
        ),
        several(
            "packages",
            "Packages",
            "Installed from the distribution at the first start.",
            _PACKAGE,
            adds=True,
        ),
    ),
    _pieces,
    _rules,
    "A variable whose value holds quotes, blanks, commas, `=` or anything else that amiconfig or a "
    "shell would read goes to /etc/profile.d instead of `environment`.",
)
