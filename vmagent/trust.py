"""What the agent believes: pinned keys, and every statement checked against them before use."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any, Optional, TypeVar

from vmagent.errors import Untrusted
from vmagent.plaintext import printable
from vmagent.wire import codec, jws, merkle, messages, statements

T = TypeVar("T")

TOKEN = re.compile(r"^wf1\.[A-Za-z0-9_-]{43}\.([0-9a-f]{16})$")
KEYS_MOST = 256
# Leases are issued by the same clock that `now` follows; this covers the way there and back.
CLOCK_SLACK_S = 5.0


def root_of(token: str) -> str:
    """The release key that an enrolment token vouches for; `Untrusted` if it is no such token."""
    found = TOKEN.fullmatch(token)
    if found is None:
        raise Untrusted("unreadable", "the enrolment token", "it must be wf1.<secret>.<key id>")
    return found.group(1)


@dataclass(frozen=True)
class Pins:
    """Keys believed here, by use; grows only by statements that a pinned release key signed."""

    root: str
    texts: tuple[str, ...] = ()
    keys: tuple[statements.KeyStatement, ...] = ()

    @classmethod
    def start(cls, root: str, texts: list[str]) -> Pins:
        """The pins after enrolment; the first statement must be the key the token vouches for."""
        pins = cls(root).extend(texts)
        if not pins.keys:
            raise Untrusted("unsigned", "the key list", "it is empty")
        return pins

    def extend(self, texts: list[str]) -> Pins:
        """The pins with the statements not yet known taken in, all or (`Untrusted`) none.

        Known statements are passed over, missing ones are kept: a list can be replayed or cut
        short without taking anything back.
        """
        if len(texts) > KEYS_MOST:
            raise Untrusted("unreadable", "the key list", f"it has more than {KEYS_MOST} keys")
        pins = self
        for text in texts:
            if text not in pins.texts:
                pins = pins._take(text)
        return pins

    def _take(self, text: str) -> Pins:
        believed = {key.kid: key.public for key in self.keys if key.use == "release"}
        if not self.keys:
            believed = _self_signed(text, self.root)
        key = _read(statements.KEY, text, believed, statements.KeyStatement, "a key statement")
        if key.use not in ("release", "work") or _kid(key.public) != key.kid:
            raise Untrusted("altered", f"key {key.kid[:16]}", "its id or use does not fit it")
        for old in self.keys:
            if old.kid == key.kid and old.use != key.use:
                raise Untrusted("altered", f"key {key.kid}", f"it is pinned for use {old.use}")
        rest = tuple(old for old in self.keys if old.kid != key.kid)
        return replace(self, texts=(*self.texts, text), keys=(*rest, key))

    def believed(self, use: str, now: float) -> dict[str, str]:
        """The keys believed for this use at this (server's) time."""
        return {
            key.kid: key.public
            for key in self.keys
            if key.use == use
            and (now <= 0 or key.not_before <= now + CLOCK_SLACK_S)
            and (key.not_after is None or now < key.not_after)
        }

    def manifest(self, text: str, digest: str, now: float) -> statements.Manifest:
        """The manifest that a lease names, verified."""
        if not text.isascii() or jws.digest(text) != digest:
            raise Untrusted("altered", f"manifest {digest[:12]}", "its digest does not fit")
        manifest = _read(
            statements.MANIFEST,
            text,
            self.believed("release", now),
            statements.Manifest,
            f"manifest {digest[:12]}",
        )
        _hold_manifest(manifest, digest)
        return manifest

    def payload(self, text: str, digest: str, now: float) -> statements.PayloadStatement:
        """The statement of the bundle that a manifest names, verified."""
        what = f"payload {digest[:12]}"
        keys = self.believed("release", now)
        found = _read(statements.PAYLOAD, text, keys, statements.PayloadStatement, what)
        if found.digest != digest:
            raise Untrusted("foreign", what, f"its statement is of bundle {found.digest[:12]}")
        return found

    def signed_lease(self, text: str, place: Place, now: float) -> messages.Lease:
        """A lease whose text is signed by a believed work key, whatever else it says."""
        root = merkle.root_from(text.encode(), place.index, place.size, place.path)
        if not root:
            raise Untrusted("altered", "a lease", "its path fits no tree")
        public = self.believed("work", now).get(place.key)
        if public is None:
            raise Untrusted("unsigned", "a lease", f"key {place.key[:16]} is not believed here")
        try:
            jws.public_key(public).verify(place.signature, merkle.CONTEXT + root)
        except Exception as error:  # the library's InvalidSignature and ValueError alike
            raise Untrusted("altered", "a lease", "its signature does not fit") from error
        try:
            return codec.decode(text, messages.Lease)
        except codec.BadMessage as error:
            raise Untrusted("unreadable", "a lease", str(error)) from error

    def lease(self, text: str, place: Optional[Place], asked: Asked, now: float) -> messages.Lease:
        """A lease that is signed, ours, new, and answers the question just asked."""
        if place is None:
            raise Untrusted("unsigned", "a lease", "it came without a proof")
        lease = self.signed_lease(text, place, now)
        what = f"the lease of task {lease.task}"
        if lease.host != asked.host:
            raise Untrusted("foreign", what, f"it is host {lease.host}'s, this is {asked.host}")
        if lease.ask != asked.ask:
            raise Untrusted("replayed", what, "it answers another question")
        if lease.task in asked.seen:
            raise Untrusted("replayed", what, "it was taken before")
        if lease.until <= now:
            raise Untrusted("expired", what, f"it ended {now - lease.until:.0f} s ago")
        if not (0 <= lease.first < lease.last <= messages.EVENTS_MOST) or lease.v != 1:
            raise Untrusted("unreadable", what, f"no range: [{lease.first}, {lease.last})")
        if not re.fullmatch(messages.HEX64, lease.manifest):
            raise Untrusted("unreadable", what, "it names no manifest")
        return lease


@dataclass(frozen=True)
class Place:
    """Where one lease hangs in the signed tree of its batch."""

    key: str
    signature: bytes
    size: int
    index: int
    path: bytes


@dataclass(frozen=True)
class Asked:
    """What a lease is held against: who asked, with which question, and the tasks taken before."""

    host: int
    ask: str
    seen: frozenset[int] = frozenset()


def place_of(proof: Optional[messages.Proof], number: int) -> Optional[Place]:
    """The place of lease ``number`` of an answer; None without proof, `Untrusted` if unreadable."""
    if proof is None or number >= len(proof.paths):
        return None
    try:
        path, signature = jws.unb64(proof.paths[number]), jws.unb64(proof.signature)
    except ValueError as error:
        raise Untrusted("unreadable", "a lease's proof", "it is not base64url") from error
    return Place(proof.key, signature, proof.size, proof.index + number, path)


def fits(lease: messages.Lease, manifest: statements.Manifest) -> None:
    """`Untrusted` unless the lease's range is of this manifest's events, in whole granules."""
    granule, last = manifest.granule, lease.last
    aligned = lease.first % granule == 0 and (last % granule == 0 or last == manifest.events)
    if last > manifest.events or not aligned:
        raise Untrusted(
            "foreign",
            f"the lease of task {lease.task}",
            f"[{lease.first}, {last}) is no range of {manifest.name}",
        )


def save(pins: Pins) -> bytes:
    """The pins as they are kept on disk."""
    return json.dumps({"root": pins.root, "keys": list(pins.texts)}).encode()


def load(raw: bytes) -> Pins:
    """The pins from disk, every signature checked again; `Untrusted` if they do not fit."""
    try:
        found: Any = json.loads(raw)
        root, texts = str(found["root"]), [str(text) for text in found["keys"]]
    except (ValueError, KeyError, TypeError) as error:
        raise Untrusted("unreadable", "the file of pinned keys", str(error)) from error
    return Pins.start(root, texts)


def _self_signed(text: str, root: str) -> dict[str, str]:
    try:
        _, value = jws.peek(text)
        public = str(value.get("public"))
        kid = jws.key_id(public)
    except ValueError as error:
        raise Untrusted("unreadable", "the first key", str(error)) from error
    if kid != root or value.get("use") != "release":
        raise Untrusted("foreign", "the first key", f"the token vouches for release key {root}")
    return {kid: public}


def _kid(public: str) -> str:
    try:
        return jws.key_id(public)
    except ValueError:
        return ""


def _read(kind: str, text: str, keys: dict[str, str], value: type[T], what: str) -> T:
    try:
        found = jws.verify(kind, text, keys)
    except jws.Unsigned as error:
        raise Untrusted(_word(kind, text, keys), what, str(error)) from error
    if found.get("v", 1) != 1:
        raise Untrusted("unreadable", what, f"it is of version {found['v']!r}, known here is 1")
    try:
        return codec.build(found, value, kind)
    except codec.BadMessage as error:
        raise Untrusted("unreadable", what, str(error)) from error


def _word(kind: str, text: str, keys: dict[str, str]) -> str:
    try:
        head, _ = jws.peek(text)
    except jws.Unsigned:
        return "unsigned"
    if head.get("typ") != kind:
        return "foreign"
    if head.get("alg") != "EdDSA" or str(head.get("kid")) not in keys:
        return "unsigned"
    return "altered"


def _hold_manifest(manifest: statements.Manifest, digest: str) -> None:
    limits = manifest.limits
    ours = [name for name in manifest.environment if name.startswith(_OURS)]
    inputs = [name for name in manifest.inputs if not _NAME.fullmatch(name)]
    names = [name for name in manifest.environment if not _NAME.fullmatch(name)]
    zeros = [name for name, text in _texts(manifest) if "\0" in text]
    faults = [
        why
        for wrong, why in (
            (not re.fullmatch(messages.HEX64, manifest.payload), "it names no payload"),
            (manifest.mode not in statements.MODES, f"mode {manifest.mode[:20]} is unknown"),
            (not manifest.command, "it has no command"),
            (min(manifest.events, manifest.granule, manifest.block, manifest.cores) < 1, "no size"),
            (not 0 <= manifest.reference <= 10_000, "reference must be 0 to 10000 events"),
            (manifest.split not in ("", "lines", "lengths"), "its split is unknown"),
            (min(limits.memory_mb, limits.disk_mb, limits.event_bytes) < 1, "a limit is below 1"),
            (min(limits.silence_s, limits.cpu_s_per_event) <= 0, "a time limit is not positive"),
            (
                bool(ours),
                f"environment: {_shown(ours)} begins with {', '.join(_OURS)}: the agent's",
            ),
            (bool(inputs), f"inputs: {_shown(inputs)} is no name: letters, digits, _, at most 64"),
            (
                bool(names),
                f"environment: {_shown(names)} is no name: letters, digits, _, at most 64",
            ),
            (bool(zeros), f"{_shown(zeros)} has a zero byte"),
            (manifest.events > messages.EVENTS_MOST, "too many events"),
            (manifest.cores > 4096, "more than 4096 cores"),
            (
                max(limits.memory_mb, limits.disk_mb, limits.memory_mb_most) > _SIZE_MOST,
                "a limit beyond any machine",
            ),
            (manifest.v != 1, f"its version is {manifest.v}"),
        )
        if wrong
    ]
    if faults:
        raise Untrusted("unreadable", f"manifest {digest[:12]}", "; ".join(faults))


def _texts(manifest: statements.Manifest) -> list[tuple[str, str]]:
    """What is handed to the system, which takes a zero byte for an end, by what it is."""
    words = [("the command", word) for word in manifest.command]
    return [*words, *((f"environment: {k}", v) for k, v in manifest.environment.items())]


def _shown(names: list[str]) -> str:
    return ", ".join(printable(name[:64]) or "''" for name in names[:3])


_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")
_SIZE_MOST = 2**30
_OURS = ("EVP_", "WINDFALL_", "PYTHONPATH")
