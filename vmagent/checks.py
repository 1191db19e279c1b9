"""Looks a machine over: can it work, and what will be in its way."""

from __future__ import annotations

import email.utils
import os
import platform
import ssl
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import cryptography
from urllib3._version import __version__ as urllib3_version

from vmagent import cgroups, errors, files, link, monitor, sandbox
from vmagent.home import Home
from vmagent.settings import Settings

MIB = 1 << 20
MEMORY_LEAST_MB = 256


@dataclass(frozen=True)
class Check:
    """One thing looked at: fine, a warning, or in the way."""

    name: str
    verdict: str  # ok, warn or fail
    found: str


def look(home: Home, server: Optional[str], settings: Settings) -> list[Check]:
    """Every check, in the order of the table."""
    there = _nearest(home.path)
    found = [_python(), _state(home, there), _disk(there, settings), _memory(settings)]
    if found[1].verdict == "ok":
        found.append(_sandbox(home, settings))
    found.append(Check("limits", "ok", cgroups.told(cgroups.survey())))
    found.append(_libraries())
    if server is None:
        found.append(
            Check("server", "fail", "no owner yet; run windfall-agent pair, or give --server")
        )
        return found
    return [*found, _proxy(server), *_server(server, settings)]


def can_work(checks: list[Check]) -> bool:
    """Whether nothing is in the way."""
    return all(check.verdict != "fail" for check in checks)


def _python() -> Check:
    version = platform.python_version()
    fine = sys.version_info >= (3, 9)
    return Check("python", "ok" if fine else "fail", f"{version} at {sys.executable}")


def _nearest(path: Path) -> Path:
    """The folder, or the one in which it would be made: to look at it makes nothing."""
    return next(one for one in (path.absolute(), *path.absolute().parents) if one.exists())


def _state(home: Home, there: Path) -> Check:
    if there != home.path.absolute():
        fine = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
        found = "is not there yet" if fine else f"cannot be made: {there} is not yours to write in"
        return Check("state", "ok" if fine else "fail", f"{home.path} {found}")
    try:
        home.vet()
    except errors.StateUnusable as error:
        return Check("state", "fail", str(error))
    pid = home.running()
    return Check("state", "ok", f"{home.path}" + (f", agent {pid} runs" if pid else ""))


def _disk(there: Path, settings: Settings) -> Check:
    try:
        free = files.free_bytes(there) // MIB
    except OSError as error:
        return Check("disk", "fail", str(error))
    room = free - settings.reserve_mb
    verdict = "fail" if room <= 0 else "warn" if room < 1024 else "ok"
    return Check("disk", verdict, f"{free} MB free, {settings.reserve_mb} MB of it left alone")


def _memory(settings: Settings) -> Check:
    memory = monitor.memory_mb(settings.memory_mb)
    each = memory // settings.slots
    verdict = "fail" if memory < MEMORY_LEAST_MB else "warn" if each < 1024 else "ok"
    return Check("memory", verdict, f"{memory} MB, {each} MB for each of {settings.slots} slots")


def _sandbox(home: Home, settings: Settings) -> Check:
    with tempfile.TemporaryDirectory() as spare:  # where there is no state folder yet
        state = home.path if home.path.exists() else Path(spare)
        box, found = sandbox.find(settings.sandbox, state, settings.sandbox_paths)
    if box is not None:
        return Check("sandbox", "ok", found)
    return Check("sandbox", "fail" if settings.sandbox == "require" else "warn", f"none: {found}")


def _libraries() -> Check:
    found = f"cryptography {cryptography.__version__}, urllib3 {urllib3_version}"
    return Check("libraries", "ok", f"{found}, {ssl.OPENSSL_VERSION}, {monitor.libc()}")


def _proxy(server: str) -> Check:
    try:
        return Check("proxy", "ok", link.proxy_for(server) or "none")
    except ValueError as error:
        return Check("proxy", "fail", str(error))


def _server(server: str, settings: Settings) -> list[Check]:
    try:
        line = link.Link(server, ca=settings.ca)
    except (errors.CannotWork, OSError) as error:
        return [Check("tls", "fail", str(error))]
    begun = time.monotonic()
    try:
        answer = line.request("GET", "/keys", auth=False)
    except errors.LinkFault as error:
        return [Check("server", "fail", str(error))]
    finally:
        line.close()
    took = time.monotonic() - begun
    secure = "verified" if server.startswith("https:") else "none, loopback"
    return [
        Check("server", "ok", f"{server} answered in {took * 1000:.0f} ms"),
        Check("tls", "ok", secure),
        _clock(answer.headers.get("Date"), took),
    ]


def _clock(date: Optional[str], took: float) -> Check:
    try:
        told = email.utils.parsedate_to_datetime(date or "").timestamp()
    except (TypeError, ValueError):
        return Check("clock", "warn", "the server tells no date")
    off = time.time() - told - took / 2 - 0.5  # the header is cut to whole seconds
    verdict = "ok" if abs(off) < 60 else "warn"
    note = "" if verdict == "ok" else "; the agent goes by the server's, TLS needs it about right"
    return Check("clock", verdict, f"{off:+.1f} s against the server{note}")


def table(checks: list[Check]) -> str:
    """The checks for people."""
    width = max(len(check.name) for check in checks)
    marks = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}
    lines = [f"{marks[c.verdict]}  {c.name.ljust(width)}  {c.found}" for c in checks]
    return os.linesep.join(lines)
