"""The command line of the simulator: which policies, how many hosts, and what is printed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from server.domain.policy import Policy
from tools.arguments import Parser, amount, count, file_to_write, whole
from tools.simulation.hosts import Crowd
from tools.simulation.ledger import Broken
from tools.simulation.lives import POPULATIONS
from tools.simulation.people import CROWDS
from tools.simulation.run import POLICIES, Figures, Setting, run
from tools.simulation.table import markdown
from tools.simulation.workload import Shape


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the policies; 1 if a rule that must always hold was broken, 2 for a bad argument."""
    asked = _parser().parse_args(arguments)
    runs: list[Figures] = []
    with _progress(asked.quiet) as progress:
        for seed in range(asked.seed, asked.seed + asked.seeds):
            for name in asked.policy or POLICIES:
                try:
                    runs.append(run(name, _setting(asked, seed), _teller(progress, name, seed)))
                except Broken as broken:
                    sys.stderr.write(f"tools/simulate: {name}, --seed {seed}: {broken}\n")
                    return 1
    sys.stderr.write(markdown(runs))
    if asked.png or asked.svg:
        if not all(one.curve for one in runs):
            sys.stderr.write("tools/simulate: nothing was decided to be drawn; more --hosts\n")
            return 2
        from tools.simulation.drawing import draw

        draw(runs, _title(asked), asked.png, asked.svg)
    if asked.json:
        sys.stdout.write(json.dumps({"runs": [one.plain() for one in runs]}) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="tools/simulate",
        description="Run productions on a virtual clock: Windfall's own rules beside plain ones.",
    )
    add = parser.add_argument
    add("--hosts", type=count, default=2000, help="how many machines (2000)")
    add("--policy", action="append", choices=list(POLICIES), help="a policy, repeatable (all)")
    add("--seed", type=int, default=1, help="the first seed (1); the same seed, the same figures")
    add("--seeds", type=count, default=1, help="how many seeds, one after the other (1)")
    add("--hours", type=amount, default=2.0, help="ideal time of one copy of each event (2)")
    add("--population", choices=sorted(POPULATIONS), default="mixed", help="when hosts are there")
    add("--people", choices=sorted(CROWDS), default="mixed", help="who computes wrongly, and how")
    add("--one-class", action="store_true", help="every host gives the same bytes")
    add("--one-slot", action="store_true", help="every host has one slot (1, 2 or 4)")
    add("--event-s", type=amount, default=60.0, help="mean seconds of an event (60)")
    add("--cv", type=amount, default=1.4, help="spread of event times over their mean (1.4)")
    add("--event-bytes", type=count, default=60_000, help="bytes of an event (60000)")
    add("--setup-s", type=amount, default=5.0, help="seconds of a payload's set-up (5)")
    add("--poison", type=whole, default=3, help="events that kill the payload anywhere (3)")
    add("--requests", type=amount, default=5000.0, help="requests/s that the server takes (5000)")
    add("--quorum", type=count, default=2, help="copies that must agree (2)")
    add("--json", action="store_true", help="every figure as one JSON object on stdout")
    add("--png", type=file_to_write, help="draw the runs into this file")
    add("--svg", type=file_to_write, help="draw the runs into this file")
    add("--quiet", action="store_true", help="no progress bar")
    return parser


def _setting(asked: argparse.Namespace, seed: int) -> Setting:
    return Setting(
        Crowd(
            asked.hosts, asked.population, asked.people, not asked.one_class, not asked.one_slot
        ),
        Shape(asked.event_s, asked.cv, asked.event_bytes, asked.setup_s, asked.poison),
        asked.hours, seed, asked.requests, Policy(quorum=asked.quorum),
    )  # fmt: skip


def _title(asked: argparse.Namespace) -> str:
    hosts = f"{asked.hosts:,}".replace(",", "\N{THIN SPACE}")
    return f"{hosts} simulated hosts ({asked.population} lives, {asked.people} people)"


def _progress(quiet: bool) -> Any:
    if quiet:
        return nullcontext(None)
    return Progress(
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(),
        TimeRemainingColumn(elapsed_when_finished=True), console=Console(stderr=True),
    )  # fmt: skip


def _teller(progress: Progress | None, name: str, seed: int) -> Callable[[float], None]:
    """What moves the bar of one run; it tells how long the rest will take."""
    if progress is None:
        return lambda _: None
    bar = progress.add_task(f"{name}, seed {seed}", total=1.0)
    return lambda share: progress.update(bar, completed=share)


if __name__ == "__main__":
    sys.exit(main())
