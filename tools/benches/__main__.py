"""The command line of the benches: which one, how long, and what is printed."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tools.arguments import Parser, count, folder_to_fill
from tools.benches import dispatch, ingest, machine, pages
from tools.benches.figures import Result
from tools.benches.load import NoLoad
from tools.benches.pool import SetUpFailed
from tools.benches.process import NotStarted

BENCHES: Mapping[str, Callable[[Path, bool, int | None], list[Result]]] = {
    "dispatch": dispatch.run,
    "ingest": ingest.run,
    "pages": pages.run,
}
METHOD = (
    "both sides up at once, server on one core and wrk on another; slices of 1 s (100 kB: 2 s,"
    " 1 MB: 3 s) in random order, each paired with one of the bare server; ratio = requests per CPU"
    " second of all server threads; median and quartiles of the pairs; missed = the better quartile"
    " is short of the must"
)

PAGES_METHOD = (
    "a real server with made-up history of 10,000 machines and a year (--quick: 100 and 5 days);"
    " CPU time of all its threads for a page, over 100 ms; bytes of a live page while somebody"
    " stays, over 50 kB; memory of each of many listeners, over 50 kB, and CPU time while they"
    " stay, over a quarter of a core; CPU time to count all moves, over a bare loop on the rows"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one bench; 1 if a full run missed a goal, 2 if nothing could be measured."""
    parser = Parser(
        prog="tools/bench",
        description="Measure the server against a bare aiohttp server in the same run.",
    )
    parser.add_argument("name", choices=sorted(BENCHES), help="what to measure")
    parser.add_argument("--quick", action="store_true", help="a short run: shows that it works")
    parser.add_argument("--slices", type=count, help="slices of each side (10, or 2 with --quick)")
    parser.add_argument("--json", action="store_true", help="JSON alone, no table before it")
    parser.add_argument("--folder", type=folder_to_fill, help="where the servers keep their data")
    asked = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="windfall-bench-", dir=asked.folder) as folder:
            facts = machine.facts(Path(folder))
            results = BENCHES[asked.name](Path(folder), asked.quick, asked.slices)
    except (NoLoad, NotStarted, SetUpFailed) as error:
        sys.stderr.write(f"tools/bench: {error}\n")
        return 2
    if not asked.json:
        sys.stderr.write(table(results))
    document = {
        "bench": asked.name,
        "quick": asked.quick,
        "method": PAGES_METHOD if asked.name == "pages" else METHOD,
        "machine": facts,
        "goals": [result.plain() for result in results],
    }
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    return int(not asked.quick and any(result.missed for result in results))


def table(results: Sequence[Result]) -> str:
    """The results for people."""
    lines = [f"{'goal':>4}  {'ratio':>6}  {'quartiles':>13}  {'must':>6}  verdict"]
    for result in results:
        goal, found = result.goal, result.spread
        sign = ">=" if goal.at_least else "<="
        verdict = "met" if result.met else "missed" if result.missed else "within the spread"
        lines.append(
            f"{goal.number:>4}  {found.median:>6.2f}  {found.lower:>5.2f} .. {found.upper:.2f}"
            f"  {sign} {goal.must:.2f}  {verdict}: {goal.what}"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
