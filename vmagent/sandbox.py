"""The sandbox of payloads: bubblewrap (bwrap), tried out once, and what a payload sees in it.

A payload sees the system read-only, its own folder, and nothing of the agent: no state folder, no
home, no other process, no network unless its manifest asks for it. See
docs/decisions/0009-sandbox.md.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from vmagent import files, guard, kin
from vmagent.errors import CannotWork
from vmagent.settings import Settings

log = logging.getLogger("vmagent.sandbox")

BUBBLEWRAP, NONE = "bubblewrap", "none"
# Where a payload finds its folder and evp.py: the same on every machine.
INSIDE = Path("/windfall")
HOME = INSIDE / "home"
NOBODY = 65534
TRIAL_S = 30.0
# Parts of / that distributions link to /usr or keep apart; and what of /etc programs need to run.
_SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_ETC = (
    *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime", "ssl", "pki"),
    *("ca-certificates", "crypto-policies", "fonts"),
)
_ETC_OF_NETWORK = ("resolv.conf", "hosts", "nsswitch.conf", "host.conf", "gai.conf", "services")
# C libraries and BLAS count the cores there.
_SYS = ("/sys/devices/system/cpu", "/sys/devices/system/node")
# Options that bubblewrap 0.4 knows already: it is what Enterprise Linux 8 and 9 have.
_APART = (
    *("--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"),
    *("--hostname", "windfall", "--die-with-parent", "--new-session"),
)
INSTALL = "apt-get install bubblewrap (dnf install bubblewrap)"
# Settings of kernels and distributions that forbid user namespaces: where, and the value that does.
_FORBID = {
    "kernel.unprivileged_userns_clone": "0",
    "user.max_user_namespaces": "0",
    "kernel.apparmor_restrict_unprivileged_userns": "1",
}
_LAIR = ".trial-"
_TRIAL = """
import os, sys
state, agent = sys.argv[1:]
assert os.getuid() != 0, "it is root in there"
assert not os.access(state, os.R_OK) or not os.listdir(state), "the state folder is in sight"
assert os.getpid() < 100 and not os.path.exists("/proc/" + agent), "other processes are in sight"
open("file", "w").close()
print("well")
"""


@dataclass(frozen=True)
class Way:
    """One way to be nobody in there: options of bwrap, and what is run inside before the payload.

    ``owner`` is the user whom the payload's folder must belong to, if not the agent's own.
    """

    name: str
    options: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    owner: Optional[int] = None


# A plain user stays who he is, in a user namespace of its own, where that is worth nothing.
OWN = Way("own user", ("--unshare-user",))
# Root gives its rights away for good: not even the kernel's own files in /proc are its own then.
DROPPED = Way(
    f"user {NOBODY}",
    ("--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"),
    ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all"),
    NOBODY,
)
# A root that has no rights to give away, as in a container, is at least called another inside.
MAPPED = Way("root, mapped", ("--unshare-user", "--uid", str(NOBODY), "--gid", str(NOBODY)))


@dataclass(frozen=True)
class Sandbox:
    """A sandbox that was seen to work here. ``shown`` are folders to see besides the system's."""

    program: str
    state: Path
    way: Way = OWN
    shown: tuple[str, ...] = ()

    def order(self, home: Path, helper: Path, network: bool) -> dict[str, Any]:
        """What the guard needs to know to start a payload in it (`guard.boxed`)."""
        options = [*_APART, *self.way.options]
        options += [] if network else ["--unshare-net"]
        options += [*_view(network), "--proc", "/proc", "--dev", "/dev"]
        options += _bind("--bind", str(home / "tmp"), "/tmp")  # noqa: S108 - its own
        options += _bind("--bind", str(home / "shm"), "/dev/shm")  # noqa: S108 - its own
        for folder in self._extra():
            options += _bind("--ro-bind-try", folder, folder)
        options += self._masks()
        options += _bind("--ro-bind", str(helper / "python"), str(INSIDE / "python"))
        options += _bind("--bind", str(home), str(HOME))
        options += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", str(HOME / "work")]
        return {"program": self.program, "options": options, "before": list(self.way.before)}

    def hand_over(self, home: Path) -> None:
        """Give a payload's folder, just laid out, to the user that the payload will be."""
        if self.way.owner is None:
            return
        for way_in in (home, home / "work"):  # bwrap, without rights by then, must get there
            way_in.chmod(0o711)
        for folder, _, names in os.walk(home):
            os.chown(folder, self.way.owner, self.way.owner)
            for name in names:
                place = os.path.join(folder, name)
                os.chown(place, self.way.owner, self.way.owner, follow_symlinks=False)

    def _extra(self) -> list[str]:
        """Folders to be seen that no other one holds: the Python in use, and what was set."""
        python = {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix}
        wanted = {os.path.abspath(one) for one in (*python, *self.shown)}
        wanted |= {os.path.realpath(one) for one in wanted}
        return _outermost(one for one in wanted if not _is_in(one, "/usr") and one != "/")

    def _masks(self) -> list[str]:
        """Nothing in the place of the state folder, if a folder that is shown would show it."""
        places = {os.path.abspath(self.state), os.path.realpath(self.state)}
        seen = ["/usr", *self._extra()]
        over = [p for p in sorted(places) if any(_is_in(p, one) for one in seen)]
        return [word for p in over for word in ("--tmpfs", p, "--remount-ro", p)]


