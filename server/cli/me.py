"""One's own account: profile, password, codes, sessions, SSH keys."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

import click

from server.cli.client import Client
from server.cli.exits import WrongUse
from server.cli.groups import House
from server.cli.options import PATH, with_server
from server.cli.output import is_json, note, tell, tell_facts, tell_rows
from server.cli.payload import rows_of
from server.cli.people import SESSIONS, typed_twice

KEYS = ("id", "name", "fingerprint", "added_at")
KEY_MOST = 10_000  # bytes of a file with one public key


def present() -> str:
    """The present password, from the keyboard, or one line of standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    return getpass.getpass("Present password (empty if there is none): ")


@click.group(cls=House)
def me() -> None:
    """Your own account: the one that your token acts for."""


@me.command("show")
@with_server
def show_command(server: Client) -> None:
    """Show your account."""
    tell_facts(server.get("me"))


@me.command("profile")
@click.option("--full-name", help="How you are called.")
@click.option("--email", help="Your address; a letter with a link goes to a new one.")
@with_server
def profile_command(full_name: str | None, email: str | None, server: Client) -> None:
    """Change how you are called and reached."""
    now = server.get("me")
    body = {
        "full_name": now["full_name"] if full_name is None else full_name,
        "email": now["email"] if email is None else email,
    }
    kept = server.put("me", body=body)
    tell(kept, "kept", *(["a letter with a link is on its way to you"] if kept["mailed"] else []))


@me.command("password")
@with_server
def password_command(server: Client) -> None:
    """Change your password; without a terminal, old and new are two lines of standard input."""
    old = present()
    server.post("me", "password", body={"old": old, "new": typed_twice()})
    tell({"password": "set"}, "you have a new password; all browsers are logged out")


@me.command("codes")
@click.argument("how", type=click.Choice(("on", "off")))
@with_server
def codes_command(how: str, server: Client) -> None:
    """Be asked for a code of an app beside your password, or no longer."""
    if how == "off":
        server.post("me", "totp", "off", body={"password": present()})
        tell({"totp": False}, "you are asked for no codes any more")
        return
    made = server.post("me", "totp", body={"password": present()})
    if is_json():
        raise WrongUse("this asks for a code in between; use the API, or leave --json out")
    note(f"Put this key into your app: {made['secret']}")
    note(f"or this address: {made['uri']}")
    code = click.prompt("First code that it shows", err=True)
    found = server.post("me", "totp", "confirm", body={"code": code})
    tell(found, *found["codes"])
    note("These are recovery codes: each lets you in once if you lose your telephone.")


@me.command("sessions")
@click.option("--end", "ended", default="", metavar="ID", help="Log this one out.")
@with_server
def sessions_command(ended: str, server: Client) -> None:
    """List the browsers that you are logged in with."""
    if ended:
        server.post("me", "sessions", ended, "end")
        tell({"session": ended, "ended": True}, f"session {ended} is over")
        return
    tell_rows(rows_of(server.get("me", "sessions"), "sessions"), SESSIONS, "Logged in nowhere.")


@me.command("keys")
@click.option("--add", "added", type=PATH, help="Add the public key in this file.")
@click.option("--remove", "removed", default="", metavar="ID", help="Remove this one.")
@with_server
def keys_command(added: Path | None, removed: str, server: Client) -> None:
    """List your public SSH keys."""
    if added is not None:
        with added.open(encoding="utf-8", errors="replace") as file:
            line = file.read(KEY_MOST)
        if "PRIVATE KEY" in line:  # before it is sent anywhere
            raise WrongUse(f"{added}: this is a private key; name the .pub file beside it")
        made = server.post("me", "ssh-keys", body={"key": line.strip()})
        tell(made, f"key {made['id']}: {made['fingerprint']}")
    elif removed:
        server.post("me", "ssh-keys", removed, "remove")
        tell({"key": removed, "removed": True}, f"key {removed} is removed")
    else:
        tell_rows(rows_of(server.get("me", "ssh-keys"), "keys"), KEYS, "No keys yet.")
