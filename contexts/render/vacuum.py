"""A machinetype for Vac and Vcycle sites: a vacuum pipe, and user data with their place-holders.

The site starts machines and puts its own values between ``##`` (Vac's admin guide, "Vacuum pipes").
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from contexts.joining import SETTINGS
from contexts.part import Machine, Pieces
from contexts.render.order import Order, Target
from contexts.render.result import Rendered
from contexts.render.userdata import legacy_warnings, size_warning

FEATURES = {
    "WINDFALL_MACHINE_FEATURES": "##user_data_machinefeatures_url##",
    "WINDFALL_JOB_FEATURES": "##user_data_jobfeatures_url##",
    "WINDFALL_JOB_OUTPUTS": "##user_data_joboutputs_url##",
}
"""Where the agent finds what the site says of its machine (HSF-TN-2016-02 and -04)."""
PROXY = "##user_data_option_cvmfs_proxy##"
NAME = "##user_data_machine_hostname##"
WALL_S = 86_400
SHORTEST_S = 3_600
FIZZLE_S = 600
IMAGE = "https://www.example.org/windfall/image.iso"
USER_DATA = "https://www.example.org/windfall/user_data"


def render(order: Order) -> Rendered:
    """Both files."""
    made = replace(order, whole=replace(order.whole, pieces=for_site(order.pieces)))
    user_data = replace(made.user_data_file, name="user_data")
    pipe = made.json("vacuum.pipe", pipe_of(made))
    size = len(user_data.body)
    warnings = [
        *legacy_warnings(made),
        *size_warning(size),
        "vacuum.pipe has example addresses: put those of your image and of your copy of user_data",
    ]
    if user_data.secrets:
        warnings.append("Every machine of the site gets these secrets: use a token for many uses")
    return Rendered((pipe, user_data), tuple(warnings), user_data.secrets, size)


def at_site(machine: Machine) -> Machine:
    """A machine whose name only the site knows."""
    return replace(machine, name=NAME)


def for_site(pieces: Pieces) -> Pieces:
    """The pieces with what only the site knows: its proxy, and where it says when to leave."""
    ucernvm = dict(pieces.ucernvm)
    if ucernvm and "cvmfs_http_proxy" not in ucernvm:
        ucernvm["cvmfs_http_proxy"] = f'"{PROXY}"'
    cloud = dict(pieces.cloud)
    if "write_files" in cloud:
        cloud["write_files"] = [_told(entry) for entry in cloud["write_files"]]
    return replace(pieces, ucernvm=ucernvm, cloud=cloud)


def _told(entry: dict[str, Any]) -> dict[str, Any]:
    """The agent's settings with the site's places added."""
    if entry.get("path") != SETTINGS or "encoding" in entry:
        return entry
    lines = [f"{name}={value}" for name, value in FEATURES.items() if name not in entry["content"]]
    return {**entry, "content": "\n".join([entry["content"].rstrip("\n"), *lines]) + "\n"}


def pipe_of(order: Order) -> dict[str, Any]:
    """The pipe: one machinetype."""
    return {
        "cache_seconds": 3600,
        "machinetypes": [
            {
                "suffix": "windfall",
                "machine_model": "cernvm3" if order.legacy else "vm-raw",
                "root_image": IMAGE,
                "user_data": USER_DATA,
                "target_share": 1.0,
                "min_processors": order.machine.cores,
                "max_processors": order.machine.cores,
                "min_wallclock_seconds": SHORTEST_S,
                "max_wallclock_seconds": WALL_S,
                "backoff_seconds": FIZZLE_S,
                "fizzle_seconds": FIZZLE_S,
            }
        ],
    }


VACUUM = Target(
    "vacuum",
    "Vac and Vcycle",
    "A vacuum pipe, and user data with the place-holders that a site fills in.",
    render,
)
