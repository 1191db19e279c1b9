"""What a production file may say: its sections and keys, and how they must fit together."""

from __future__ import annotations

import re

from server.domain.fields import REQUIRED, choice, flag, number, numbers, text, whole, words
from server.domain.fitting import (
    EVENTS_MOST,
    RECORD_BYTES_MOST,
    RECORDS_MOST,
    REFERENCE,
    UNIT,
    Found,
    complete,
    conflicts,
)
from server.domain.match import Requirements
from server.domain.payload import Limits
from server.domain.physics import BINS_MOST, QUANTITIES
from server.domain.policy import COMPARISONS, Policy
from server.domain.reading import Reader, Section

LOG_LEAST = 1024  # bytes: agents keep so much in any case

_SLUG = r"(?=.*[a-z])[a-z0-9][a-z0-9._-]{0,62}"
_PLOT = r"[a-z][a-z0-9_-]{0,62}"
_NAME = r"[A-Za-z0-9][A-Za-z0-9._+-]{0,62}"
_SIZE = 2**30

SECTIONS: dict[str, Section] = {
    "production": {
        "name": text(
            _SLUG,
            "1 to 63 lower-case letters, digits, dots, hyphens and underscores, with a letter",
            example="minbias-7tev",
        ),
        "events": whole(1, EVENTS_MOST, example=1_000_000),
        "unit": whole(1, EVENTS_MOST, default=None, example=UNIT),
        "seed": whole(0, 2**63 - 1, example=1),
        "format": choice(("hepmc3", "lines", "raw", "records")),
        "description": text(r".{0,10000}", "a text of at most 10000 characters", default=""),
    },
    "payload": {
        "name": text(_NAME, "the name of a signed bundle", example="pythia8"),
        "version": text(_NAME, "the version of a signed bundle", example="8.317.2"),
        "command": words("a list of 1 to 256 texts", 1, REQUIRED, ["{python}", "run.py"]),
        "mode": choice(("pipe", "directory", "command"), default="pipe"),
        "granule": whole(1, RECORDS_MOST, default=1),
        "block": whole(1, EVENTS_MOST, default=1),
        "reference": whole(0, RECORDS_MOST, default=None, example=REFERENCE),
        "split": choice(("", "lines", "lengths"), default=""),
        "cores": whole(1, 4096, default=1),
    },
    "limits": {
        "memory_mb": whole(1, _SIZE, default=Limits.memory_mb),
        "disk_mb": whole(1, _SIZE, default=Limits.disk_mb),
        "event_bytes": whole(1, RECORD_BYTES_MOST, default=None, example=Limits.event_bytes),
        "silence_s": number(1, 7 * 86400, default=Limits.silence_s),
        "cpu_s_per_event": number(0.001, 7 * 86400, default=Limits.cpu_s_per_event),
        "log_bytes": whole(LOG_LEAST, _SIZE, default=Limits.log_bytes),
        "memory_mb_most": whole(0, _SIZE, default=Limits.memory_mb_most),
    },
    "policy": {
        "quorum": whole(1, 16, default=Policy.quorum),
        "most_copies": whole(1, 64, default=Policy.most_copies),
        "most_errors": whole(1, 100_000, default=Policy.most_errors),
        "lease_s": number(1, 30 * 86400, default=Policy.lease_s),
        "deadline_s": number(1, 365 * 86400, default=Policy.deadline_s),
        "longest_s": number(1, 30 * 86400, default=Policy.longest_s),
        "priority": whole(-1000, 1000, default=Policy.priority),
        "comparison": choice(COMPARISONS, default=Policy.comparison),
        "set_aside_after": whole(0, 64, default=Policy.set_aside_after),
        "most_set_aside": whole(0, 1_000_000, default=Policy.most_set_aside),
        "adaptive": flag(default=Policy.adaptive),
        "spot_checks": number(0.01, 1, default=Policy.spot_checks),
        "trust_events": whole(1, 1_000_000, default=Policy.trust_events),
    },
    "requirements": {
        "cores": whole(1, 4096, default=None, example=1),
        "memory_mb": whole(0, _SIZE, default=Requirements.memory_mb),
        "disk_mb": whole(0, 2**40, default=Requirements.disk_mb),
        "arch": words("a list of architectures", 0, (), ["x86_64"]),
        "paths": words("a list of folders", 0, (), ["/cvmfs/sft.cern.ch"]),
        "sandbox": flag(Requirements.sandbox),
        "network": flag(Requirements.network),
    },
}

PLOTS_MOST = 12
PLOT: Section = {
    "quantity": choice(QUANTITIES),
    "particles": numbers("a list of at most 64 particle codes (PDG)", 64, (int,), [211, -211]),
    "low": number(-1e9, 1e9, example=0.0),
    "high": number(-1e9, 1e9, example=2.5),
    "bins": whole(1, BINS_MOST, default=50),
    "title": text(r"[^\n]{0,100}", "a line of at most 100 characters", default=""),
    "reference": numbers("a list of numbers, one a bin", BINS_MOST, (int, float), [0.5, 1.5]),
    "reference_name": text(r"[^\n]{0,100}", "a line of at most 100 characters", default=""),
}

_FREE = (
    (
        "inputs",
        r"[A-Za-z][A-Za-z0-9_]{0,62}",
        "it is a letter, then letters, digits and underscores; write for example CARD",
    ),
    (
        "environment",
        r"(?!EVP_|WINDFALL_|PYTHONPATH)[A-Za-z_][A-Za-z0-9_]{0,62}",
        "it is letters, digits and underscores, and EVP_*, WINDFALL_* and PYTHONPATH* are the"
        " agent's; write for example OMP_NUM",
    ),
)


def read(source: str) -> Found:
    """The values of every section, complete and fitting; `Unreadable` with every fault."""
    reader = Reader(source)
    found = {name: reader.section(name, keys, SECTIONS) for name, keys in SECTIONS.items()}
    for name, pattern, rule in _FREE:
        found[name] = reader.texts(name, re.compile(pattern).fullmatch, rule)
    found["plots"] = reader.named("plots", re.compile(_PLOT).fullmatch, PLOT, PLOTS_MOST)
    reader.known([*SECTIONS, *(name for name, _, _ in _FREE), "plots"])
    complete(found)
    for path, fault in conflicts(found):
        reader.fault(path, fault)
    reader.close()
    return found
