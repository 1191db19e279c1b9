"""What one gave, and certificates of it: they join `me`."""

from __future__ import annotations

import re
from pathlib import Path

import click

from server.cli.client import Client
from server.cli.exits import Missing
from server.cli.me import me
from server.cli.options import PATH, with_server
from server.cli.output import is_json, tell, tell_facts, tell_rows
from server.cli.payload import rows_of

CODE = re.compile(r"[0-9A-Za-z-]{16,24}")
STUDIES = ("production", "study", "state", "events", "cpu_h", "credit")
CERTIFICATES = ("code", "name", "made_at", "events", "cpu_h", "credit")


@me.command("contribution")
@with_server
def contribution_command(server: Client) -> None:
    """Tell what your machines gave: in sum, by production and by machine, your rank and badges."""
    found = server.get("me", "contribution")
    if is_json():
        tell_facts(found)
        return
    lists = {name: found.pop(name) for name in ("machines", "studies", "badges")}
    badges = [f"{one['name']} ({one['words']})" for one in lists["badges"]]
    rank, ranked = found.pop("rank"), found.pop("ranked")
    standing = f"{rank} of {ranked} with credit" if rank else f"none yet; {ranked} have credit"
    tell_facts({**found, "rank": standing, "badges": badges})
    for title, name, columns in (
        ("what it served", "studies", STUDIES),
        ("machine by machine", "machines", ("host", "name", "events", "cpu_h", "credit")),
    ):
        if lists[name]:
            click.echo(f"\n{title}:")
            tell_rows(lists[name], columns, "")


@me.command("certify")
@click.option("--output", type=PATH, help="Where the PDF goes; windfall-CODE.pdf if not said.")
@with_server
def certify_command(output: Path | None, server: Client) -> None:
    """Make a certificate of what you gave until now, and fetch it as a PDF."""
    made = server.post("me", "certificates")
    place = output or Path(f"windfall-{made['code']}.pdf")
    with server.stream("certificates", made["code"], "print", headers={}) as response:
        place.write_bytes(response.data)
    tell({**made, "file": str(place)}, f"{place}: certificate {made['code']}")


@me.command("certificates")
@click.option("--withdraw", metavar="CODE", help="Show the certificate CODE to nobody any more.")
@with_server
def certificates_command(withdraw: str | None, server: Client) -> None:
    """List your certificates, or withdraw one."""
    if withdraw and not CODE.fullmatch(withdraw):
        raise Missing(f"there is no certificate {withdraw}; `windfall me certificates` lists yours")
    if withdraw:
        server.post("me", "certificates", withdraw, "withdraw")
        tell({"withdrawn": withdraw}, f"{withdraw} is shown to nobody any more")
        return
    found = server.get("me", "certificates")
    tell_rows(rows_of(found, "certificates"), CERTIFICATES, "No certificates.")


@me.command("export")
@click.option("--agree/--withdraw", default=None, help="Let statistics sites see you, or not.")
@click.option("--cross-id", default="", help="The cross-project id of your BOINC client.")
@with_server
def export_command(agree: bool | None, cross_id: str, server: Client) -> None:
    """Tell whether BOINC's statistics sites see you, or say so."""
    if agree is None:
        tell_facts(server.get("me", "export"))
    else:
        tell_facts(server.put("me", "export", body={"agreed": agree, "cross_id": cross_id}))
