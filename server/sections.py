"""The settings of people and of pairing: sections of `server.settings.Settings`."""

from __future__ import annotations

from dataclasses import dataclass

from server.rule import told


@dataclass(frozen=True)
class Pairing:
    """How machines are paired by PIN or code, and what is held against guessing."""

    life_s: float = told(
        300.0, "How long a PIN is good, and then each step after it.", unit="seconds",
        least=30, most=3600,
    )  # fmt: skip
    code_life_s: float = told(
        600.0, "How long a code that a machine shows is good.", unit="seconds", least=60, most=3600
    )
    interval_s: float = told(
        5.0, "How long a machine waits between two questions.", unit="seconds", least=1, most=60
    )
    live_per_account: int = told(
        3, "PINs that an account may have open at a time.", unit="PINs", least=1, most=100
    )
    wrong_address: int = told(
        5, "Wrong PINs of one address, and wrong codes of one account, in ten minutes.",
        unit="tries", least=1, most=1000,
    )  # fmt: skip
    wrong_network: int = told(
        30, "Wrong PINs of one /24 (IPv6: /48) in ten minutes.", unit="tries", least=1, most=10**4
    )
    wrong_minute: int = told(
        100,
        "Wrong PINs of everybody in a minute; beyond them none is taken, and machines show codes.",
        unit="tries",
        least=1,
        most=10**5,
    )
    lock_s: float = told(
        600.0, "How long no PIN is taken then.", unit="seconds", least=1, most=86_400
    )


@dataclass(frozen=True)
class Accounts:
    """How people get in."""

    signup: str = told(
        "invited",
        "Who may make an account: nobody but administrators, who was invited, or everybody.",
        choices=("closed", "invited", "open"),
    )
    providers: str = told(
        "",
        "File (TOML) of the providers that people may log in with by OpenID Connect; see "
        "docs/accounts-providers.md.",
        path=True,
    )
    password_least: int = told(
        10, "How long a password has to be.", unit="characters", least=8, most=64
    )
    session_days: float = told(
        90.0, "After how long a browser has to sign in again.", unit="days", least=0.01, most=3650
    )
    idle_days: float = told(
        14.0,
        "After how long without a request it has to as well.",
        unit="days",
        least=0.01,
        most=3650,
    )
    invitation_days: float = told(
        7.0, "How long an invitation is good.", unit="days", least=0.01, most=365
    )
    reset_minutes: float = told(
        60.0,
        "How long a link is good that sets a new password or checks an e-mail address.",
        unit="minutes",
        least=1,
        most=10_080,
    )
    tries_per_account: int = told(
        10,
        "Wrong passwords and codes for one account in tries_minutes.",
        unit="tries",
        least=1,
        most=10_000,
    )
    tries_per_address: int = told(
        50,
        "Wrong passwords and codes from one network address (IPv6: from 64 bits of one) in "
        "tries_minutes.",
        unit="tries",
        least=1,
        most=10**6,
    )
    tries_minutes: float = told(
        15.0, "The time in which tries are counted.", unit="minutes", least=0.01, most=1440
    )
    addresses_days: float = told(
        30.0,
        "How long the audit log and sessions that are over keep network addresses.",
        unit="days",
        least=0.01,
        most=3650,
    )
    passwords_waiting: int = told(
        40,
        "Passwords that may wait to be checked, which is done two at a time; who comes beyond is "
        "asked to try again.",
        unit="passwords",
        least=1,
        most=10_000,
    )
    token_days: float = told(
        366.0,
        "How long an API token that somebody makes for himself is good at most.",
        unit="days",
        least=0.01,
        most=3650,
    )


@dataclass(frozen=True)
class Mail:
    """The mail server that letters to people are handed to."""

    host: str = told("", "Name of the mail server; when empty, no mail is sent.")
    port: int = told(25, "Its port: 25, 587 with starttls, 465 with tls.", least=1, most=65535)
    security: str = told(
        "starttls",
        "How the connection is encrypted; none is for a server on loopback alone.",
        choices=("none", "starttls", "tls"),
    )
    user: str = told("", "Whom to log in as; when empty, without logging in.")
    password_file: str = told("", "File with the password, for its owner alone.", path=True)
    sender: str = told(
        "",
        "The address that letters come from.",
        pattern=r"[^\s@<>]+@[^\s@<>]+",
        form="an address as in windfall@example.org",
    )


@dataclass(frozen=True)
class Plots:
    """The histograms of what productions make."""

    cpu_percent: float = told(
        20.0,
        "Share of one processor that may be spent on filling them; 0: they are not filled.",
        unit="percent",
        least=0,
        most=100,
    )


@dataclass(frozen=True)
class Statistics:
    """What is shown of the pool, and to whom."""

    public: bool = told(
        True, "Everybody may see the statistics of the pool; else whoever is signed in."
    )
    countries: bool = told(
        True,
        "The country of a machine is looked up from its address, offline, and kept; the address is "
        "not. When false, countries that were kept are deleted at the next start.",
    )


@dataclass(frozen=True)
class Export:
    """The files for BOINC's statistics sites, under /stats/ (docs/contribution.md)."""

    hours: float = told(
        24.0,
        "How often they are written; 0: there are none. There are none either if "
        "`statistics.public` is false.",
        unit="hours",
        least=0,
        most=8760,
    )
    gflops: float = told(
        4.0,
        "Whetstone GFLOPS of a core of the reference machine: a core-second of credit is so many "
        "times 200/86400 of BOINC's credit.",
        unit="GFLOPS",
        least=0.001,
        most=10_000,
    )
