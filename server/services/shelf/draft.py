"""What somebody wants to keep as a context, held to its rules before anything is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contexts import envelope
from contexts.check import check
from contexts.layers import Layer
from contexts.schema import Fault
from contexts.templates import TEMPLATES
from server.domain.errors import BadInput
from server.services.shelf import layering
from server.services.shelf.faults import BadContext, shape
from server.services.shelf.veil import Said

NAME_MOST, ABOUT_MOST, NOTE_MOST, TAGS_MOST = 100, 4000, 200, 10
_TAG = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
ID = r"[0-9a-f]{32}"


@dataclass(frozen=True)
class Draft:
    """What is to be kept: a document in clear, or an envelope that only its owner can open.

    ``site`` and ``role`` say whose defaults lie below it; ``template`` that others of its circle
    are offered it as a beginning.
    """

    name: str
    description: str = ""
    tags: tuple[str, ...] = ()
    site: str = ""
    role: str = ""
    template: bool = False
    said: Said | None = None
    envelope: Mapping[str, Any] | None = None
    note: str = ""


def held(draft: Draft, sites: frozenset[str], below: list[Layer], aad: str) -> None:
    """Hold a draft to all rules. Raises BadContext, BadInput.

    ``sites`` are those whose defaults its owner may use, ``below`` the layers that it lies on,
    ``aad`` what its envelope has to be bound to.
    """
    if (draft.said is None) == (draft.envelope is None):
        raise BadInput(["give a document, or an envelope: one of the two"])
    faults = [*_texts(draft), *_below(draft, sites)]
    if draft.envelope is not None:
        faults += _envelope(draft.envelope, aad)
    elif draft.said is not None:
        faults += wrong(draft.said, below)
    if faults:
        raise BadContext(faults)


def wrong(said: Said, below: list[Layer]) -> list[Fault]:
    """What is wrong with a document that lies on these layers."""
    if found := shape(said.document):
        return found
    return check(layering.on(below, said).document)


def _texts(draft: Draft) -> list[Fault]:
    found: list[Fault] = []
    if not 1 <= len(draft.name.strip()) <= NAME_MOST or not draft.name.isprintable():
        found.append(Fault("name", f"one line of 1 to {NAME_MOST} characters: give it a name"))
    if len(draft.description) > ABOUT_MOST:
        found.append(Fault("description", f"at most {ABOUT_MOST} characters: shorten it"))
    if len(draft.note) > NOTE_MOST or not (draft.note.isprintable() or not draft.note):
        found.append(Fault("note", f"one line of at most {NOTE_MOST} characters: shorten it"))
    if len(draft.tags) > TAGS_MOST or any(not _TAG.fullmatch(tag) for tag in draft.tags):
        rule = f"at most {TAGS_MOST} words of a-z, 0-9 and - (up to 31 characters)"
        found.append(Fault("tags", f"{rule}: mend them"))
    return found


def _below(draft: Draft, sites: frozenset[str]) -> list[Fault]:
    found: list[Fault] = []
    if draft.site and draft.site not in sites:
        found.append(
            Fault("site", "you have no machine at this site and do not run it: choose another")
        )
    if draft.role and draft.role not in TEMPLATES:
        found.append(Fault("role", f"none of {', '.join(TEMPLATES)}: choose one, or none"))
    return found


def _envelope(found: Mapping[str, Any], aad: str) -> list[Fault]:
    """What is wrong with the envelopes of a sealed context, as far as who cannot open them sees."""
    if set(found) != {"user_data", "source"}:
        return [Fault("envelope", "it has an envelope user_data and one called source: give both")]
    faults = []
    for name, bound in (("user_data", aad), ("source", f"{aad}:source")):
        try:
            body = envelope.checked(found[name])
        except envelope.NoEnvelope as error:
            faults.append(Fault(f"envelope.{name}", str(error)))
            continue
        if body["aad"] != bound:
            faults.append(Fault(f"envelope.{name}", f"its aad has to be {bound}: seal it again"))
    return faults
