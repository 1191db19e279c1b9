"""What is signed by hand: with which key, of which files, and over which statement never."""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server import keyring
from server.cli.exits import BadFile, NotSigned, WrongUse
from server.cli.options import release_key
from vmagent.wire import jws

AGENT_PART = "vmagent/__main__.py"


def signing_key(key: Path | None) -> Ed25519PrivateKey:
    """The release key named, or the one at home; `NotSigned` if its statement says work."""
    path = release_key(key)
    private = keyring.read_private(path)
    try:
        beside = keyring.read_statement(path.with_suffix(".jws"))
    except keyring.KeyTrouble:
        return private  # no statement of a key lies there: nothing is known against this one
    kid = jws.key_id(keyring.public_of(private))
    if beside.value.kid == kid and beside.value.use != "release":
        raise NotSigned(
            f"{path}: a {beside.value.use} key ({beside.path} says so), and no agent runs what it "
            "signs; name a release key with --key"
        )
    return private


def put(path: Path, kind: str, text: str) -> None:
    """A signed statement into its file; never over a statement of another kind."""
    there = _kind(path)
    if there not in ("", kind):
        raise WrongUse(f"{path}: a statement of {there} is there; name another file with -o")
    path.write_text(text + "\n", encoding="ascii")


def _kind(path: Path) -> str:
    """Of what kind the statement in a file is; empty if there is none."""
    try:
        head, _ = jws.peek(path.read_text(encoding="ascii").strip())
    except (FileNotFoundError, UnicodeDecodeError, jws.Unsigned):
        return ""
    return str(head.get("typ", ""))


def hold_agent(path: Path) -> None:
    """`BadFile` unless this is the agent, packed."""
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                is_agent = AGENT_PART in archive.namelist()
        except zipfile.BadZipFile:
            is_agent = False
    if not is_agent:
        raise BadFile(
            f"{path}: not a packed agent (a zip file with {AGENT_PART} in it); make one with "
            "`python -m tools.pack_agent --out windfall-agent.pyz`"
        )


def hold_bundle(path: Path) -> None:
    """`BadFile` unless this is a gzipped tar with a file in it, whole to its end."""
    with path.open("rb") as file:
        try:
            with tarfile.open(fileobj=file, mode="r:gz") as archive:
                is_bundle = any([member.isfile() for member in archive])  # all are read
        except (tarfile.TarError, EOFError, zlib.error):
            is_bundle = False
    if not is_bundle:
        raise BadFile(
            f"{path}: not a payload bundle (a gzipped tar with files in it); make one with "
            "`windfall payload pack FOLDER`"
        )
