"""What the API says of contexts, and what it is told of them."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

from contexts.diff import Change
from contexts.hiding import secret_paths
from contexts.render.result import File
from server.services.shelf.draft import Draft
from server.services.shelf.layering import Shown
from server.services.shelf.library import Listed, Opened
from server.services.shelf.rendering import LIMIT, Preview, Wish
from server.services.shelf.veil import Said
from vmagent.wire.messages import bound

Json = dict[str, Any]
NAME, LONG, LINE = bound(most=100), bound(most=4000), bound(most=200)
WORD = bound(most=64)


@dataclass(frozen=True)
class ContextView:
    """A context in a list; ``revision`` is the one that the caller is shown."""

    id: str
    name: str
    owner: str
    description: str
    visibility: str
    shares: list[str]
    review: str
    listed: int
    proposed: int
    review_note: str
    tags: list[str]
    site: str
    role: str
    template: bool
    sealed: bool
    revision: int
    mine: bool
    uses: int
    machines: int
    created_at: float
    changed_at: float
    removed_at: float | None = None


@dataclass(frozen=True)
class ContextList:
    """Contexts."""

    contexts: list[ContextView] = field(default_factory=list)


@dataclass(frozen=True)
class OpenedContext:
    """A revision of a context. ``secrets`` are the paths of secrets, for which ``(secret)`` stands
    in the document unless its owner asked for them. A sealed one has envelopes instead.
    """

    context: ContextView
    revision: int
    name: str
    description: str
    note: str
    by: str
    at: float
    document: Json
    without: list[str]
    site: str
    role: str
    secrets: list[str]
    envelope: Json | None = None


@dataclass(frozen=True)
class RevisionView:
    """A revision in the history of a context."""

    number: int
    name: str
    note: str
    by: str
    at: float
    sealed: bool


@dataclass(frozen=True)
class History:
    """The revisions that the caller may see, newest first."""

    revisions: list[RevisionView] = field(default_factory=list)


@dataclass(frozen=True)
class ChangeView:
    """One difference; what is not there is null."""

    path: str
    before: Any = None
    after: Any = None


@dataclass(frozen=True)
class Difference:
    """What differs between two revisions."""

    changes: list[ChangeView] = field(default_factory=list)


@dataclass(frozen=True)
class NewContext:
    """A context to be made: from a document, an envelope, a role template or another context.

    ``id`` is chosen by who seals, as the envelope is bound to it. ``(secret)`` in a document stands
    for no secret here. What is not said is taken from what it is made from.
    """

    name: str = field(default="", metadata=NAME)
    description: str | None = field(default=None, metadata=LONG)
    tags: list[str] | None = None
    site: str | None = field(default=None, metadata=WORD)
    role: str | None = field(default=None, metadata=WORD)
    template: bool = False
    document: Json | None = None
    without: list[str] = field(default_factory=list)
    envelope: Json | None = None
    note: str = field(default="", metadata=LINE)
    from_context: str = field(default="", metadata=bound(most=32))
    from_revision: int = field(default=0, metadata=bound(least=0))
    id: str = field(default="", metadata=bound(most=32))


@dataclass(frozen=True)
class ContextEdit:
    """The next revision of a context: all of it. ``started_from`` is the revision that was edited.

    ``(secret)`` in the document keeps the secret that was there.
    """

    started_from: int = field(metadata=bound(least=1))
    name: str = field(metadata=NAME)
    description: str = field(default="", metadata=LONG)
    tags: list[str] = field(default_factory=list)
    site: str = field(default="", metadata=WORD)
    role: str = field(default="", metadata=WORD)
    template: bool = False
    document: Json | None = None
    without: list[str] = field(default_factory=list)
    envelope: Json | None = None
    note: str = field(default="", metadata=LINE)


@dataclass(frozen=True)
class RestoreRequest:
    """The older revision that is to become the next one, and the latest that the caller knows."""

    revision: int = field(metadata=bound(least=1))
    started_from: int = field(metadata=bound(least=1))


@dataclass(frozen=True)
class SharingRequest:
    """Who may use a context: private, or the members of these groups or sites."""

    visibility: str = field(metadata=bound(most=16, pattern="^(private|group|site)$"))
    names: list[str] = field(default_factory=list, metadata=bound(most=20))


@dataclass(frozen=True)
class ReviewRequest:
    """What a reviewer says of the revision that he has read."""

    revision: int = field(metadata=bound(least=1))
    verdict: str = field(metadata=bound(most=16, pattern="^(list|refuse)$"))
    note: str = field(default="", metadata=bound(most=500))


@dataclass(frozen=True)
class RenderRequest:
    """Which files are wanted, and for which machine."""

    target: str = field(default="mime", metadata=bound(most=40))
    revision: int = field(default=0, metadata=bound(least=0))
    secrets: bool = False
    name: str = field(default="", metadata=bound(most=63, pattern="^([a-z0-9-]*)$"))
    cores: int = field(default=1, metadata=bound(least=1, most=4096))
    memory_mb: int = field(default=2048, metadata=bound(least=64, most=10_000_000))
    disk_gb: int = field(default=20, metadata=bound(least=1, most=1_000_000))


@dataclass(frozen=True)
class PreviewRequest:
    """A document that is not kept yet, and what is to be seen of it.

    ``of`` is the context of the caller whose secrets ``(secret)`` stands for.
    """

    document: Json
    without: list[str] = field(default_factory=list)
    site: str = field(default="", metadata=WORD)
    role: str = field(default="", metadata=WORD)
    of: str = field(default="", metadata=bound(most=32))
    machine: RenderRequest = field(default_factory=RenderRequest)


@dataclass(frozen=True)
class FileView:
    """A file of a rendering: its text, or its bytes in base64 where they are none.

    ``secrets`` are the paths of the secrets in it.
    """

    name: str
    media: str
    mode: int
    text: str
    base64: str
    secrets: list[str]


@dataclass(frozen=True)
class RenderedView:
    """Files; ``size`` in bytes is that of the user data that a machine gets.

    For the secrets in ``hidden`` examples stand in the files. ``origins`` says where the values
    come from, by path. ``token_id`` is the enrolment token that was made for them; 0: none was.
    """

    target: str
    revision: int
    files: list[FileView]
    warnings: list[str]
    secrets: list[str]
    hidden: list[str]
    size: int
    limit: int
    origins: dict[str, list[str]]
    token_id: int = 0


@dataclass(frozen=True)
class ExportView:
    """A context as a file; ``lost`` are the paths of what its form cannot say."""

    file: str
    text: str
    lost: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ImportRequest:
    """The text of a file: our JSON, or the `.context` of CernVM."""

    text: str = field(metadata=bound(most=1_000_000))
    file: str = field(default="", metadata=bound(most=200))


@dataclass(frozen=True)
class ImportView:
    """What a file holds, and what was odd or unknown in it; nothing is kept of it yet."""

    form: str
    name: str
    description: str
    document: Json
    report: list[str]


@dataclass(frozen=True)
class DefaultsView:
    """The defaults of a layer, with ``(secret)`` for secrets; number 0 if nobody has said any."""

    layer: str
    subject: str
    number: int
    document: Json
    changed_by: str
    changed_at: float
    may_change: bool


@dataclass(frozen=True)
class DefaultsList:
    """Every layer that the caller may see, lowest first."""

    defaults: list[DefaultsView] = field(default_factory=list)


@dataclass(frozen=True)
class DefaultsEdit:
    """New defaults, all of them; ``started_from`` is the number of those that were edited."""

    started_from: int = field(metadata=bound(least=0))
    document: Json = field(default_factory=dict)


@dataclass(frozen=True)
class Removed:
    """A context is gone; until then it can be brought back."""

    id: str
    until: float


def listed(found: Listed) -> ContextView:
    """A context of a list."""
    one = found.context
    mine = found.mine
    return ContextView(
        one.id, one.name, one.owner_name, one.description, one.visibility, list(found.shares),
        one.review if mine else "", one.listed, one.proposed, one.review_note if mine else "",
        list(one.tags), one.site, one.role, one.template, one.sealed, found.revision, mine,
        found.uses, found.machines, one.created_at, one.changed_at, one.removed_at,
    )  # fmt: skip


def opened(found: Opened) -> OpenedContext:
    """A context with a revision of it."""
    seen = found.sight
    head = Listed(
        seen.context, seen.revision, seen.mine, seen.shares if seen.mine else (), found.uses,
        found.machines,
    )  # fmt: skip
    one, said = found.revision, found.said
    envelope = None if found.envelope is None else dict(found.envelope)
    return OpenedContext(
        listed(head), one.number, one.name, one.description, one.note, one.by, one.at,
        plain(said), list(said.without), said.site, said.role, secret_paths(said.document),
        envelope,
    )  # fmt: skip


def plain(said: Said) -> Json:
    """A document as JSON has it."""
    return {name: dict(values) for name, values in said.document.items()}


def change(found: Change) -> ChangeView:
    """A difference."""
    return ChangeView(found.path, found.before, found.after)


def rendered(made: Preview, target: str, revision: int, token: int = 0) -> RenderedView:
    """Files with what is to be known of them."""
    origins = {path: list(names) for path, names in made.whole.origins.items()}
    return RenderedView(
        target, revision, [_file(each) for each in made.files], list(made.warnings),
        list(made.secrets), list(made.hidden), made.size, LIMIT, origins, token,
    )  # fmt: skip


def _file(found: File) -> FileView:
    try:
        text, coded = found.body.decode(), ""
    except UnicodeDecodeError:
        text, coded = "", base64.b64encode(found.body).decode()
    return FileView(found.name, found.media, found.mode, text, coded, list(found.secrets))


def defaults(found: Shown) -> DefaultsView:
    """The defaults of a layer."""
    document = {name: dict(values) for name, values in found.document.items()}
    return DefaultsView(
        found.layer, found.subject, found.number, document, found.changed_by, found.changed_at,
        found.may_change,
    )  # fmt: skip


def wish(asked: RenderRequest) -> Wish:
    """Which files are wanted."""
    return Wish(
        asked.target, asked.secrets, asked.name, asked.cores, asked.memory_mb, asked.disk_gb
    )


def draft(edit: ContextEdit) -> Draft:
    """What is to be kept."""
    said = None
    if edit.document is not None:
        said = Said(edit.document, tuple(edit.without), edit.site, edit.role)
    return Draft(
        edit.name, edit.description, tuple(edit.tags), edit.site, edit.role, edit.template, said,
        edit.envelope, edit.note,
    )  # fmt: skip
