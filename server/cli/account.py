"""Accounts and their tokens: made, listed, revoked."""

from __future__ import annotations

from pathlib import Path

import click

from server.cli import once
from server.cli.client import Client
from server.cli.groups import House
from server.cli.options import with_server
from server.cli.output import tell, tell_rows
from server.cli.payload import rows_of
from server.domain.roles import ROLES

DAY_S = 86_400.0
TOKEN_COLUMNS = (
    *("id", "kind", "site", "uses_left"),
    *("created_at", "expires_at", "revoked_at", "note"),
)


@click.group(cls=House)
def account() -> None:
    """Accounts, and the tokens that open the server to machines and programs."""


@account.command("create")
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    default="volunteer",
    show_default=True,
    help="What it is; managers run productions, admins accounts and hosts as well.",
)
@with_server
def create_command(name: str, role: str, server: Client) -> None:
    """Create the account NAME."""
    answer = server.post("accounts", body={"name": name, "role": role})
    tell(answer, f"account {name}, {role}", f"Next: windfall account token {name}")


@account.command("list")
@with_server
def list_command(server: Client) -> None:
    """List the accounts."""
    rows = rows_of(server.get("accounts"), "accounts")
    tell_rows(rows, ("id", "name", "role", "created_at"), "No accounts yet.")


@account.command("token")
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(("enrol", "api")),
    default="enrol",
    show_default=True,
    help="To pair machines (enrol), or to act for the account (api).",
)
@click.option(
    "--uses",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="How many machines it may pair.",
)
@click.option(
    "--days",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="How long it opens the door.",
)
@click.option("--note", "remark", default="", help="What it is for.")
@click.option("--site", default="", help="The site that its hosts belong to; made if it is new.")
@once.OUT
@with_server
def token_command(
    name: str,
    kind: str,
    uses: int,
    days: float,
    remark: str,
    site: str,
    out: Path | None,
    server: Client,
) -> None:
    """Make a token for the account NAME; it is shown this once."""
    body = {"kind": kind, "uses": uses, "expires_s": days * DAY_S, "note": remark}
    if site:
        body["site"] = site
    once.hand_over(out, lambda: server.post("accounts", name, "tokens", body=body))


@account.command("tokens")
@click.argument("name")
@with_server
def tokens_command(name: str, server: Client) -> None:
    """List the tokens of the account NAME (never the tokens themselves)."""
    rows = rows_of(server.get("accounts", name, "tokens"), "tokens")
    tell_rows(rows, TOKEN_COLUMNS, f"{name} has no tokens.")


@account.command("revoke")
@click.argument("token_id", metavar="TOKEN_ID")
@with_server
def revoke_command(token_id: str, server: Client) -> None:
    """Revoke the token with this id; hosts that it paired stay (see `windfall host revoke`)."""
    server.post("tokens", token_id, "revoke")
    tell({"token": token_id, "revoked": True}, f"token {token_id} is revoked")


@account.command("identities")
@with_server
def identities_command(server: Client) -> None:
    """List what opens your own account beside its password."""
    rows = rows_of(server.get("me", "identities"), "identities")
    columns = ("provider", "issuer", "subject", "linked_at")
    tell_rows(rows, columns, "Nothing but its password or its tokens opens this account.")


@account.command("unlink")
@click.argument("provider")
@with_server
def unlink_command(provider: str, server: Client) -> None:
    """Let PROVIDER open your own account no longer (linking needs a browser)."""
    server.post("me", "identities", provider, "unlink")
    tell({"provider": provider, "linked": False}, f"{provider} opens this account no longer")
