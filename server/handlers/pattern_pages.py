"""The page of one pattern: tried on a log, then saved; for operators."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from aiohttp import web

from server.domain.errors import BadInput, Exists, NotFound, Refusal
from server.domain.patterns import ACTIONS, KINDS, Pattern
from server.domain.roles import Caller
from server.handlers import showing
from server.handlers.access import Person
from server.handlers.door import Form
from server.handlers.routes import HTML, Body, Route
from server.services import patterning, produce
from server.services.deps import Deps
from server.services.patterning import Row, Trial

NEW = "/new-pattern"
LOG_MOST = 200_000  # bytes of a form: a log of 64 KiB may come escaped threefold
FIELDS = ("name", "regex", "kind", "action", "most", "factor", "payload", "rank", "note",
          "enabled", "log", "word", "production", "do")  # fmt: skip
BLANK = {**asdict(Pattern("", "", "unknown", "retry-elsewhere")), "log": "", "word": "",
         "production": ""}  # fmt: skip
# How the faults of `server.domain.patterns` begin, and the field that each stands beside.
_PLACES = (("a name", "name"), ("kind", "kind"), ("action", "action"), ("most", "most"),
           ("factor", "factor"), ("rank", "rank"), ("a note", "note"), ("an expression", "regex"),
           ("RE2", "regex"), ("the expression", "regex"), ("log", "log"))  # fmt: skip


def _number(form: Form, name: str, default: float) -> float:
    text = form.get(name, "").strip()
    try:
        found = float(text) if text else default
    except ValueError as error:
        raise BadInput([f"{name} {text[:20]!r}: a number is wanted here"]) from error
    if not math.isfinite(found):
        raise BadInput([f"{name} {text[:20]!r}: a number with an end is wanted here"])
    return found


def _pattern(form: Form, name: str) -> Pattern:
    return Pattern(
        name, form.get("regex", ""), form.get("kind", ""), form.get("action", ""),
        int(_number(form, "most", 0)), _number(form, "factor", 2.0),
        form.get("payload", "").strip(), int(_number(form, "rank", 500)), "enabled" in form,
        form.get("note", "").strip(),
    )  # fmt: skip


def _beside(refusal: Refusal) -> dict[str, str]:
    """The faults of a refusal by the field that they stand beside."""
    found: dict[str, str] = {}
    for fault in getattr(refusal, "faults", None) or [str(refusal)]:
        said = fault.partition("': ")[2] if fault.startswith("pattern '") else fault
        where = next((field for start, field in _PLACES if said.startswith(start)), "regex")
        found[where] = f"{found[where]}; {said}" if where in found else said
    return found


@dataclass(frozen=True)
class PatternPages:
    """The handlers."""

    deps: Deps

    async def new(self, request: web.Request, caller: Caller) -> web.Response:
        """An empty form."""
        return await self._show(request, caller, None, BLANK)

    async def edit(self, request: web.Request, caller: Caller) -> web.Response:
        """A pattern as it is."""
        row = await patterning.one(self.deps, request.match_info["name"])
        return await self._show(request, caller, row, {**BLANK, **asdict(row.pattern)})

    async def add(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Try a new pattern, or save it."""
        return await self._take(request, caller, form, None, form.get("name", "").strip())

    async def save(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Try a pattern as it shall be, or save it."""
        row = await patterning.one(self.deps, request.match_info["name"])
        return await self._take(request, caller, form, row, row.pattern.name)

    async def remove(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Take a pattern away; a built-in one that was changed is as it came."""
        await patterning.remove(self.deps, request.match_info["name"], caller.name)
        return showing.onward(request, "/patterns", "It is removed, or as it came.")

    async def _take(
        self, request: web.Request, caller: Caller, form: Form, row: Row | None, name: str
    ) -> web.Response:
        values = {**BLANK, **{key: form.get(key, "") for key in FIELDS}}
        values["enabled"] = "enabled" in form
        try:
            pattern = _pattern(form, name)
            if form.get("do") == "try":
                trial = await self._try(form, pattern)
                return await self._show(request, caller, row, values, trial=trial)
            put = patterning.save if row else patterning.add
            await put(self.deps, pattern, caller.name)
        except (BadInput, Exists, NotFound) as refusal:
            beside = {"name": str(refusal)} if isinstance(refusal, Exists) else _beside(refusal)
            return await self._show(request, caller, row, values, beside)
        return showing.onward(request, f"/patterns/{name}", "It is saved.")

    async def _try(self, form: Form, pattern: Pattern) -> Trial:
        production, log = form.get("production", ""), form.get("log", "").replace("\r\n", "\n")
        if production:
            return await patterning.try_production(self.deps, pattern, production)
        if not log.strip() and not form.get("word", ""):
            raise BadInput(["log: give one, or choose a production whose logs are read"])
        word = form.get("word", "")
        return await patterning.try_log(self.deps, pattern, log, pattern.payload, word)

    async def _show(
        self,
        request: web.Request,
        caller: Caller,
        row: Row | None,
        values: Mapping[str, object],
        errors: Mapping[str, str] | None = None,
        trial: Trial | None = None,
    ) -> web.Response:
        names = [each.name for each in await produce.everyone(self.deps)]
        return showing.show(
            request, caller, "pattern", 400 if errors else 200, here="patterns", row=row,
            values=values, errors=errors or {}, trial=trial, kinds=KINDS, productions=names,
            actions=[(one, one.replace("-", " ")) for one in ACTIONS],
            action=f"/patterns/{row.pattern.name}" if row else NEW,
        )  # fmt: skip

    def routes(self) -> list[Route]:
        """The page, and its forms."""
        operator = Person("operator")
        one = "/patterns/{name:[a-z0-9][a-z0-9._-]{0,62}}"
        return [
            Route("GET", NEW, self.new, operator, "A new pattern, as a page.", media=HTML,
                  head=True),
            Route("POST", NEW, self.add, operator, "Try a new pattern, or save it.", Body.FORM,
                  media=HTML, most=LOG_MOST, fields=FIELDS, codes=("bad-input", "exists")),
            Route("GET", one, self.edit, operator, "A pattern as a page.", media=HTML, head=True,
                  codes=("pattern-unknown",)),
            Route("POST", one, self.save, operator, "Try a pattern as it shall be, or save it.",
                  Body.FORM, media=HTML, most=LOG_MOST, fields=FIELDS,
                  codes=("bad-input", "pattern-unknown")),
            Route("POST", f"{one}/remove", self.remove, operator,
                  "Take a pattern away, or have it as it came.", Body.FORM, media=HTML,
                  codes=("pattern-unknown", "built-in")),
        ]  # fmt: skip
