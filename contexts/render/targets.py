"""All targets, and the one function that renders."""

from __future__ import annotations

from collections.abc import Mapping

from contexts.part import Machine, Part
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
    parts: Mapping[str, Part],
) -> Rendered:
    """The files of a target; pure. ``target`` may name a variant, as ``mime:epilogue``.

    The document has passed `contexts.check.check`. What cannot be written so that every reader
    reads the same is refused as `NotRenderable`; an unknown target is a `KeyError`.
    """
    name, _, variant = target.partition(":")
    found = TARGETS[name]
    if variant and variant not in found.variants:
        raise KeyError(target)
    asked = vacuum.at_site(machine) if name == "vacuum" else machine
    whole = gather(document, asked, parts)
    made = found.make(Order(whole, revision, asked, variant))
    warnings = tuple(dict.fromkeys([*whole.warnings, *made.warnings]))
    return Rendered(made.files, warnings, made.secrets, made.size)


__all__ = ["TARGETS", "NotRenderable", "render"]
