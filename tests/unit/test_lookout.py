"""The desk of operations as the settings make it: what is watched, and what ends when."""

from __future__ import annotations

import time
from pathlib import Path

from server import keyring, lookout
from server.certificate import Certificate
from server.cli.start import set_up
from server.configure import read
from server.domain.alert import Level
from server.domain.upkeep import DAY_S
from server.keyholder import KeyHolder
from server.services.postman import Postman
from server.services.upkeep import signs
from server.services.upkeep.desk import Upkeep
from server.settings import Settings
from tests.kit.tls import certify


def settings(folder: Path, **options: str) -> Settings:
    """Settings with keys that are there."""
    made = read({"server.data": str(folder / "data"), **options}, {}, folder=folder)
    set_up(made, folder / "release.key")
    return made


def desk(made: Settings) -> Upkeep:
    """Their desk, once the papers were looked at."""
    cert, key = Path(made.server.tls_cert), Path(made.server.tls_key)
    served = Certificate(cert, key) if made.server.tls_cert else None
    found = lookout.upkeep(made, KeyHolder(made.keys_folder, ()), Postman(), served)
    found.known_papers = tuple(found.papers())
    return found


def told(found: Upkeep, at: float) -> list[tuple[str, Level]]:
    """What the papers are signs of at a time."""
    return [(sign.kind, sign.level) for sign in signs.of_papers(found, at)]


def test_keys_that_never_end_are_no_worry(tmp_path: Path) -> None:
    assert desk(settings(tmp_path)).known_papers == ()


def test_a_certificate_that_ends_soon_is_told_in_time(tmp_path: Path) -> None:
    cert, key = certify(tmp_path, "127.0.0.1")
    options = {"server.tls_cert": str(cert), "server.tls_key": str(key)}
    found = desk(settings(tmp_path, **options))
    (paper,) = found.known_papers
    assert told(found, paper.ends_at - 22 * DAY_S) == []
    assert told(found, paper.ends_at - 20 * DAY_S) == [("certificate", Level.WARN)]
    assert told(found, paper.ends_at + 60.0) == [("certificate", Level.BAD)]
    (sign,) = signs.of_papers(found, paper.ends_at - 2.5 * DAY_S)
    assert sign.cause == f"{cert} ends in 2 days"
    assert sign.cure == "Renew it; the server takes it by itself."
    cert.write_text("another, not yet loaded")
    assert list(found.papers()) == [paper], "what is answered with is not what lies there"


def test_a_watched_certificate_is_read_again_and_missed(tmp_path: Path) -> None:
    cert, _ = certify(tmp_path, "127.0.0.1")
    found = desk(settings(tmp_path, **{"operations.certificates": str(cert)}))
    (paper,) = found.known_papers
    assert paper.ends_at > time.time()
    cert.unlink()
    (gone,) = found.papers()
    assert "It cannot be read" in gone.cure
    assert gone.ends_at == 0.0


def test_the_last_work_key_counts_and_not_the_first(tmp_path: Path) -> None:
    made = settings(tmp_path)
    release = keyring.read_private(tmp_path / "release.key")
    folder, now = made.keys_folder, time.time()
    for path in folder.glob("work*.jws"):
        path.unlink()
    for name, days in (("work-a", 10.0), ("work-b", 40.0)):
        private = keyring.new_private(folder / f"{name}.key")
        public = keyring.public_of(private)
        text = keyring.state("work", public, release, now - 60.0, now + days * DAY_S)
        (folder / f"{name}.jws").write_text(text)
        found = desk(made)
        (paper,) = found.known_papers
        assert paper.ends_at == now + days * DAY_S
        assert told(found, now) == ([("key", Level.WARN)] if days < 21 else [])


def test_disks_of_local_blobs_elsewhere_are_watched_too(tmp_path: Path) -> None:
    options = {"blobs.url": f"file://{tmp_path}/far", "operations.paths": f"{tmp_path}/cvmfs"}
    made = settings(tmp_path, **options)
    assert desk(made).paths == (made.data, tmp_path / "far", tmp_path / "cvmfs")
    assert desk(settings(tmp_path)).paths == (made.data,)


def test_backups_go_where_the_settings_say_and_no_password_is_shown(tmp_path: Path) -> None:
    here = desk(settings(tmp_path))
    assert here.vault is not None
    assert (here.vault.folder, here.vault.blobs) == (tmp_path / "data" / "backups", None)
    assert here.schedule.place == f"file://{tmp_path}/data/backups"
    far = desk(settings(tmp_path, **{"backup.to": f"file://{tmp_path}/nfs", "backup.keep": "3"}))
    assert far.vault is not None
    assert (far.vault.folder, far.schedule.keep) == (tmp_path / "nfs", 3)
