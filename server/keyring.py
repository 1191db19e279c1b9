"""The keys that sign: files of private keys, and the chain of statements that agents pin."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from vmagent.wire import codec, jws, statements

USES = ("release", "work")
STATEMENT_MOST = 65_536


class KeyTrouble(ValueError):
    """A key or its statement cannot be used."""


class NoKeys(KeyTrouble):
    """There is no key yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(
            f"{folder} holds no key statement, and without keys no work can be signed.\n"
            "On one machine for everything: windfall init\n"
            "Otherwise, on a machine of yours:  windfall key new release\n"
            "and on this one:                   windfall key new work\n"
            "then sign the work key's statement (work.jws) with your release key:\n"
            "                                   windfall key endorse work.jws\n"
            "and bring both statements here:    windfall key add release.jws work.jws\n"
            f"The private half of the work key (work.key) belongs into {folder}."
        )


class NoWorkKey(KeyTrouble):
    """No work key is endorsed, valid today and here with its private half."""

    def __init__(self, folder: Path, found: Sequence[str]) -> None:
        self.folder = folder
        why = "".join(f"\n  {line}" for line in found)
        super().__init__(
            f"{folder} holds no work key to sign leases with; it must be endorsed by a release "
            f"key, valid today, and here with its private half.{why}\n"
            "Make one with `windfall key new work`, have it endorsed with "
            "`windfall key endorse work.jws`, "
            "and bring it here with `windfall key add work.jws`; work.key belongs there too"
        )


@dataclass(frozen=True)
class Statement:
    """A key's statement, read: its text, what it says, who signed it, and where it lay."""

    text: str = field(repr=False)
    value: statements.KeyStatement
    signer: str
    path: Path

    @property
    def is_own(self) -> bool:
        """Whether the key has signed for itself."""
        return self.signer == self.value.kid

    def is_valid(self, now: float) -> bool:
        """Whether the key may be believed at ``now`` (Unix seconds)."""
        upto = self.value.not_after
        return self.value.not_before <= now and (upto is None or now < upto)


@dataclass(frozen=True)
class WorkKey:
    """A key that signs leases."""

    kid: str
    private: Ed25519PrivateKey = field(repr=False)


@dataclass(frozen=True)
class Keyring:
    """What a server signs with and believes.

    ``statements`` are what agents pin, oldest first: each but the first is signed by a release key
    before it. ``root`` is the id of that first key: the one that enrolment tokens vouch for.
    ``trusted`` maps the id of each release key valid today to its public half.
    """

    statements: tuple[str, ...]
    root: str
    trusted: Mapping[str, str]
    work_key: WorkKey


def new_private(path: Path) -> Ed25519PrivateKey:
    """A new private key, written to ``path`` for its owner's eyes only; never over another."""
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        write_private(path, pem)
    except FileExistsError:
        raise KeyTrouble(f"{path} is there already; a key is never written over") from None
    return private


