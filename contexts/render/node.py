"""The agent alone on a plain worker node: a unit of systemd, and one line that installs it."""

from __future__ import annotations

import shlex

from contexts import joining
from contexts.render.gather import TOKEN
from contexts.render.order import SHELL, TEXT, Order, Target
from contexts.render.result import File, Rendered

UNIT = """\
[Unit]
Description=Brings the Windfall agent to this machine and joins its pool
Documentation={server}
Wants=network-online.target
After=network-online.target
ConditionPathExists=!/var/lib/windfall-agent/identity.json

[Service]
Type=oneshot
ExecStart={start}
RemainAfterExit=yes
TimeoutStartSec=30min
StandardOutput=journal+console

[Install]
WantedBy=multi-user.target
"""
"""Its program makes the agent's own unit, fitted to the machine (windfall-agent unit)."""


def render(order: Order) -> Rendered:
    """The install line with all it needs, and the unit for machines made from an image."""
    machine = order.machine
    if not machine.server:
        return Rendered((), ("No address of a server is known: there is nothing to join",))
    start = joining.script(machine.server, machine.agent_sha256)
    options = {
        name: value
        for name, value in order.pieces.environment.items()
        if joining.VARIABLE.fullmatch(name) and name not in ("WINDFALL_SERVER", "WINDFALL_TOKEN")
    }
    unit = UNIT.format(server=machine.server, start=joining.START)
    files = (
        File("install.sh", SHELL, _install(order, start, options).encode(), 0o755).secret(
            (TOKEN,) if machine.token else ()
        ),
        File("windfall-agent-start", SHELL, start.encode(), 0o755),
        File("windfall-agent-start.service", TEXT, unit.encode()),
        File("plain-user.sh", SHELL, _plain_user(order).encode(), 0o755).secret(
            (TOKEN,) if machine.token else ()
        ),
        File("windfall-agent", TEXT, joining.settings(options).encode()),
    )
    secrets = (TOKEN,) if machine.token else ()
    return Rendered(files, joining.warnings(machine), secrets, len(files[0].body))


def _install(order: Order, start: str, options: dict[str, str]) -> str:
    """One line that root runs."""
    placed = joining.placed(order.machine, start, options)
    lines = [joining.placing(*entry) for entry in placed]
    told = " && ".join([*lines, joining.START])
    return f"#!/bin/sh\nset -e\nexec sh -c {shlex.quote(told)}\n"


def _plain_user(order: Order) -> str:
    """One line that anybody runs, without root; a token that is not here is asked for."""
    server, name = order.machine.server.rstrip("/"), "windfall-agent.pyz"
    sum_line = f"{order.machine.agent_sha256}  {name}"
    token = order.machine.token
    told = f"printf '%s\\n' {shlex.quote(token)} | " if token else ""
    return (
        f"curl -fsSO {shlex.quote(server)}/agent/{name} && "
        f"echo {shlex.quote(sum_line)} | sha256sum -c - && "
        f"{told}python3 {name} join --server {shlex.quote(server)} --token-file - && "
        f"python3 {name} run\n"
    )


AGENT = Target(
    "agent",
    "The agent alone",
    "For a worker node as it is: one line that installs the agent, and a unit of systemd.",
    render,
)
