"""The settings of a server: one frozen value, every key with its meaning, unit and bounds."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from server.operating import Alerts, Backup, Metrics, Operations, Traces
from server.rule import Rule, told
from server.sections import Accounts, Export, Mail, Pairing, Plots, Statistics


@dataclass(frozen=True)
class Server:
    """Where the server listens and keeps its things."""

    host: str = told("127.0.0.1", "Address to listen on.")
    port: int = told(8600, "Port to listen on; 0 takes a free one.", least=0, most=65535)
    url: str = told(
        "",
        "The address under which agents and browsers reach the server; "
        "when empty, made from host and port.",
        pattern=r"https?://[^/\s]+(/[^\s?#]*)?",
        form="https://HOST[:PORT][/PATH] (http:// on loopback only)",
    )
    data: str = told(
        "windfall-data", "Folder of the database, the blobs, the keys and the token.", path=True
    )
    tls_cert: str = told(
        "",
        "Certificate chain (PEM) to answer HTTPS with; renewed, it is taken by itself.",
        path=True,
    )
    tls_key: str = told("", "Private key (PEM) of the certificate.", path=True)
    fast_lane: bool = told(
        True,
        "Asks, signs of life and frames whose heads are plain are answered without the detour of "
        "the framework; everything else and all errors in heads are not touched by it.",
    )
    behind_proxy: bool = told(
        False,
        "A reverse proxy in front speaks HTTPS to the world, so plain HTTP may be spoken to it on "
        "an address that is not loopback, and its X-Forwarded-For is believed.",
    )
    proxies: tuple[str, ...] = told(
        (),
        "Networks of the reverse proxies in front, if behind_proxy; when empty, loopback. What "
        "others say of where they come from is not believed.",
    )


@dataclass(frozen=True)
class Database:
    """Where the tables are."""

    url: str = told(
        "",
        "sqlite:///FILE (four slashes begin an absolute path) or postgresql://USER@HOST/NAME; "
        "when empty, windfall.db in the data folder.",
        pattern=r"(sqlite:///|postgres(ql)?://)\S+",
        form="sqlite:///FILE (four slashes begin an absolute path) or postgresql://USER@HOST/NAME",
    )


@dataclass(frozen=True)
class Blobs:
    """Where the bytes are."""

    url: str = told(
        "",
        "file:///FOLDER, s3://BUCKET/PREFIX or root://HOST//PATH; when empty, blobs in the data "
        "folder.",
        pattern=r"[a-z][a-z0-9+.-]*://\S*",
        form="file:///FOLDER, s3://BUCKET/PREFIX or root://HOST//PATH",
    )
    segment_mb: int = told(
        256, "Size of the shared files that frames are appended to.", unit="MiB", least=1, most=4096
    )


@dataclass(frozen=True)
class Keys:
    """Which keys sign and are believed."""

    folder: str = told(
        "",
        "Folder of key statements and the work key; when empty, keys in the data folder.",
        path=True,
    )
    release: tuple[str, ...] = told(
        (), "Statements of release keys to believe beyond those in the folder.", path=True
    )
    at_rest: str = told(
        "",
        "File of the keys that encrypt secrets in the database (base64, one a line, the one in use "
        "first); when empty, at-rest.key in the data folder. Made at the first start; no backup of "
        "the database is of use for secrets without it.",
        path=True,
    )


@dataclass(frozen=True)
class Limits:
    """What one request, host or token may take."""

    frame_bytes: int = told(
        16_777_216, "Largest frame accepted.", unit="bytes", least=1024, most=16_777_216
    )
    json_bytes: int = told(
        1_048_576, "Largest JSON body accepted.", unit="bytes", least=1024, most=67_108_864
    )
    payload_bytes: int = told(
        268_435_456, "Largest payload bundle accepted.", unit="bytes", least=1024, most=2**34
    )
    hosts_per_token: int = told(
        1000, "Hosts that one enrolment token may ever pair.", unit="hosts", least=1, most=10**6
    )
    sse_listeners: int = told(
        500, "Browsers that may follow live pages at once.", unit="connections", least=0, most=10**5
    )
    slots_per_host: int = told(
        1024, "Slots that one host is believed to have.", unit="slots", least=1, most=4096
    )
    work_per_minute: int = told(
        600, "How often one host may ask for work.", unit="requests a minute", least=1, most=10**6
    )
    beats_per_minute: int = told(
        240, "How many signs of life one host may give.", unit="requests a minute", least=10,
        most=10**6,
    )  # fmt: skip
    polls_per_minute: int = told(
        300, "How often one host may wait for commands.", unit="requests a minute", least=10,
        most=10**6,
    )  # fmt: skip
    joins_per_minute: int = told(
        1200, "Machines of one address (of IPv6, of one /64) that may try to join.",
        unit="requests a minute", least=1, most=10**6,
    )  # fmt: skip
    wrong_tokens_per_minute: int = told(
        300, "Wrong tokens from one address (of IPv6, of one /64); then no token is looked at that "
        "was not good lately.", unit="tokens a minute", least=1, most=10**6,
    )  # fmt: skip
    changes_per_minute: int = told(
        300, "How often one account may change something, unless it is an operator's or of more; "
        "each time is a line in the audit log.", unit="requests a minute", least=1, most=10**6,
    )  # fmt: skip
    connections_per_address: int = told(
        50_000, "Open connections of one address (of IPv6, of one /64), but half of the files that "
        "the server may open at most; those of proxies of ours are not counted. Of 10,000 machines "
        "behind one address each has two.",
        unit="connections", least=1, most=10**6,
    )  # fmt: skip
    listeners_per_account: int = told(
        20, "Live pages that one account may follow at once; a page that is not looked at (another "
        "tab is in front) follows nothing.", unit="connections", least=0, most=10**5,
    )  # fmt: skip
    listeners_per_address: int = told(
        50, "Browsers of one address (of IPv6, of one /64) that may follow live pages at once.",
        unit="connections", least=0, most=10**5,
    )  # fmt: skip


@dataclass(frozen=True)
class Leases:
    """How work is lent."""

    retry_s: float = told(
        5.0,
        "After how long a host asks again when all work there is, is leased.",
        unit="seconds",
        least=0.1,
        most=3600,
    )
    idle_asks_per_s: float = told(
        100.0, "Hosts without work ask no more often than this, all together: the more there are, "
        "the longer each waits. They are woken when there is work.",
        unit="requests a second", least=0.1, most=10**5,
    )  # fmt: skip
    idle_most_s: float = told(
        60.0, "At most so long a host without work waits, however many there are.",
        unit="seconds", least=1, most=3600,
    )  # fmt: skip
    bad_per_day: int = told(
        100,
        "Leases of one payload that may fail or run out on one slot of a host in a day (UTC); each "
        "that does takes one away for good, each that is delivered doubles what is left.",
        unit="leases",
        least=1,
        most=10**6,
    )
    window: int = told(
        20_000, "Ready tasks kept in memory to be handed out.", unit="tasks", least=1, most=10**6
    )


@dataclass(frozen=True)
class Credit:
    """What events are worth."""

    reference_host: int = told(
        0,
        "Number of the host whose core-second is one credit; 0: the median of the hosts that "
        "have measured the payload.",
        unit="host number",
        least=0,
        most=2**62,
    )


@dataclass(frozen=True)
class Log:
    """What is written to standard error."""

    level: str = told(
        "info", "The least grave lines written.", choices=("debug", "info", "warning", "error")
    )
    format: str = told("text", "Lines for people, or JSON objects.", choices=("text", "json"))


@dataclass(frozen=True)
class Settings:
    """Everything that can be set; paths are absolute. `server.configure.read` makes one."""

    server: Server = Server()
    database: Database = Database()
    blobs: Blobs = Blobs()
    keys: Keys = Keys()
    limits: Limits = Limits()
    leases: Leases = Leases()
    credit: Credit = Credit()
    pairing: Pairing = field(default_factory=Pairing)
    accounts: Accounts = field(default_factory=Accounts)
    mail: Mail = field(default_factory=Mail)
    plots: Plots = field(default_factory=Plots)
    export: Export = field(default_factory=Export)
    operations: Operations = field(default_factory=Operations)
    alerts: Alerts = field(default_factory=Alerts)
    backup: Backup = field(default_factory=Backup)
    metrics: Metrics = field(default_factory=Metrics)
    traces: Traces = field(default_factory=Traces)
    statistics: Statistics = field(default_factory=Statistics)
    log: Log = Log()
    sources: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def data(self) -> Path:
        """The data folder."""
        return Path(self.server.data).absolute()

    @property
    def database_url(self) -> str:
        """Where the tables are."""
        return self.database.url or f"sqlite:///{self.data / 'windfall.db'}"

    @property
    def blobs_url(self) -> str:
        """Where the bytes are."""
        return self.blobs.url or f"file://{self.data / 'blobs'}"

    @property
    def keys_folder(self) -> Path:
        """Where the key statements and the work key are."""
        return Path(self.keys.folder) if self.keys.folder else self.data / "keys"

    @property
    def at_rest_file(self) -> Path:
        """The file of the keys that encrypt secrets in the database."""
        return Path(self.keys.at_rest) if self.keys.at_rest else self.data / "at-rest.key"

    @property
    def admin_token(self) -> Path:
        """The file that the server writes its first admin token to."""
        return self.data / "admin.token"

    @property
    def url(self) -> str:
        """The address under which the server is reached, without a slash at its end."""
        if self.server.url:
            return self.server.url.rstrip("/")
        host = f"[{self.server.host}]" if ":" in self.server.host else self.server.host
        return f"{'https' if self.server.tls_cert else 'http'}://{host}:{self.server.port}"


DEFAULTS = Settings()


def rules() -> Iterator[tuple[str, Rule, Any]]:
    """Every setting as (section.key, rule, default), in the order of the file."""
    for section in sections():
        values = getattr(DEFAULTS, section)
        for key in dataclasses.fields(values):
            yield f"{section}.{key.name}", key.metadata["rule"], key.default


def sections() -> tuple[str, ...]:
    """The sections of the file, in its order."""
    return tuple(f.name for f in dataclasses.fields(Settings) if f.name != "sources")


def shown(value: Any, *, hides: bool = False) -> str:
    """A value as it may be printed: an address without its password, or all behind its host."""
    plain = re.sub(r"(://[^:/@\s]*):[^@\s]*@", r"\1:***@", str(value))
    return re.sub(r"(://[^/\s]+/)\S+", r"\1***", plain) if hides else plain
