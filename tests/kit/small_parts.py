"""Small parts of contexts, made for tests of how pieces are put together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from contexts.part import Machine, Pieces
from contexts.schema import Document, Fault, Field, Values

MACHINE = Machine(
    name="volunteer-0001",
    server="https://pool.example.org",
    token="wf1.not-a-real-token",
    agent_sha256="ab" * 32,
)


@dataclass(frozen=True)
class Small:
    """A part that always adds the same."""

    name: str
    adds: Pieces
    fields: tuple[Field, ...] = ()
    tab: str = "General"
    title: str = "Small"
    summary: str = "Says little."
    asked: list[Values] = field(default_factory=list)

    def check(self, values: Values, document: Document) -> Iterable[Fault]:
        """All is well."""
        return ()

    def pieces(self, values: Values, machine: Machine) -> Pieces:
        """What it adds."""
        self.asked.append(values)
        return self.adds


SECRET = Field("condor_secret", "Secret", secret=True)


def parts(**adding: Pieces) -> dict[str, Small]:
    """A part for each word."""
    return {
        name: Small(name, adds, (SECRET,) if "condor" in name else ())
        for name, adds in adding.items()
    }


REPOSITORIES = Pieces(
    amiconfig={
        "cernvm": {
            "organisations": "NA61",
            "repositories": "na61,sft",
            "proxy": '"http://squid.example.org:3128;DIRECT"',
        }
    },
    plugins=("cernvm",),
    ucernvm={
        "resize_rootfs": "on",
        "cvmfs_http_proxy": '"http://squid.example.org:3128;DIRECT"',
        "cvmfs_branch": "cernvm-prod.cern.ch",
        "cernvm_path": "cvm4",
    },
    cloud={
        "write_files": [
            {
                "path": "/etc/cvmfs/default.local",
                "permissions": "0644",
                "content": 'CVMFS_HTTP_PROXY="http://squid.example.org:3128;DIRECT"\n'
                "CVMFS_REPOSITORIES=na61,sft\n",
            }
        ],
        "runcmd": [["cvmfs_config", "setup"]],
    },
    environment={"CVMFS_REPOSITORIES": "na61.cern.ch,sft.cern.ch"},
)
USERS = Pieces(
    amiconfig={"cernvm": {"users": "worker:users:$6$salt$hash", "repositories": "sft,grid"}},
    plugins=("cernvm", "disablesshpasswdauth"),
    cloud={
        "ssh_pwauth": False,
        "users": [
            "default",
            {"name": "worker", "groups": ["users"], "lock_passwd": True, "shell": "/bin/bash"},
        ],
        "runcmd": [["systemctl", "daemon-reload"]],
    },
)
CONDOR = Pieces(
    amiconfig={"condor": {"condor_master": "head.example.org", "condor_secret": "s3cret-word"}},
    plugins=("condor",),
    cloud={"runcmd": [["systemctl", "daemon-reload"]]},
    secrets=("condor.condor_secret",),
)
