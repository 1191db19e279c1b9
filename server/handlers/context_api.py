"""Contexts over HTTP: found, made, changed, shared, read for all, removed."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from server.domain.errors import NotFound
from server.domain.roles import Caller
from server.handlers import context_views as v
from server.handlers.access import Role
from server.handlers.params import query_number, query_revision
from server.handlers.routes import NO_STORE, Body, Query, Reply, Route
from server.services.deps import Deps
from server.services.shelf import keep, library, share
from server.services.shelf.draft import Draft
from server.services.shelf.keep import Start
from server.services.shelf.share import Verdict
from server.services.shelf.veil import Said

BASE = "/api/v1/contexts"
ONE = f"{BASE}/{{id:[0-9a-f]{{32}}}}"
UNKNOWN, BAD = "context-unknown", ("bad-context", "bad-input", "secret-lost")


@dataclass(frozen=True)
class ContextApi:
    """The handlers of contexts."""

    deps: Deps
    json_most: int

    async def search(self, request: web.Request, caller: Caller) -> v.ContextList:
        """The contexts of a scope that fit some words."""
        scope, words = request.query.get("scope", "mine"), request.query.get("words", "")
        found = await library.search(self.deps, caller, scope, words)
        return v.ContextList([v.listed(each) for each in found])

    async def create(self, request: web.Request, caller: Caller, message: v.NewContext) -> Reply:
        """A new context."""
        wanted = await self._wanted(caller, message)
        made = await keep.create(self.deps, caller, wanted, message.id)
        return Reply(await self._open(caller, made.id), 201, NO_STORE)

    async def _wanted(self, caller: Caller, asked: v.NewContext) -> Draft:
        """What is to be made: what is said, on what it is made from."""
        base = Start("", "", (), "", "", Said())
        if asked.from_context:
            base = await keep.beginning(self.deps, caller, asked.from_context, asked.from_revision)
        elif asked.role and not asked.name:
            base = keep.from_role(asked.role)
        site = base.site if asked.site is None else asked.site
        role = base.role if asked.role is None else asked.role
        said: Said | None = None
        if asked.document is not None:
            said = Said(asked.document, tuple(asked.without), site, role)
        elif asked.envelope is None:
            said = base.said
        return Draft(
            asked.name or base.name,
            base.description if asked.description is None else asked.description,
            base.tags if asked.tags is None else tuple(asked.tags),
            site, role, asked.template, said, asked.envelope, asked.note,
        )  # fmt: skip

    async def _open(self, caller: Caller, context: str) -> v.OpenedContext:
        return v.opened(await library.show(self.deps, caller, context))

    async def show(self, request: web.Request, caller: Caller) -> Reply:
        """A revision of a context."""
        number = query_revision(request)
        secrets = query_number(request, "secrets", 0, 0, 1) == 1
        id = request.match_info["id"]
        found = await library.show(self.deps, caller, id, number, secrets=secrets)
        return Reply(v.opened(found), 200, NO_STORE)

    async def edit(
        self, request: web.Request, caller: Caller, message: v.ContextEdit
    ) -> v.OpenedContext:
        """The next revision."""
        id, wanted = request.match_info["id"], v.draft(message)
        await keep.edit(self.deps, caller, id, message.started_from, wanted)
        return await self._open(caller, id)

    async def restore(
        self, request: web.Request, caller: Caller, message: v.RestoreRequest
    ) -> v.OpenedContext:
        """An older revision again."""
        id = request.match_info["id"]
        await keep.restore(self.deps, caller, id, message.revision, message.started_from)
        return await self._open(caller, id)

    async def remove(self, request: web.Request, caller: Caller) -> v.Removed:
        """A context goes, and can be brought back for a while."""
        anyway = query_number(request, "anyway", 0, 0, 1) == 1
        id = request.match_info["id"]
        return v.Removed(id, await keep.remove(self.deps, caller, id, anyway=anyway))

    async def bring_back(self, request: web.Request, caller: Caller) -> v.OpenedContext:
        """A removal is undone."""
        await keep.bring_back(self.deps, caller, request.match_info["id"])
        return await self._open(caller, request.match_info["id"])

    async def history(self, request: web.Request, caller: Caller) -> v.History:
        """The revisions of a context."""
        _, found = await library.history(self.deps, caller, request.match_info["id"])
        rows = [
            v.RevisionView(one.number, one.name, one.note, one.by, one.at, one.sealed)
            for one in found
        ]
        return v.History(rows)

    async def compare(self, request: web.Request, caller: Caller) -> v.Difference:
        """What differs between two revisions."""
        old, new = (query_revision(request, name) for name in ("from", "to"))
        id = request.match_info["id"]
        if not new:
            new = (await library.show(self.deps, caller, id)).revision.number
        old = old or new - 1
        if not old:
            raise NotFound("revision", old)
        found = await library.compare(self.deps, caller, id, old, new)
        return v.Difference([v.change(each) for each in found])

    async def share(
        self, request: web.Request, caller: Caller, message: v.SharingRequest
    ) -> v.OpenedContext:
        """Who else may use a context."""
        id = request.match_info["id"]
        await share.share(self.deps, caller, id, message.visibility, message.names)
        return await self._open(caller, id)

    async def publish(self, request: web.Request, caller: Caller) -> v.OpenedContext:
        """Everybody may use the latest revision once somebody has read it."""
        await share.publish(self.deps, caller, request.match_info["id"])
        return await self._open(caller, request.match_info["id"])

    async def withdraw(self, request: web.Request, caller: Caller) -> None:
        """What was public is so no more."""
        await share.withdraw(self.deps, caller, request.match_info["id"])

    async def review(self, request: web.Request, caller: Caller, message: v.ReviewRequest) -> None:
        """What a reviewer says of a revision."""
        verdict = Verdict(message.revision, message.verdict == "list", message.note)
        await share.review(self.deps, caller, request.match_info["id"], verdict)

    def routes(self) -> list[Route]:
        """Every route of contexts, but for those of their files."""
        own, most = Role("volunteer"), self.json_most
        old = ("revision-unknown", UNKNOWN)
        return [
            Route("GET", BASE, self.search, own, "Contexts: one's own, shared, public ...",
                  reply=v.ContextList, codes=("bad-input",), query=(
                      Query("scope", "string",
                            "mine, shared, public, templates, review or removed.", "mine"),
                      Query("words", "string", "Words; +tag: one of these; -tag: none.", ""))),
            Route("POST", BASE, self.create, own, "Make a context.", Body.JSON, v.NewContext,
                  v.OpenedContext, 201, most=most,
                  codes=(*BAD, *old, "template-unknown", "exists")),
            Route("GET", ONE, self.show, own, "A revision of a context, or the latest.",
                  reply=v.OpenedContext, codes=(*old, "secret-lost", "bad-parameter"), query=(
                      Query("revision", "integer", "Its number.", 0),
                      Query("secrets", "integer", "1: its owner wants secrets in clear.", 0))),
            Route("PUT", ONE, self.edit, own, "Change a context by another revision.",
                  Body.JSON, v.ContextEdit, v.OpenedContext, most=most,
                  codes=(*BAD, UNKNOWN, "overtaken")),
            Route("DELETE", ONE, self.remove, own, "Remove a context; it can be brought back.",
                  reply=v.Removed, codes=(UNKNOWN, "in-use", "bad-parameter"), query=(
                      Query("anyway", "integer", "1: though machines use it.", 0),)),
            Route("POST", f"{ONE}/bring-back", self.bring_back, own, "Undo a removal.",
                  reply=v.OpenedContext, codes=(UNKNOWN,)),
            Route("GET", f"{ONE}/revisions", self.history, own, "The history of a context.",
                  reply=v.History, codes=(UNKNOWN,)),
            Route("GET", f"{ONE}/diff", self.compare, own, "What differs between two revisions.",
                  reply=v.Difference, codes=(*old, *BAD, "bad-parameter"), query=(
                      Query("from", "integer", "The older; the one before if none is said.", 0),
                      Query("to", "integer", "The newer; the latest if none is said.", 0))),
            Route("POST", f"{ONE}/restore", self.restore, own,
                  "Let an older revision become the next one.", Body.JSON, v.RestoreRequest,
                  v.OpenedContext, codes=(*old, *BAD, "overtaken")),
            Route("PUT", f"{ONE}/sharing", self.share, own, "Say who else may use a context.",
                  Body.JSON, v.SharingRequest, v.OpenedContext, codes=(UNKNOWN, "bad-input")),
            Route("POST", f"{ONE}/publish", self.publish, own,
                  "Ask that everybody may use it, which somebody else has to read before.",
                  reply=v.OpenedContext, codes=(*old, *BAD, "holds-secrets")),
            Route("POST", f"{ONE}/withdraw", self.withdraw, own, "Take a public context back.",
                  status=204, codes=(UNKNOWN,)),
            Route("POST", f"{ONE}/review", self.review, Role("operator"),
                  "List a revision that waits to be read, or refuse it.", Body.JSON,
                  v.ReviewRequest, status=204, codes=(UNKNOWN, "not-waiting", "bad-input")),
        ]  # fmt: skip
