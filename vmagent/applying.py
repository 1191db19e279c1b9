"""Hands a context's user data to what the system has for it: cloud-init, and CernVM's amiconfig.

Nothing of it is read by a shell of ours: it is written to files that those programs read at boot,
and they are told to read them now. What they make of it they do as root.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from vmagent import files
from vmagent.wire.pairing import MachineContext

SEED = "var/lib/cloud/seed/nocloud"
# cloud-init reads it at every start: our seed stays its source. Host keys and the network stay as
# they are: the machine runs, and was reached over both.
SOURCE = "etc/cloud/cloud.cfg.d/95-windfall.cfg"
SOURCE_TEXT = """\
# Written by windfall-agent when a context was applied; remove it to go back to the old source.
datasource_list: [NoCloud, None]
ssh_deletekeys: false
network: {config: disabled}
"""
STAGES = (
    ("clean",),  # keeps the seed; without it what it knows of the last one counts until a boot
    ("init", "--local"),
    ("init",),
    ("modules", "--mode", "config"),
    ("modules", "--mode", "final"),
)
# Where CernVM's own pairing left what amiconfig reads.
ONLINE = "var/lib/amiconfig-online"
USER_DATA, KEY = "2007-12-15/user-data", "2007-12-15/meta-data/public-keys/0/openssh-key"
SEARCHED = "/usr/local/sbin:/usr/sbin:/sbin"
PATIENCE_S = 900.0
LOG_MOST = 262_144


@dataclass(frozen=True)
class Place:
    """Where it is applied: the folder that stands for ``/``, and the log of what programs say."""

    root: Path
    log: Path
    environment: Mapping[str, str]

    def find(self, name: str) -> Optional[str]:
        """A program on PATH, or among the system's.

        For another root only one in the folder that WINDFALL_PROGRAMS names: this system's own
        would change this system, whatever folder is meant.
        """
        if self.root != Path("/"):
            folder = self.environment.get("WINDFALL_PROGRAMS", "")
            return shutil.which(name, path=folder) if folder else None
        return shutil.which(name, path=self.path)

    @property
    def path(self) -> str:
        """Where programs are looked for."""
        return f"{self.environment.get('PATH', os.defpath)}:{SEARCHED}"


class Failed(Exception):
    """A program did not do as it was told; the text names it."""


def cloud_init(place: Place, program: str, context: MachineContext, user_data: str) -> None:
    """Through cloud-init's NoCloud seed, as a machine that boots with it. `Failed` if it does not.

    A new instance-id makes cloud-init run everything that it does once for an instance.
    """
    facts = {
        "instance-id": f"windfall-{context.id}-{context.revision}",
        "dsmode": "local",
        "public-keys": list(context.root_pubkeys),
    }
    _write(place.root / SEED / "user-data", user_data)
    _write(place.root / SEED / "meta-data", json.dumps(facts, indent=1) + "\n")  # JSON is YAML
    _write(place.root / SOURCE, SOURCE_TEXT, 0o644)
    for stage in STAGES:
        _run(place, [program, *stage], {})


def amiconfig(place: Place, program: str, context: MachineContext, user_data: str) -> None:
    """Through amiconfig, as CernVM's own pairing did. `Failed` if it does not."""
    folder = place.root / ONLINE
    _write(folder / USER_DATA, user_data)
    if context.root_pubkeys:
        _write(folder / KEY, "".join(f"{key}\n" for key in context.root_pubkeys))
    else:
        files.remove(folder / KEY)
    _run(place, [program, "user", "--force"], {"AMICONFIG_CONTEXT_URL": f"file:{folder}"})


Way = Callable[[Place, str, MachineContext, str], None]
WAYS: tuple[tuple[str, str, Way], ...] = (
    ("cloud-init", "cloud-init", cloud_init),
    ("amiconfig", "amiconfig.sh", amiconfig),
)
"""Name, program, and what hands a context over to it: both, where a machine has both."""


def _write(path: Path, text: str, mode: int = 0o600) -> None:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    files.write(path, text.encode(), mode)


def _run(place: Place, command: Sequence[str], more: Mapping[str, str]) -> None:
    """Run a program to its end, its output at the end of the log."""
    named = " ".join([Path(command[0]).name, *command[1:]])
    kept = {"PATH": place.path, "LANG": "C.UTF-8"}
    if place.root != Path("/"):
        kept["WINDFALL_ROOT"] = str(place.root)
    with open(place.log, "ab", opener=_private) as out:
        if out.tell() > LOG_MOST:
            out.truncate(0)
        out.write(f"--- {named}\n".encode())
        out.flush()
        try:
            code = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**kept, **more},
                cwd="/",
                timeout=PATIENCE_S,
                check=False,
                start_new_session=True,
            ).returncode
        except subprocess.TimeoutExpired as error:
            raise Failed(f"{named} did not end within {PATIENCE_S:.0f} s") from error
        except OSError as error:
            raise Failed(f"{named}: {error}") from error
    if code:
        raise Failed(f"{named} ended with code {code}; what it said is in {place.log}")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