def find(wanted: str, state: Path, shown: str = "") -> tuple[Optional[Sandbox], str]:
    """The sandbox of this machine, really tried, or None; and what was found, with the cure.

    ``wanted`` is the setting: off looks for none. ``shown`` are folders, with colons between.
    """
    if wanted == "off":
        return None, "off, as it was set: payloads can do what this user can"
    program = shutil.which("bwrap")
    if program is None:
        return None, f"bubblewrap (bwrap) is not installed; {INSTALL}"
    folders = tuple(one for one in shown.split(":") if one)
    faults = []
    for way in (DROPPED, MAPPED) if os.geteuid() == 0 else (OWN,):
        box = Sandbox(os.path.realpath(program), state, way, folders)
        fault = _tried(box)
        if not fault:
            return box, f"{_version(program)} works, payloads run as {way.name}"
        faults.append(f"as {way.name}: {fault}")
    return None, f"{_version(program)} does not work here, {'; '.join(faults)}{_cure()}"


def ready(settings: Settings, state: Path) -> Optional[Sandbox]:
    """The sandbox for an agent that starts; `CannotWork` if one is required and none works."""
    for left in state.glob(f"{_LAIR}*"):  # of an agent that was killed while it tried
        files.remove(left)
    box, found = find(settings.sandbox, state, settings.sandbox_paths)
    if box is not None:
        log.info("sandbox", extra={"why": found})
    elif settings.sandbox == "require":
        raise CannotWork(f"a sandbox is required, and there is none: {found}")
    else:
        log.warning("no sandbox", extra={"why": found})
    return box


def plain_word(box: Optional[Sandbox]) -> str:
    """What the server is told: the sandbox payloads run in here."""
    return BUBBLEWRAP if box else NONE


def _tried(box: Sandbox) -> str:
    """Run something in it; what went wrong, or nothing."""
    try:
        lair = Path(tempfile.mkdtemp(prefix=_LAIR, dir=box.state))
    except OSError as error:
        return str(error)
    try:
        for name in ("home/out", "home/tmp", "home/shm", "home/work", "python"):
            (lair / name).mkdir(mode=0o700, parents=True)
        (lair / "python").chmod(0o755)
        box.hand_over(lair / "home")
        return _run_trial(box, lair)
    except OSError as error:
        return str(error)
    finally:
        files.remove(lair)


def _run_trial(box: Sandbox, lair: Path) -> str:
    program = [sys.executable, "-I", "-S", "-B", "-c", _TRIAL, str(box.state), str(os.getpid())]
    order = box.order(lair / "home", lair, network=False)
    options = os.memfd_create("options", 0)
    try:
        guard.write_options(options, order["options"])
        os.set_inheritable(options, True)
        done = subprocess.run(
            guard.boxed(order, ["--args", str(options)], program, {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            pass_fds=[options],
            env=guard.CLEAN,
            cwd="/",
            timeout=TRIAL_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {TRIAL_S:.0f} s"
    finally:
        os.close(options)
        kin.sweep()  # the first process of its namespace may come to us, dead
    if done.returncode == 0 and done.stdout == b"well\n":
        return ""
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return said[-1][:300] if said else f"exit code {done.returncode}"


def _view(network: bool) -> list[str]:
    """The system, read-only."""
    options = ["--ro-bind", "/usr", "/usr"]
    for name in _SYSTEM:
        place = f"/{name}"
        if os.path.islink(place):
            options += ["--symlink", os.readlink(place), place]
        elif os.path.isdir(place):
            options += ["--ro-bind", place, place]
    for name in (*_ETC, *(_ETC_OF_NETWORK if network else ())):
        options += _bind("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")
    for place in _SYS:
        options += _bind("--ro-bind-try", place, place)
    return options


def _bind(how: str, source: str, place: str) -> list[str]:
    """A bind mount, and the folders that lead to it: bwrap makes them closed to others else."""
    if how.endswith("-try") and not os.path.exists(source):
        return []
    above = [str(one) for one in reversed(Path(place).parents)][1:]
    return [*(word for one in above for word in ("--dir", one)), how, source, place]


def _outermost(places: Iterable[str]) -> list[str]:
    found: list[str] = []
    for place in sorted(places):
        if not any(_is_in(place, one) for one in found):
            found.append(place)
    return found


def _is_in(place: str, folder: str) -> bool:
    return f"{place}/".startswith(f"{folder.rstrip('/')}/")


def _version(program: str) -> str:
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=TRIAL_S, check=False
        )
        return done.stdout.strip()[:40] or "bubblewrap"
    except (OSError, subprocess.SubprocessError):
        return "bubblewrap"


def _cure() -> str:
    """What the kernel's settings have against it."""
    found = []
    for name, value in _FORBID.items():
        try:
            now = Path("/proc/sys", *name.split(".")).read_text().strip()
        except OSError:
            continue
        if now == value:
            found.append(f"sysctl {name}={'16384' if 'max' in name else 1 - int(value)}")
    if not found:
        return "; user namespaces and a /proc of its own must be allowed (as in no container)"
    return f"; it may need {' and '.join(found)}"
