"""Certificates that are renewed while the server runs: taken whole, or not at all, and why not."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from server.certificate import Certificate, PairUnusable
from tests.kit.tls import certify


def shown(served: Certificate, name: str | None = None) -> bytes:
    """The certificate in a handshake, in memory, with a name or without (DER)."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server, server_hostname=name),
        served.context.wrap_bio(to_server, to_client, server_side=True),
    )
    open_ones = list(ends)
    while open_ones:
        for end in tuple(open_ones):
            try:
                end.do_handshake()
                open_ones.remove(end)
            except ssl.SSLWantReadError:
                pass
    found = ends[0].getpeercert(binary_form=True)
    assert found is not None
    return found


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate that ends in a day, and its key."""
    return certify(tmp_path, "127.0.0.1")


def another(tmp_path: Path, days: float = 90.0, since: float = -1.0) -> tuple[Path, Path]:
    """Another pair, elsewhere."""
    folder = tmp_path / "another"
    folder.mkdir(exist_ok=True)
    return certify(folder, "127.0.0.1", days=days, since=since)


@pytest.mark.parametrize("name", [None, "pool.example.org"])
def test_a_new_pair_is_taken_for_new_handshakes(
    tmp_path: Path, pair: tuple[Path, Path], name: str | None
) -> None:
    served = Certificate(*pair)
    first, ends_at = shown(served, name), served.ends_at
    served.look()
    assert shown(served, name) == first
    for old, new in zip(pair, another(tmp_path), strict=True):
        new.replace(old)
    served.look()
    assert shown(served, name) != first
    assert served.ends_at > ends_at + 80 * 86_400
    assert served.why == ""


def _of_another(cert: Path, key: Path, folder: Path) -> None:
    cert.write_bytes(another(folder)[0].read_bytes())


def _without_key(cert: Path, key: Path, folder: Path) -> None:
    key.unlink()


def _no_pem(cert: Path, key: Path, folder: Path) -> None:
    cert.write_text("-----BEGIN CERTIFICATE-----\nbroken\n")


def _no_key(cert: Path, key: Path, folder: Path) -> None:
    key.write_text("nothing")


def _over(cert: Path, key: Path, folder: Path) -> None:
    for old, new in zip((cert, key), another(folder, days=-1.0, since=-9.0), strict=True):
        new.replace(old)


def _too_early(cert: Path, key: Path, folder: Path) -> None:
    for old, new in zip((cert, key), another(folder, since=1.0), strict=True):
        new.replace(old)


def _with_passphrase(cert: Path, key: Path, folder: Path) -> None:
    private = load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )


SPOILED: dict[Callable[[Path, Path, Path], None], str] = {
    _of_another: "do not go together: key values mismatch",
    _without_key: "No such file or directory",
    _no_pem: "holds no certificate in PEM",
    _no_key: "do not go together",
    _over: "the certificate ended on ",
    _too_early: "the certificate begins on ",
    _with_passphrase: "asks for a passphrase",
}


@pytest.mark.parametrize("spoil", SPOILED)
def test_a_pair_that_is_no_good_is_refused_with_its_cause_and_the_old_one_stays(
    tmp_path: Path,
    pair: tuple[Path, Path],
    spoil: Callable[[Path, Path, Path], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    served, kept = Certificate(*pair), [path.read_bytes() for path in pair]
    first, ends_at = shown(served), served.ends_at
    spoil(*pair, tmp_path)
    served.look()
    assert served.why == "", "who renews may be between two files"
    for _ in range(3):
        served.look()
        assert SPOILED[spoil] in served.why
        assert (shown(served), served.ends_at) == (first, ends_at)
    assert [record.getMessage() for record in caplog.records] == [
        "certificate not taken, the old one stays"
    ]
    assert "secret" not in caplog.text
    for path, raw in zip(pair, kept, strict=True):
        path.write_bytes(raw)
    served.look()
    assert (served.why, shown(served)) == ("", first)


def test_who_asks_for_a_look_is_told_at_once_what_is_wrong(
    tmp_path: Path, pair: tuple[Path, Path]
) -> None:
    served = Certificate(*pair)
    _of_another(*pair, tmp_path)
    served.look_at_once()
    assert "key values mismatch" in served.why
    pair[1].write_bytes((tmp_path / "another" / "key.pem").read_bytes())
    served.look_at_once()
    assert served.why == ""


def test_files_that_were_moved_away_and_back_are_no_fault(pair: tuple[Path, Path]) -> None:
    served, aside = Certificate(*pair), pair[0].with_name("aside.pem")
    pair[0].rename(aside)
    served.look()
    served.look()
    assert served.why
    aside.rename(pair[0])
    served.look()
    assert served.why == ""


def test_a_server_does_not_start_with_a_pair_that_is_none(
    tmp_path: Path, pair: tuple[Path, Path]
) -> None:
    _of_another(*pair, tmp_path)
    with pytest.raises(PairUnusable, match="do not go together"):
        Certificate(*pair)
