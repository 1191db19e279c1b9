"""Contexts sealed with a secret that no server keeps: encrypted, bound to context and revision.

Two suites. scrypt with AES-256-GCM is the usual one. PBKDF2 with AES-256-CTR and HMAC is for old
guests, which have no more than the openssl command: 64 bytes of PBKDF2-HMAC-SHA256, the first half
the AES key, the second that of an HMAC over the JSON without ``tag``, keys sorted, no blanks; it is
verified before anything is decrypted. An envelope that asks for weaker parameters is refused, and
so is one whose parameters would stall the guest.

Nothing derived from the secret is kept: no checksum, no hint. Whoever forgets it has lost the text.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import os
from collections.abc import Callable, Mapping
from hashlib import pbkdf2_hmac, scrypt, sha256
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from contexts.exchange import NoContext, decoded

GCM = "scrypt+aes-256-gcm"
CTR = "pbkdf2+aes-256-ctr+hmac-sha256"
SUITES = (GCM, CTR)
VERSION = 1
SALT, NONCE = 16, {GCM: 12, CTR: 16}
"""Bytes of salt and of nonce."""
N, R, P, MOST_N = 1 << 15, 8, 1, 1 << 18
"""Scrypt (RFC 7914): 32 MB and 0.1 s; at most 256 MB."""
ITERATIONS, MOST_ITERATIONS = 600_000, 5_000_000
LEAST_SECRET = 8
MOST_TEXT = 500_000
_KEYS = {
    GCM: {"v", "suite", "kdf", "nonce", "aad", "ct"},
    CTR: {"v", "suite", "kdf", "nonce", "aad", "ct", "tag"},
}


class NoEnvelope(ValueError):
    """This is no envelope, or one with parameters that are not accepted."""


class WrongSecret(ValueError):
    """The secret is wrong, or the envelope was altered: nobody can tell which."""


class WrongContext(ValueError):
    """The envelope belongs to another context or revision."""


def bound_to(context: str, revision: int) -> str:
    """What an envelope is bound to: the context's id and its revision."""
    return f"context:{context}:{revision}"


def seal(
    text: str,
    secret: str,
    aad: str,
    suite: str = GCM,
    entropy: Callable[[int], bytes] = os.urandom,
) -> dict[str, Any]:
    """The envelope of a text; ValueError if secret or text are too short or long."""
    if len(secret) < LEAST_SECRET:
        raise ValueError(f"the secret is too short: give at least {LEAST_SECRET} characters")
    if len(text.encode()) > MOST_TEXT:
        raise ValueError(f"the context is too long: at most {MOST_TEXT} bytes can be sealed")
    salt, nonce = entropy(SALT), entropy(NONCE[suite])
    kdf = {"n": N, "r": R, "p": P} if suite == GCM else {"iter": ITERATIONS}
    body: dict[str, Any] = {
        "v": VERSION,
        "suite": suite,
        "kdf": {"salt": _text(salt), **kdf},
        "nonce": _text(nonce),
        "aad": aad,
    }
    if suite == GCM:
        key = _scrypt(secret, salt, N)
        return {**body, "ct": _text(AESGCM(key).encrypt(nonce, text.encode(), aad.encode()))}
    keys = pbkdf2_hmac("sha256", secret.encode(), salt, ITERATIONS, 64)
    body["ct"] = _text(_ctr(keys[:32], nonce, text.encode()))
    return {**body, "tag": _text(_tag(keys[32:], body))}


def open_(envelope: object, secret: str, aad: str) -> str:
    """The text of an envelope (a mapping, or its JSON).

    Errors: `NoEnvelope`, `WrongContext`, `WrongSecret`. Parameters are held to their
    bounds before any work is done for them.
    """
    body = checked(envelope)
    if body["aad"] != aad:
        raise WrongContext(f"it is of {body['aad']}, not of {aad}")
    salt, nonce, ct = _bytes(body["kdf"]["salt"]), _bytes(body["nonce"]), _bytes(body["ct"])
    try:
        if body["suite"] == GCM:
            key = _scrypt(secret, salt, body["kdf"]["n"])
            return AESGCM(key).decrypt(nonce, ct, aad.encode()).decode()
        keys = pbkdf2_hmac("sha256", secret.encode(), salt, body["kdf"]["iter"], 64)
        bare = {key: value for key, value in body.items() if key != "tag"}
        if not hmac.compare_digest(_tag(keys[32:], bare), _bytes(body["tag"])):
            raise WrongSecret("the secret is wrong, or the envelope was altered")
        return _ctr(keys[:32], nonce, ct).decode()
    except (InvalidTag, UnicodeDecodeError):
        raise WrongSecret("the secret is wrong, or the envelope was altered") from None


