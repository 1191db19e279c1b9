"""My machines, and the tokens with which machines join by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from server.cli import documents, once
from server.cli.account import DAY_S
from server.cli.asking import confirm
from server.cli.client import Client
from server.cli.groups import House
from server.cli.options import YES, numbered, with_server
from server.cli.output import tell, tell_facts, tell_rows
from server.cli.payload import rows_of

MACHINE = numbered("machine", "windfall machine list")
COLUMNS = (
    *("id", "name", "account", "site", "doing", "context_name", "cores", "arch", "credit"),
    *("last_seen", "twin"),
)
TOKENS = (
    *("id", "state", "uses_left", "hosts", "site", "context_name", "networks"),
    *("created_at", "expires_at", "note"),
)


@click.group(cls=House)
def machine() -> None:
    """Machines of your own account."""


@machine.command("list")
@click.option("--all", "everybody", is_flag=True, help="Of all accounts (operators).")
@click.option("--site", default="", help="Those of a site that you run.")
@with_server
def list_command(everybody: bool, site: str, server: Client) -> None:
    """List your machines."""
    query = {"site": site} if site else {"all": "true"} if everybody else {}
    rows = rows_of(server.get("machines", query=query), "machines")
    tell_rows(rows, COLUMNS, "No machines yet; begin with `windfall pair start`.")


@machine.command("show")
@MACHINE
@with_server
def show_command(id: str, server: Client) -> None:
    """Show the machine ID and what happened to it."""
    found = server.get("machines", id)
    rows: list[Mapping[str, Any]] = found["timeline"]
    tell_facts({**found["machine"], "timeline": rows})


@machine.command("pause")
@MACHINE
@with_server
def pause_command(id: str, server: Client) -> None:
    """Freeze what the machine ID computes, until it is resumed."""
    tell(server.post("machines", id, "pause"), f"machine {id} is told to pause")


@machine.command("resume")
@MACHINE
@with_server
def resume_command(id: str, server: Client) -> None:
    """Let the machine ID go on."""
    tell(server.post("machines", id, "resume"), f"machine {id} is told to go on")


@machine.command("limit")
@MACHINE
@click.option("--cores", type=click.IntRange(min=0), default=0, help="Cores at most (0: all).")
@click.option("--memory-mb", type=click.IntRange(min=0), default=0, help="Memory at most, MB (0).")
@click.option("--hours", default="", help="Its local hours, as 22-6 or mon-fri 18:30-7 (always).")
@click.option("--network/--no-network", default=True, help="Whether payloads may use the network.")
@with_server
def limit_command(
    id: str, cores: int, memory_mb: int, hours: str, network: bool, server: Client
) -> None:
    """Allow the machine ID so much; what is not given is no limit."""
    body = {"cores": cores, "memory_mb": memory_mb, "hours": hours, "network": network}
    tell(server.put("machines", id, "limits", body=body), f"machine {id} is told its limits")


@machine.command("rename")
@MACHINE
@click.argument("name")
@with_server
def rename_command(id: str, name: str, server: Client) -> None:
    """Call the machine ID something else."""
    server.put("machines", id, "name", body={"name": name})
    tell({"id": id, "name": name}, f"machine {id} is called {name}")


@machine.command("recontextualize")
@MACHINE
@click.option("--context", "context_id", default="", help="Another context: id or name (its own).")
@click.option("--revision", default=0, help="A revision of it (0: the newest).")
@with_server
def context_command(id: str, context_id: str, revision: int, server: Client) -> None:
    """Give the machine ID a newer revision of its context, or another one."""
    context_id = documents.identify(server, context_id) if context_id else ""
    body = {"context_id": context_id, "revision": revision}
    answer = server.post("machines", id, "recontextualize", body=body)
    tell(answer, f"machine {id} is told to take {answer['name']}, revision {answer['revision']}")


@machine.command("unmanage")
@MACHINE
@YES
@with_server
def unmanage_command(id: str, yes: bool, server: Client) -> None:
    """Let the machine ID go: its token is worth nothing at once, and it is told to stop."""
    confirm(f"Let machine {id} go? What it computes now is given to others.", yes=yes)
    server.post("machines", id, "unmanage")
    tell({"id": id, "unmanaged": True}, f"machine {id} is yours no more")


@machine.command("token")
@click.option("--uses", type=click.IntRange(min=1), default=1, help="How many machines (1).")
@click.option(
    "--days",
    type=click.FloatRange(min=0.001, max=366),
    default=1.0,
    help="How long it is good (1).",
)
@click.option("--note", "remark", default="", help="What it is for.")
@click.option("--site", default="", help="The site that its machines belong to.")
@click.option("--context", "context_id", default="", help="Their context: id or name.")
@click.option("--revision", default=0, help="A revision of it (0: the newest).")
@click.option(
    "--networks", default="", help="Where they may come from, as 192.0.2.0/24 (anywhere)."
)
@once.OUT
@with_server
def token_command(
    uses: int,
    days: float,
    remark: str,
    site: str,
    context_id: str,
    revision: int,
    networks: str,
    out: Path | None,
    server: Client,
) -> None:
    """Make a token for machines that start with nobody at them; it is shown this once."""
    context_id = documents.identify(server, context_id) if context_id else ""
    body = {
        "uses": uses, "expires_s": days * DAY_S, "note": remark, "site": site,
        "context_id": context_id, "revision": revision, "networks": networks,
    }  # fmt: skip
    once.hand_over(out, lambda: server.post("enrolments", body=body))


@machine.command("tokens")
@with_server
def tokens_command(server: Client) -> None:
    """List your enrolment tokens (never the tokens themselves)."""
    tell_rows(rows_of(server.get("enrolments"), "tokens"), TOKENS, "You have no tokens.")


@machine.command("revoke-token")
@click.argument("token_id", metavar="TOKEN_ID")
@with_server
def revoke_command(token_id: str, server: Client) -> None:
    """Revoke the token with this id; machines that joined with it stay."""
    server.post("enrolments", token_id, "revoke")
    tell({"token": token_id, "revoked": True}, f"token {token_id} is revoked")
