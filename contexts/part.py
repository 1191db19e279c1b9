"""What a plug-in is: a part of a context, and the pieces that it puts into what is rendered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from contexts.schema import Document, Fault, Field, Values

ENTRY_POINTS = "windfall.contexts"
"""The group of entry points by which others add parts: each names a `Part`."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What is known of the machine that a context is rendered for; empty where it is not.

    ``server`` is the address of the pool and ``token`` an enrolment token for it; ``release_key``
    the kid that the machine shall believe, and ``agent_sha256`` the digest of the agent's file
    that the server hands out (64 hexadecimal digits).
    """

    name: str = ""
    number: int = 0
    server: str = ""
    token: str = ""
    release_key: str = ""
    memory_mb: int = 2048
    cores: int = 1
    disk_gb: int = 20
    agent_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Pieces:
    """What a part adds to each form that a context can take.

    - ``amiconfig``: sections of the INI text and their keys; values are one line each, just as they
      are to be written (quoted where a shell reads them, see `contexts.quoting`). Keys of a
      section that several parts write are put together; no two parts write the same key.
    - ``plugins``: words for ``[amiconfig] plugins=``.
    - ``ucernvm``: keys of the boot loader's block, values just as they are to be written too.
    - ``cloud``: cloud-config; lists of several parts are put one behind the other, mappings merged.
      Contents of ``write_files`` are text of any characters (the renderer encodes them).
    - ``environment``: of a container.
    - ``before``, ``after``: lines of POSIX shell run as root before and after amiconfig's plug-ins.
      None begins with ``exit`` or ``[section]``, so that all parts' can stand one behind the other.
    - ``secrets``: paths (``part.field``) of secret values that stand in the above.
    - ``warnings``: what a person should know before starting a machine with it.
    """

    amiconfig: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    plugins: tuple[str, ...] = ()
    ucernvm: Mapping[str, str] = field(default_factory=dict)
    cloud: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Part(Protocol):
    """A plug-in: its fields, its own rules, and its pieces."""

    @property
    def name(self) -> str:
        """The key in a document: lower-case letters, digits and dashes."""
        ...

    @property
    def tab(self) -> str:
        """One of `contexts.schema.TABS`."""
        ...

    @property
    def title(self) -> str:
        """For people."""
        ...

    @property
    def summary(self) -> str:
        """What it does to a machine, in a sentence."""
        ...

    @property
    def fields(self) -> tuple[Field, ...]:
        """What can be said in it."""
        ...

    def check(self, values: Values, document: Document) -> Iterable[Fault]:
        """Rules between fields, beyond those of each field; values have passed those."""
        ...

    def pieces(self, values: Values, machine: Machine) -> Pieces:
        """What it adds; pure. ``values`` has passed every check and holds the defaults too."""
        ...
