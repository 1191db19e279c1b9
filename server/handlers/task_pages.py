"""Tasks for operators: found among all there ever were, and the page of one."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from server.domain.errors import BadInput, NotFound
from server.domain.roles import Caller
from server.domain.task import TaskState
from server.handlers import params, showing
from server.handlers.access import Person, Role
from server.handlers.routes import HTML, Query, Route
from server.handlers.sse import MEDIA, Live
from server.services import tasklist
from server.services.deps import Deps
from server.services.tasklist import ORDERS, Sought, TaskPage, TaskStory
from web.render import page

PAGE = 50
PACE_S = 2.0  # a followed page is rendered
LETTERS = 100  # of what is typed into a filter
_QUERY = (
    Query("production", "string", "Only of this production, by name or number.", ""),
    Query("state", "string", "Only in this state.", ""),
    Query("host", "string", "Only of this machine, by name or number.", ""),
    Query("account", "string", "Only of this account.", ""),
    Query("site", "string", "Only of this site.", ""),
    Query("kind", "string", "Only with this class of failure.", ""),
    Query("since", "string", "Only what ended at this time or after (ISO 8601 or seconds).", ""),
    Query("until", "string", "Only what ended before this time.", ""),
    Query("order", "string", f"One of {', '.join(ORDERS)}.", ORDERS[0]),
    Query("after", "string", "The `next` of the page before.", ""),
)


def sought_of(request: web.Request) -> Sought:
    """What the address asks for."""
    known = {one.name for one in fields(Sought)}
    said = {name: text[:LETTERS].strip() for name, text in request.query.items() if name in known}
    return Sought(**said)


def _said(sought: Sought) -> dict[str, str]:
    """What of it is said at all."""
    return {name: text for name, text in vars(sought).items() if text}


@dataclass(frozen=True)
class TaskPages:
    """The handlers, of pages and of programs."""

    deps: Deps

    async def page(self, request: web.Request, caller: Caller) -> web.Response:
        """The tasks that are sought."""
        sought, status, fault = sought_of(request), 200, ""
        facts: dict[str, Any] = {"sought": sought}
        try:
            facts = await self._listed(sought)
        except (BadInput, NotFound) as refusal:
            status, fault = (400 if isinstance(refusal, BadInput) else 404), str(refusal)
        return showing.show(
            request, caller, "tasks", status, here="tasks", fault=fault, states=list(TaskState),
            kinds=await tasklist.kinds(self.deps), asked=urlencode(_said(sought)), **facts,
        )  # fmt: skip

    async def _listed(self, sought: Sought) -> dict[str, Any]:
        found = await tasklist.find(self.deps, sought, PAGE)
        query = urlencode(_said(replace(sought, after="")))
        return {"sought": sought, "found": found, "query": query}

    async def follow(self, request: web.Request, caller: Caller) -> Live:
        """The same, live: of each that is looked for one rendering, for all who look for it."""
        sought = sought_of(request)

        async def render() -> str:
            return page("tasks_live", **await self._listed(sought))

        return Live(("tasks", sought), render, PACE_S)

    async def show(self, request: web.Request, caller: Caller) -> web.Response:
        """One task."""
        story = await tasklist.story(self.deps, params.path_number(request, "task"))
        return showing.show(request, caller, "task", here="tasks", story=story)

    async def follow_one(self, request: web.Request, caller: Caller) -> Live:
        """The same, live."""
        task = params.path_number(request, "task")

        async def render() -> str:
            return page("task_live", story=await tasklist.story(self.deps, task))

        return Live(("task", task), render, PACE_S)

    async def find(self, request: web.Request, caller: Caller) -> TaskPage:
        """The tasks that are sought, for programs."""
        limit = params.query_number(request, "limit", PAGE, 1, 1000)
        return await tasklist.find(self.deps, sought_of(request), limit)

    async def story(self, request: web.Request, caller: Caller) -> TaskStory:
        """One task, for programs."""
        return await tasklist.story(self.deps, params.path_number(request, "task"))

    def routes(self) -> list[Route]:
        """The pages, and what programs read."""
        base, task = "/api/v1", f"/tasks/{{task:{params.ID}}}"
        limit = Query("limit", "integer", "At most so many.", PAGE)
        unknown = ("bad-input", "production-unknown", "host-unknown", "account-unknown",
                   "site-unknown")  # fmt: skip
        return [
            Route("GET", "/tasks", self.page, Person("operator"), "The tasks as a page",
                  media=HTML, head=True, query=_QUERY, codes=unknown),
            Route("GET", task, self.show, Person("operator"), "A task as a page", media=HTML,
                  head=True, codes=("task-unknown",)),
            Route("GET", "/tasks/events", self.follow, Person("operator"), "The tasks, live",
                  media=MEDIA, query=_QUERY, codes=(*unknown, "too-many-listeners")),
            Route("GET", f"{task}/events", self.follow_one, Person("operator"), "A task, live",
                  media=MEDIA, codes=("task-unknown", "too-many-listeners")),
            Route("GET", f"{base}/tasks", self.find, Role("operator"),
                  "Tasks by what is looked for, a page of them.", reply=TaskPage,
                  query=(*_QUERY, limit), codes=(*unknown, "bad-parameter")),
            Route("GET", f"{base}{task}/story", self.story, Role("operator"),
                  "One task: its copies, its log and what was found in it, its steps.",
                  reply=TaskStory, codes=("task-unknown",)),
        ]  # fmt: skip
