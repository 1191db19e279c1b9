"""CernVM 5 as a container: a file of variables, and the command that starts it."""

from __future__ import annotations

import re
import shlex

from contexts import joining
from contexts.render.gather import Form
from contexts.render.order import SHELL, TEXT, Order, Target
from contexts.render.result import File, NotRenderable, Rendered

IMAGE = "registry.cern.ch/cernvm/five/cernvm-five:latest"
"""CernVM 5 (README of cernvm-five): host folders are /workspace and /data."""
AGENT = "windfall-agent-start"
STATE = "windfall-agent-state"
"""The volume that keeps what the agent is when the container is made anew."""
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def render(order: Order) -> Rendered:
    """Both files."""
    start = _start(order)
    variables = order.file("container.env", TEXT, _variables(order), Form.ENVIRONMENT)
    run = order.file("run-container.sh", SHELL, _command(order, bool(start)), mode=0o755)
    pieces = order.pieces
    warnings = []
    if pieces.cloud or order.legacy:
        warnings.append(
            "A container has no users, files and services of its own: "
            "what the context says of them is left out"
        )
    secrets = variables.secrets
    return Rendered((variables, run, *start), tuple(warnings), secrets, len(variables.body))


def _variables(order: Order) -> str:
    """Lines as ``--env-file`` takes them: neither quoted nor escaped."""
    lines = []
    for name, value in order.pieces.environment.items():
        if not VARIABLE.fullmatch(name):
            raise NotRenderable(f"environment {name!r}", "no name for a variable")
        if not value.isprintable():
            raise NotRenderable(f"environment {name}", "a file of variables has one line for each")
        lines.append(f"{name}={value}\n")
    return "".join(lines)


def _start(order: Order) -> list[File]:
    """The program that brings the agent, if the context has one."""
    told = order.pieces.cloud.get("write_files", ())
    found = [entry for entry in told if entry.get("path") == joining.START]
    return [File(AGENT, SHELL, str(entry["content"]).encode(), 0o755) for entry in found]


def _command(order: Order, agent: bool) -> str:
    machine = order.machine
    options = {
        "--name": order.name,
        "--hostname": order.name,
        "--cpus": str(machine.cores),
        "--memory": f"{machine.memory_mb}m",
        "--env-file": "container.env",
    }
    words = [part for pair in options.items() for part in pair]
    start = " ".join(map(shlex.quote, [*words]))
    volumes = f'--volume "$PWD/{AGENT}:{joining.START}:ro" ' if agent else ""
    volumes += f"--volume {STATE}:/var/lib/windfall-agent " if agent else ""
    program = f" /bin/sh {joining.START}" if agent else ""
    return f"""\
#!/bin/sh
# Starts CernVM 5 in a container. CernVM-FS comes from this host if it is mounted here, else the
# container mounts it itself, which takes a device and a capability.
cd "$(dirname "$0")" || exit 1
engine=$(command -v podman || command -v docker) ||
    {{ echo "install podman or docker" >&2; exit 1; }}
image=${{IMAGE:-{IMAGE}}}
mkdir -p workspace data
if [ -d /cvmfs ]; then
    set -- --volume /cvmfs:/cvmfs:ro,rslave
else
    set -- --device /dev/fuse --cap-add SYS_ADMIN
fi
exec "$engine" run --detach {start} \\
    --volume "$PWD/workspace:/workspace" --volume "$PWD/data:/data" {volumes}"$@" "$image"{program}
"""


CONTAINER = Target(
    "container",
    "Container",
    "CernVM 5 under podman or docker: a file of variables and the command.",
    render,
)
