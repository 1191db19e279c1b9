"""Sites: whole farms of hosts, shown, and switched off and on at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from server.cli.client import Client
from server.cli.exits import WrongUse
from server.cli.groups import House
from server.cli.options import with_server
from server.cli.output import note, tell, tell_facts, tell_rows
from server.cli.payload import rows_of

COLUMNS = ("name", "mode", "how", "stage", "since", "hosts", "hosts_now", "working", "reason")
TOKENS = ("id", "account", "state", "uses_left", "hosts", "networks", "created_at", "expires_at")
KINDS = ("volunteer", "cluster", "cloud", "trigger-farm")
SCOPE = click.argument("name", required=False)
Body = dict[str, Any]


@click.group(cls=House)
def site() -> None:
    """Places where hosts stand together, such as a trigger farm: one switch for all of them."""


@site.command("list")
@with_server
def list_command(server: Client) -> None:
    """List the sites."""
    rows = rows_of(server.get("sites"), "sites")
    tell_rows(rows, COLUMNS, "No sites yet: `windfall account token NAME --site SITE` makes one.")


@site.command("show")
@click.argument("name")
@with_server
def show_command(name: str, server: Client) -> None:
    """Show the site NAME: its mode, and how fast its hosts left at the last switch."""
    found = server.get("sites", name)
    last = found.pop("last_switch") or {}
    waiting = last.pop("waiting", [])
    flat = {f"switch_{key}": value for key, value in last.items()}
    tell_facts({**found, **flat, "not_answered": waiting})


@site.group("admin", cls=House)
def admin() -> None:
    """Who runs a site: its switch, machines, tokens and defaults, and those of no other."""


@admin.command("list")
@click.argument("name")
@with_server
def admin_list_command(name: str, server: Client) -> None:
    """List who runs the site NAME."""
    rows = rows_of(server.get("sites", name, "admins"), "admins")
    tell_rows(rows, ("name", "full_name", "since"), "Operators alone run it.")


@admin.command("add")
@click.argument("name")
@click.argument("account")
@with_server
def admin_add_command(name: str, account: str, server: Client) -> None:
    """Let ACCOUNT run the site NAME."""
    server.put("sites", name, "admins", account)
    tell({"site": name, "admin": account}, f"{account} runs {name} from now on")


@admin.command("remove")
@click.argument("name")
@click.argument("account")
@with_server
def admin_remove_command(name: str, account: str, server: Client) -> None:
    """Let ACCOUNT run the site NAME no longer; its enrolment tokens for it are revoked."""
    server.delete("sites", name, "admins", account)
    tell({"site": name, "removed": account}, f"{account} runs {name} no longer")


@site.command("tokens")
@click.argument("name")
@with_server
def tokens_command(name: str, server: Client) -> None:
    """List the enrolment tokens by which machines join the site NAME."""
    rows = rows_of(server.get("sites", name, "enrolments"), "tokens")
    tell_rows(rows, TOKENS, "No token lets machines join it.")


@site.command("revoke")
@click.argument("name")
@click.argument("token_id", metavar="TOKEN_ID")
@with_server
def revoke_command(name: str, token_id: str, server: Client) -> None:
    """Revoke a token by which machines join the site NAME; those that did stay."""
    server.post("sites", name, "enrolments", token_id, "revoke")
    tell({"token": token_id, "revoked": True}, f"token {token_id} is revoked")


@site.command("kind")
@click.argument("name")
@click.argument("kind", type=click.Choice((*KINDS, "none")))
@with_server
def kind_command(name: str, kind: str, server: Client) -> None:
    """Say what kind of machines the site NAME has, for the statistics from now on."""
    body = {"kind": "" if kind == "none" else kind}
    answer = server.put("sites", name, "kind", body=body)
    tell(answer, f"site {name}: {kind}")


def _whom(command: Callable[..., None]) -> Callable[..., None]:
    """Options that say whose hosts are meant, instead of those of the whole site NAME."""
    for option in (
        click.option("--reason", default="", help="Why, in a line; shown to all."),
        click.option("--all", "everybody", is_flag=True, help="All hosts there are, of any site."),
        click.option("--account", default="", help="All hosts of this account, of any site."),
        click.option(
            "--hosts", default="", help="These hosts of the site alone: ids, with commas."
        ),
    ):
        command = option(command)
    return SCOPE(command)


GRACE = click.option(
    "--grace",
    "grace_s",
    type=click.FloatRange(min=0, max=2_592_000),
    default=2.0,
    show_default=True,
    help="Seconds that the current event (drain: all work in hand) may still take.",
)


@site.command("stop")
@_whom
@GRACE
@with_server
def stop_command(server: Client, grace_s: float, **whom: Any) -> None:
    """Empty the site NAME: current events end, finished ones are sent, the rest is given back."""
    _switch(server, {"mode": "offline", "how": "stop", "grace_s": grace_s}, **whom)


@site.command("drain")
@_whom
@GRACE
@with_server
def drain_command(server: Client, grace_s: float, **whom: Any) -> None:
    """Let the site NAME finish what it has, and take no more."""
    _switch(server, {"mode": "offline", "how": "drain", "grace_s": grace_s}, **whom)


@site.command("suspend")
@_whom
@with_server
def suspend_command(server: Client, **whom: Any) -> None:
    """Pause the payloads of the site NAME where they stand; leases are kept."""
    _switch(server, {"mode": "offline", "how": "suspend"}, **whom)


@site.command("resume")
@_whom
@with_server
def resume_command(server: Client, **whom: Any) -> None:
    """Let the site NAME work again, after a stop, drain or suspend."""
    _switch(server, {"mode": "online"}, **whom)


@site.command("offline")
@_whom
@click.option(
    "--how",
    type=click.Choice(("stop", "suspend", "drain")),
    default="stop",
    show_default=True,
    help="What the hosts do.",
)
@GRACE
@with_server
def offline_command(server: Client, how: str, grace_s: float, **whom: Any) -> None:
    """The farm NAME takes data: we leave it."""
    _switch(server, {"mode": "offline", "how": how, "grace_s": grace_s}, **whom)


@site.command("online")
@_whom
@with_server
def online_command(server: Client, **whom: Any) -> None:
    """The farm NAME is ours again: its hosts work."""
    _switch(server, {"mode": "online"}, **whom)


def _switch(
    server: Client,
    body: Body,
    name: str | None,
    hosts: str,
    account: str,
    everybody: bool,
    reason: str,
) -> None:
    """Put the switch where NAME and the options point, and tell how many hosts were told."""
    if sum((bool(name), bool(account), everybody)) != 1:
        raise WrongUse("name a site, or --account, or --all: one of the three")
    if hosts and not name:
        raise WrongUse("--hosts lists hosts of a site: name the site")
    if hosts:
        body["hosts"] = _numbers(hosts)
    path: tuple[str, ...] = ("mode",)
    whom = "all hosts"
    if name:
        path, whom = ("sites", name, "mode"), f"site {name}"
    elif account:
        path, whom = ("accounts", account, "mode"), f"hosts of {account}"
    answer = server.put(*path, body={**body, "reason": reason})
    word = body["how"] if body["mode"] == "offline" else "work again"
    tell(answer, f"{whom}: {answer['hosts']} hosts are told to {word}")
    if name and body["mode"] == "offline":
        note(f"Next: windfall site show {name}")


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise WrongUse(f"--hosts {text}: ids of hosts with commas between, such as 3,4") from None
