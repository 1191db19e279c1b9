"""The guest: kernel and a root in memory, made of Debian's packages without root or a disk.

Nothing in it knows of Windfall: whatever it becomes, the user data that it is given have said, and
Debian's own cloud-init has done.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

KERNEL = "linux-image-cloud-amd64"
PACKAGES = (
    *("busybox-static", "python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib"),
    *("libc6", "zlib1g", "libexpat1", "libssl3", "libffi8", "libbz2-1.0", "liblzma5", "libcrypt1"),
    *("libgcc-s1", "util-linux", "libblkid1", "libuuid1"),
    *("cloud-init", "python3-yaml", "libyaml-0-2", "python3-jinja2", "python3-markupsafe"),
    *("python3-configobj", "python3-jsonpatch", "python3-json-pointer", "python3-jsonschema"),
    *("python3-attr", "python3-pyrsistent", "python3-oauthlib", "python3-requests"),
    *("python3-urllib3", "python3-idna", "python3-chardet", "python3-certifi", "python3-six"),
    *("python3-netifaces", "python3-pkg-resources"),
)
"""Python, cloud-init and what they need; busybox is the rest of the system."""
MODULES = (
    *("virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci"),
    *("failover", "net_failover", "virtio_net", "virtio_blk", "cdrom", "isofs", "button", "evdev"),
)
"""Modules of the kernel, in the order in which they need each other."""
NOT_NEEDED = (
    *("usr/share", "usr/lib/systemd", "lib/systemd", "usr/lib/x86_64-linux-gnu/gconv"),
    *(f"usr/lib/python3.11/{name}" for name in ("test", "idlelib", "lib2to3", "ensurepip")),
    *("usr/lib/python3.11/pydoc_data", "usr/lib/python3.11/tkinter"),
)
LINKS = (
    *(
        "acpid",
        "sh",
        "adduser",
        "addgroup",
        "base64",
        "cat",
        "chmod",
        "chown",
        "cp",
        "cut",
        "date",
        "dirname",
    ),
    *("echo", "env", "false", "find", "grep", "head", "hostname", "id", "ifconfig", "insmod"),
    *("install", "kill", "ln", "ls", "mkdir", "mktemp", "mount", "mv", "poweroff", "printf", "ps"),
    *(
        "readlink",
        "rm",
        "rmdir",
        "route",
        "run-parts",
        "sed",
        "seq",
        "sleep",
        "sort",
        "stat",
        "tail",
        "touch",
        "tr",
    ),
    *("true", "umount", "uname", "wc", "udevadm", "ip"),
)
CONFIG = """\
datasource_list: [NoCloud, None]
network: {config: disabled}
disable_root: false
cloud_init_modules: [bootcmd, write-files, set_hostname]
cloud_config_modules: [runcmd, timezone]
cloud_final_modules: [write-files-deferred, scripts-user, final-message]
system_info:
  distro: debian
  paths: {cloud_dir: /var/lib/cloud, templates_dir: /etc/cloud/templates}
output: {all: "| tee -a /var/log/cloud-init-output.log"}
"""
"""What cloud-init does here: that of CernVM 5's stages which a root in memory can have."""
INIT = """\
#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/shm
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
for module in MODULES; do insmod /lib/modules/$module.ko; done
ifconfig lo 127.0.0.1 up
ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
route add default gw 10.0.2.2
acpid -d >/dev/console 2>&1 &
for stage in "init --local" init "modules --mode=config" "modules --mode=final"; do
    echo "guest: cloud-init $stage"
    cloud-init $stage
done
echo "guest: cloud-init is done"
while :; do sleep 3600; done
"""

POWER_FILE = "etc/acpi/PWRF/00000080"
POWER = """\
#!/bin/sh
echo "guest: the power button" >/dev/console
kill -TERM -1
for second in $(seq 60); do ps | grep -q "[w]indfall-agent" || break; sleep 1; done
echo "guest: off" >/dev/console
poweroff -f
"""
"""What a power button does: as where there is systemd or acpid, everybody is told to end first."""


class NotToBeHad(Exception):
    """Something that the guest is made of cannot be had here: what, and the cure."""


@dataclass(frozen=True, slots=True)
class Guest:
    """What QEMU starts."""

    kernel: Path
    initrd: Path


