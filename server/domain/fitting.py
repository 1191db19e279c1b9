"""How the values of a production file must fit together, and the defaults that follow from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from math import inf, lcm
from typing import Any

from server.domain.payload import Limits

EVENTS_MOST = 2**62
RECORDS_MOST = 1_000_000  # of a unit: their digests are judged in memory, 32 bytes each
INPUTS_MOST = 2_500_000  # as JSON; base64 makes it a third more, and a statement has at most 4 MiB
RECORD_BYTES_MOST = 16 * 1024 * 1024 - 1024  # a record travels inside one frame, which has a head
UNIT = 5000
REFERENCE = 20

Found = dict[str, dict[str, Any]]


def complete(found: Found) -> None:
    """Fill in the defaults that follow from other values, as far as these are known."""
    production, payload = found["production"], found["payload"]
    granule, block, events = payload.get("granule"), payload.get("block"), production.get("events")
    if production.get("unit", 0) is None and granule and block:
        production["unit"] = min(EVENTS_MOST, _upto(UNIT, lcm(granule, block)))
    if payload.get("reference", 0) is None and granule and events:
        payload["reference"] = min(events, _upto(REFERENCE, granule))
    if found["limits"].get("event_bytes", 0) is None:
        most = RECORD_BYTES_MOST // (granule or 1)
        found["limits"]["event_bytes"] = max(1, min(Limits.event_bytes, most))
    if found["requirements"].get("cores", 0) is None:
        found["requirements"]["cores"] = payload.get("cores")


def conflicts(found: Found) -> Iterator[tuple[tuple[str, ...], str]]:
    """The path and the fault of every value that does not fit to others that are known."""
    for names, rule in _RULES:
        places = [name.split(".") for name in names]
        values = [found[section].get(key) for section, key in places]
        fault = None if None in values else rule(*values)
        if fault is not None:
            yield tuple(places[0]), f"{names[0]} is {values[0]}; {fault}"
    yield from _inputs(found["inputs"])
    for name, plot in found["plots"].items():
        for key, fault in _plot(found["production"].get("format"), **plot):
            yield ("plots", name, key), f"plots.{name}.{key} {fault}"


def _unit_step(unit: int, events: int, granule: int, block: int) -> str | None:
    if unit >= events or unit % granule == unit % block == 0:
        return None
    return (
        f"a unit is whole granules ({granule} events) and whole blocks ({block}) unless it holds "
        f"all events; write for example unit = {_upto(unit, lcm(granule, block))}"
    )


def _unit_records(unit: int, events: int, granule: int) -> str | None:
    if min(unit, events) <= RECORDS_MOST * granule:
        return None
    return (
        f"a unit has at most {RECORDS_MOST} records (granules); "
        f"write at most unit = {RECORDS_MOST * granule}"
    )


def _reference(reference: int, events: int, granule: int) -> str | None:
    if reference == events or (reference < events and reference % granule == 0):
        return None
    return (
        f"the reference is whole granules ({granule}) of the {events} events; "
        f"write for example reference = {min(events, _upto(reference, granule))}"
    )


def _most_copies(most_copies: int, quorum: int) -> str | None:
    if most_copies >= quorum:
        return None
    return f"a quorum of {quorum} takes as many copies; write at least most_copies = {quorum}"


def _deadline(deadline_s: float, lease_s: float) -> str | None:
    if deadline_s >= lease_s:
        return None
    return f"it is not before the lease's {lease_s:g} s; write at least deadline_s = {lease_s:g}"


def _adaptive(adaptive: bool, quorum: int) -> str | None:
    if not adaptive or quorum > 1:
        return None
    return "with a quorum of 1 there is nothing to check; write quorum = 2, or leave it out"


def _frame(event_bytes: int, granule: int) -> str | None:
    most = RECORD_BYTES_MOST // granule
    if event_bytes <= most:
        return None
    cure = f"write at most event_bytes = {most}" if most else "write a smaller granule"
    return f"a record of {granule} events travels in one frame of 16 MiB; {cure}"


def _memory_most(memory_mb_most: int, memory_mb: int) -> str | None:
    if memory_mb_most == 0 or memory_mb_most >= memory_mb:
        return None
    return f"it is not below memory_mb = {memory_mb}; write at least that, or leave it out"


def _cores(required: int, cores: int) -> str | None:
    if required >= cores:
        return None
    return f"the payload runs on {cores} cores; write at least cores = {cores}, or leave it out"


_RULES: tuple[tuple[tuple[str, ...], Callable[..., str | None]], ...] = (
    (
        ("production.unit", "production.events", "payload.granule", "payload.block"),
        _unit_step,
    ),
    (("production.unit", "production.events", "payload.granule"), _unit_records),
    (("payload.reference", "production.events", "payload.granule"), _reference),
    (("policy.most_copies", "policy.quorum"), _most_copies),
    (("policy.adaptive", "policy.quorum"), _adaptive),
    (("policy.deadline_s", "policy.lease_s"), _deadline),
    (("requirements.cores", "payload.cores"), _cores),
    (("limits.event_bytes", "payload.granule"), _frame),
    (("limits.memory_mb_most", "limits.memory_mb"), _memory_most),
)


def _plot(
    form: str | None,
    quantity: str = "",
    low: float = 0.0,
    high: float = inf,
    bins: int | None = None,
    reference: tuple[float, ...] = (),
    **_: object,
) -> Iterator[tuple[str, str]]:
    """Key and fault of each value of a plot that does not fit; those not known do no harm."""
    if form not in (None, "hepmc3"):
        cure = 'write production.format = "hepmc3", or remove the plot'
        yield "quantity", f"is {quantity!r}; particles are read from events in HepMC3 alone; {cure}"
    if not low < high:
        yield "high", f"is {high}; it is above low = {low}; write for example high = {low + 1}"
    elif bins and not (low + (high - low) / bins > low and high - (high - low) / bins < high):
        yield (
            "high",
            f"is {high}; {bins} bins above {low} would be nothing wide; write a higher one",
        )
    if reference and bins is not None and len(reference) != bins:
        yield "reference", f"has {len(reference)} heights; it has one a bin; write {bins} of them"
    elif any(height < 0 for height in reference) or (reference and not sum(reference) > 0):
        yield "reference", "is no distribution; heights are not below 0 nor all 0; mend them"


def _inputs(inputs: dict[str, str]) -> Iterator[tuple[tuple[str, str], str]]:
    """Inputs become files and variables, where names that differ in case alone would meet."""
    seen: dict[str, str] = {}
    for name in inputs:
        other = seen.setdefault(name.upper(), name)
        if other != name:
            fault = f"names differ in more than case, and {other} is there already; rename one"
            yield ("inputs", name), f"inputs.{name} is taken; {fault}"
    size = len(json.dumps(inputs))
    if size > INPUTS_MOST:
        rule = f"they have at most {INPUTS_MOST}, being signed with the manifest"
        name = max(inputs, key=lambda key: len(inputs[key]))
        fault = f"the inputs have {size} bytes; {rule}; put large files into the payload bundle"
        yield ("inputs", name), fault


def _upto(number: int, step: int) -> int:
    return -(-number // step) * step
