"""Payload bundles: packed, signed, brought to the server, listed."""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from server.cli.client import Client
from server.cli.exits import BadFile, NotSigned, WrongUse
from server.cli.groups import House
from server.cli.options import PATH, release_key_option, with_server
from server.cli.output import size, tell, tell_rows
from server.cli.pack import pack
from server.cli.signing import hold_bundle, put, signing_key
from server.cli.transfer import progress
from vmagent.wire import codec, jws, statements

ENDS = (".tar.gz", ".tgz")
NAME = r"[a-z0-9][a-z0-9_.-]{0,63}"


@dataclass(frozen=True)
class Signed:
    """A payload's statement as a file holds it; the server checks who signed it."""

    text: str
    value: statements.PayloadStatement


@click.group(cls=House)
def payload() -> None:
    """Programs that hosts run: bundles, packed and signed."""


@payload.command("pack")
@click.argument("folder", type=PATH)
@click.option("-o", "--output", "out", type=PATH, help="The bundle; FOLDER.tar.gz if not given.")
def pack_command(folder: Path, out: Path | None) -> None:
    """Pack FOLDER into a bundle; the same folder always gives the same bytes."""
    out = out or Path(f"{folder.resolve().name}.tar.gz")
    entries = pack(folder, out)
    digest = digest_of(out)
    files = sum(not entry.is_folder for entry in entries)
    tell(
        {"file": str(out), "digest": digest, "size": out.stat().st_size, "files": files},
        f"{out}: files: {files}, {size(out.stat().st_size)}",
        f"sha-256 {digest}",
        f"Next: windfall payload sign {out}",
    )


@payload.command("sign")
@click.argument("bundle", type=PATH)
@click.option("--name", help="Name of the payload; from NAME-VERSION.tar.gz if not given.")
@click.option("--version", help="Version of the payload; likewise.")
@click.option("-o", "--output", "out", type=PATH, help="The statement; BUNDLE.jws if not given.")
@release_key_option
def sign_command(
    bundle: Path, name: str | None, version: str | None, out: Path | None, key: Path | None
) -> None:
    """Sign BUNDLE with a release key: from then on hosts may run it."""
    guess = re.fullmatch(r"(.+?)-v?(\d.*)", stem(bundle))
    name = name or (guess[1] if guess else stem(bundle)).lower()
    version = version or (guess[2] if guess else "")
    if not re.fullmatch(NAME, name):
        raise WrongUse(f"{name}: a payload's name is lower-case letters, digits, _ . -; use --name")
    if not version:
        raise WrongUse(f"{bundle}: its name tells no version (NAME-VERSION.tar.gz); use --version")
    private = signing_key(key)
    hold_bundle(bundle)
    value = statements.PayloadStatement(
        name, version, digest_of(bundle), bundle.stat().st_size, time.time()
    )
    out = out or statement_beside(bundle)
    put(out, statements.PAYLOAD, jws.sign(statements.PAYLOAD, codec.plain(value), private))
    tell(
        {"file": str(out), **codec.plain(value)},
        f"{out}: {name} {version}, signed",
        f"Next: windfall payload add {bundle}",
    )


@payload.command("add")
@click.argument("bundle", type=PATH)
@click.option("--statement", type=PATH, help="Its signed statement; BUNDLE.jws if not given.")
@with_server
def add_command(bundle: Path, statement: Path | None, server: Client) -> None:
    """Bring BUNDLE and its statement to the server; twice is no harm."""
    signed = read_statement(statement or statement_beside(bundle))
    held_against(bundle, signed.value)
    with progress(bundle.name, signed.value.size) as advance:
        answer = server.put_file(
            "payloads",
            signed.value.digest,
            file=bundle,
            headers={"Windfall-Statement": signed.text},
            advance=advance,
        )
    tell(answer, f"{signed.value.name} {signed.value.version} is on the server")


@payload.command("list")
@with_server
def list_command(server: Client) -> None:
    """List the payloads on the server."""
    columns = ("name", "version", "size", "added_at", "digest")
    tell_rows(rows_of(server.get("payloads"), "payloads"), columns, "No payloads yet.")


def rows_of(answer: Any, name: str) -> list[dict[str, Any]]:
    """The rows of a list, bare or under its name."""
    rows = answer.get(name, []) if isinstance(answer, dict) else answer
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def stem(bundle: Path) -> str:
    """The name of a bundle without its ending."""
    for end in ENDS:
        if bundle.name.endswith(end):
            return bundle.name.removesuffix(end)
    return bundle.name


def statement_beside(bundle: Path) -> Path:
    """Where the statement of a bundle lies unless told otherwise."""
    return bundle.with_name(f"{stem(bundle)}.jws")


def bundle_beside(statement: Path) -> Path | None:
    """The bundle that lies next to its statement, if it does."""
    near = [statement.with_name(statement.name.removesuffix(".jws") + end) for end in ENDS]
    return next((path for path in near if path.is_file()), None)


def digest_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def held_against(bundle: Path, value: statements.PayloadStatement) -> None:
    """`BadFile` unless these are the bytes that were signed."""
    found = digest_of(bundle)
    if found != value.digest:
        raise BadFile(
            f"{bundle}: its digest is {found}, the statement is of {value.digest}; sign it again "
            "with `windfall payload sign`"
        )


def read_statement(path: Path) -> Signed:
    """A payload's statement from its file."""
    try:
        text = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise NotSigned(
            f"{path}: the statement is not there; make it with `windfall payload sign BUNDLE`"
        ) from None
    except UnicodeDecodeError:
        raise BadFile(f"{path}: not the statement of a payload") from None
    try:
        head, value = jws.peek(text)
        if head.get("typ") != statements.PAYLOAD:
            raise BadFile(f"{path}: a statement of {head.get('typ')}, not of a payload")
        return Signed(text, codec.build(value, statements.PayloadStatement, "statement"))
    except (jws.Unsigned, codec.BadMessage) as error:
        raise BadFile(f"{path}: not the statement of a payload: {error}") from error
