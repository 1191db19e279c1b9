"""The editor of contexts: a role and a few fields, or all of them; preview; another revision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web

from contexts.hiding import MASK, hidden
from contexts.layers import Resolved
from contexts.registry import PARTS
from contexts.render.targets import TARGETS
from contexts.templates import TEMPLATES
from server.domain.errors import BadInput, NotFound, Overtaken, Refusal
from server.domain.roles import Caller
from server.handlers import context_form, context_sheet, showing
from server.handlers.access import Person
from server.handlers.context_form import Typed
from server.handlers.door import Form
from server.handlers.routes import HTML, Body, Query, Route
from server.handlers.shape import status_of
from server.services.deps import Deps
from server.services.shelf import keep, layering, library, rendering, sealing
from server.services.shelf.faults import BadContext
from server.services.shelf.rendering import LIMIT, Preview, Wish
from server.services.shelf.veil import Said
from web.render import page

ONE = "/contexts/{id:[0-9a-f]{32}}"
FORM_MOST = 1_000_000
TARGET_WORDS = [(name, one.title) for name, one in TARGETS.items()]
ROLE_WORDS = [(name, one.title) for name, one in TEMPLATES.items()]
CODES = ("bad-context", "bad-input", "context-unknown", "overtaken", "secret-lost")


@dataclass(frozen=True)
class Frame:
    """What differs between the pages on which a context is written."""

    title: str
    lead: str
    action: str
    back: str
    back_words: str
    save_words: str = "Save"
    can_seal: bool = True
    sealed: bool = False


@dataclass(frozen=True)
class Looked:
    """What came of looking at what was typed."""

    errors: Mapping[str, str]
    lower: Resolved
    made: Preview | None = None
    preview_fault: str = ""


@dataclass(frozen=True)
class ContextEditor:
    """The handlers."""

    deps: Deps

    async def choose(self, request: web.Request, caller: Caller) -> web.Response:
        """What to begin with."""
        own = await library.search(self.deps, caller, "templates")
        return showing.show(
            request, caller, "context_new", roles=TEMPLATES, templates=own, here="dashboard"
        )

    async def begin(self, request: web.Request, caller: Caller) -> web.Response:
        """The form of a new context: of a role, of another context, or empty."""
        role, source = request.query.get("role", ""), request.query.get("from", "")
        start = keep.Start("", "", (), "", "", Said())
        ask: tuple[str, ...] = ()
        if source:
            start = await keep.beginning(self.deps, caller, source)
        elif role:
            start, ask = keep.from_role(role), tuple(TEMPLATES[role].asks)
        heads = {
            "name": start.name, "description": start.description, "tags": " ".join(start.tags),
            "role": start.role, "site": start.site, "note": "",
        }  # fmt: skip
        typed = Typed(heads, said=replace(start.said, site=start.site, role=start.role), ask=ask)
        return await self._show(request, caller, _new(typed), typed, short=bool(role))

    async def create(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """What the form of a new context was sent with."""
        typed = context_form.read(form)
        short = bool(typed.ask) and typed.deed not in ("all", "add", "drop", "leave")
        if typed.deed == "all":
            typed = replace(typed, ask=())
        if typed.deed != "save":
            return await self._show(request, caller, _new(typed), typed, short=short)
        try:
            made = await sealing.create(
                self.deps, caller, typed.draft(), typed.secret, typed.secret_again
            )
        except Refusal as refusal:
            return await self._again(request, caller, _new(typed), typed, refusal, short=short)
        return showing.onward(request, f"/contexts/{made.id}", f"{made.name} is saved.")

    async def show_new(self, request: web.Request, caller: Caller, typed: Typed) -> web.Response:
        """The form of a new context with what came from elsewhere."""
        return await self._show(request, caller, _new(typed), typed)

    async def edit(self, request: web.Request, caller: Caller) -> web.Response:
        """The form of a context that is there."""
        id = request.match_info["id"]
        opened = await self._mine(caller, id)
        if opened.envelope is not None:
            return self._ask_secret(request, caller, opened)
        return await self._edit(request, caller, opened, opened.said)

    def _ask_secret(
        self, request: web.Request, caller: Caller, opened: library.Opened, error: str = ""
    ) -> web.Response:
        status = 400 if error else 200
        return showing.show(
            request, caller, "context_open", status, one=opened.context, error=error,
            here="dashboard",
        )  # fmt: skip

    async def unseal(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """The form of a sealed context, opened with its secret."""
        opened = await self._mine(caller, request.match_info["id"])
        try:
            said = await sealing.opened(opened, form.get("secret", ""))
        except BadInput as refusal:
            return self._ask_secret(request, caller, opened, str(refusal))
        return await self._edit(request, caller, opened, said)

    async def _edit(
        self, request: web.Request, caller: Caller, opened: library.Opened, said: Said
    ) -> web.Response:
        one = opened.context
        heads = {
            "name": one.name, "description": one.description, "tags": " ".join(one.tags),
            "role": said.role, "site": said.site, "note": "",
        }  # fmt: skip
        typed = Typed(heads, one.template, said, one.id, one.revision)
        return await self._show(request, caller, _old(opened), typed)

    async def _mine(self, caller: Caller, id: str) -> library.Opened:
        """A context of the caller's own. Raises NotFound."""
        opened = await library.show(self.deps, caller, id)
        if not opened.sight.mine or opened.context.removed_at is not None:
            raise NotFound("context", id)
        return opened

    async def save(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """What the form of a context that is there was sent with."""
        id, typed = request.match_info["id"], context_form.read(form)
        typed = replace(typed, of=id)
        opened = await self._mine(caller, id)
        if typed.deed != "save":
            return await self._show(request, caller, _old(opened), typed)
        try:
            made = await sealing.edit(
                self.deps, caller, id, typed.started_from, typed.draft(), typed.secret,
                typed.secret_again, sealed=opened.context.sealed,
            )  # fmt: skip
        except Overtaken as refusal:
            latest = opened.context.revision
            told = (
                f"Somebody saved revision {latest} while you wrote from {typed.started_from}. "
                "Look at it in the history; saving again puts what stands here on top of it."
            )
            typed = replace(typed, started_from=latest)
            return await self._again(request, caller, _old(opened), typed, refusal, told=told)
        except Refusal as refusal:
            return await self._again(request, caller, _old(opened), typed, refusal)
        said = f"Revision {made.revision} is saved; machines keep theirs until they are given it."
        return showing.onward(request, f"/contexts/{id}", said)

    async def preview(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """A piece of a page: what a machine would get of what is typed so far."""
        typed = context_form.read(form)
        looked = await self._look(caller, typed, render=True)
        text = page("context_preview", made=looked.made, limit=LIMIT,
                    preview_fault=looked.preview_fault)  # fmt: skip
        headers = {**showing.HEADERS, "Cache-Control": "no-store"}
        return web.Response(text=text, content_type=HTML, headers=headers)

    async def _look(self, caller: Caller, typed: Typed, *, render: bool) -> Looked:
        """What lies below what was typed, and, if wanted, what would come of it."""
        lower = await layering.lower_of(self.deps, caller, typed.said)
        if not render:
            return Looked({}, lower)
        try:
            wish = Wish(typed.target)
            of = typed.of if _has_masks(typed.said) else ""
            made = await rendering.preview(self.deps, caller, typed.said, wish, of=of)
        except BadContext as refusal:
            return Looked(refusal.places, lower, preview_fault=_told(refusal))
        except Refusal as refusal:
            return Looked({}, lower, preview_fault=str(refusal))
        return Looked({}, lower, made)

    async def _again(
        self, request: web.Request, caller: Caller, frame: Frame, typed: Typed, refusal: Refusal,
        *, short: bool = False, told: str = "",
    ) -> web.Response:  # fmt: skip
        places = dict(refusal.places) if isinstance(refusal, BadContext) else {}
        if isinstance(refusal, sealing.SecretsDiffer):
            places = {"secret": str(refusal)}
        short = short and all(path in typed.ask or "." not in path for path in places)
        return await self._show(
            request, caller, frame, typed, short=short, errors=places or {"": told or str(refusal)},
            status=status_of(refusal.code),
        )  # fmt: skip

    async def _show(
        self, request: web.Request, caller: Caller, frame: Frame, typed: Typed, *,
        short: bool = False, errors: Mapping[str, str] | None = None, status: int = 200,
    ) -> web.Response:  # fmt: skip
        looked = await self._look(caller, typed, render=typed.deed == "preview")
        wrong = dict(errors or {}) or dict(looked.errors)
        facts: dict[str, Any] = {
            **vars(frame), "typed": typed, "short": short, "errors": wrong,
            "faults": faults(wrong), "for_defaults": False, "here": "dashboard",
            "roles": ROLE_WORDS, "sites": await self._sites(caller, typed),
            "targets": TARGET_WORDS, "made": looked.made, "limit": LIMIT,
            "preview_fault": looked.preview_fault,
            **_body(typed, looked.lower, wrong, short=short),
        }  # fmt: skip
        return showing.show(request, caller, "context_edit", status, **facts)

    async def _sites(self, caller: Caller, typed: Typed) -> list[str]:
        known = (await layering.circles(self.deps, caller)).sites
        return sorted({*known, typed.heads["site"]} - {""})

    def routes(self) -> list[Route]:
        """Every route of the editor."""
        own = Person("volunteer")
        return [
            Route("GET", "/contexts/new", self.choose, own, "What a new context begins with.",
                  media=HTML, head=True),
            Route("GET", "/contexts/new/edit", self.begin, own, "The form of a new context.",
                  media=HTML, codes=CODES, query=(
                      Query("role", "string", "A role template."),
                      Query("from", "string", "A context, as a template."))),
            Route("POST", "/contexts/new/edit", self.create, own, "Make a context.", Body.FORM,
                  media=HTML, most=FORM_MOST, codes=CODES),
            Route("POST", "/contexts/preview", self.preview, own,
                  "What a machine would get of what is typed.", Body.FORM, media=HTML,
                  most=FORM_MOST, codes=CODES),
            Route("GET", f"{ONE}/edit", self.edit, own, "The form of a context.", media=HTML,
                  codes=CODES),
            Route("POST", f"{ONE}/edit", self.save, own, "Change a context.", Body.FORM,
                  media=HTML, most=FORM_MOST, codes=CODES),
            Route("POST", f"{ONE}/open", self.unseal, own,
                  "The form of a sealed context, opened with its secret.", Body.FORM, media=HTML,
                  codes=CODES, fields=("secret",)),
        ]  # fmt: skip


def _body(
    typed: Typed, lower: Resolved, errors: Mapping[str, str], *, short: bool
) -> dict[str, Any]:
    """The tabs of the full form, or the sheets of the short one."""
    masked = Resolved(hidden(lower.document), lower.origins)
    if short:
        parts = dict.fromkeys(path.partition(".")[0] for path in typed.ask)
        sheets = [
            context_sheet.sheet(PARTS[name], typed.said, masked, errors, typed.blank, typed.ask)
            for name in parts
        ]
        return {"sheets": sheets, "tabs": (), "tab_links": []}
    tabs = context_sheet.tabs(typed.said, masked, errors, typed.blank)
    links = [(tab.id, f"{tab.words} ({tab.faults})" if tab.faults else tab.words) for tab in tabs]
    return {"sheets": [], "tabs": tabs, "tab_links": links}


def bare(frame: Frame, typed: Typed, errors: Mapping[str, str]) -> dict[str, Any]:
    """The facts of the same form for defaults, which have no name and no preview."""
    return {
        **vars(frame), "typed": typed, "short": False, "errors": errors,
        "faults": faults(errors), "for_defaults": True, "here": "dashboard",
        **_body(typed, Resolved({}), errors, short=False),
    }  # fmt: skip


def faults(errors: Mapping[str, str]) -> list[tuple[str, str]]:
    """What is to mend, each with the field that it leads to."""
    return [(path, f"{path}: {text}" if path else text) for path, text in errors.items()]


def _told(refusal: BadContext) -> str:
    count = len(refusal.faults)
    more = f", and {count - 1} more" if count > 1 else ""
    return f"Not to be rendered yet: {refusal.faults[0]}{more}"


def _has_masks(said: Said) -> bool:
    return MASK in str(said.document)


def _new(typed: Typed) -> Frame:
    role = TEMPLATES.get(typed.heads.get("role", ""))
    lead = role.summary if role else "What machines that start with it are to become."
    title = f"New context: {role.title}" if role else "New context"
    return Frame(title, lead, "/contexts/new/edit", "/contexts/new", "Create context",
                 "Save context")  # fmt: skip


def _old(opened: library.Opened) -> Frame:
    one = opened.context
    lead = f"Revision {one.revision}. What you save becomes revision {one.revision + 1}."
    return Frame(
        f"Edit {one.name}", lead, f"/contexts/{one.id}/edit", f"/contexts/{one.id}", one.name,
        f"Save revision {one.revision + 1}", can_seal=one.visibility != "public",
        sealed=one.sealed,
    )  # fmt: skip
