"""The database: brought up to date, saved, looked over."""

from __future__ import annotations

import click

from server.cli.groups import House


@click.group(cls=House)
def db() -> None:
    """The server's database."""
