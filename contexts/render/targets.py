"""All targets, and the one function that renders."""

from __future__ import annotations

from collections.abc import Mapping

from contexts.check import check
from contexts.part import Machine, Part
from contexts.registry import PARTS
from contexts.render import clouds, container, local, node, seed, userdata, vacuum
from contexts.render.gather import gather
from contexts.render.order import Order, Target
from contexts.render.result import NotRenderable, Rendered
from contexts.schema import Document

TARGETS: Mapping[str, Target] = {
    target.name: target
    for target in (
        userdata.MIME,
        userdata.CLOUD_CONFIG,
        userdata.AMICONFIG,
        seed.SEED,
        container.CONTAINER,
        local.LOCAL,
        clouds.CLOUD,
        vacuum.VACUUM,
        node.AGENT,
    )
}
"""By name, in the order in which people are offered them."""


def render(
    document: Document,
    revision: int,
    target: str,
    machine: Machine,
    parts: Mapping[str, Part] = PARTS,
) -> Rendered:
    """The files of a target; pure. ``target`` may name a variant, as ``mime:epilogue``.

    A document with a fault (`contexts.check.check`) is refused as `NotRenderable`, and so is what
    cannot be written so that every reader reads the same; an unknown target is a `KeyError`.
    """
    if faults := check(document, parts):
        raise NotRenderable(faults[0].path, faults[0].text)
    name, _, variant = target.partition(":")
    found = TARGETS[name]
    if variant and variant not in found.variants:
        raise KeyError(target)
    asked = vacuum.at_site(machine) if name == "vacuum" else machine
    whole = gather(document, asked, parts)
    version = str(document.get("cernvm", {}).get("version", ""))
    made = found.make(Order(whole, revision, asked, variant, version))
    warnings = tuple(dict.fromkeys([*whole.warnings, *made.warnings]))
    return Rendered(made.files, warnings, made.secrets, made.size)


__all__ = ["TARGETS", "NotRenderable", "render"]
