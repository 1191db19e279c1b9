"""Storage: what is done with the instance's own disks (amiconfig's plug-in storage)."""

from __future__ import annotations

from contexts.asking import number, several, switch
from contexts.made import Section
from contexts.shapes import PATH

PART = Section(
    "storage",
    "Storage",
    "Ephemeral disks",
    "Mounts the instance's own disks under /ephemeral and moves folders there.",
    (
        switch(
            "daemon",
            "Space daemon",
            "Writes to the whole disk in the background beforehand; on by itself.",
        ),
        number("allocate_gb", "Allocate", "GB that are written to beforehand.", 1, 100_000),
        several(
            "relocate",
            "Move folders",
            "Folders that go to these disks.",
            PATH,
            example=["/var/spool/condor"],
            longest=20,
        ),
    ),
    "storage",
    "storage",
    keys={"allocate_gb": "pre-allocated-space", "relocate": "relocate-paths"},
    words=("on", ""),
    between=":",
    note="amiconfig reads any word behind `daemon =` as yes, `False` too; only an empty value "
    "switches it off, and that is what is written.",
)
