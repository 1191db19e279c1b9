"""Runs a production while faults happen; exit status 0 only if nothing was lost or doubled."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from tools.arguments import Parser, amount, count, folder_to_fill, whole
from tools.chaoses import database, run, schedule, shim
from tools.demonstration.stage import StageFailed


def main() -> int:
    """The command line; 0: all held, 1: not, 2: it cannot run here."""
    options = _options()
    console = Console(stderr=options.json)
    if options.list:
        _list(console)
        return 0
    folder = Path(tempfile.mkdtemp(prefix="windfall-chaos-", dir=options.folder))
    signal.signal(signal.SIGTERM, _interrupted)
    good = False
    try:
        result = _perform(options, folder, console)
        good = not result.failures
        for failure in result.failures:
            console.print(f"[bold red]not well:[/] {failure}")
        if options.json:
            print(json.dumps(result.as_json()))
        return 0 if good else 1
    except (StageFailed, ValueError, TimeoutError) as error:
        console.print(f"[bold red]it failed:[/] {error}", markup=True)
        return 1
    except shim.NoCompiler as error:
        console.print(str(error))
        return 2
    except KeyboardInterrupt:
        return 130
    finally:
        if good and not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            console.print(f"logs     {folder}")
        if not good:
            console.print(f"again    tools/chaos {_same(options)}")


def _options() -> argparse.Namespace:
    parser = Parser("tools/chaos", description=__doc__)
    parser.add_argument("--seconds", type=amount, help="for how long faults happen (60)")
    parser.add_argument("--events", type=count, help="how many events are made (400 a second)")
    parser.add_argument("--seed", type=whole, help="of faults and production (a new one)")
    parser.add_argument("--agents", type=whole, default=5, help="machines under test (5)")
    parser.add_argument("--faults", help="kinds, with commas (all); see --list")
    parser.add_argument(
        "--database",
        choices=database.KINDS,
        default="sqlite",
        help="what the server keeps (sqlite)",
    )
    parser.add_argument("--list", action="store_true", help="show the kinds of faults")
    parser.add_argument("--folder", type=folder_to_fill, help="where its files lie (/tmp)")
    parser.add_argument("--keep", action="store_true", help="keep its files when all is well")
    parser.add_argument("--json", action="store_true", help="one line of JSON at the end")
    options = parser.parse_args()
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 31)
    if options.seconds is None:
        options.seconds = 60.0 if options.events is None else options.events / run.EVENTS_PER_S
    if options.events is None:
        options.events = max(1000, int(options.seconds * run.EVENTS_PER_S))
    all_kinds = schedule.OF_A_FILE if options.database == "sqlite" else schedule.NAMES
    options.kinds = tuple(options.faults.split(",")) if options.faults else all_kinds
    if options.agents < 2:
        parser.error("--agents: at least 2, of two accounts, make a quorum")
    try:
        schedule.plan(0, 1.0, 2, options.kinds)
    except ValueError as error:
        parser.error(str(error))
    return options


def _same(options: argparse.Namespace) -> str:
    chosen = f" --faults {options.faults}" if options.faults else ""
    kept = "" if options.database == "sqlite" else f" --database {options.database}"
    return (
        f"--seed {options.seed} --seconds {options.seconds:g} --events {options.events}"
        f" --agents {options.agents}{chosen}{kept}"
    )


def _list(console: Console) -> None:
    table = Table("kind", "of", "in 120 s", "what happens")
    for kind in schedule.KINDS:
        table.add_row(kind.name, kind.where, str(kind.often), kind.about)
    console.print(table)


def _perform(options: argparse.Namespace, folder: Path, console: Console) -> run.Result:
    columns = (
        TextColumn("{task.description}"), BarColumn(),
        TextColumn("{task.completed:>7,.0f} of {task.total:,.0f} events"), TimeElapsedColumn(),
    )  # fmt: skip
    console.print(
        f"seed {options.seed}: {options.events:,} events, {options.seconds:g} s of faults"
    )
    begun = time.monotonic()
    with Progress(*columns, console=console) as progress:
        bar: TaskID = progress.add_task("settled", total=options.events)

        def report(kind: str, words: str) -> None:
            progress.console.print(f"{time.monotonic() - begun:7.2f}  {kind:<15} {words}",
                                   markup=False, highlight=False)  # fmt: skip

        def move(settled: int, _: int) -> None:
            progress.update(bar, completed=settled)

        wanted = run.Wanted(
            options.seed, options.seconds, options.events, options.agents, options.kinds,
            options.database, folder, report, move,
        )  # fmt: skip
        result = asyncio.run(run.run(wanted))
    _show(console, result)
    return result


def _show(console: Console, result: run.Result) -> None:
    table = Table("fault", "times", title=f"seed {result.seed}", title_justify="left")
    for kind, times in result.faults.items():
        table.add_row(kind, str(times))
    table.add_row("all", str(sum(result.faults.values())))
    console.print(table)
    console.print(
        f"{result.events:,} events, {result.acknowledged:,} acknowledgements held to,"
        f" {result.finished_events_lost} finished events lost, {result.duplicates} doubled,"
        f" {result.missing} missing, {result.recomputed_events:,} recomputed,"
        f" digest {'equal' if result.digest_equal else 'NOT equal'}, {result.seconds:g} s"
    )


def _interrupted(number: int, _: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