def write_private(path: Path, raw: bytes) -> None:
    """A new file for its owner's eyes only, whole on the disk. Raises OSError."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())


def read_private(path: Path) -> Ed25519PrivateKey:
    """A private key from its file, which nobody but its owner may read."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        raw = path.read_bytes()
    except OSError as error:
        raise KeyTrouble(f"{path}: the private key cannot be read: {error.strerror}") from error
    if mode & 0o077:
        raise KeyTrouble(f"{path}: others may read this private key; run: chmod 600 {path}")
    try:
        private = load_pem_private_key(raw, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyTrouble(f"{path}: not a private key (PKCS8 PEM without a password)") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyTrouble(f"{path}: not an Ed25519 key; make one with `windfall key new`")
    return private


def public_of(private: Ed25519PrivateKey) -> str:
    """The public half of a key, as statements write it."""
    return jws.public_text(private.public_key())


def state(
    use: str,
    public: str,
    signer: Ed25519PrivateKey,
    not_before: float,
    not_after: float | None = None,
) -> str:
    """The statement of a key, signed. A key's own first statement is signed by itself."""
    value = statements.KeyStatement(use, jws.key_id(public), public, not_before, not_after)
    return jws.sign(statements.KEY, codec.plain(value), signer)


def read_statement(path: Path) -> Statement:
    """A key's statement from its file: whole, and meant; who signed it is checked by `chain`."""
    try:
        if path.stat().st_size > STATEMENT_MOST:
            raise KeyTrouble(f"{path}: too large for the statement of a key")
        text = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise KeyTrouble(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise KeyTrouble(f"{path}: not the statement of a key") from error
    try:
        head, found = jws.peek(text)
        value = codec.build(found, statements.KeyStatement, "statement")
        if head.get("typ") != statements.KEY or value.use not in USES:
            raise ValueError("it is a statement of something else")
        if jws.key_id(value.public) != value.kid:
            raise ValueError("its key id is not that of its key")
        jws.public_key(value.public)
    except ValueError as error:
        raise KeyTrouble(f"{path}: not the statement of a key: {error}") from error
    statement = Statement(text, value, str(head.get("kid")), path)
    if statement.is_own:
        verify(statement, {value.kid: value.public})
    return statement


def verify(statement: Statement, keys: Mapping[str, str]) -> None:
    """`KeyTrouble` unless one of these keys (id -> public half) has signed it."""
    try:
        jws.verify(statements.KEY, statement.text, keys)
    except jws.Unsigned as error:
        raise KeyTrouble(f"{statement.path}: {error}") from error


def chain(found: Iterable[Statement]) -> tuple[Statement, ...]:
    """The statements in the order in which an agent can believe them.

    The first is the one release key that nobody else vouches for; each other is signed by a release
    key before it. Statements that no chain reaches are left out (`load` says so of work keys).
    """
    once = {s.text: s for s in found}.values()
    every = sorted(once, key=lambda s: (s.value.not_before, s.value.kid, s.path.name))
    vouched = {s.value.kid for s in every if not s.is_own}
    roots = [s for s in every if s.is_own and s.value.use == "release"]
    first = [s for s in roots if s.value.kid not in vouched] or roots[:1]
    if len({s.value.kid for s in first}) > 1:
        names = ", ".join(str(s.path) for s in first)
        raise KeyTrouble(
            f"two release keys that do not vouch for each other: {names}; an agent believes the "
            "one it was paired with alone, so let that one endorse the other with "
            "`windfall key endorse`"
        )
    ordered = first[:1]
    release = {s.value.kid: s.value.public for s in ordered}
    waiting = [s for s in every if not s.is_own]
    while ready := [s for s in waiting if s.signer in release]:
        statement = ready[0]
        waiting.remove(statement)
        verify(statement, release)
        ordered.append(statement)
        if statement.value.use == "release":
            release.setdefault(statement.value.kid, statement.value.public)
    return tuple(ordered)


def read_folder(folder: Path, extra: Sequence[Path] = ()) -> list[Statement]:
    """Every statement in a folder of keys, and these beside it."""
    return [read_statement(path) for path in [*sorted(folder.glob("*.jws")), *extra]]


def load(folder: Path, now: float, extra: Sequence[Path] = ()) -> Keyring:
    """The keyring of a server from its folder: ``<name>.jws`` statements and ``<name>.key`` halves.

    The work key that became valid last signs; older ones stay listed until they end. Raises
    `KeyTrouble` with the thing, the rule and the cure.
    """
    found = read_folder(folder, extra)
    if not found:
        raise NoKeys(folder)
    ordered = chain(found)
    listed = [s for s in ordered if s.value.use == "release" or _is_not_over(s, now)]
    trusted = {
        s.value.kid: s.value.public for s in listed if s.value.use == "release" and s.is_valid(now)
    }
    work_key = _signing(folder, found, ordered, now)
    return Keyring(tuple(s.text for s in listed), ordered[0].value.kid, trusted, work_key)


def _is_not_over(statement: Statement, now: float) -> bool:
    return statement.value.not_after is None or now < statement.value.not_after


def _signing(
    folder: Path, found: Sequence[Statement], ordered: Sequence[Statement], now: float
) -> WorkKey:
    halves = _halves(folder)
    work = [s for s in ordered if s.value.use == "work" and s.is_valid(now)]
    usable = [s for s in work if s.value.kid in halves]
    if usable:
        newest = max(usable, key=lambda s: s.value.not_before)
        return WorkKey(newest.value.kid, halves[newest.value.kid])
    why = []
    for statement in found:
        if statement.value.use == "work":
            why.append(f"{statement.path.name}: {_fault(statement, ordered, work)}")
    raise NoWorkKey(folder, why)


def _fault(statement: Statement, ordered: Sequence[Statement], valid: Sequence[Statement]) -> str:
    if statement.is_own:
        return "not endorsed yet"
    if statement not in ordered:
        return f"signed by {statement.signer}, which is no release key here"
    if statement not in valid:
        return "not valid today"
    return f"no private half ({statement.value.kid}) in this folder"


def _halves(folder: Path) -> dict[str, Ed25519PrivateKey]:
    privates = [read_private(path) for path in sorted(folder.glob("*.key"))]
    return {jws.key_id(public_of(private)): private for private in privates}
