"""Public SSH keys that people put into their profile, to be put into their machines."""

from __future__ import annotations

import base64
import hashlib

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from server.db import ssh_keys
from server.db.base import Tx
from server.db.ssh_keys import SshKey
from server.domain.errors import BadInput, Exists, NotFound
from server.services import audit
from server.services.deps import Deps

MOST = 20  # keys of an account
LINE_MOST = 4000
RSA_BITS = 2048


def read(text: str) -> tuple[str, str, str]:
    """Fingerprint, name and line of a public key (RFC 4253 6.6, as OpenSSH writes it).

    Nothing but type and key is believed: what stands before them could be options that run a
    command, and the name is cut to what is plain. Raises BadInput.
    """
    words = text.strip().split(None, 2)
    if "PRIVATE KEY" in text:
        raise BadInput(["key: this is a private key; show it to nobody, and send the .pub file"])
    if len(text) > LINE_MOST or len(text.strip().splitlines()) != 1 or len(words) < 2:
        raise BadInput(["key: one line as in ~/.ssh/id_ed25519.pub"])
    try:
        key = load_ssh_public_key(f"{words[0]} {words[1]}".encode())
        raw = base64.b64decode(words[1], validate=True)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadInput(["key: not a public key of OpenSSH; use ed25519, ecdsa or rsa"]) from error
    if not isinstance(key, (Ed25519PublicKey, EllipticCurvePublicKey, RSAPublicKey)):
        raise BadInput([f"key: {words[0][:40]} is too weak; use ed25519"])
    if isinstance(key, RSAPublicKey) and key.key_size < RSA_BITS:
        raise BadInput([f"key: RSA of {key.key_size} bits is too weak; use {RSA_BITS}, or ed25519"])
    name = "".join(c for c in (words[2] if len(words) > 2 else "") if c.isalnum() or c in "@._- ")
    digest = base64.b64encode(hashlib.sha256(raw).digest()).decode().rstrip("=")
    return f"SHA256:{digest}", name[:100], f"{words[0]} {words[1]} {name[:100]}".strip()


async def listed(deps: Deps, account: int) -> list[SshKey]:
    """The keys of an account."""
    return await deps.store.read(lambda tx: ssh_keys.of_account(tx, account))


async def add(deps: Deps, account: int, name: str, text: str) -> SshKey:
    """Keep a key. Raises BadInput, Exists."""
    fingerprint, title, line = read(text)
    now = deps.clock()

    async def write(tx: Tx) -> int | None:
        if len(await ssh_keys.of_account(tx, account)) >= MOST:
            raise BadInput([f"key: at most {MOST}; remove one first"])
        number = await ssh_keys.add(tx, account, fingerprint, title, line, now)
        if number is not None:
            audit.note(tx, name, "ssh-key.add", fingerprint, title, at=now)
        return number

    number = await deps.store.write(write)
    if number is None:
        raise Exists("key", fingerprint)
    return SshKey(number, fingerprint, title, line, now)


async def remove(deps: Deps, account: int, name: str, key: int) -> None:
    """Keep a key no longer. Raises NotFound."""
    now = deps.clock()

    async def write(tx: Tx) -> bool:
        if not await ssh_keys.remove(tx, account, key):
            return False
        audit.note(tx, name, "ssh-key.remove", str(key), at=now)
        return True

    if not await deps.store.write(write):
        raise NotFound("key", key, "ssh-key-unknown")