def checked(envelope: object) -> dict[str, Any]:
    """The envelope as a mapping in which everything is of its kind and within bounds."""
    body = _read(envelope)
    suite = body.get("suite")
    if body.get("v") != VERSION or isinstance(body.get("v"), bool) or suite not in SUITES:
        raise NoEnvelope(f"only version {VERSION} with {' or '.join(SUITES)} is read")
    if set(body) != _KEYS[suite]:
        raise NoEnvelope(f"it has to have {', '.join(sorted(_KEYS[suite]))} and nothing else")
    if not isinstance(body["aad"], str) or len(body["aad"]) > 200:
        raise NoEnvelope("aad is text of at most 200 characters")
    _check_kdf(suite, body["kdf"])
    _sized("nonce", body["nonce"], NONCE[suite], NONCE[suite])
    _sized("ct", body["ct"], 0 if suite == CTR else 16, MOST_TEXT + 16)
    if suite == CTR:
        _sized("tag", body["tag"], 32, 32)
    return body


def _read(envelope: object) -> dict[str, Any]:
    if isinstance(envelope, (str, bytes)):
        try:
            envelope = decoded(envelope)
        except NoContext as error:
            raise NoEnvelope(str(error)) from None
    if not isinstance(envelope, Mapping):
        raise NoEnvelope("an envelope is a mapping")
    return dict(envelope)


def _check_kdf(suite: str, kdf: object) -> None:
    wanted = {"salt", "n", "r", "p"} if suite == GCM else {"salt", "iter"}
    if not isinstance(kdf, Mapping) or set(kdf) != wanted:
        raise NoEnvelope(f"kdf has to have {', '.join(sorted(wanted))} and nothing else")
    if not all(type(kdf[key]) is int for key in wanted - {"salt"}):
        raise NoEnvelope("the figures of kdf are whole numbers")
    _sized("salt", kdf["salt"], SALT, SALT)
    if suite == CTR:
        if not ITERATIONS <= kdf["iter"] <= MOST_ITERATIONS:
            raise NoEnvelope(f"iter has to be {ITERATIONS} to {MOST_ITERATIONS}")
        return
    if (kdf["r"], kdf["p"]) != (R, P):
        raise NoEnvelope(f"r has to be {R} and p {P}")
    if not N <= kdf["n"] <= MOST_N or kdf["n"] & (kdf["n"] - 1):
        raise NoEnvelope(f"n has to be a power of two from {N} to {MOST_N}")


def _sized(name: str, value: object, least: int, most: int) -> None:
    if not isinstance(value, str) or len(value) > most * 2 + 8:
        raise NoEnvelope(f"{name} is base64 of at most {most} bytes")
    try:
        found = len(_bytes(value))
    except ValueError:
        raise NoEnvelope(f"{name} is no base64") from None
    if not least <= found <= most:
        raise NoEnvelope(f"{name} has {found} bytes: {least} to {most} are right")


def _scrypt(secret: str, salt: bytes, n: int) -> bytes:
    room = 128 * R * (n + P + 2) * 2
    return scrypt(secret.encode(), salt=salt, n=n, r=R, p=P, maxmem=room, dklen=32)


def _ctr(key: bytes, nonce: bytes, data: bytes) -> bytes:
    machine = Cipher(algorithms.AES(key), modes.CTR(nonce)).encryptor()
    return machine.update(data) + machine.finalize()


def _tag(key: bytes, body: Mapping[str, Any]) -> bytes:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hmac.new(key, text.encode(), sha256).digest()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"no base64: {error}") from None