def build(folder: Path) -> Guest:
    """The guest in ``folder``; what was downloaded or made before is taken again."""
    guest, made_of = Guest(folder / "vmlinuz", folder / "initrd"), folder / "made-of"
    if guest.initrd.exists() and made_of.exists() and made_of.read_text() == _recipe():
        return guest
    for tool in ("apt-get", "apt-cache", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise NotToBeHad(f"{tool} is not here: the guest is made of Debian's packages")
    packages = folder / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    _download(packages)
    root, kernel = folder / "root", folder / "kernel"
    for old in (root, kernel):
        shutil.rmtree(old, ignore_errors=True)
    for package in sorted(packages.glob("*.deb")):
        to = kernel if package.name.startswith("linux-image") else root
        _run("dpkg-deb", "-x", str(package), str(to))
    _furnish(root, kernel)
    (image,) = (kernel / "boot").glob("vmlinuz-*")
    shutil.copy(image, guest.kernel)
    part = guest.initrd.with_suffix(".part")
    with part.open("wb") as out:
        out.writelines(cpio(root))
    part.rename(guest.initrd)
    made_of.write_text(_recipe())
    for done in (root, kernel):
        shutil.rmtree(done)
    return guest


def _recipe() -> str:
    """What a guest depends on; one that was made of something else is made anew."""
    parts = (KERNEL, PACKAGES, MODULES, NOT_NEEDED, LINKS, sorted(_texts().items()))
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotToBeHad(f"{' '.join(command[:3])}: {done.stderr.strip()[-400:]}")
    return done.stdout


def _download(packages: Path) -> None:
    told = _run("apt-cache", "depends", KERNEL)
    kernels = [line.split()[-1] for line in told.splitlines() if "Depends: linux-image" in line]
    if not kernels:
        raise NotToBeHad(f"apt knows no {KERNEL}: run apt-get update on Debian")
    have = {path.name.partition("_")[0] for path in packages.glob("*.deb")}
    missing = [name for name in (kernels[0], *PACKAGES) if name not in have]
    if missing:
        _run("apt-get", "download", *missing, cwd=packages)


def _furnish(root: Path, kernel: Path) -> None:
    for name in NOT_NEEDED:
        shutil.rmtree(root / name, ignore_errors=True)
    python = root / "usr/bin/python3"
    python.unlink(missing_ok=True)
    python.symlink_to("python3.11")
    for name in ("dev", "proc", "sys", "run", "tmp", "root", "mnt", "etc/cloud/cloud.cfg.d"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in LINKS:
        for link in (root / "bin" / name, root / "usr/bin" / name):
            if not link.exists() and not link.is_symlink():
                link.symlink_to("/bin/busybox")
    (root / "bin/udevadm").unlink()
    (root / "bin/udevadm").symlink_to("/bin/true")
    modules = root / "lib/modules"
    modules.mkdir(parents=True, exist_ok=True)
    for module in MODULES:
        (found,) = (kernel / "lib/modules").rglob(f"{module}.ko")
        shutil.copy(found, modules)
    for name, text in _texts().items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name in ("init", POWER_FILE):
        (root / name).chmod(0o755)
    (root / "tmp").chmod(0o1777)
    _compile(root)


def _texts() -> dict[str, str]:
    return {
        "init": INIT.replace("MODULES", " ".join(MODULES)),
        POWER_FILE: POWER,
        "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
        "etc/group": "root:x:0:\nnogroup:x:65534:\n",
        "etc/shadow": "root:*:19000:0:99999:7:::\n",
        "etc/hosts": "127.0.0.1 localhost\n",
        "etc/os-release": 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n',
        "etc/cloud/cloud.cfg": CONFIG,
        "etc/hostname": "guest\n",
    }


def _compile(root: Path) -> None:
    """Compile all Python once, which saves seconds at each start."""
    folders = [str(root / "usr/lib" / name) for name in ("python3.11", "python3")]
    mode = ["--invalidation-mode", "unchecked-hash", "-s", str(root), "-p", "/"]
    python = shutil.which("python3.11", path="/usr/bin")
    if python is None:  # another version's would be passed over
        return
    subprocess.run([python, "-m", "compileall", "-q", *mode, *folders], check=False)


def cpio(root: Path) -> Iterator[bytes]:
    """A folder as an archive of the kind that the kernel unpacks (newc; kernel, buffer-format)."""
    number = 1
    for folder, folders, names in os.walk(root):
        for name in sorted([*folders, *names]):
            path = Path(folder) / name
            yield from _member(path.relative_to(root).as_posix(), path, number)
            number += 1
    yield from _entry("TRAILER!!!", 0, 0, b"")


def _member(name: str, path: Path, number: int) -> Iterator[bytes]:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        body = os.readlink(path).encode()
    elif stat.S_ISREG(mode):
        body = path.read_bytes()
    else:
        body = b""
    yield from _entry(name, mode, number, body)


def _entry(name: str, mode: int, number: int, body: bytes) -> Iterator[bytes]:
    raw = name.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(body), 0, 0, 0, 0, len(raw), 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields)
    yield head + raw + b"\0" * (-(len(head) + len(raw)) % 4)
    yield body + b"\0" * (-len(body) % 4)
