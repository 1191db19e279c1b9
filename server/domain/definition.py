"""A production as a person writes it down: a TOML file, read with every fault told at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from server.domain.errors import BadInput
from server.domain.match import Requirements
from server.domain.payload import Limits, Payload
from server.domain.physics import Plot
from server.domain.policy import Policy
from server.domain.reading import Unreadable
from server.domain.schema import read
from server.domain.split import units_total

__all__ = [
    "Definition",
    "Faults",
    "Limits",
    "Payload",
    "Plan",
    "Plot",
    "Policy",
    "Requirements",
    "parse",
]

MANIFEST_VERSION = 1


class Faults(BadInput):
    """This is not a definition of a production."""

    code = "bad-definition"


@dataclass(frozen=True)
class Plan:
    """What a production comes to before it runs.

    ``copies`` are all events to be computed, each as often as the quorum wants if every copy
    agrees; ``bytes`` are sent by hosts for them, uncompressed, and ``core_hours`` spent. The last
    two are None if nothing is known of the payload's size and speed.
    """

    units: int
    events: int
    copies: int
    bytes: int | None
    core_hours: float | None


@dataclass(frozen=True)
class Definition:
    """What a production is: its events, its payload, and how they are brought together."""

    name: str
    events: int
    unit: int
    seed: int
    format: str
    description: str
    payload: Payload
    inputs: Mapping[str, str]
    environment: Mapping[str, str]
    limits: Limits
    policy: Policy
    requirements: Requirements
    plots: Mapping[str, Plot] = field(default_factory=dict)

    def manifest(self, payload_digest: str, signed_at: float) -> dict[str, Any]:
        """What the author signs: every field of the manifest, with the bundle by its digest."""
        payload = self.payload
        # Left out if not asked for: manifests signed before there was such a thing stay the same.
        limits = asdict(self.limits)
        if not self.limits.memory_mb_most:  # manifests signed before there was such a thing
            del limits["memory_mb_most"]
        network = {"network": True} if self.requirements.network else {}
        return {
            "name": self.name,
            "payload": payload_digest,
            "command": list(payload.command),
            "events": self.events,
            "seed": self.seed,
            "mode": payload.mode,
            "granule": payload.granule,
            "block": payload.block,
            "reference": payload.reference,
            "cores": payload.cores,
            "inputs": dict(self.inputs),
            "environment": dict(self.environment),
            "split": payload.split,
            "limits": limits,
            "signed_at": signed_at,
            "v": MANIFEST_VERSION,
            **network,
        }

    def disagreements(self, manifest: Mapping[str, Any]) -> list[str]:
        """Where a signed manifest is not the one of this definition; whose bundle is not asked."""
        own = self.manifest(manifest.get("payload", ""), manifest.get("signed_at", 0.0))
        found = [
            f"{name}: the definition says {own[name]!r}, the manifest {manifest[name]!r}"
            if name in manifest
            else f"{name}: the definition says {own[name]!r}, the manifest nothing"
            for name in own
            if name not in manifest or manifest[name] != own[name]
        ]
        found.extend(
            f"{name}: the manifest says {manifest[name]!r}, the definition knows no such thing"
            for name in manifest
            if name not in own
        )
        return found

    def plan(self, seconds_per_event: float | None, bytes_per_event: float | None) -> Plan:
        """What it comes to, if an event takes this long on one slot and has this many bytes."""
        copies = self.events * self.policy.quorum
        return Plan(
            units=units_total(self.events, self.unit),
            events=self.events,
            copies=copies,
            bytes=None if bytes_per_event is None else round(copies * bytes_per_event),
            core_hours=None
            if seconds_per_event is None
            else copies * seconds_per_event * self.payload.cores / 3600,
        )


@lru_cache(maxsize=16)
def parse(text: str) -> Definition:
    """Read a production file; `Faults` has every fault as "line N: what; the rule; the cure".

    The latest are remembered: pages that anybody may ask for look into them again and again. So
    nobody can change what is handed out.
    """
    try:
        found = read(text)
    except Unreadable as error:
        raise Faults(error.faults) from None
    return Definition(
        **found["production"],
        payload=Payload(**found["payload"]),
        inputs=MappingProxyType(found["inputs"]),
        environment=MappingProxyType(found["environment"]),
        limits=Limits(**found["limits"]),
        policy=Policy(**found["policy"]),
        requirements=Requirements(**found["requirements"]),
        plots=MappingProxyType({name: Plot(**plot) for name, plot in found["plots"].items()}),
    )
