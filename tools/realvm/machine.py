"""A guest that runs: QEMU without hardware help, the seed disk, a serial line that is kept."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.realvm.image import Guest, NotToBeHad

QEMU = "qemu-system-x86_64"
HOST = "10.0.2.2"
"""The address by which a guest reaches what listens on this machine's 127.0.0.1."""
APPEND = (
    "console=ttyS0 quiet panic=-1 mitigations=off nokaslr random.trust_cpu=on tsc=reliable "
    "no_timer_check"
)


@dataclass
class Running:
    """A virtual machine; ``folder`` gets its serial line and its monitor."""

    guest: Guest
    seed: Path
    folder: Path
    memory_mb: int = 768
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        program = shutil.which(QEMU)
        if program is None:
            raise NotToBeHad(
                f"{QEMU} is not here: apt-get install --no-install-recommends qemu-system-x86"
            )
        self.process = subprocess.Popen(
            [program, *self.options()], stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT
        )

    def options(self) -> list[str]:
        """Never KVM: where it opens it may still not run a kernel, as in nested machines."""
        return [
            *("-accel", "tcg", "-cpu", "max", "-M", "q35", "-m", str(self.memory_mb), "-smp", "1"),
            *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
            *("-serial", f"file:{self.folder / 'serial.log'}"),
            *("-qmp", f"unix:{self.folder / 'qmp'},server=on,wait=off"),
            *("-netdev", "user,id=n0", "-device", "virtio-net-pci,netdev=n0,romfile="),
            *("-drive", f"file={self.seed},if=virtio,format=raw,readonly=on"),
            *("-kernel", str(self.guest.kernel), "-initrd", str(self.guest.initrd)),
            *("-append", APPEND),
        ]

    @property
    def serial(self) -> str:
        """All that it has said."""
        path = self.folder / "serial.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def wait(self, words: str, seconds: float) -> bool:
        """Wait until it has said this; whether it has."""
        end = time.monotonic() + seconds
        while words not in self.serial:
            if time.monotonic() > end or self.process.poll() is not None:
                return words in self.serial
            time.sleep(0.2)
        return True

    def tell(self, command: str) -> dict[str, Any]:
        """One command to its monitor (QMP), as system_powerdown."""
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(self.folder / "qmp"))
            talk = line.makefile("rw")
            talk.readline()
            answer: dict[str, Any] = {}
            for word in ("qmp_capabilities", command):
                talk.write(json.dumps({"execute": word}) + "\n")
                talk.flush()
                answer = json.loads(talk.readline())
                while "event" in answer:  # told to whoever listens, at any time
                    answer = json.loads(talk.readline())
            return answer

    def kill(self) -> None:
        """Pull the plug."""
        self.process.kill()
        self.process.wait()
