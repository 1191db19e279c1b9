"""API tokens of one's own: made, listed, revoked."""

from __future__ import annotations

from pathlib import Path

import click

from server.cli import once
from server.cli.account import DAY_S
from server.cli.client import Client
from server.cli.groups import House
from server.cli.me import me
from server.cli.options import with_server
from server.cli.output import is_json, tell, tell_rows
from server.cli.payload import rows_of
from server.domain.scopes import SCOPES, WHOLE

COLUMNS = ("id", "scopes", "created_at", "expires_at", "note")


@me.group("token", cls=House)
def token() -> None:
    """API tokens that act for you: programs get one each, with no more than they need."""


@token.command("make")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice((*SCOPES, WHOLE)),
    multiple=True,
    required=True,
    help="What it may do; give it once for each. * is all that you may.",
)
@click.option(
    "--days",
    type=click.FloatRange(min=0, min_open=True),
    required=True,
    help="How long it is good (accounts.token_days at most).",
)
@click.option("--note", "remark", default="", help="What it is for.")
@once.OUT
@with_server
def make_command(
    scopes: tuple[str, ...], days: float, remark: str, out: Path | None, server: Client
) -> None:
    """Make a token; it is shown this once."""
    body = {"scopes": list(scopes), "expires_s": days * DAY_S, "note": remark}
    once.hand_over(out, lambda: server.post("me", "tokens", body=body))


@token.command("list")
@with_server
def list_command(server: Client) -> None:
    """List your tokens that are good (never the tokens themselves)."""
    rows = rows_of(server.get("me", "tokens"), "tokens")
    if not is_json():
        rows = [{**row, "scopes": " ".join(row["scopes"])} for row in rows]
    tell_rows(rows, COLUMNS, "No token acts for you.")


@token.command("revoke")
@click.argument("token_id", metavar="TOKEN_ID")
@with_server
def revoke_command(token_id: str, server: Client) -> None:
    """Revoke your token with this id, at once."""
    server.post("me", "tokens", token_id, "revoke")
    tell({"token": token_id, "revoked": True}, f"token {token_id} is revoked")
