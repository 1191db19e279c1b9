"""What the preloaded shim does to a process: deaths, lost writes, a full disk, a wrong clock."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools.chaoses import shim

pytestmark = pytest.mark.skipif(
    shutil.which("gcc") is None and shutil.which("cc") is None, reason="needs a C compiler"
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shim, compiled."""
    return shim.build(tmp_path_factory.mktemp("shim"))


class Disk:
    """A folder whose files count, and a page for the processes that write there."""

    def __init__(self, folder: Path, built: Path) -> None:
        self.root = folder / "disk"
        self.root.mkdir()
        self.control = shim.Control(folder / "control", self.root)
        self._environment = {**shim.environment(), **self.control.environment(built)}

    def run(self, code: str) -> subprocess.CompletedProcess[str]:
        """A Python program in the folder; ``cut()`` is where the process may be made to end."""
        head = (
            "import os, mmap, struct, sys, time\n"
            "page = mmap.mmap(os.open(os.environ['CHAOS_CONTROL'], os.O_RDWR), 4096)\n"
            "def cut(mode, calls=1):\n"
            "    struct.pack_into('=qi', page, 0, calls, mode)\n"
        )
        return subprocess.run(
            [sys.executable, "-c", head + code], cwd=self.root, env=self._environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def names(self) -> list[str]:
        """What lies in the folder."""
        return sorted(p.name for p in self.root.iterdir() if p.name != ".chaos")


@pytest.fixture
def disk(tmp_path: Path, built: Path) -> Disk:
    return Disk(tmp_path, built)


FILES = """
def write(name, data, sync):
    fd = os.open(name, os.O_RDWR | os.O_CREAT)
    os.pwrite(fd, data, 0)
    if sync:
        os.fsync(fd)
    return fd
def sync_folder():
    fd = os.open(".", os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)
"""


def test_a_killed_process_leaves_what_it_wrote(disk: Disk) -> None:
    done = disk.run(FILES + "write('a', b'one', False)\ncut(0)\nwrite('b', b'two', False)\n")
    assert done.returncode == -signal.SIGKILL
    assert disk.control.died
    assert (disk.root / "a").read_bytes() == b"one"
    assert disk.names() == ["a"]


def test_it_dies_before_the_call_that_was_chosen(disk: Disk) -> None:
    # Each turn is two calls: the file made, the bytes written.
    code = FILES + "cut(0, 6)\nfor n in range(9):\n    write(str(n), b'x', False)\n"
    assert disk.run(code).returncode == -signal.SIGKILL
    assert disk.names() == ["0", "1", "2"]
    assert (disk.root / "2").read_bytes() == b""


def test_a_power_cut_takes_what_was_not_synced_and_leaves_what_was(disk: Disk) -> None:
    code = FILES + (
        "fd = write('a', b'kept bytes', True)\nsync_folder()\n"
        "os.pwrite(fd, b'gone', 2)\nos.pwrite(fd, b'longer', 10)\n"
        "write('b', b'never', True)\ncut(1)\nos.write(fd, b'x')\n"
    )
    assert disk.run(code).returncode == -signal.SIGKILL
    assert (disk.root / "a").read_bytes() == b"kept bytes"
    assert disk.names() == ["a"], "the name of b was not made durable"


def test_a_power_cut_brings_back_cut_renamed_and_removed_files(disk: Disk) -> None:
    code = FILES + (
        "fd = write('a', b'0123456789', True)\nwrite('b', b'old', True)\nwrite('c', b'c', True)\n"
        "os.mkdir('d')\nsync_folder()\n"
        "os.ftruncate(fd, 3)\nwrite('new', b'new', True)\nos.replace('new', 'b')\nos.unlink('c')\n"
        "os.rmdir('d')\nopen('e', 'w').close()\nopen('a', 'w').close()\ncut(1)\n"
        "os.write(fd, b'x')\n"
    )
    assert disk.run(code).returncode == -signal.SIGKILL
    assert disk.names() == ["a", "b", "c", "d"]
    assert (disk.root / "a").read_bytes() == b"0123456789"
    assert (disk.root / "b").read_bytes() == b"old"
    assert (disk.root / "c").read_bytes() == b"c"


def test_a_rename_whose_folder_was_synced_stays(disk: Disk) -> None:
    code = FILES + (
        "write('b', b'old', True)\nwrite('new', b'new', True)\nos.replace('new', 'b')\n"
        "sync_folder()\nfd = write('f', b'', False)\ncut(1)\nos.write(fd, b'x')\n"
    )
    assert disk.run(code).returncode == -signal.SIGKILL
    assert (disk.root / "b").read_bytes() == b"new"
    assert disk.names() == ["b"]


def test_of_many_unsynced_writes_some_survive_by_the_seed(disk: Disk) -> None:
    code = FILES + (
        "fd = write('a', b'.' * 64, True)\nsync_folder()\n"
        "for n in range(64):\n    os.pwrite(fd, b'#', n)\ncut(2)\nos.write(fd, b'x')\n"
    )
    disk.control.put("seed", 12345)
    assert disk.run(code).returncode == -signal.SIGKILL
    found = (disk.root / "a").read_bytes()
    assert 10 < found.count(b"#") < 54


def test_a_full_disk_takes_no_new_byte_but_lets_old_ones_be_changed(disk: Disk) -> None:
    (disk.root / "a").write_bytes(b"0123456789")
    disk.control.put("full", 1)
    code = (
        "fd = os.open('a', os.O_RDWR)\nos.pwrite(fd, b'ABC', 0)\n"
        "for deed in (lambda: os.pwrite(fd, b'ABC', 9), lambda: os.open('b', os.O_CREAT | 2),"
        " lambda: os.posix_fallocate(fd, 0, 100), lambda: os.mkdir('d')):\n"
        "    try:\n        deed()\n    except OSError as error:\n        print(error.errno)\n"
        "print(os.statvfs('.').f_bavail)\n"
    )
    done = disk.run(code)
    assert done.stdout.split() == ["28"] * 4 + ["0"], done.stderr
    assert (disk.root / "a").read_bytes() == b"ABC3456789"
    assert disk.control.get("refused") == 4


def test_the_wall_clock_jumps_and_the_others_do_not(disk: Disk) -> None:
    disk.control.put("offset_ns", -5 * 3600 * 10**9)
    before = time.time(), time.monotonic()
    done = disk.run("print(time.time(), time.monotonic())\n")
    wall, steady = (float(word) for word in done.stdout.split())
    assert -5 * 3600 <= wall - before[0] < -4 * 3600
    assert 0 <= steady - before[1] < 3600


def test_files_elsewhere_and_children_are_left_alone(disk: Disk, tmp_path: Path) -> None:
    disk.control.put("full", 1)
    code = f"open({str(tmp_path / 'x')!r}, 'w').write('fine')\nprint(os.fork() and 'parent')\n"
    assert disk.run(code).returncode == 0
    assert (tmp_path / "x").read_text() == "fine"


def test_sqlite_keeps_every_commit_through_a_power_cut_at_any_call(disk: Disk) -> None:
    code = (
        "import sqlite3\n"
        "c = sqlite3.connect('db', isolation_level=None)\n"
        "c.execute('PRAGMA journal_mode = WAL')\nc.execute('PRAGMA synchronous = FULL')\n"
        "c.execute('CREATE TABLE IF NOT EXISTS t (n INTEGER)')\n"
        "cut(1 + int(sys.argv[1]) % 2, int(sys.argv[1]))\n"
        "while True:\n    done = c.execute('INSERT INTO t SELECT coalesce(max(n), 0) + 1 FROM t'"
        " ' RETURNING n').fetchone()[0]\n    os.write(1, b'%d\\n' % done)\n"
    )
    told = 0
    for calls in (3, 8, 14, 21, 33):
        done = disk.run(code.replace("sys.argv[1]", str(calls)))
        assert done.returncode == -signal.SIGKILL, done.stderr
        told = max([told, *map(int, done.stdout.split())])
        found = sqlite3.connect(disk.root / "db")
        kept = found.execute("SELECT count(*), coalesce(max(n), 0) FROM t").fetchone()
        found.close()
        assert kept[0] == kept[1] >= told, f"calls {calls}"


def test_nothing_happens_to_a_process_that_nobody_steers(built: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "open('x', 'w').write('fine')"], cwd=tmp_path,
        env={**os.environ, "LD_PRELOAD": str(built)}, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert (tmp_path / "x").read_text() == "fine"
