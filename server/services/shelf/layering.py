"""What lies below a context: the defaults of the experiment, a site, a role and its owner."""

from __future__ import annotations

from dataclasses import dataclass, field

from contexts.hiding import restored
from contexts.layers import Layer, Resolved, merge
from contexts.schema import Document
from contexts.templates import TEMPLATES
from server.db import circles as circle_rows
from server.db import context_defaults
from server.db.base import Tx
from server.db.context_defaults import Defaults
from server.domain.errors import BadInput, Forbidden, NotFound, Overtaken
from server.domain.roles import Caller, reaches
from server.services import audit
from server.services.deps import Deps
from server.services.shelf import veil
from server.services.shelf.faults import BadContext, partial
from server.services.shelf.sight import Circles, circles_of
from server.services.shelf.veil import Said

RUNS_ALL = "admin"
"""The role that sets the defaults of the experiment and of roles; sites have their own people."""
THIS = "this context"
TITLES = {"experiment": "the experiment", "site": "site", "role": "role", "user": "your defaults"}


@dataclass(frozen=True)
class Shown:
    """Defaults as somebody may see them: with masks for secrets; number 0 if there are none."""

    layer: str
    subject: str
    number: int
    document: Document = field(default_factory=dict)
    changed_by: str = ""
    changed_at: float = 0.0
    may_change: bool = False


def _about(layer: str, subject: str, number: int) -> str:
    return f"defaults {layer} {subject} {number}"


def _whole(deps: Deps, found: Defaults | None) -> Document:
    if found is None:
        return {}
    about = _about(found.layer, found.subject, found.number)
    return veil.whole(deps.safe, found.document, found.secrets, about).document


def title(layer: str, subject: str) -> str:
    """What is shown as the origin of a value."""
    return f"{layer} {subject}" if layer in ("site", "role") else TITLES[layer]


async def below(
    deps: Deps, tx: Tx, site: str, role: str, owner: int, *, trusted: bool = False
) -> list[Layer]:
    """The layers below a context, lowest first, secrets in clear: for rendering and checking.

    Those of a site count as long as its owner belongs there: who is out learns nothing new of it.
    ``trusted`` leaves out what its owner or a site's people could change after it was read: so
    that what everybody may use is what a reviewer has seen.
    """
    wanted = [("experiment", "")]
    if site and not trusted and await circle_rows.belongs(tx, owner, site):
        wanted.append(("site", site))
    if role:
        wanted.append(("role", role))
    if not trusted:
        wanted.append(("user", str(owner)))
    found = []
    for layer, subject in wanted:
        if layer == "role" and role in TEMPLATES:
            found.append(Layer("role", TEMPLATES[role].document, title(layer, subject)))
        document = _whole(deps, await context_defaults.latest(tx, layer, subject))
        if document:
            found.append(Layer(layer, document, title(layer, subject)))
    return found


async def below_what(
    deps: Deps, tx: Tx, caller: Caller, said: Said, otherwise: str = ""
) -> list[Layer]:
    """The layers below what somebody writes, on a site of his own (``otherwise``: on this one)."""
    sites = (await circles_of(tx, caller)).sites
    site = said.site if said.site in sites else otherwise
    role = said.role if said.role in TEMPLATES else ""
    return await below(deps, tx, site, role, caller.account)


def on(lower: list[Layer], said: Said) -> Resolved:
    """A document of a context on these layers."""
    return merge([*lower, Layer("user", said.document, THIS, said.without)])


async def show(deps: Deps, caller: Caller, layer: str, subject: str) -> Shown:
    """Defaults. Raises NotFound, also for those that one may not see."""

    async def read(tx: Tx) -> Shown:
        return await _show(tx, caller, await circles_of(tx, caller), layer, subject)

    return await deps.store.read(read)


async def _show(tx: Tx, caller: Caller, circles: Circles, layer: str, subject: str) -> Shown:
    key, may_change = _place(caller, circles, layer, subject)
    found = await context_defaults.latest(tx, layer, key)
    if found is None:
        return Shown(layer, subject, 0, may_change=may_change)
    document = veil.bare(found.document).document
    return Shown(layer, subject, found.number, document, found.by, found.at, may_change)


def _place(caller: Caller, circles: Circles, layer: str, subject: str) -> tuple[str, bool]:
    """The subject as it is kept, and whether the caller may change what is there."""
    above = reaches(caller.role, RUNS_ALL)
    if layer == "experiment" and not subject:
        return "", above
    if layer == "user" and subject == "me":
        return str(caller.account), True
    if layer == "role" and subject in TEMPLATES:
        return subject, above
    if layer == "site" and subject and (above or subject in circles.sites):
        return subject, above or subject in circles.runs
    raise no_such(layer, subject)


def no_such(layer: str, subject: str) -> NotFound:
    """There are no such defaults, or not for everybody's eyes."""
    return NotFound("defaults", f"{layer} {subject}".strip()[:80])


async def save(
    deps: Deps, caller: Caller, layer: str, subject: str, started_from: int, document: Document
) -> Shown:
    """New defaults, which contexts start from at once. Raises NotFound, Forbidden, BadContext.

    Those of the experiment and of roles go to everybody's machines, so they can hold no secrets.
    """
    now = deps.clock()

    async def write(tx: Tx) -> Shown:
        circles = await circles_of(tx, caller)
        key, may_change = _place(caller, circles, layer, subject)
        if not may_change:
            raise Forbidden(RUNS_ALL if layer != "site" else "of somebody who runs the site")
        old = await context_defaults.latest(tx, layer, key)
        if faults := partial(document):
            raise BadContext(faults)
        said = Said(restored(document, _whole(deps, old)))
        number = started_from + 1
        kept = veil.keep(deps.safe, said, _about(layer, key, number))
        if kept.paths and layer in ("experiment", "role"):
            where = ", ".join(kept.paths)
            raise BadInput([f"{where}: everybody's machines get these defaults; leave secrets out"])
        made = Defaults(layer, key, number, kept.text, kept.closed, caller.name, now)
        if not await context_defaults.save(tx, made, caller.account):
            raise Overtaken("defaults", f"{layer} {subject}".strip())
        told = {"number": number, "parts": sorted(document)}
        audit.note(tx, caller.name, "defaults.change", f"{layer} {subject}".strip(), told, at=now)
        return await _show(tx, caller, circles, layer, subject)

    return await deps.store.write(write)


async def listed(deps: Deps, caller: Caller) -> list[Shown]:
    """Every layer that the caller may see, lowest first; what nobody has said is empty."""

    async def read(tx: Tx) -> list[Shown]:
        circles = await circles_of(tx, caller)
        sites = set(circles.sites)
        if reaches(caller.role, RUNS_ALL):
            known = await context_defaults.everyone(tx)
            sites |= {each.subject for each in known if each.layer == "site"}
        places = [
            ("experiment", ""),
            *(("site", name) for name in sorted(sites)),
            *(("role", name) for name in TEMPLATES),
            ("user", "me"),
        ]
        return [await _show(tx, caller, circles, *each) for each in places]

    return await deps.store.read(read)


async def lower_of(deps: Deps, caller: Caller, said: Said) -> Resolved:
    """What lies below something that the caller writes, secrets in clear: hide them to show it."""

    async def read(tx: Tx) -> Resolved:
        return merge(await below_what(deps, tx, caller, said))

    return await deps.store.read(read)


async def circles(deps: Deps, caller: Caller) -> Circles:
    """Where somebody belongs to: with whom he may share, and whose defaults he may use."""
    return await deps.store.read(lambda tx: circles_of(tx, caller))
