"""What a machine says of itself when it asks for an owner: its id, its image, its size."""

from __future__ import annotations

import os
import platform
import re
import shlex
import socket
import uuid
from pathlib import Path

from vmagent import __version__, monitor
from vmagent.home import Home
from vmagent.plaintext import printable
from vmagent.wire import pairing

FIRMWARE = "sys/class/dmi/id/product_uuid"
SERVICE = "etc/default/windfall-agent"
# As CernVM's own pairing script kept it.
CERNVM = "etc/cernvm/default.conf"
_CERNVM_UUID = re.compile(r"^(?:CERNVM_UUID|VM_UUID)=\"?([0-9A-Fa-f-]{36})\"?\s*$", re.M)


def identifier(home: Home, root: Path = Path("/")) -> str:
    """The UUID of this machine: kept, else CernVM's, the firmware's (root may read it), or fresh.

    It names the machine to people and proves nothing.
    """
    kept = home.note("machine")
    if isinstance(kept, str) and re.fullmatch(pairing.UUID, kept):
        return kept
    found = _CERNVM_UUID.search(_text(root / CERNVM))
    for one in ([found[1]] if found else []) + [_text(root / FIRMWARE).strip()]:
        plain = one.lower()
        if re.fullmatch(pairing.UUID, plain) and len(set(plain) - {"-"}) > 1:
            break
    else:
        plain = str(uuid.uuid4())
    home.keep_note("machine", plain)
    return plain


def image(root: Path = Path("/")) -> pairing.Image:
    """The system that runs here, by its own os-release(5)."""
    facts = {}
    for line in _text(root / "etc/os-release").splitlines():
        name, equals, value = line.partition("=")
        if equals:
            facts[name] = _bare(value)
    name, version, tag = (facts.get(key, "") for key in ("NAME", "VERSION_ID", "IMAGE_VERSION"))
    return pairing.Image(printable(name, 90), printable(version, 90), tag=printable(tag, 90))


def _bare(value: str) -> str:
    try:
        return " ".join(shlex.split(value))
    except ValueError:
        return ""


def _text(path: Path) -> str:
    try:
        return path.read_bytes()[:65_536].decode("utf-8", "replace")
    except OSError:
        return ""


def configured(name: str, root: Path = Path("/")) -> str:
    """A variable as the service's own file sets it (data, not run); empty if it does not."""
    for line in _text(root / SERVICE).splitlines():
        said, equals, value = line.strip().partition("=")
        if equals and said == name:
            return _bare(value)
    return ""


def introduction(
    home: Home, nonce: str, commit: str, pin: str = "", root: Path = Path("/")
) -> pairing.PairRequest:
    """This machine's request for an owner."""
    return pairing.PairRequest(
        uuid=identifier(home, root),
        nonce=nonce,
        commit=commit,
        arch=platform.machine().lower() or "unknown",
        cores=max(1, os.cpu_count() or 1),
        memory_mb=monitor.memory_mb(),
        pin=pin,
        image=image(root),
        hostname=printable(socket.gethostname(), 250),
        agent_version=__version__,
    )
