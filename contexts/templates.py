"""Templates of contexts by role: what a machine of that role mostly needs, to begin with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from contexts.parts.condor import PLACEHOLDER
from contexts.schema import Document


@dataclass(frozen=True, slots=True)
class Template:
    """A context to begin with. ``asks`` are the paths of the few values that differ from site to
    site: a form shows them first.
    """

    name: str
    title: str
    summary: str
    document: Document
    asks: tuple[str, ...] = ()


_LATEST = {"version": "4", "branch": "cernvm-prod.cern.ch"}
_SOFTWARE = ("repository.organisations", "repository.repositories", "repository.proxies")
_KEYS = ("rootsshkeys.keys",)


def _machine(edition: str, **parts: Any) -> Document:
    """A CernVM 4 of an edition that nobody enters by a password, and what else it has."""
    common = {
        "cernvm": {**_LATEST, "edition": edition},
        "repository": {},
        "rootsshkeys": {},
        "disablesshpasswdauth": {},
    }
    return {**common, **{name.replace("_", "-"): values for name, values in parts.items()}}


_ALL = (
    Template(
        "basic",
        "Basic",
        "A CernVM with software repositories, and nothing else.",
        _machine("Basic"),
        (*_SOFTWARE, *_KEYS),
    ),
    Template(
        "pool",
        "Join this pool",
        "Works for this pool whenever it runs: for volunteers and for machines to spare.",
        _machine("Batch", agent={"on_battery": "pause"}),
        ("agent.hours", "agent.slots", "agent.memory_mb"),
    ),
    Template(
        "worker",
        "Batch worker",
        "A worker of an HTCondor pool.",
        _machine("Batch", condor={"lowport": 9600, "highport": 9700}),
        ("condor.master", "condor.secret", *_SOFTWARE, *_KEYS),
    ),
    Template(
        "cluster-worker",
        "Worker of a cluster",
        "A worker of an HTCondor pool that finds its head by a cluster PIN.",
        _machine(
            "Batch",
            cluster={"role": "worker"},
            condor={"master": PLACEHOLDER, "lowport": 9600, "highport": 9700},
        ),
        ("cluster.pin", "condor.secret", *_SOFTWARE, *_KEYS),
    ),
    Template(
        "head",
        "Head",
        "The head of an HTCondor pool; with a cluster PIN its workers find it by themselves.",
        _machine(
            "Batch",
            condor={
                "collector_name": "CernVM",
                "lowport": 9600,
                "highport": 9700,
                "uid_domain": "*",
            },
        ),
        ("condor.secret", "hostname.hostname", "cluster.pin", *_SOFTWARE, *_KEYS),
    ),
    Template(
        "squid",
        "Squid",
        "A proxy of the site for CernVM-FS.",
        _machine(
            "Basic",
            squid={
                "backends": [
                    "cvmfs-stratum-one.cern.ch",
                    "cernvmfs.gridpp.rl.ac.uk",
                    "cvmfs.racf.bnl.gov",
                    "cvmfs.fnal.gov",
                ],
                "size_mb": 10_000,
            },
            network={"tuning": "wan"},
        ),
        ("squid.clients", "squid.size_mb", *_KEYS),
    ),
    Template(
        "xrootd-proxy",
        "XRootD proxy",
        "A disk cache in front of a storage element.",
        {
            "cernvm": {"version": "5"},
            "rootsshkeys": {},
            "disablesshpasswdauth": {},
            "xrootd-proxy": {"size_gb": 100},
            "network": {"tuning": "wan"},
        },
        ("xrootd-proxy.origin", "xrootd-proxy.size_gb", "xrootd-proxy.clients", *_KEYS),
    ),
    Template(
        "desktop",
        "Desktop",
        "The environment of the batch machines with a desktop, for development.",
        {
            "cernvm": {
                **_LATEST,
                "edition": "Desktop",
                "start_x": True,
                "screen": "1280x1024",
                "keyboard": "us",
                "swap": "auto",
            },
            "repository": {},
            "users": {"shell": "/bin/bash"},
        },
        ("users.users", "cernvm.keyboard", *_SOFTWARE),
    ),
    Template(
        "catalogue",
        "Catalogue server",
        "Lists the projects of a private Work Queue cluster.",
        _machine("Basic", workqueue={}),
        ("hostname.hostname", *_KEYS),
    ),
    Template(
        "workqueue-worker",
        "Work Queue worker",
        "Works for a project of a private Work Queue cluster.",
        _machine("Batch", workqueue={"user": "workqueue"}),
        ("workqueue.server", "workqueue.project", *_SOFTWARE, *_KEYS),
    ),
    Template(
        "monitor",
        "Monitor",
        "Collects the figures of a site's machines with Prometheus.",
        {
            "cernvm": {"version": "5"},
            "rootsshkeys": {},
            "disablesshpasswdauth": {},
            "node-exporter": {},
            "contextualization": {"packages": ["prometheus"], "services": ["prometheus"]},
        },
        ("hostname.hostname", *_KEYS),
    ),
)

TEMPLATES = {template.name: template for template in _ALL}
"""All templates by name."""
