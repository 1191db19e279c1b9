"""Slices of load by wrk, paired: every side is measured once a round, in random order."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.benches.figures import Slice
from tools.benches.process import LOAD_CORE, Served, pinned

SCRIPTS = Path(__file__).parent
TRIES = 3
UNITS_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}
TAKEN_AHEAD = 2  # requests a connection may have made without an answer when a slice ends


class NoLoad(RuntimeError):
    """The load generator is not there, or did not do what it should."""


class NothingAnswered(NoLoad):
    """No request was answered within a slice."""


def milliseconds(text: str) -> float:
    """A duration as wrk writes it. ValueError if it is none."""
    found = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text)
    if found is None:
        raise ValueError(f"{text!r} is not a duration of wrk")
    return float(found[1]) * UNITS_MS[found[2]]


def parse(output: str, cpu_ns: int) -> Slice:
    """What wrk says of a slice. `NoLoad` if it says that something failed."""
    requests = re.search(r"(\d+) requests in", output)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    median = re.search(r"\s50%\s+(\S+)", output)
    tail = re.search(r"\s99%\s+(\S+)", output)
    if requests is None or rate is None or median is None or tail is None:
        raise NoLoad(f"wrk measured nothing:\n{output[-2000:]}")
    if requests[1] == "0":
        raise NothingAnswered(f"no request was answered:\n{output[-2000:]}")
    # Answers are late by design when the disk is slow; lost connections are not.
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+)", output)
    if errors is not None and any(int(count) for count in errors.groups()):
        raise NoLoad(f"connections failed: {errors[0]}")
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    return Slice(
        int(requests[1]),
        cpu_ns,
        float(rate[1]),
        milliseconds(median[1]),
        milliseconds(tail[1]),
        int(refused[1]) if refused else 0,
    )


@dataclass(frozen=True)
class Side:
    """One of what is compared: a server, an address on it, and the script that asks it.

    ``arguments`` are handed to the script behind the number of requests made before, so that no two
    slices say the same.
    """

    name: str
    served: Served
    path: str
    script: str
    arguments: tuple[str, ...]
    connections: int
    seconds: int = 1


class Counter:
    """How many requests were made before, so that none is made twice."""

    def __init__(self) -> None:
        self.next = 0

    def past(self, requests: int, connections: int) -> None:
        """This many were answered, and some may be on their way."""
        self.next += requests + TAKEN_AHEAD * connections + 1


def one(side: Side, counter: Counter) -> Slice:
    """One slice; one in which a crowded machine answered nothing is tried again.

    `NoLoad` if anything was refused, or nothing answered again and again.
    """
    for _ in range(TRIES - 1):
        try:
            return _once(side, counter)
        except NothingAnswered:
            counter.past(0, side.connections)
    return _once(side, counter)


def _once(side: Side, counter: Counter) -> Slice:
    if shutil.which("wrk") is None:
        raise NoLoad("there is no wrk; install it: apt-get install wrk")
    command = [
        *("wrk", "--threads", "1", "--connections", str(side.connections)),
        *("--duration", f"{side.seconds}s", "--timeout", "30s", "--latency"),
        *("--script", str(SCRIPTS / side.script), f"{side.served.url}{side.path}"),
        *("--", str(counter.next), *side.arguments),
    ]
    before = side.served.cpu_ns
    done = subprocess.run(pinned(LOAD_CORE, command), capture_output=True, text=True, check=False)
    after = side.served.cpu_ns
    if done.returncode:
        raise NoLoad(f"wrk failed: {done.stderr[-2000:]}")
    found = parse(done.stdout, after - before)
    counter.past(found.requests, side.connections)
    if found.refused:
        raise NoLoad(f"{side.name}: {found.refused} of {found.requests} requests were refused")
    return found


def measure(
    sides: Sequence[Side],
    slices: int,
    warm_up: int = 1,
    before: Callable[[Side], None] = lambda side: None,
    check: Callable[[Side, Slice], None] = lambda side, found: None,
) -> dict[str, list[Slice]]:
    """So many slices of each side, after ``warm_up`` of each that do not count.

    ``before`` is called before each slice, and ``check`` with what it showed.
    """
    found: dict[str, list[Slice]] = {side.name: [] for side in sides}
    counters = {side.name: Counter() for side in sides}
    for number in range(warm_up + slices):
        for side in random.sample(sides, len(sides)):
            before(side)
            made = one(side, counters[side.name])
            check(side, made)
            if number >= warm_up:
                found[side.name].append(made)
    return found
