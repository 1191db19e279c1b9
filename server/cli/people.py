"""People and their accounts: passwords, invitations, standing, sessions, and who did what."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

import click

from server.cli.account import account
from server.cli.asking import confirm
from server.cli.client import Client
from server.cli.exits import BadFile, WrongUse
from server.cli.options import PATH, YES, with_server
from server.cli.output import is_json, note, tell, tell_rows
from server.cli.payload import rows_of
from server.domain.roles import ROLES

SESSIONS = ("id", "agent", "address", "how", "created_at", "seen_at")
INVITATIONS = ("id", "email", "role", "note", "made_by", "expires_at")
PEOPLE = ("line", "full_name", "email", "role", "groups", "site", "url")
AUDIT = ("id", "at", "who", "what", "subject", "details", "address")


def typed_twice() -> str:
    """A new password, from the keyboard twice, or one line of standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass("New password: ")
    if getpass.getpass("Once more: ") != first:
        raise WrongUse("the two were not the same, so nothing was changed; try again")
    return first


@account.command("password")
@click.argument("name")
@click.option("--link", is_flag=True, help="Print a link with which its owner sets one, once.")
@with_server
def password_command(name: str, link: bool, server: Client) -> None:
    """Set the password of the account NAME; it is typed, or read from standard input.

    This is also how the first administrator gets one: windfall account password admin
    """
    if link:
        made = server.post("accounts", name, "reset")
        tell(made, str(made["url"]))
        note("Good once; give it to the owner of the account alone.")
        return
    server.post("accounts", name, "password", body={"password": typed_twice()})
    tell({"account": name, "password": "set"}, f"{name} has a new password; its sessions are over")


@account.command("invite")
@click.option("--email", default="", help="Where the invitation is mailed to.")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    default="volunteer",
    show_default=True,
    help="What the account will be; none above your own.",
)
@click.option("--note", "remark", default="", help="What it is for.")
@with_server
def invite_command(email: str, role: str, remark: str, server: Client) -> None:
    """Print a link with which somebody makes an account, once."""
    made = server.post("invitations", body={"email": email, "role": role, "note": remark})
    tell(made, str(made["url"]), *(["It is on its way by mail too."] if made["mailed"] else []))


@account.command("import")
@click.argument("file", type=PATH)
@click.option("--check", is_flag=True, help="Only look at it, and invite nobody.")
@with_server
def import_command(file: Path, check: bool, server: Client) -> None:
    """Invite everybody in the CSV FILE; if anything in it is wrong, nobody.

    Its first line names the columns: name, email, role, groups (blanks between), site (that he
    runs). The links are shown this once; they are mailed too where the server sends mail.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadFile(f"{file}: is no UTF-8 text; save it as CSV in UTF-8") from error
    found = server.post("accounts", "import", body={"csv": text, "check": check})
    rows = rows_of(found, "people")
    if not is_json():
        rows = [{**row, "groups": " ".join(row["groups"])} for row in rows]
    tell_rows(rows, PEOPLE, "Nobody.")
    note(f"{len(rows)} people {'could be' if check else 'are'} invited.")


@account.command("invitations")
@with_server
def invitations_command(server: Client) -> None:
    """List the invitations that are still good."""
    rows = rows_of(server.get("invitations"), "invitations")
    tell_rows(rows, INVITATIONS, "No invitation is open.")


@account.command("uninvite")
@click.argument("id")
@with_server
def uninvite_command(id: str, server: Client) -> None:
    """Revoke the invitation ID."""
    server.post("invitations", id, "revoke")
    tell({"invitation": id, "revoked": True}, f"invitation {id} opens nothing any more")


@account.command("disable")
@click.argument("name")
@YES
@with_server
def disable_command(name: str, yes: bool, server: Client) -> None:
    """Let the account NAME in no more: its sessions and tokens end at once; its machines stay."""
    confirm(f"Disable {name}?", yes=yes)
    server.post("accounts", name, "disable")
    tell({"account": name, "state": "disabled"}, f"{name} is disabled")


@account.command("enable")
@click.argument("name")
@with_server
def enable_command(name: str, server: Client) -> None:
    """Let the account NAME in again."""
    server.post("accounts", name, "enable")
    tell({"account": name, "state": "active"}, f"{name} is let in again")


@account.command("role")
@click.argument("name")
@click.argument("role", type=click.Choice(ROLES))
@with_server
def role_command(name: str, role: str, server: Client) -> None:
    """Give the account NAME another ROLE."""
    server.post("accounts", name, "role", body={"role": role})
    tell({"account": name, "role": role}, f"{name} is {role} from now on")


@account.command("codes-off")
@click.argument("name")
@YES
@with_server
def codes_off_command(name: str, yes: bool, server: Client) -> None:
    """Ask the owner of the account NAME for no codes any more: his telephone is lost."""
    confirm(f"Let {name} in by the password alone?", yes=yes)
    server.post("accounts", name, "totp", "off")
    tell({"account": name, "totp": False}, f"{name} is asked for no codes any more")


@account.command("sessions")
@click.argument("name")
@click.option("--end", is_flag=True, help="Log all of them out.")
@with_server
def sessions_command(name: str, end: bool, server: Client) -> None:
    """List the browsers that the account NAME is logged in with."""
    if end:
        found = server.post("accounts", name, "sessions", "end")
        tell(found, f"{found['ended']} sessions of {name} are over")
        return
    rows = rows_of(server.get("accounts", name, "sessions"), "sessions")
    tell_rows(rows, SESSIONS, f"{name} is logged in nowhere.")


@account.command("audit")
@click.option("--who", default="", help="What this account did.")
@click.option("--what", default="", help="Deeds of this name; account. is all that begin so.")
@click.option("--subject", default="", help="What was done to this account or thing.")
@click.option("--before", default=0, help="Older than this entry.")
@click.option("--most", default=50, show_default=True, help="How many.")
@with_server
def audit_command(
    who: str, what: str, subject: str, before: int, most: int, server: Client
) -> None:
    """Show who did what, newest first."""
    asked = {"who": who, "what": what, "subject": subject, "before": before or "", "most": most}
    query = {name: str(value) for name, value in asked.items() if value != ""}
    found = server.get("audit", query=query)
    tell_rows(rows_of(found, "entries"), AUDIT, "Nothing like that was done.")
    if found.get("before"):
        note(f"Older: --before {found['before']}")
