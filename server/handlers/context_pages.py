"""The pages of contexts: dashboard, library, one context with its history, and what is to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from server.domain.errors import BadInput, NotFound, Refusal
from server.domain.roles import Caller
from server.handlers import context_launch, context_sheet, showing
from server.handlers.access import Person
from server.handlers.context_editor import ONE, TARGET_WORDS
from server.handlers.door import Form
from server.handlers.params import query_revision
from server.handlers.routes import HTML, Body, Query, Route
from server.services import machines, stewards
from server.services.deps import Deps
from server.services.look import Look
from server.services.shelf import keep, launching, layering, library, rendering, share
from server.services.shelf.rendering import LIMIT, Preview, Wish
from server.services.shelf.share import Verdict

RECENT = 5
KNOWN = ("context-unknown", "revision-unknown", "bad-input", "bad-parameter", "secret-lost")


@dataclass(frozen=True)
class ContextPages:
    """The handlers."""

    deps: Deps
    look: Look

    async def dashboard(self, request: web.Request, caller: Caller) -> web.Response:
        """What somebody has: definitions, machines, and what he can do."""
        words = request.query.get("words", "")
        found = await library.search(self.deps, caller, "mine", words)
        every = found if not words else await library.search(self.deps, caller, "mine")
        recent = sorted(every, key=lambda one: -max(one.used_at, one.context.changed_at))
        hosts = await self.look.hosts(caller.account)
        return showing.show(
            request, caller, "dashboard", here="dashboard", contexts=found, any=bool(every),
            words=words, recent=recent[:RECENT],
            shared=await library.search(self.deps, caller, "shared"),
            removed=await library.search(self.deps, caller, "removed"),
            grace=keep.GRACE_S, machines=await machines.mine(self.deps, hosts, caller),
        )  # fmt: skip

    async def shelf(self, request: web.Request, caller: Caller) -> web.Response:
        """What everybody may use."""
        words = request.query.get("words", "")
        return showing.show(
            request, caller, "library", here="library", words=words,
            contexts=await library.search(self.deps, caller, "public", words),
            shared=await library.search(self.deps, caller, "shared", words),
        )  # fmt: skip

    async def show(self, request: web.Request, caller: Caller) -> web.Response:
        """One context."""
        return await self._show(request, caller)

    async def _show(
        self, request: web.Request, caller: Caller, refusal: Refusal | None = None
    ) -> web.Response:
        id, number = request.match_info["id"], query_revision(request)
        opened = await library.show(self.deps, caller, id, number)
        target = request.query.get("target", "mime")
        made, fault = await self._preview(caller, opened, target)
        circles = await layering.circles(self.deps, caller)
        facts: dict[str, Any] = {
            "opened": opened, "one": opened.context, "made": made, "limit": LIMIT,
            "preview_fault": fault, "target": target, "targets": TARGET_WORDS,
            "shown": context_sheet.told, "title_of": context_sheet.title_of,
            "runs": context_sheet.runs,
            "groups": sorted(circles.groups),
            "sites": sorted(circles.sites),
            "places": await stewards.names(self.deps, caller),
            "here": "dashboard" if opened.sight.mine else "library",
        }  # fmt: skip
        return showing.again(request, caller, "context", refusal, **facts)

    async def launch(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """The files of a context with a new enrolment token in them."""
        id, target = request.match_info["id"], form.get("target", "mime")
        try:
            wish = Wish(target, bool(form.get("secrets")))
            opened, made, _ = await launching.launch(
                self.deps, caller, id, _number(form, "revision"), wish,
                context_launch.invitation(form),
            )  # fmt: skip
        except Refusal as refusal:
            return await self._show(request, caller, refusal)
        if len(made.files) == 1:
            return context_launch.sent(made.files[0].name, made.files[0].body)
        name = f"{id[:8]}-{opened.revision.number}-{target.replace(':', '-')}.zip"
        return context_launch.sent(name, context_launch.packed(made.files))

    async def _preview(
        self, caller: Caller, opened: library.Opened, target: str
    ) -> tuple[Preview | None, str]:
        if opened.envelope is not None:
            return None, "It is sealed: only who has its secret key can see what is in it."
        try:
            number = opened.revision.number
            wish = Wish(target)
            _, made = await rendering.of_context(self.deps, caller, opened.context.id, number, wish)
        except Refusal as refusal:
            return None, str(refusal)
        return made, ""

    async def history(self, request: web.Request, caller: Caller) -> web.Response:
        """The revisions of a context."""
        seen, found = await library.history(self.deps, caller, request.match_info["id"])
        return showing.show(
            request, caller, "context_history", seen=seen, one=seen.context, revisions=found,
            here="dashboard",
        )  # fmt: skip

    async def compare(self, request: web.Request, caller: Caller) -> web.Response:
        """What differs between two revisions."""
        id = request.match_info["id"]
        old, new = (query_revision(request, name) for name in ("from", "to"))
        seen, _ = await library.history(self.deps, caller, id)
        new = new or seen.revision
        old = old or max(1, new - 1)
        changes = await library.compare(self.deps, caller, id, old, new)
        return showing.show(
            request, caller, "context_diff", one=seen.context, seen=seen, changes=changes, old=old,
            new=new, here="dashboard",
        )  # fmt: skip

    async def restore(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """An older revision becomes the next."""
        id, number = request.match_info["id"], _number(form, "revision")
        made = await keep.restore(self.deps, caller, id, number, _number(form, "started_from"))
        said = f"Revision {made.revision} says what revision {number} said."
        return showing.onward(request, f"/contexts/{id}", said)

    async def share(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Who else may use a context."""
        id, kind = request.match_info["id"], form.get("visibility", "")
        names = [name for name in form.getall(kind, []) if name] if kind != "private" else []
        try:
            await share.share(self.deps, caller, id, kind, names)
        except BadInput as refusal:
            return await self._show(request, caller, refusal)
        said = f"It is shared with {', '.join(names)}." if names else "It is private."
        return showing.onward(request, f"/contexts/{id}", said)

    async def publish(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Everybody may use a context, once somebody has read it."""
        id = request.match_info["id"]
        try:
            made = await share.publish(self.deps, caller, id)
        except (BadInput, share.HoldsSecrets) as refusal:
            return await self._show(request, caller, refusal)
        said = f"Revision {made.proposed} waits until an operator has read it."
        return showing.onward(request, f"/contexts/{id}", said)

    async def withdraw(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """What was public is so no more."""
        id = request.match_info["id"]
        made = await share.withdraw(self.deps, caller, id)
        onto = f"/contexts/{id}" if made.owner == caller.account else "/contexts/review"
        return showing.onward(request, onto, f"{made.name} is public no more.")

    async def remove(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """A context goes."""
        id = request.match_info["id"]
        try:
            await keep.remove(self.deps, caller, id, anyway=form.get("anyway") == "on")
        except keep.InUse as refusal:
            return await self._show(request, caller, refusal)
        said = "It is removed. Under “Removed” it can be brought back for two weeks."
        return showing.onward(request, "/dashboard", said)

    async def bring_back(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """A removal is undone."""
        made = await keep.bring_back(self.deps, caller, request.match_info["id"])
        return showing.onward(request, f"/contexts/{made.id}", f"{made.name} is back.")

    async def waiting(self, request: web.Request, caller: Caller) -> web.Response:
        """What waits to be read before everybody may use it."""
        found = await library.search(self.deps, caller, "review")
        public = await library.search(self.deps, caller, "public")
        return showing.show(
            request, caller, "context_review", contexts=found, public=public, here="review"
        )

    async def review(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """What somebody says of what he has read."""
        id, listed = request.match_info["id"], form.get("verdict") == "list"
        verdict = Verdict(_number(form, "revision"), listed, form.get("note", ""))
        try:
            made = await share.review(self.deps, caller, id, verdict)
        except BadInput as refusal:
            return await self._show(request, caller, refusal)
        word = "is public now" if listed else "is refused; its owner sees why"
        return showing.onward(request, "/contexts/review", f"{made.name} {word}.")

    def routes(self) -> list[Route]:
        """Every route of these pages."""
        own, reads = Person("volunteer"), Person("operator")
        words = (Query("words", "string", "Words; +tag: one of these; -tag: none.", ""),)
        return [
            Route("GET", "/dashboard", self.dashboard, own, "Contexts and machines of somebody.",
                  media=HTML, head=True, query=words),
            Route("GET", "/library", self.shelf, own, "Contexts that everybody may use.",
                  media=HTML, head=True, query=words),
            Route("GET", "/contexts/review", self.waiting, reads, "What waits to be read.",
                  media=HTML, head=True),
            Route("GET", ONE, self.show, own, "A context as a page.", media=HTML, codes=KNOWN,
                  query=(Query("revision", "integer", "Its number.", 0),
                         Query("target", "string", "What it is rendered for.", "mime"))),
            Route("GET", f"{ONE}/history", self.history, own, "The history of a context.",
                  media=HTML, codes=KNOWN),
            Route("GET", f"{ONE}/diff", self.compare, own, "Two revisions beside each other.",
                  media=HTML, codes=KNOWN, query=(
                      Query("from", "integer", "The older.", 0),
                      Query("to", "integer", "The newer.", 0))),
            self._form("restore", self.restore, "Let an older revision become the next.",
                       "revision", "started_from", also=("overtaken", "bad-context")),
            self._form("share", self.share, "Say who else may use it.",
                       "visibility", "group", "site"),
            self._form("launch", self.launch, "Files with a new enrolment token in them.",
                       "revision", "target", "uses", "days", "site", "secrets",
                       also=("bad-context", "site-unknown", "forbidden")),
            self._form("publish", self.publish, "Ask that everybody may use it.",
                       also=("holds-secrets",)),
            self._form("withdraw", self.withdraw, "Take a public context back."),
            self._form("remove", self.remove, "Remove it.", "anyway", also=("in-use",)),
            self._form("bring-back", self.bring_back, "Undo its removal."),
            Route("POST", f"{ONE}/review", self.review, reads, "Say whether everybody may use it.",
                  Body.FORM, media=HTML, codes=(*KNOWN, "not-waiting", "forbidden"),
                  fields=("verdict", "revision", "note")),
        ]  # fmt: skip

    def _form(
        self, word: str, handler: object, summary: str, *fields: str, also: tuple[str, ...] = ()
    ) -> Route:
        """A route of a form on the page of a context."""
        return Route(
            "POST", f"{ONE}/{word}", handler, Person("volunteer"), summary, Body.FORM,  # type: ignore[arg-type]
            media=HTML, codes=(*KNOWN, *also), fields=fields,
        )  # fmt: skip


def _number(form: Form, name: str) -> int:
    """A number that a page has put into its form. Raises NotFound if it is none."""
    text = form.get(name, "")
    if not text.isdigit() or len(text) > 9:
        raise NotFound("revision", text[:20])
    return int(text)
