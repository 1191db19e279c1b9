"""How a machine gets our agent, joins the pool and starts work: the files and commands for that."""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Mapping
from importlib import resources

from contexts.part import Machine, Pieces

START = "/usr/local/sbin/windfall-agent-start"
TOKEN = "/etc/windfall-agent/token"  # noqa: S105 - where it lies, not what it is
SETTINGS = "/etc/default/windfall-agent"
SECTION = "windfall-agent"
LOG = "/var/log/windfall-agent-start.log"
SERVER = re.compile(r"https?://[A-Za-z0-9.:\[\]_-]+(/[A-Za-z0-9._~/-]*)?")
DIGEST = re.compile(r"[0-9a-f]{64}|")
VARIABLE = re.compile(r"WINDFALL_[A-Z_]+")
SHEBANG = "#!/bin/sh\n"


def script(server: str, digest: str) -> str:
    """The program that brings the agent; it believes the file of this SHA-256 alone.

    With an empty ``digest`` nothing is fetched: the image must have the agent in it.
    """
    if not SERVER.fullmatch(server) or not DIGEST.fullmatch(digest):
        raise ValueError("an address of a server and a SHA-256 in hexadecimal digits")
    body = (resources.files("contexts") / "joining.sh").read_text("ascii")
    return f"{SHEBANG}server={shlex.quote(server.rstrip('/'))}\ndigest={digest}\n{body}"


def settings(options: Mapping[str, str]) -> str:
    """The agent's settings, as shells and systemd read them (systemd.exec, EnvironmentFile)."""
    for name, value in options.items():
        if not VARIABLE.fullmatch(name) or not value.isprintable() or not value.isascii():
            raise ValueError(f"{name} is no setting of the agent, or its value no plain text")
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in options.items())


def pieces(machine: Machine, options: Mapping[str, str]) -> Pieces:
    """The agent in a context, for cloud-init, for amiconfig, and for a container.

    ``options`` are variables of `docs/agent.md`, as ``WINDFALL_SLOTS``. A machine without a token
    is to be paired by a person. Without a server there is nothing to join: a warning, no more.
    """
    if not machine.server:
        return Pieces(warnings=("No address of a server is known: the agent is left out",))
    start = script(machine.server, machine.agent_sha256)
    found = placed(machine, start, options)
    entries = [{"path": p, "permissions": mode, "content": text} for p, mode, text in found]
    return Pieces(
        amiconfig={SECTION: _own(options)} if options else {},
        cloud={"write_files": entries, "runcmd": [["sh", "-c", f"{START} >{LOG} 2>&1"]]},
        after=(*(placing(*entry) for entry in found), f"{START} </dev/null >{LOG} 2>&1 &"),
        environment={**options, **_container(machine)},
        warnings=warnings(machine),
    )


def _own(options: Mapping[str, str]) -> dict[str, str]:
    """The same settings for an agent that reads the context itself; amiconfig passes over them."""
    return {name.removeprefix("WINDFALL_").lower(): value for name, value in options.items()}


def placed(machine: Machine, start: str, options: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """The files: path, mode, text."""
    files = [(START, "0755", start), (SETTINGS, "0644", settings({**options, **_pool(machine)}))]
    return [*files, (TOKEN, "0600", f"{machine.token}\n")] if machine.token else files


def _pool(machine: Machine) -> dict[str, str]:
    """Which pool it belongs to, and whose key it believes."""
    key = {"WINDFALL_RELEASE_KEY": machine.release_key} if machine.release_key else {}
    return {"WINDFALL_SERVER": machine.server, **key}


def placing(path: str, mode: str, text: str) -> str:
    """A line of shell that writes a file, which nobody else can read in between."""
    packed = base64.b64encode(text.encode()).decode()
    folder = path.rpartition("/")[0]
    write = f"echo {packed} | base64 -d >{path}"
    return f"mkdir -p {folder}; (umask 077; {write}) && chmod {mode} {path}"


def _container(machine: Machine) -> dict[str, str]:
    token = {"WINDFALL_TOKEN": machine.token} if machine.token else {}
    return {**_pool(machine), **token}


def warnings(machine: Machine) -> tuple[str, ...]:
    """What to know before a machine is started with this."""
    told = []
    if not machine.agent_sha256:
        told.append(
            "The server has no agent to hand out (windfall agent publish): "
            "it is not fetched, so the image must have it as /opt/windfall/windfall-agent.pyz"
        )
    if not machine.token:
        told.append("Without an enrolment token somebody pairs each machine at its console")
    if machine.server.startswith("http://"):
        told.append("Over http anybody on the way can read the token: use an https address")
    return tuple(told)
