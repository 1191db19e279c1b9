"""The command line run inside a test: what it said, and the code it ended with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from server.cli.root import windfall


@dataclass(frozen=True)
class Said:
    """The end of a command."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Its one JSON document."""
        return json.loads(self.out)


def run(
    *args: str | Path,
    environ: Mapping[str, str] | None = None,
    answers: str | None = None,
) -> Said:
    """Run ``windfall`` with these arguments; a traceback fails the test."""
    runner = CliRunner()
    result = runner.invoke(
        windfall, [str(arg) for arg in args], env=dict(environ or {}), input=answers
    )
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Said(result.exit_code, result.stdout, result.stderr)
