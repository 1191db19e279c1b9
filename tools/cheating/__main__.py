"""The command line: which cheats, how many hosts, and what is printed and drawn."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

from tools.arguments import Parser, count, file_to_write, whole
from tools.cheating.lies import CHEATS, Cheat
from tools.cheating.rules import RULES, SHARES, Rule
from tools.cheating.scene import Scene


def main(arguments: Sequence[str] | None = None) -> int:
    """Run every cell and print the table; nothing can fail but the arguments."""
    asked = _asked(arguments)
    begun = time.monotonic()
    cheats = [cheat for cheat in CHEATS if not asked.cheat or cheat.name in asked.cheat]
    todo = [
        (cheat, share, rule)
        for cheat in cheats
        for share in SHARES
        for rule in RULES
        if rule.trusts or not cheat.sleeps  # where nobody is trusted, they sleep for ever
    ]
    cells = []
    for done, (cheat, share, rule) in enumerate(todo, 1):
        cells.append(
            _cell(Scene(asked.hosts, asked.units, asked.unit, share, cheat, asked.seed), rule)
        )
        if sys.stderr.isatty() or done % 21 == 0:
            sys.stderr.write(f"\r{done} of {len(todo)}, {time.monotonic() - begun:.0f} s ")
            sys.stderr.flush()
    sys.stderr.write("\n")
    if not asked.json:
        sys.stdout.write("\n".join(_tables(cheats, cells)) + "\n")
    files = [file for file in (asked.png, asked.svg) if file]
    if files:
        from tools.cheating.drawing import draw

        draw(cells, files)
    if asked.json:
        facts = {key: getattr(asked, key) for key in ("seed", "hosts", "units", "unit")}
        seconds = round(time.monotonic() - begun, 1)
        sys.stdout.write(json.dumps({**facts, "seconds": seconds, "cells": cells}) + "\n")
    return 0


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        prog="tools/cheats",
        description="What share of the events is wrong when some hosts cheat, by the server's own "
        "rules and by those of BOINC. The same seed gives the same figures.",
    )
    parser.add_argument("--seed", type=whole, default=1, help="of all that is drawn (1)")
    parser.add_argument("--hosts", type=count, default=100, help="each of its own account (100)")
    parser.add_argument("--units", type=count, default=2000, help="work units (2000)")
    parser.add_argument("--unit", type=count, default=500, help="events of a unit (500)")
    parser.add_argument(
        "--cheat", action="append", choices=[c.name for c in CHEATS], help="only it"
    )
    parser.add_argument("--json", action="store_true", help="one line of JSON in place of tables")
    parser.add_argument("--png", type=file_to_write, help="draw into this file")
    parser.add_argument("--svg", type=file_to_write, help="draw into this file")
    return parser.parse_args(arguments)


def _cell(scene: Scene, rule: Rule) -> dict[str, Any]:
    """What came of one rule in one scene."""
    found = rule.run(scene)
    return {
        "cheat": scene.cheat.name,
        "share": scene.share,
        "rule": rule.name,
        "wrong": found.wrong,
        "wrong_share": found.wrong / scene.events,
        "marked": found.marked,
        "copies_per_event": round(found.copies / scene.events, 3),
        "stuck": found.stuck,
        "honest_blamed": found.blamed,
    }


def _tables(cheats: Sequence[Cheat], cells: Sequence[dict[str, Any]]) -> list[str]:
    """One table in Markdown for each cheat."""
    lines: list[str] = []
    for cheat in cheats:
        lines += ["", f"**{cheat.name}**: {cheat.meaning}", ""]
        lines.append("| rule | " + " | ".join(f"{share:.0%}" for share in SHARES) + " |")
        lines.append("| --- |" + " --- |" * len(SHARES))
        for rule in RULES:
            found = [c for c in cells if (c["cheat"], c["rule"]) == (cheat.name, rule.name)]
            if found:
                lines.append(f"| {rule.name} | " + " | ".join(map(_words, found)) + " |")
    return lines


def _words(cell: dict[str, Any]) -> str:
    share = cell["wrong_share"]
    told = "0" if not share else f"{share:.2g}" if share < 1e-4 else f"{share:.2%}"
    stuck = ", stuck" if cell["stuck"] else ""
    return f"{told} ({cell['copies_per_event']:.2f}{stuck})"


if __name__ == "__main__":
    sys.exit(main())
