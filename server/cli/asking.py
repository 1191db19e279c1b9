"""Questions before a deed that cannot be taken back: only a yes goes on."""

from __future__ import annotations

import click

from server.cli.exits import Interrupted
from server.cli.output import is_json, note


def confirm(question: str, *, yes: bool) -> None:
    """Ask, unless ``--yes`` or ``--json`` was given; `Interrupted` if the answer is not yes."""
    if yes or is_json():
        return
    try:
        agreed = click.confirm(question)
    except click.Abort as error:
        note("")  # the question stands alone on its line
        raise Interrupted(
            "nobody answered, so nothing was done; where nobody can, give --yes"
        ) from error
    if not agreed:
        raise Interrupted("answered with no, so nothing was done (--yes does not ask)")
