"""Files of contexts over HTTP: rendered, exported, imported; and what contexts begin with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from contexts.registry import PARTS
from contexts.render.targets import TARGETS
from contexts.schema import Field
from contexts.templates import TEMPLATES
from server.domain.roles import Caller
from server.handlers import context_views as v
from server.handlers.access import Role
from server.handlers.context_api import BASE, ONE, UNKNOWN
from server.handlers.context_launch import LaunchRequest, wanted
from server.handlers.params import query_number, query_revision
from server.handlers.routes import NO_STORE, Body, Query, Reply, Route
from server.services.deps import Deps
from server.services.shelf import files, launching, layering, pool, rendering
from server.services.shelf.veil import Said

BAD = ("bad-context", "bad-input", "secret-lost")
OLD = ("revision-unknown", UNKNOWN)
DEFAULTS = "/api/v1/context-defaults"


@dataclass(frozen=True)
class TemplateView:
    """A role template: what it says, and the fields that are left to fill in."""

    name: str
    title: str
    summary: str
    document: v.Json
    ask: list[str]


@dataclass(frozen=True)
class TemplateList:
    """Every role template."""

    templates: list[TemplateView] = field(default_factory=list)


@dataclass(frozen=True)
class PartView:
    """A part of a context: a plug-in with its fields."""

    name: str
    tab: str
    title: str
    summary: str
    fields: list[v.Json]


@dataclass(frozen=True)
class PartList:
    """Every part that there is, and every target that contexts are rendered for.

    ``server``, ``agent_sha256`` (empty: none) and ``release_key`` (the kid that they believe) are
    what machines are told of this pool.
    """

    parts: list[PartView] = field(default_factory=list)
    targets: list[v.Json] = field(default_factory=list)
    server: str = ""
    agent_sha256: str = ""
    release_key: str = ""


@dataclass(frozen=True)
class ContextFilesApi:
    """The handlers of files and beginnings."""

    deps: Deps
    json_most: int

    async def render(self, request: web.Request, caller: Caller, message: LaunchRequest) -> Reply:
        """The files of a context for a target."""
        id, number, token = request.match_info["id"], message.revision, 0
        if message.enrol is None:
            opened, made = await rendering.of_context(
                self.deps, caller, id, number, v.wish(message)
            )
        else:
            asked = wanted(message.enrol)
            opened, made, token = await launching.launch(
                self.deps, caller, id, number, v.wish(message), asked
            )
        view = v.rendered(made, message.target, opened.revision.number, token)
        return Reply(view, 200, NO_STORE)

    async def preview(
        self, request: web.Request, caller: Caller, message: v.PreviewRequest
    ) -> Reply:
        """The files of a document that is not kept."""
        said = Said(message.document, tuple(message.without), message.site, message.role)
        wish = v.wish(message.machine)
        made = await rendering.preview(self.deps, caller, said, wish, of=message.of)
        return Reply(v.rendered(made, wish.target, 0), 200, NO_STORE)

    async def export(self, request: web.Request, caller: Caller) -> Reply:
        """A context as a file."""
        made = await exported(self.deps, request, caller)
        return Reply(v.ExportView(made.file, made.text, list(made.lost)), 200, NO_STORE)

    async def read(
        self, request: web.Request, caller: Caller, message: v.ImportRequest
    ) -> v.ImportView:
        """What a file holds; nothing is kept."""
        found = await files.read(self.deps, message.text, message.file)
        document: dict[str, Any] = {name: dict(part) for name, part in found.document.items()}
        return v.ImportView(found.form, found.name, found.description, document, list(found.report))

    async def templates(self, request: web.Request, caller: Caller) -> TemplateList:
        """Every role template."""
        found = [
            TemplateView(
                name, one.title, one.summary,
                {part: dict(values) for part, values in one.document.items()}, list(one.asks),
            )
            for name, one in TEMPLATES.items()
        ]  # fmt: skip
        return TemplateList(found)

    async def parts(self, request: web.Request, caller: Caller) -> PartList:
        """Every part and target."""
        parts = [
            PartView(
                one.name, one.tab, one.title, one.summary, [_field(each) for each in one.fields]
            )
            for one in PARTS.values()
        ]
        targets = [
            {"name": one.name, "title": one.title, "summary": one.summary,
             "variants": list(one.variants)}
            for one in TARGETS.values()
        ]  # fmt: skip
        known = pool.machine(self.deps)
        return PartList(parts, targets, known.server, known.agent_sha256, known.release_key)

    async def defaults(self, request: web.Request, caller: Caller) -> v.DefaultsList:
        """Every layer."""
        found = await layering.listed(self.deps, caller)
        return v.DefaultsList([v.defaults(each) for each in found])

    async def show_defaults(self, request: web.Request, caller: Caller) -> v.DefaultsView:
        """One layer."""
        return v.defaults(await layering.show(self.deps, caller, *layer_of(request)))

    async def save_defaults(
        self, request: web.Request, caller: Caller, message: v.DefaultsEdit
    ) -> v.DefaultsView:
        """Another layer in its place."""
        layer, subject = layer_of(request)
        made = await layering.save(
            self.deps, caller, layer, subject, message.started_from, message.document
        )
        return v.defaults(made)

    def routes(self) -> list[Route]:
        """Every route of files and beginnings."""
        own, most = Role("volunteer"), self.json_most
        layer = f"{DEFAULTS}/{{layer:experiment|site|role|user}}/{{subject:[A-Za-z0-9_.-]{{1,64}}}}"
        return [
            Route("POST", f"{ONE}/render", self.render, own,
                  "The files of a context for a kind of machine.", Body.JSON, LaunchRequest,
                  v.RenderedView, codes=(*BAD, *OLD, "site-unknown", "forbidden")),
            Route("POST", f"{BASE}/preview", self.preview, own,
                  "The files of a document that is not kept.", Body.JSON, v.PreviewRequest,
                  v.RenderedView, most=most, codes=(*BAD, UNKNOWN, "too-many")),
            Route("GET", f"{ONE}/export", self.export, own, "A context as a file to keep or send.",
                  reply=v.ExportView, codes=(*BAD, *OLD, "bad-parameter"), query=(
                      Query("form", "string", "json, or context: that of CernVM.", "json"),
                      Query("revision", "integer", "Its number.", 0),
                      Query("secrets", "integer", "1: its owner wants secrets in it.", 0))),
            Route("POST", f"{BASE}/read", self.read, own,
                  "Read a file of a context; what was odd is told, and nothing is kept.",
                  Body.JSON, v.ImportRequest, v.ImportView, most=most, codes=BAD[:2]),
            Route("GET", "/api/v1/context-templates", self.templates, own, "The role templates.",
                  reply=TemplateList),
            Route("GET", "/api/v1/context-parts", self.parts, own,
                  "What a context can hold, and what it is rendered for.", reply=PartList),
            Route("GET", DEFAULTS, self.defaults, own, "The defaults of every layer.",
                  reply=v.DefaultsList),
            Route("GET", f"{DEFAULTS}/experiment", self.show_defaults, own,
                  "The defaults of the experiment.", reply=v.DefaultsView,
                  codes=("defaults-unknown",)),
            Route("PUT", f"{DEFAULTS}/experiment", self.save_defaults, own,
                  "Set the defaults of the experiment, as an administrator.",
                  Body.JSON, v.DefaultsEdit, v.DefaultsView, most=most,
                  codes=(*BAD, "defaults-unknown", "overtaken")),
            Route("GET", layer, self.show_defaults, own,
                  "The defaults of a site, of a role, or (user/me) of oneself.",
                  reply=v.DefaultsView, codes=("defaults-unknown",)),
            Route("PUT", layer, self.save_defaults, own,
                  "Set the defaults of a site that one runs, of a role as an administrator, or "
                  "(user/me) of oneself.",
                  Body.JSON, v.DefaultsEdit, v.DefaultsView, most=most,
                  codes=(*BAD, "defaults-unknown", "overtaken")),
        ]  # fmt: skip


async def exported(deps: Deps, request: web.Request, caller: Caller) -> files.Exported:
    """A context as a file, as an address asks for it."""
    number = query_revision(request)
    secrets = query_number(request, "secrets", 0, 0, 1) == 1
    form, id = request.query.get("form", "json"), request.match_info["id"]
    return await files.exported(deps, caller, id, form, number, secrets=secrets)


def layer_of(request: web.Request) -> tuple[str, str]:
    """A layer of defaults, and whose they are, as an address names them."""
    found = request.match_info
    return found.get("layer", "experiment"), found.get("subject", "")


def _field(one: Field) -> v.Json:
    """A field, without what is not said of it."""
    said: v.Json = {"key": one.key, "title": one.title, "kind": str(one.kind), "help": one.help}
    for name in ("default", "form", "choices", "least", "most", "pattern", "example"):
        if (value := getattr(one, name)) not in (None, "", ()):
            said[name] = list(value) if isinstance(value, tuple) else value
    for name in ("required", "secret", "adds", "runs"):
        if getattr(one, name):
            said[name] = True
    if one.columns:
        said["columns"] = [_field(column) for column in one.columns]
    return said
