"""The certificate that the server answers with: taken from its files, and again when they change.

A changed pair is tried by itself first. Only if it is whole, fits together and is good now are new
handshakes answered with it; connections that stand keep what they began with. Else the one in use
stays, and `Certificate.why` says what is wrong with the new one.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

log = logging.getLogger("windfall.certificate")

Marks = tuple[tuple[int, ...], ...]
"""What tells that files are others than before."""


class PairUnusable(OSError):
    """A certificate and key that cannot be answered with; says why."""


@dataclass(frozen=True)
class _Pair:
    context: ssl.SSLContext
    begins_at: float
    ends_at: float


class Certificate:
    """What is answered with, and what lies in its files."""

    def __init__(self, chain: Path, key: Path) -> None:
        """Take the pair; a passphrase is asked for at the terminal. Raises OSError."""
        self._files = (chain, key)
        self._seen = self._marks()
        self._pair = _read(chain, key)
        self._doubted: Marks = ()
        self.why = ""
        self.context = self._pair.context
        self.context.sni_callback = self._choose

    @property
    def name(self) -> str:
        """The file of the chain."""
        return str(self._files[0])

    @property
    def ends_at(self) -> float:
        """When the one in use ends, in seconds since 1970."""
        return self._pair.ends_at

    def look(self) -> None:
        """Take what lies in the files if it is new and good.

        Who renews may write one file after the other: what is wrong is told when it still lies
        there at the next look.
        """
        self._look(at_once=False)

    def look_at_once(self) -> None:
        """The same for somebody who has put them there: changed or not, right or wrong."""
        self._look(at_once=True)

    def _look(self, *, at_once: bool) -> None:
        try:
            marks = self._marks()
            if marks == self._seen and not at_once:
                self._doubted, self.why = (), ""
                return
            pair = _read(*self._files, _no_passphrase)
            _good(pair, time.time())
        except OSError as error:
            self._doubt(error, at_once)
            return
        self._pair, self._seen, self._doubted, self.why = pair, marks, (), ""
        log.info("certificate taken", extra={"action": "certificate", "file": self.name})

    def _doubt(self, error: OSError, at_once: bool) -> None:
        try:
            marks = self._marks()
        except OSError:
            marks = ((),)
        steady, self._doubted = marks == self._doubted, marks
        why = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        if (steady or at_once) and why != self.why:
            self.why = why
            extra = {"action": "certificate", "file": self.name, "why": why}
            log.error("certificate not taken, the old one stays", extra=extra)

    def _marks(self) -> Marks:
        found = [path.stat() for path in self._files]
        return tuple((s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for s in found)

    def _choose(
        self, tls: ssl.SSLSocket | ssl.SSLObject, _: str | None, __: ssl.SSLContext
    ) -> None:
        """A handshake has begun, with a name or without."""
        tls.context = self._pair.context


def _read(chain: Path, key: Path, passphrase: Callable[[], str] | None = None) -> _Pair:
    text = chain.read_bytes()
    try:
        first = x509.load_pem_x509_certificates(text)[0]
    except ValueError as error:
        raise PairUnusable(f"{chain} holds no certificate in PEM") from error
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(chain, key, passphrase)
    except ssl.SSLError as error:
        why = (error.reason or "no PEM of both").replace("_", " ").lower()
        raise PairUnusable(f"{chain} and {key} do not go together: {why}") from error
    if chain.read_bytes() != text:
        raise PairUnusable(f"{chain} was written while it was read")
    begins, ends = first.not_valid_before_utc, first.not_valid_after_utc
    return _Pair(context, begins.timestamp(), ends.timestamp())


def _good(pair: _Pair, now: float) -> None:
    """Raises PairUnusable if it is another time than that of the certificate."""
    if now < pair.begins_at:
        raise PairUnusable(f"the certificate begins on {_day(pair.begins_at)}")
    if now >= pair.ends_at:
        raise PairUnusable(f"the certificate ended on {_day(pair.ends_at)}")


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _no_passphrase() -> str:
    raise PairUnusable("the key asks for a passphrase, which nobody is there to type")
