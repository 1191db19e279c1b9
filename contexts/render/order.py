"""What a renderer is given, and the texts that several of them need."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from contexts import joining
from contexts.part import Machine, Pieces
from contexts.render import cloudconfig, ini, mime
from contexts.render.gather import Form, Whole
from contexts.render.result import File, Rendered

MIME_FORMS = (Form.CLOUD, Form.AMICONFIG, Form.UCERNVM)
INI_FORMS = (Form.SCRIPT, Form.AMICONFIG, Form.UCERNVM)
MULTIPART, YAML, TEXT = "multipart/mixed", "text/cloud-config", "text/plain"
SHELL, JSON, XML, ISO = (
    "text/x-shellscript",
    "application/json",
    "application/xml",
    "application/x-iso9660-image",
)


@dataclass(frozen=True)
class Order:
    """A context for one machine.

    ``variant`` is a word that the target knows, or empty; ``version`` the CernVM that the context
    says it is for (3, 4 or 5), or empty.
    """

    whole: Whole
    revision: int
    machine: Machine
    variant: str = ""
    version: str = ""

    @property
    def pieces(self) -> Pieces:
        """All pieces."""
        return self.whole.pieces

    @property
    def name(self) -> str:
        """What the machine is called where it must be called something."""
        return self.machine.name or "windfall"

    @property
    def legacy(self) -> bool:
        """Whether there is something for the readers of CernVM 3 and 4, and these may read it."""
        told = self.pieces
        # What our own agent finds in the text is no reason to think of an old image.
        sections = set(told.amiconfig) - {joining.SECTION}
        return self.version != "5" and bool(told.ucernvm or sections or told.plugins)

    @cached_property
    def cloud(self) -> str:
        """Cloud-config; empty if there is nothing for cloud-init."""
        return cloudconfig.cloud_config(self.pieces.cloud) if self.pieces.cloud else ""

    @cached_property
    def ini(self) -> str:
        """The sections of amiconfig."""
        return ini.sections(self.pieces, self.revision)

    @cached_property
    def block(self) -> str:
        """The block of the boot loader."""
        return ini.block(self.pieces.ucernvm)

    @cached_property
    def user_data(self) -> str:
        """The message for every reader."""
        return mime.message(self.cloud, self.ini, self.block, epilogue=self.variant == "epilogue")

    @cached_property
    def user_data_file(self) -> File:
        """The message as a file."""
        return self.file("user-data", MULTIPART, self.user_data, *MIME_FORMS)

    @cached_property
    def instance(self) -> str:
        """A name that changes when the user data do, so that cloud-init takes them anew."""
        told = f"{self.name}\0{self.user_data}"
        return f"windfall-{hashlib.sha256(told.encode()).hexdigest()[:16]}"

    def file(self, name: str, media: str, text: str, *forms: Form, mode: int = 0o644) -> File:
        """A file of text made of these forms; who holds secrets is for its owner alone."""
        return File(name, media, text.encode(), mode, ()).secret(self.whole.secrets(*forms))

    def json(self, name: str, value: object, *forms: Form) -> File:
        """A file of JSON."""
        return self.file(name, JSON, json.dumps(value, indent=2, sort_keys=True) + "\n", *forms)


@dataclass(frozen=True, slots=True)
class Target:
    """One kind of machine: for people, and what makes its files.

    ``variants`` are words that may be asked for beside the plain form.
    """

    name: str
    title: str
    summary: str
    make: Callable[[Order], Rendered]
    variants: tuple[str, ...] = ()
