"""The part for an XRootD proxy with real servers: it serves, caches, and keeps others out."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from contexts.check import check, filled
from contexts.part import Machine
from contexts.registry import PARTS
from contexts.schema import Document, Value
from tests.conformance.blobs.servers import program, serving, xrootd_server
from tests.kit.ports import free_port

READ = """
import sys
from XRootD import client
file = client.File()
status, _ = file.open(sys.argv[1])
if not status.ok:
    sys.exit(status.message)
status, data = file.read()
file.close()
sys.stdout.buffer.write(data)
"""


@contextlib.contextmanager
def _proxy(folder: Path, origin: str, clients: list[str]) -> Iterator[str]:
    """A proxy by the configuration that the part writes; its URL."""
    xrootd = program("xrootd", "apt-get install --no-install-recommends xrootd-server")
    port, cache, admin = free_port(), folder / "cache", folder / "admin"
    values: dict[str, Value] = {
        "origin": origin.removeprefix("root://"),
        "export": "/store",
        "port": port,
        "folder": str(cache),
        "size_gb": 10,
        "clients": clients,
    }
    document: Document = {"xrootd-proxy": values}
    assert check(document) == []
    pieces = PARTS["xrootd-proxy"].pieces(filled(document)["xrootd-proxy"], Machine())
    (file,) = pieces.cloud["write_files"]
    config = folder / "proxy.cfg"
    config.write_text(f"{file['content']}all.adminpath {admin}\nall.pidpath {admin}\n")
    command = [xrootd, "-c", str(config), "-n", "proxy"]
    for path in (cache, admin):
        path.mkdir(exist_ok=True)
    if os.geteuid() == 0:  # it refuses to run as root
        for path in (cache, admin):
            shutil.chown(path, "xrootd", "xrootd")
        command = ["setpriv", "--reuid=xrootd", "--regid=xrootd", "--clear-groups", *command]
    with serving(command, port, folder / "proxy.log"):
        yield f"root://127.0.0.1:{port}"


def _read(url: str) -> subprocess.CompletedProcess[bytes]:
    quick = {"XRD_CONNECTIONRETRY": "1", "XRD_STREAMERRORWINDOW": "0", "XRD_REQUESTTIMEOUT": "60"}
    command = [sys.executable, "-c", READ, url]
    environment = {**os.environ, **quick}
    return subprocess.run(command, env=environment, capture_output=True, timeout=120, check=False)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the user of the servers may enter."""
    place = Path(tempfile.mkdtemp(prefix="windfall-proxy-"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


def test_a_proxy_serves_and_caches_what_its_storage_has(folder: Path) -> None:
    with xrootd_server() as (origin, data):
        content = os.urandom(200_000)
        (data / "store" / "run.root").write_bytes(content)
        with _proxy(folder, origin, ["127.0.0.1", "localhost"]) as url:
            first = _read(f"{url}//store/run.root")
            assert first.stdout == content, first.stderr
            assert (folder / "cache" / "store" / "run.root").stat().st_size == len(content)
            assert _read(f"{url}//etc/passwd").returncode != 0


def test_a_proxy_turns_away_whoever_is_not_named(folder: Path) -> None:
    with xrootd_server() as (origin, data):
        (data / "store" / "run.root").write_bytes(b"events")
        with _proxy(folder, origin, ["*.example.org", "192.0.2.7"]) as url:
            assert _read(f"{url}//store/run.root").returncode != 0
