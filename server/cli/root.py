"""The command `windfall`: its groups, and the commands that stand alone."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from server.cli import agent_bans, bans, contribution, giving, people, trust  # noqa: F401  # they add to other groups
from server.cli.account import account
from server.cli.agent import agent
from server.cli.alert import alert, operations_command
from server.cli.backups import backup
from server.cli.bulk import bulk
from server.cli.client import Client
from server.cli.cluster import cluster
from server.cli.config import config
from server.cli.context import context
from server.cli.credit import credit
from server.cli.db import db
from server.cli.exits import epilog
from server.cli.farm import site
from server.cli.group import group
from server.cli.groups import House
from server.cli.host import host
from server.cli.key import key
from server.cli.machine import machine
from server.cli.me import me
from server.cli.me_token import token as _token  # noqa: F401  joins `me`
from server.cli.options import with_server
from server.cli.output import emit, tell, tell_facts
from server.cli.pair import pair
from server.cli.pattern import pattern
from server.cli.payload import payload
from server.cli.production import production
from server.cli.start import init_command, serve_command
from server.cli.stats import stats
from server.cli.task import task
from server.cli.team import team
from vmagent import __version__


@click.group(cls=House, name="windfall", epilog=epilog())
@click.version_option(__version__, prog_name="windfall")
def windfall() -> None:
    """Physics productions on machines nobody promised.

    \b
    First steps on one machine:
      windfall init       keys and folders
      windfall serve      the server
      windfall account token NAME --kind enrol
    """


for part in (
    *(serve_command, init_command, config, key, payload, production, task, pattern),
    *(context, pair, machine, me, account, group, team, host, bulk, site, cluster, agent),
    *(credit, stats, db),
    *(operations_command, alert, backup),
):
    windfall.add_command(part)


@windfall.command("status")
@with_server
def status_command(server: Client) -> None:
    """Show how the server is doing."""
    tell_facts(server.get("status"))


@windfall.command("openapi")
@with_server
def openapi_command(server: Client) -> None:
    """Print the server's OpenAPI document (JSON)."""
    emit(server.get("openapi.json", base="", public=True))


@windfall.command("completion")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion_command(shell: str) -> None:
    """Print the completion script for SHELL; for bash: eval "$(windfall completion bash)"."""
    kind = get_completion_class(shell)
    if kind is None:
        raise AssertionError(f"click knows no shell {shell}")
    script = kind(windfall, {}, "windfall", "_WINDFALL_COMPLETE").source()
    tell({"shell": shell, "script": script}, script)


def main() -> None:
    """Run the command line."""
    windfall(prog_name="windfall")
