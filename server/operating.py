"""The settings of operations: what is watched, who is told, backups, figures for machines."""

from __future__ import annotations

from dataclasses import dataclass

from server.rule import told


@dataclass(frozen=True)
class Operations:
    """What operators are warned of, on the page of operations and by alerts."""

    silent_warn_s: float = told(
        300.0, "After how long without a sign of life of any machine a site is shown amber.",
        unit="seconds", least=60, most=10**7,
    )  # fmt: skip
    silent_bad_s: float = told(
        1800.0, "After how long it is shown pink, as not connected.",
        unit="seconds", least=60, most=10**7,
    )  # fmt: skip
    paths: tuple[str, ...] = told(
        (), "Folders whose disks are watched, beside the data folder's, which always is.", path=True
    )
    space_warn_percent: float = told(
        15.0, "Below how much space left on a watched disk there is a warning.",
        unit="percent", least=0, most=100,
    )  # fmt: skip
    space_bad_percent: float = told(
        5.0, "Below how much it has to be mended now.", unit="percent", least=0, most=100
    )
    expiry_warn_days: float = told(
        21.0, "How long before a certificate or key ends there is a warning.",
        unit="days", least=0, most=3650,
    )  # fmt: skip
    expiry_bad_days: float = told(
        4.0, "How long before its end it has to be mended now.", unit="days", least=0, most=3650
    )
    certificates: tuple[str, ...] = told(
        (), "Files (PEM) of certificates that are watched beside server.tls_cert, such as that of "
        "the proxy in front.", path=True,
    )  # fmt: skip
    slow_s: float = told(
        1.0, "A route is slow if one in twenty of its answers takes longer than this.",
        unit="seconds", least=0.001, most=60,
    )  # fmt: skip
    keep_days: float = told(
        400.0, "How long alerts that are over are kept.", unit="days", least=1, most=36_500
    )


@dataclass(frozen=True)
class Alerts:
    """Who is told of alerts, and how often at most."""

    webhook: str = told(
        "", "Address that alerts are sent to (POST, JSON, signed); when empty, none is sent.",
        pattern=r"https?://[^/\s@]+(/\S*)?",
        form="https://HOST[:PORT]/PATH, without a password in it", hides=True,
    )  # fmt: skip
    webhook_secret_file: str = told(
        "", "File with the secret (at least 16 characters) that messages to it are signed with.",
        path=True,
    )  # fmt: skip
    webhook_private: bool = told(
        False, "It may be on this machine or in a private network, and then by plain HTTP too."
    )
    mail_to: tuple[str, ...] = told(
        (), "Addresses that alerts are mailed to; needs the settings under [mail]."
    )
    again_minutes: float = told(
        60.0, "The same alert, over and back again, is told of no more often than this.",
        unit="minutes", least=0, most=10**6,
    )  # fmt: skip
    remind_hours: float = told(
        24.0, "What stands and nobody has acknowledged is told of again after this; 0: never.",
        unit="hours", least=0, most=10**5,
    )  # fmt: skip
    per_hour: int = told(
        12, "Messages of each way in an hour; what comes above it is told of together, later.",
        unit="messages an hour", least=1, most=3600,
    )  # fmt: skip


@dataclass(frozen=True)
class Backup:
    """Copies of the database made by the server itself; see docs/operations.md."""

    every_hours: float = told(
        24.0, "How often the database is copied while the server runs; 0: never.",
        unit="hours", least=0, most=10**4,
    )  # fmt: skip
    keep: int = told(
        7, "How many copies are kept; older ones are deleted.", unit="copies", least=1, most=10**4
    )
    to: str = told(
        "",
        "Where to: file:///FOLDER, s3://BUCKET/PREFIX or root://HOST//PATH; when empty, backups in "
        "the data folder, which does not help if that disk is lost.",
        pattern=r"[a-z][a-z0-9+.-]*://\S*",
        form="file:///FOLDER, s3://BUCKET/PREFIX or root://HOST//PATH",
    )
    elsewhere: bool = told(
        False,
        "Somebody else makes backups (such as PostgreSQL's own archiving), so the server makes "
        "none and misses none.",
    )


@dataclass(frozen=True)
class Metrics:
    """Figures for Prometheus at /metrics."""

    access: str = told(
        "token",
        "Who may read them: nobody, who comes from this machine and by no proxy, who has an API "
        "token of an operator with the scope read, or everybody.",
        choices=("off", "loopback", "token", "public"),
    )


@dataclass(frozen=True)
class Traces:
    """Traces of requests and duties by OpenTelemetry; needs `pip install windfall[otel]`."""

    otlp: str = told(
        "",
        "Where they are sent: OTLP over HTTP, as in http://localhost:4318/v1/traces; when empty, "
        "none are made.",
        pattern=r"https?://[^/\s@]+(/\S*)?",
        form="https://HOST[:PORT]/PATH, without a password in it",
    )
    share: float = told(
        0.1, "The share of requests that are traced; duties always are.",
        unit="of all", least=0, most=1,
    )  # fmt: skip
