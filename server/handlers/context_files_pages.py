"""Files of contexts for browsers: downloads, import; the pages of defaults and boards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from server.domain.errors import BadInput, Refusal
from server.domain.roles import Caller
from server.handlers import context_editor, context_form, showing
from server.handlers.access import Person
from server.handlers.context_editor import CODES, FORM_MOST, ONE, Frame
from server.handlers.context_files_api import exported, layer_of
from server.handlers.context_form import Typed
from server.handlers.context_launch import sent
from server.handlers.door import DOOR, Form
from server.handlers.params import query_number, query_revision
from server.handlers.routes import BYTES, HTML, Body, Query, Route
from server.handlers.shape import status_of
from server.services import clusters
from server.services.clusters import Boards
from server.services.deps import Deps
from server.services.shelf import files, keep, layering, rendering
from server.services.shelf.draft import Draft
from server.services.shelf.faults import BadContext
from server.services.shelf.rendering import Wish
from server.services.shelf.veil import Said

WORDS = {"experiment": "The experiment", "site": "Site", "role": "Role", "user": "You"}
KNOWN = (*CODES, "revision-unknown", "file-unknown", "bad-parameter")
LAYER = "/contexts/defaults/{layer:site|role|user}/{subject:[A-Za-z0-9_.-]{1,64}}"


@dataclass(frozen=True)
class ContextFilesPages:
    """The handlers."""

    deps: Deps
    boards: Boards
    editor: context_editor.ContextEditor

    async def download(self, request: web.Request, caller: Caller) -> web.Response:
        """One file of a rendering."""
        found = request.match_info
        number = query_revision(request)
        secrets = query_number(request, "secrets", 0, 0, 1) == 1
        wish = Wish(found["target"], secrets)
        _, made = await rendering.of_context(self.deps, caller, found["id"], number, wish)
        file = rendering.file_of(made, found["file"])
        return sent(file.name, file.body)

    async def export(self, request: web.Request, caller: Caller) -> web.Response:
        """A context as a file to keep or send."""
        made = await exported(self.deps, request, caller)
        return sent(made.file, made.text.encode())

    async def ask_file(self, request: web.Request, caller: Caller) -> web.Response:
        """The page on which a file is given."""
        return showing.show(
            request, caller, "context_import", text="", file="", found=None, name="", errors={},
            here="dashboard",
        )  # fmt: skip

    async def take_file(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """What is in a file, and, once that was seen, a context of it."""
        text, file = form.get("text", "").replace("\r\n", "\n"), form.get("file", "")[:200]
        name, deed = form.get("name", "").strip(), form.get("do", "look")
        found: files.Imported | None = None
        errors: dict[str, str] = {}
        status = 200
        try:
            found = await files.read(self.deps, text, file)
            name = name or found.name
            if deed == "edit":
                return await self._edit(request, caller, found, name)
            if deed == "save":
                said = Said(found.document)
                made = await keep.create(
                    self.deps, caller, Draft(name, found.description, said=said)
                )
                return showing.onward(request, f"/contexts/{made.id}", f"{name} is imported.")
        except BadContext as refusal:
            errors, status = refusal.places, status_of(refusal.code)
        except BadInput as refusal:
            errors, status = {"text": str(refusal)}, status_of(refusal.code)
        return showing.show(
            request, caller, "context_import", status, text=text, file=file, found=found,
            name=name, errors=errors, faults=context_editor.faults(errors), here="dashboard",
        )  # fmt: skip

    async def _edit(
        self, request: web.Request, caller: Caller, found: files.Imported, name: str
    ) -> web.Response:
        """The editor, filled with what is in a file."""
        heads = {"name": name, "description": found.description, "tags": "", "role": "",
                 "site": "", "note": ""}  # fmt: skip
        typed = Typed(heads, said=Said(found.document))
        return await self.editor.show_new(request, caller, typed)

    async def layers(self, request: web.Request, caller: Caller) -> web.Response:
        """The defaults of every layer."""
        found = await layering.listed(self.deps, caller)
        return showing.show(
            request, caller, "context_defaults", layers=found, words=WORDS, here="dashboard"
        )

    async def edit_layer(self, request: web.Request, caller: Caller) -> web.Response:
        """The form of a layer."""
        layer, subject = layer_of(request)
        found = await layering.show(self.deps, caller, layer, subject)
        heads = dict.fromkeys(context_form.HEADS, "")
        typed = Typed(heads, said=Said(found.document), started_from=found.number)
        return await self._show_layer(request, caller, typed)

    async def save_layer(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Other defaults."""
        typed = context_form.read(form)
        if typed.deed != "save":
            return await self._show_layer(request, caller, typed)
        layer, subject = layer_of(request)
        try:
            await layering.save(
                self.deps, caller, layer, subject, typed.started_from, typed.said.document
            )
        except BadContext as refusal:
            return await self._show_layer(request, caller, typed, refusal.places, 400)
        except Refusal as refusal:
            status = status_of(refusal.code)
            return await self._show_layer(request, caller, typed, {"": str(refusal)}, status)
        said = "The defaults are saved; contexts begin with them from now on."
        return showing.onward(request, "/contexts/defaults", said)

    async def _show_layer(
        self, request: web.Request, caller: Caller, typed: Typed,
        errors: dict[str, str] | None = None, status: int = 200,
    ) -> web.Response:  # fmt: skip
        layer, subject = layer_of(request)
        found = await layering.show(self.deps, caller, layer, subject)
        if not found.may_change:
            raise layering.no_such(layer, subject)
        name = WORDS[layer] if layer in ("experiment", "user") else f"{WORDS[layer]} {subject}"
        lead = "Contexts that lie on these say only what differs."
        if layer in ("experiment", "role"):
            lead += " Everybody's machines get them, so they can hold no secrets."
        frame = Frame(f"Defaults: {name}", lead, request.path, "/contexts/defaults", "Defaults",
                      "Save defaults", can_seal=False)  # fmt: skip
        facts: dict[str, Any] = context_editor.bare(frame, typed, errors or {})
        return showing.show(request, caller, "context_edit", status, **facts)

    async def show_boards(self, request: web.Request, caller: Caller) -> web.Response:
        """The boards of somebody."""
        return await self._boards(request, caller)

    async def _boards(
        self, request: web.Request, caller: Caller, fault: str = "", note: str = ""
    ) -> web.Response:
        found = await clusters.mine(self.deps, caller.account)
        return showing.show(
            request, caller, "clusters", 400 if fault else 200, boards=found, note=note,
            length="12", now=self.deps.clock(), url=self.deps.desk.url, here="dashboard",
            faults=[("", fault)] if fault else [],
        )  # fmt: skip

    async def make_board(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """A new board."""
        length, note = form.get("length", ""), form.get("note", "").strip()
        try:
            wanted = int(length) if length.isdigit() and len(length) < 4 else 0
            await clusters.make(self.deps, caller.account, note, wanted)
        except BadInput as refusal:
            return await self._boards(request, caller, str(refusal), note)
        return showing.onward(request, "/clusters", "The board is there for a day.")

    async def drop_board(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """A board goes."""
        place = request.app[DOOR].address(request)
        await self.boards.remove(place, form.get("pin", "")[:64])
        return showing.onward(request, "/clusters", "The board is removed.")

    def routes(self) -> list[Route]:
        """Every route of these."""
        own = Person("volunteer")
        wanted = (Query("revision", "integer", "Its number.", 0),
                  Query("secrets", "integer", "1: with secrets in clear.", 0))  # fmt: skip
        file = f"{ONE}/files/{{target:[a-z:-]{{1,40}}}}/{{file:[A-Za-z0-9_.-]{{1,80}}}}"
        return [
            Route("GET", file, self.download, own, "A file of a rendering.", media=BYTES,
                  codes=KNOWN, query=wanted),
            Route("GET", f"{ONE}/export", self.export, own, "A context as a file.", media=BYTES,
                  codes=KNOWN, query=(Query("form", "string", "json or context.", "json"),
                                      *wanted)),
            Route("GET", "/contexts/import", self.ask_file, own, "Where a file is given.",
                  media=HTML, head=True),
            Route("POST", "/contexts/import", self.take_file, own, "Make a context of a file.",
                  Body.FORM, media=HTML, most=FORM_MOST, codes=CODES,
                  fields=("text", "file", "name", "do")),
            Route("GET", "/contexts/defaults", self.layers, own, "The defaults of every layer.",
                  media=HTML, head=True),
            Route("GET", "/contexts/defaults/experiment", self.edit_layer, own,
                  "The form of the experiment's defaults.", media=HTML,
                  codes=("defaults-unknown",)),
            Route("POST", "/contexts/defaults/experiment", self.save_layer, own,
                  "Set the experiment's defaults.", Body.FORM, media=HTML, most=FORM_MOST,
                  codes=("defaults-unknown", *CODES)),
            Route("GET", LAYER, self.edit_layer, own, "The form of a layer's defaults.",
                  media=HTML, codes=("defaults-unknown",)),
            Route("POST", LAYER, self.save_layer, own, "Set a layer's defaults.", Body.FORM,
                  media=HTML, most=FORM_MOST, codes=("defaults-unknown", *CODES)),
            Route("GET", "/clusters", self.show_boards, own, "Boards of clusters.", media=HTML,
                  head=True, codes=("secret-lost",)),
            Route("POST", "/clusters", self.make_board, own, "Make a board.", Body.FORM,
                  media=HTML, fields=("note", "length"), codes=("bad-input",)),
            Route("POST", "/clusters/remove", self.drop_board, own, "Remove a board.", Body.FORM,
                  media=HTML, fields=("pin",), codes=("cluster-unknown", "too-many")),
        ]  # fmt: skip
