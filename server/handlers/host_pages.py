"""The machines, the page of one, and what administrators do about it there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from aiohttp import web

from server.domain.errors import BadInput
from server.domain.roles import Caller, reaches
from server.domain.rollup import Kind, Span
from server.handlers import drawings, params, showing
from server.handlers.access import Person
from server.handlers.ban_pages import seconds_of
from server.handlers.door import Form
from server.handlers.routes import HTML, Body, Query, Route
from server.handlers.sse import MEDIA, Live
from server.services import bans, bulk, enrol, lives, pictures, portrait, reap, words
from server.services.deps import Deps
from server.services.hostview import NOW_S, HostView
from server.services.lives import Life
from server.services.look import Look
from web.filters import in_order, moment, plural
from web.lifelines import Mark, Row, Worked, lifeline
from web.render import page

PAGE = 100  # machines
SPANS = (Span.MONTH, Span.YEAR, Span.ALL)  # of plots of one machine
LIST_S, ONE_S = 2.0, 5.0  # a followed list, and a followed machine with its drawing, are rendered
_VALUES: Mapping[str, str] = MappingProxyType(
    {"reason": "", "seconds": "86400", "word": "trust", "why": ""}
)


SORTS = (
    ("", "what they do"), ("name", "name"), ("seen", "heard of last first"),
    ("silent", "silent for longest first"), ("agreed", "most events first"),
    ("rejected", "most rejected first"), ("cores", "most cores first"),
    ("credit", "most credit first"),
)  # fmt: skip
_KEYS: Mapping[str, Callable[[HostView], Any]] = MappingProxyType(
    {
        "name": lambda host: (host.name.lower(), host.id),
        "seen": lambda host: -host.last_seen,
        "silent": lambda host: host.last_seen,
        "agreed": lambda host: -host.delivered_events,
        "rejected": lambda host: -host.rejected_events,
        "cores": lambda host: -host.cores,
        "credit": lambda host: -host.credit,
    }
)
_HOST_ACTIONS = tuple(action for action in bulk.ACTIONS if action != "release")


def _address(request: web.Request) -> tuple[int, str]:
    host = params.path_number(request, "host")
    return host, f"/hosts/{host}"


def drawn(life: Life, name: str) -> str:
    """The life of a machine lately as a strip."""
    worked = [
        Worked(
            one.start,
            one.end,
            f"{moment(one.start)} to {moment(one.end)}: {plural(one.leases, 'lease')}",
        )
        for one in life.worked
    ]
    rows = [
        Row(words, [Mark(one.at, f"{moment(one.at)}: {one.said}") for one in marks])
        for words, marks in (
            ("failed", life.failed), ("told", life.commands), ("moves", life.moves),
        )
    ]  # fmt: skip
    return lifeline(worked, rows, start=life.start, end=life.end, title=f"The life of {name}")


@dataclass(frozen=True)
class Wanted:
    """What is looked for among the machines: part of a name, a state, an order, which hundred."""

    q: str
    state: str
    sort: str
    page: int


def _wanted(request: web.Request) -> Wanted:
    """What the address asks for. Raises BadParameter."""
    said, sort = request.query, request.query.get("sort", "")
    number = params.query_number(request, "page", 1, 1, 10**6)
    q, state = said.get("q", "")[:64], said.get("state", "")[:64]
    return Wanted(q, state, sort if sort in _KEYS else "", number)


def _is_like(host: HostView, wanted: str, state: str) -> bool:
    words = f"{host.name}\n{host.account}\n{host.site}".lower()
    return wanted.lower() in words and state in ("", host.state)


@dataclass(frozen=True)
class HostPages:
    """The handlers."""

    deps: Deps
    look: Look

    async def list_hosts(self, request: web.Request, caller: Caller) -> web.Response:
        """The machines, by what is looked for, a page of them."""
        facts = await self._listed(_wanted(request), reaches(caller.role, "admin"))
        return showing.show(request, caller, "hosts", here="hosts", **facts)

    async def follow(self, request: web.Request, caller: Caller) -> Live:
        """The same, live."""
        wanted, admin = _wanted(request), reaches(caller.role, "admin")

        async def render() -> str:
            return page("hosts_live", **await self._listed(wanted, admin))

        return Live(("hosts", wanted, admin), render, LIST_S)

    async def _listed(self, wanted: Wanted, admin: bool) -> dict[str, Any]:
        hosts, now = await self.look.hosts(), self.deps.clock()
        found = [host for host in in_order(hosts) if _is_like(host, wanted.q, wanted.state)]
        if wanted.sort:
            found.sort(key=_KEYS[wanted.sort])
        first = (wanted.page - 1) * PAGE
        return {
            "wanted": wanted, "now": now, "total": len(hosts), "admin": admin, "sorts": SORTS,
            "actions": _HOST_ACTIONS, "states": sorted({host.state for host in hosts}),
            "found": len(found), "first": first + 1, "shown": found[first : first + PAGE],
            "before": wanted.page - 1 if wanted.page > 1 else None,
            "after": wanted.page + 1 if first + PAGE < len(found) else None,
            "present": sum(now - host.last_seen < NOW_S for host in hosts),
            "working": sum(host.running > 0 for host in hosts),
            "standing": sum(host.state == "banned" for host in hosts),
        }  # fmt: skip

    async def show(self, request: web.Request, caller: Caller) -> web.Response:
        """One machine."""
        return await self._show(request, caller, {}, {})

    async def ban(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Refuse a machine."""
        host, path = _address(request)
        try:
            length = seconds_of(form)
            await bans.ban(self.deps, host, form.get("reason", ""), length, caller.name)
        except BadInput as fault:
            return await self._show(request, caller, form, {"ban": str(fault)})
        return showing.onward(request, path, "It is banned, and what it had leased goes to others.")

    async def unban(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Take a machine again."""
        host, path = _address(request)
        await bans.lift(self.deps, host, caller.name)
        return showing.onward(request, path, "The ban is lifted; it may work again.")

    async def say(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Say how far a machine is believed."""
        host, path = _address(request)
        try:
            why = form.get("why", "")
            said = await words.say(self.deps, host, form.get("word", ""), why, caller.name)
        except BadInput as fault:
            return await self._show(request, caller, form, {"trust": str(fault)})
        told = f"It is {said.trust} from now on."
        if form.get("word") == words.CLEAR:
            told = "Nothing of it is doubtful any more."
        return showing.onward(request, path, told)

    async def command(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Leave a command for a machine."""
        host, path = _address(request)
        name = form.get("name", "")
        said = "take a new token" if name == "new-token" else name
        await enrol.order(self.deps, host, name, {}, caller.name)
        return showing.onward(request, path, f"It is told to {said} as soon as it is heard of.")

    async def revoke(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Believe a machine no longer."""
        host, path = _address(request)
        await reap.revoke(self.deps, host, caller.name)
        return showing.onward(request, path, "It is believed no longer.")

    async def _show(
        self,
        request: web.Request,
        caller: Caller,
        form: Mapping[str, str],
        errors: Mapping[str, str],
    ) -> web.Response:
        number = params.path_number(request, "host")
        span = params.query_span(request, SPANS, Span.MONTH)
        facts, of = await self._told(number, caller.role), (Kind.HOST, str(number))
        plots = [await pictures.picture(self.deps, plot, span, of) for plot in pictures.OF_HOST]
        return showing.show(
            request, caller, "host", 400 if errors else 200, here="hosts",
            values={**_VALUES, **form}, errors=errors, **facts,
            figures=[drawings.drawn(one) for one in plots],
            ranges=[(str(each), f"/hosts/{number}?range={each}", each is span) for each in SPANS],
        )  # fmt: skip

    async def follow_one(self, request: web.Request, caller: Caller) -> Live:
        """One machine, live."""
        number, role = params.path_number(request, "host"), caller.role

        async def render() -> str:
            return page("host_live", **await self._told(number, role))

        return Live(("host", number, role), render, ONE_S)

    async def _told(self, number: int, role: str) -> dict[str, Any]:
        found = await portrait.show(self.deps, number)
        life = await lives.of_host(self.deps, number)
        admin = reaches(role, "admin")
        return {"portrait": found, "lifeline": drawn(life, found.host.name), "admin": admin}

    def routes(self) -> list[Route]:
        """The pages, and their forms."""
        operator, admin = Person("operator"), Person("admin")
        host = f"/hosts/{{host:{params.ID}}}"
        forms = (
            ("ban", self.ban, "Refuse a machine.", ("reason", "seconds"), ("host-unknown",)),
            ("unban", self.unban, "Take a machine again.", (), ("ban-unknown",)),
            (
                "trust",
                self.say,
                "Say how far a machine is believed.",
                ("word", "why"),
                ("host-unknown",),
            ),
            (
                "command",
                self.command,
                "Leave a command for a machine.",
                ("name",),
                ("host-unknown", "host-revoked", "bad-input"),
            ),
            (
                "revoke",
                self.revoke,
                "Believe a machine no longer.",
                (),
                ("host-unknown", "host-revoked"),
            ),
        )
        query = (Query("q", "string", "Only with this in name, account or site.", ""),
                 Query("state", "string", "Only in this state.", ""),
                 Query("sort", "string", "In the order of this.", ""),
                 Query("page", "integer", "Which hundred of them.", 1))  # fmt: skip
        return [
            Route("GET", "/hosts", self.list_hosts, operator, "The machines as a page", media=HTML,
                  head=True, codes=("bad-parameter",), query=query),
            Route("GET", "/hosts/events", self.follow, operator, "The same, live", media=MEDIA,
                  codes=("bad-parameter", "too-many-listeners"), query=query),
            Route("GET", f"{host}/events", self.follow_one, operator, "A machine, live",
                  media=MEDIA, codes=("host-unknown", "too-many-listeners")),
            Route("GET", host, self.show, operator, "A machine as a page", media=HTML, head=True,
                  query=(Query("range", "string", "month, year or all.", "month"),),
                  codes=("host-unknown", "bad-parameter")),
            *(
                Route("POST", f"{host}/{name}", run, admin, summary, Body.FORM, media=HTML,
                      fields=fields, codes=codes)
                for name, run, summary, fields, codes in forms
            ),
        ]  # fmt: skip
