"""The desk of operations, made from the settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cryptography import x509

from server.blobs.choose import open_blobs
from server.blobs.local import LocalBlobs
from server.certificate import Certificate
from server.domain.telling import Manners
from server.domain.upkeep import DAY_S, Paper, Schedule, Thresholds
from server.keyholder import KeyHolder
from server.operating import Operations
from server.services.postman import Postman
from server.services.upkeep.channel import Channel
from server.services.upkeep.desk import Upkeep, Vault
from server.services.upkeep.letter import ByMail
from server.services.upkeep.webhook import Webhook
from server.settings import Settings, shown
from vmagent.wire import codec, jws, statements

HOUR_S = 3600.0
_KEYS = {
    "work": "Make another: windfall key new work, endorse it, windfall key add work.jws.",
    "release": "Make another: windfall key new release, and let this one endorse it.",
}


def upkeep(
    settings: Settings, keys: KeyHolder, postman: Postman, served: Certificate | None = None
) -> Upkeep:
    """The desk. Raises what opening the place of backups does, OSError, ValueError."""
    backup, place = settings.backup, backups_at(settings)
    others = [Path(name) for name in settings.operations.certificates]
    return Upkeep(
        thresholds=thresholds(settings),
        schedule=Schedule(backup.every_hours * HOUR_S, backup.keep, shown(place), backup.elsewhere),
        paths=watched(settings),
        papers=lambda: [*_served(served), *_watched(others), *_keys(keys)],
        channels=channels(settings, postman),
        vault=_vault(settings, place),
    )


def backups_at(settings: Settings) -> str:
    """The URL of the place where backups lie."""
    return settings.backup.to or f"file://{settings.data / 'backups'}"


def watched(settings: Settings) -> tuple[Path, ...]:
    """Folders whose disks are watched: of the data, of local blobs if elsewhere, and those set."""
    found = [settings.data]
    blobs = open_blobs(settings.blobs_url) if settings.blobs_url.startswith("file:") else None
    if isinstance(blobs, LocalBlobs) and settings.data not in blobs.folder.parents:
        found.append(blobs.folder)
    return tuple(dict.fromkeys([*found, *map(Path, settings.operations.paths)]))


def thresholds(settings: Settings) -> Thresholds:
    """From when on what is wrong."""
    own: Operations = settings.operations
    alerts = settings.alerts
    return Thresholds(
        own.silent_warn_s, own.silent_bad_s, own.space_warn_percent / 100,
        own.space_bad_percent / 100, own.expiry_warn_days * DAY_S, own.expiry_bad_days * DAY_S,
        own.slow_s, own.keep_days * DAY_S,
        Manners(alerts.again_minutes * 60.0, alerts.remind_hours * HOUR_S, alerts.per_hour),
    )  # fmt: skip


def channels(settings: Settings, postman: Postman) -> tuple[Channel, ...]:
    """The ways in which people are told. Raises OSError."""
    alerts, found = settings.alerts, list[Channel]()
    if alerts.webhook:
        secret = Path(alerts.webhook_secret_file).read_text(encoding="utf-8").strip()
        found.append(Webhook(alerts.webhook, secret, alerts.webhook_private))
    if alerts.mail_to:
        found.append(ByMail(postman, alerts.mail_to))
    return tuple(found)


def _vault(settings: Settings, place: str) -> Vault:
    """Files are copied to where they stay, all else through a folder of ours."""
    blobs = open_blobs(place)
    if isinstance(blobs, LocalBlobs):
        return Vault(settings.database_url, blobs.folder)
    return Vault(settings.database_url, settings.data / "backups" / "outgoing", blobs)


def _served(served: Certificate | None) -> list[Paper]:
    """The one that is answered with, whatever lies in its file."""
    if served is None:
        return []
    cure = "Renew it; the server takes it by itself."
    return [Paper("certificate", served.name, served.ends_at, cure, served.why)]


def _certificates(path: Path) -> list[Paper]:
    """The first certificate of a file: the one that is shown to others."""
    first = x509.load_pem_x509_certificates(path.read_bytes())[0]
    ends = first.not_valid_after_utc.timestamp()
    return [Paper("certificate", str(path), ends, "Renew it.")]


def _watched(paths: Sequence[Path]) -> list[Paper]:
    found = []
    for path in paths:
        try:
            found += _certificates(path)
        except (OSError, ValueError) as error:
            cure = f"It cannot be read ({error}): name the file again in operations.certificates."
            found.append(Paper("certificate", str(path), 0.0, cure))
    return found


def _keys(keys: KeyHolder) -> list[Paper]:
    """When the last key of each use ends; one that never does is no paper."""
    ends: dict[str, list[tuple[float | None, str]]] = {}
    for text in keys.statements():
        value = codec.build(jws.peek(text)[1], statements.KeyStatement, "statement")
        ends.setdefault(value.use, []).append((value.not_after, value.kid))
    found = []
    for use, known in ends.items():
        last = [(at, kid) for at, kid in known if at is not None]
        if len(last) == len(known):
            at, kid = max(last)
            found.append(Paper("key", f"{use.capitalize()} key {kid[:16]}", at, _KEYS.get(use, "")))
    return found
