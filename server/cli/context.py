"""Contexts: what machines are told to become; found, made, changed, shared, removed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from server.cli import documents, sealing
from server.cli.asking import confirm
from server.cli.client import Client
from server.cli.exits import WrongUse
from server.cli.groups import House
from server.cli.options import PATH, YES, with_server
from server.cli.output import is_json, note, printable, tell, tell_facts, tell_rows
from server.cli.payload import rows_of

COLUMNS = ("id", "name", "visibility", "revision", "owner", "machines", "uses", "changed_at")
CONTEXT = click.argument("context")
SECRETS = click.option("--secrets", is_flag=True, help="With secrets in clear; its owner alone.")
REVISION = click.option("--revision", type=int, default=0, help="Its number; the latest if not.")
Body = dict[str, Any]


@click.group(cls=House)
def context() -> None:
    """What machines are told to become: kept in revisions, shared, rendered, paired with."""


@context.command("list")
@click.argument("words", nargs=-1)
@click.option(
    "--scope",
    type=click.Choice(("mine", "shared", "public", "templates", "review", "removed")),
    default="mine",
    show_default=True,
    help="Which ones.",
)
@with_server
def list_command(words: tuple[str, ...], scope: str, server: Client) -> None:
    """List contexts in which all WORDS stand; +tag: with one of these, -tag: without."""
    found = server.get("contexts", query={"scope": scope, "words": " ".join(words)})
    empty = "No contexts: `windfall context templates` shows what to begin with."
    tell_rows(rows_of(found, "contexts"), COLUMNS, empty)


@context.command("show")
@CONTEXT
@REVISION
@SECRETS
@click.option("--history", is_flag=True, help="Its revisions instead.")
@with_server
def show_command(context: str, revision: int, secrets: bool, history: bool, server: Client) -> None:
    """Show CONTEXT, by its id or by the name of one of your own."""
    id = documents.identify(server, context)
    if history:
        rows = rows_of(server.get("contexts", id, "revisions"), "revisions")
        tell_rows(rows, ("number", "at", "by", "name", "note"), "No revisions.")
        return
    query = {"revision": str(revision), "secrets": "1" if secrets else "0"}
    found = sealing.unsealed(server.get("contexts", id, query=query))
    if is_json():
        tell(found)
        return
    head = found["context"]
    facts = {key: head[key] for key in ("id", "owner", "visibility", "shares", "tags", "machines")}
    said = {key: found[key] for key in ("name", "description", "revision", "by", "at", "note")}
    tell_facts({**said, **facts, "role": found["role"], "site": found["site"]})
    click.echo("")
    click.echo(printable(documents.pretty(documents.shown(found))))


@context.command("create")
@click.argument("name", required=False, default="")
@click.option("--role", help="The role template that it lies on.")
@click.option("--from", "source", default="", help="Another context, as a template.")
@click.option("--site", help="The site whose defaults it lies on.")
@documents.with_document
@documents.SEAL
@with_server
def create_command(
    name: str, role: str | None, source: str, site: str | None, seal: bool, server: Client,
    **said: Any,
) -> None:  # fmt: skip
    """Make a context called NAME: from a role, another context, or a document."""
    start: Body = {"document": {}, "without": [], "role": role or "", "site": site or ""}
    if source:
        found = documents.identify(server, source)
        start["from_context"] = found
        if documents.says(said):
            start = {**start, **documents.copied(server, found)}
            start["role"] = role if role is not None else start["role"]
            start["site"] = site if site is not None else start["site"]
    documents.change(start, **said)
    body: Body = {**start, "name": name}
    if source and not documents.says(said):
        body = {"name": name, "from_context": start["from_context"]}
        body |= {} if role is None else {"role": role}
        body |= {} if site is None else {"site": site}
    if not name and not source and not role:
        raise WrongUse("give it a NAME, or say --role or --from")
    if role and not (name or source):
        body["name"] = documents.title_of(server, role)
    made = server.post("contexts", body=sealing.sealed(server, body) if seal else body)
    _tell(made, "created")


@context.command("edit")
@CONTEXT
@click.option("--name", help="Another name.")
@click.option("--description", help="Another description.")
@click.option("--tag", "tags", multiple=True, help="Its tags, all of them.")
@click.option("--role", help="The role template that it lies on.")
@click.option("--site", help="The site whose defaults it lies on.")
@click.option("--note", "about", default="", help="What was changed, in a line.")
@documents.with_document
@documents.SEAL
@with_server
def edit_command(
    context: str, name: str | None, description: str | None, tags: tuple[str, ...],
    role: str | None, site: str | None, about: str, seal: bool, server: Client, **said: Any,
) -> None:  # fmt: skip
    """Change CONTEXT by another revision; without options, in your $EDITOR."""
    id = documents.identify(server, context)
    found = sealing.unsealed(server.get("contexts", id))
    heads = {"name": name, "description": description, "role": role, "site": site}
    body = documents.next_of(found, {key: one for key, one in heads.items() if one is not None})
    body |= {"note": about} | ({"tags": list(tags)} if tags else {})
    if documents.says(said):
        documents.change(body, **said)
    elif not tags and not any(heads.values()) and not documents.by_hand(body):
        note("nothing was changed")
        return
    if seal or found["context"]["sealed"]:
        body = sealing.sealed(server, body, id, found["context"]["revision"] + 1)
    _tell(server.put("contexts", id, body=body), "saved")


def _tell(made: Body, word: str) -> None:
    tell(made, f"{made['context']['id']}  {made['name']}: {word}, revision {made['revision']}")


@context.command("diff")
@CONTEXT
@click.argument("old", type=int, default=0)
@click.argument("new", type=int, default=0)
@with_server
def diff_command(context: str, old: int, new: int, server: Client) -> None:
    """Show what changed in CONTEXT from revision OLD to NEW: the last change, if none is said."""
    id = documents.identify(server, context)
    found = server.get("contexts", id, "diff", query={"from": str(old), "to": str(new)})
    rows = rows_of(found, "changes")
    tell_rows(rows, ("path", "before", "after"), "They say the same.")


@context.command("restore")
@CONTEXT
@click.argument("revision", type=int)
@with_server
def restore_command(context: str, revision: int, server: Client) -> None:
    """Let REVISION of CONTEXT become its next one."""
    id = documents.identify(server, context)
    latest = server.get("contexts", id)["context"]["revision"]
    body = {"revision": revision, "started_from": latest}
    _tell(server.post("contexts", id, "restore", body=body), "restored")


@context.command("share")
@CONTEXT
@click.option("--group", "groups", multiple=True, help="With a group of yours.")
@click.option("--site", "sites", multiple=True, help="With those of a site of yours.")
@click.option("--private", is_flag=True, help="With nobody.")
@with_server
def share_command(
    context: str, groups: tuple[str, ...], sites: tuple[str, ...], private: bool, server: Client
) -> None:
    """Say who else may use CONTEXT. Their machines get its secrets."""
    if sum((bool(groups), bool(sites), private)) != 1:
        raise WrongUse("say --group, or --site, or --private: one of the three")
    visibility = "group" if groups else "site" if sites else "private"
    body = {"visibility": visibility, "names": list(groups or sites)}
    id = documents.identify(server, context)
    made = server.put("contexts", id, "sharing", body=body)
    tell(made, f"{visibility}{': ' if groups or sites else ''}{', '.join(groups or sites)}")


@context.command("publish")
@CONTEXT
@click.option("--withdraw", is_flag=True, help="Take it back instead.")
@with_server
def publish_command(context: str, withdraw: bool, server: Client) -> None:
    """Ask that everybody may use CONTEXT; an operator has to read it before."""
    id = documents.identify(server, context)
    if withdraw:
        server.post("contexts", id, "withdraw")
        tell({"withdrawn": id}, "taken back")
        return
    made = server.post("contexts", id, "publish")
    tell(made, f"revision {made['revision']} waits to be read")


@context.command("review")
@CONTEXT
@click.option("--list", "verdict", flag_value="list", help="Everybody may use it.")
@click.option("--refuse", "verdict", flag_value="refuse", help="Nobody may; say why.")
@click.option("--revision", type=int, default=0, help="The one that you have read.")
@click.option("--note", "about", default="", help="Why, for its owner.")
@with_server
def review_command(
    context: str, verdict: str | None, revision: int, about: str, server: Client
) -> None:
    """Say of CONTEXT, which waits to be read, whether everybody may use it."""
    if verdict is None or not revision:
        raise WrongUse("read it first (`windfall context render`), then --list or --refuse "
                       "with the --revision that you have read")  # fmt: skip
    body = {"verdict": verdict, "revision": revision, "note": about}
    server.post("contexts", context, "review", body=body)
    tell({"id": context, **body}, "listed" if verdict == "list" else "refused")


@context.command("remove")
@CONTEXT
@click.option("--anyway", is_flag=True, help="Though machines use it; they keep what they have.")
@click.option("--undo", is_flag=True, help="Bring it back instead.")
@YES
@with_server
def remove_command(context: str, anyway: bool, undo: bool, yes: bool, server: Client) -> None:
    """Remove CONTEXT; for two weeks --undo brings it back."""
    if undo:
        id = documents.identify(server, context, "removed")
        _tell(server.post("contexts", id, "bring-back"), "brought back")
        return
    id = documents.identify(server, context)
    confirm(f"Remove {context}?", yes=yes)
    gone = server.delete("contexts", id, query={"anyway": "1" if anyway else "0"})
    tell(gone, f"removed; `windfall context remove --undo {id}` brings it back")


@context.command("export")
@CONTEXT
@click.option("--form", type=click.Choice(("json", "context")), default="json", show_default=True,
              help="Ours, or that of CernVM.")  # fmt: skip
@REVISION
@SECRETS
@click.option("-o", "--out", type=PATH, help="The file to write; standard output if none is said.")
@with_server
def export_command(
    context: str, form: str, revision: int, secrets: bool, out: Path | None, server: Client
) -> None:
    """Write CONTEXT as a file to keep, or to send to another server."""
    id = documents.identify(server, context)
    query = {"form": form, "revision": str(revision), "secrets": "1" if secrets else "0"}
    found = server.get("contexts", id, "export", query=query)
    for path in found["lost"]:
        note(f"{path}: not in this file")
    documents.write_or_print(found["text"], out, private=secrets)


@context.command("import")
@click.argument("file", type=PATH)
@click.option("--name", default="", help="Its name; that in the file if none is said.")
@click.option("--dry-run", is_flag=True, help="Only tell what is in it.")
@with_server
def import_command(file: Path, name: str, dry_run: bool, server: Client) -> None:
    """Make a context of FILE: exported JSON, or the .context of CernVM."""
    body = {"text": documents.text_of(file), "file": file.name}
    found = server.post("contexts", "read", body=body)
    for line in found["report"]:
        note(line)
    if dry_run:
        tell(found, documents.pretty(found["document"]))
        return
    wanted = {"name": name or found["name"] or file.stem, "document": found["document"]}
    made = server.post("contexts", body={**wanted, "description": found["description"]})
    _tell(made, "imported")


@context.command("render")
@CONTEXT
@click.option("--target", default="mime", show_default=True,
              help="mime, cloud-config, amiconfig, iso, container, local, cloud ...")  # fmt: skip
@REVISION
@SECRETS
@click.option("--name", default="", help="The name of the machine.")
@click.option("--enrol", is_flag=True, help="With a new enrolment token, so that it joins alone.")
@click.option("--uses", default=1, show_default=True, help="Machines that may join with it.")
@click.option("--days", default=1.0, show_default=True, help="How long it is good.")
@click.option("--site", default="", help="The site of machines that join with it.")
@click.option("-o", "--out", type=PATH, help="A folder for the files; else they are printed.")
@with_server
def render_command(
    context: str, target: str, revision: int, secrets: bool, name: str, enrol: bool, uses: int,
    days: float, site: str, out: Path | None, server: Client,
) -> None:  # fmt: skip
    """Make of CONTEXT the files that a machine is started with.

    With --enrol they hold a token: whoever reads them can join machines to your account.
    """
    id = documents.identify(server, context)
    body: dict[str, Any] = {
        "target": target, "revision": revision, "secrets": secrets, "name": name,
    }  # fmt: skip
    if enrol:
        body["enrol"] = {"uses": uses, "expires_s": days * 86_400, "site": site}
    found = server.post("contexts", id, "render", body=body)
    if enrol:
        note(f"enrolment token {found['token_id']} stands in them: {uses} uses, {days:g} days")
    for line in found["warnings"]:
        note(f"warning: {line}")
    if found["hidden"]:
        note(f"examples stand for secrets ({', '.join(found['hidden'])}); see --secrets")
    documents.write_files(found, out)


@context.command("templates")
@with_server
def templates_command(server: Client) -> None:
    """List the role templates that contexts begin with."""
    rows = rows_of(server.get("context-templates"), "templates")
    tell_rows(rows, ("name", "title", "summary"), "No templates.")


@context.command("defaults")
@click.argument("layer", required=False, default="")
@documents.with_document
@with_server
def defaults_command(layer: str, server: Client, **said: Any) -> None:
    """Show or change what contexts start from: experiment, site/NAME, role/NAME or user/me."""
    if not layer:
        rows = rows_of(server.get("context-defaults"), "defaults")
        shown = [{**one, "parts": ", ".join(one["document"])} for one in rows]
        columns = ("layer", "subject", "number", "parts", "changed_by", "changed_at")
        tell_rows(shown, columns, "No defaults.")
        return
    path = ("context-defaults", *layer.split("/", 1))
    found = server.get(*path)
    if not documents.says(said):
        tell(found, documents.pretty(found["document"]))
        return
    documents.change(found, **said)
    body = {"started_from": found["number"], "document": found["document"]}
    made = server.put(*path, body=body)
    tell(made, f"{layer}: number {made['number']} is in force")
