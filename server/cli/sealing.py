"""Contexts sealed and opened on the machine of their owner: the server never sees the secret."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

import click

from contexts import envelope
from contexts.hiding import stripped
from contexts.layers import Layer, merge
from contexts.part import Machine
from contexts.render.result import NotRenderable
from server.cli.client import Client
from server.cli.exits import BadFile, CheckFailed, Interrupted, Missing, WrongUse
from server.cli.payload import rows_of

Body = dict[str, Any]
SOURCE = ("document", "without", "site", "role")


def secret_twice() -> str:
    """A new secret, typed twice without being shown."""
    text = _asked("Secret key", confirm=True)
    if len(text) < envelope.LEAST_SECRET:
        raise WrongUse(f"a secret key has at least {envelope.LEAST_SECRET} characters")
    return text


def _asked(words: str, *, confirm: bool = False) -> str:
    try:
        return str(click.prompt(words, hide_input=True, confirmation_prompt=confirm, err=True))
    except click.Abort as error:
        raise Interrupted("nobody gave a secret key, so nothing was done") from error


def sealed(server: Client, body: Body, context: str = "", revision: int = 1) -> Body:
    """A body with envelopes instead of its document, and the id that they are bound to."""
    # Here, not above: every other command would load it, too.
    from contexts.render.targets import render

    secret, id = secret_twice(), context or uuid.uuid4().hex
    said = {key: body.get(key) or "" for key in ("site", "role")}
    said |= {"document": body.get("document") or {}, "without": body.get("without") or []}
    try:
        document = merge(_layers(server, said)).document
        made = render(document, revision, "mime", _machine(server.get("context-parts")))
    except NotRenderable as error:
        raise BadFile(f"it cannot be sealed yet: {error}") from error
    aad = envelope.bound_to(id, revision)
    source = json.dumps({key: said[key] for key in SOURCE}, separators=(",", ":"))
    envelopes = {
        "user_data": envelope.seal(made.file("user-data").text, secret, aad),
        "source": envelope.seal(source, secret, f"{aad}:source"),
    }
    bare = {key: value for key, value in body.items() if key not in ("document", "without")}
    own = {} if context else {"id": id}
    return {**bare, **own, "envelope": envelopes}


def _machine(known: Body) -> Machine:
    """What a server tells every machine of its pool, as `server.services.shelf.pool` does."""
    return Machine(
        server=known["server"],
        agent_sha256=known["agent_sha256"],
        release_key=known.get("release_key", ""),
    )


def _layers(server: Client, said: Mapping[str, Any]) -> list[Layer]:
    """What lies below, as far as the server shows it: secrets of other layers are left out."""
    found = {
        (each["layer"], each["subject"]): stripped(each["document"])
        for each in rows_of(server.get("context-defaults"), "defaults")
    }
    roles = {each["name"]: each for each in rows_of(server.get("context-templates"), "templates")}
    role, site = said["role"], said["site"]
    if role and role not in roles:
        raise Missing(f"there is no template {role}; `windfall context templates` names them")
    layers = [Layer("experiment", found.get(("experiment", ""), {}))]
    if site:
        layers.append(Layer("site", found.get(("site", site), {})))
    if role:
        layers.append(Layer("role", roles[role]["document"]))
        layers.append(Layer("role", found.get(("role", role), {})))
    layers.append(Layer("user", found.get(("user", "me"), {})))
    return [*layers, Layer("user", said["document"], without=tuple(said["without"]))]


def unsealed(found: Body) -> Body:
    """A context that was asked for, its document in clear: opened with its secret if need be."""
    if found["envelope"] is None:
        return found
    aad = envelope.bound_to(found["context"]["id"], found["revision"])
    try:
        text = envelope.open_(found["envelope"]["source"], _asked("Secret key"), f"{aad}:source")
    except ValueError as error:
        raise CheckFailed(f"it does not open: {error}") from error
    return {**found, **json.loads(text)}
