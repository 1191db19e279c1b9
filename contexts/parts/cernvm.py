"""The virtual machine itself on CernVM 3 and 4: edition, operating system, desktop, disk."""

from __future__ import annotations

from collections.abc import Iterator

from contexts.asking import choice, line, switch
from contexts.made import Made
from contexts.part import Machine, Pieces
from contexts.quoting import plain
from contexts.reading import switch as said
from contexts.reading import text
from contexts.schema import Document, Fault, Values
from contexts.shapes import BASE64, HOST, NAME, TAG, WORDS, Shape

PATHS = {"3": "cvm3", "4": "cvm4", "5": ""}
_SWAP = Shape(r"auto|off|[1-9][0-9]{0,3}[mg]", "auto, off, or a size such as 2g", "auto")
_SCREEN = Shape(r"[0-9]{3,5}x[0-9]{3,5}", "width x height", "1024x768")
_LAYOUT = Shape(r"[a-z]{2,3}(-[a-z0-9-]{1,20})?", "a layout such as us or de", "us")
_ON_OFF = {True: "on", False: "off"}
_SECTION = {
    "edition": "edition",
    "screen": "screenRes",
    "keyboard": "keyboard",
    "start_x": "startXDM",
    "auto_login": "auto_login",
    "swap": "swap_size",
    "icons": "desktop_icons",
    "group_profile": "group_profile",
    "grid_ui": "gridUiVersion",
    "entitlement_key": "entitlement_key",
}
_BLOCK = {
    "expand_root": "resize_rootfs",
    "branch": "cvmfs_branch",
    "snapshot": "cvmfs_tag",
    "path": "cernvm_path",
    "inject": "cernvm_inject",
    "glidein": "useglideinWMS",
}


def _rules(values: Values, document: Document) -> Iterator[Fault]:
    version, path = text(values, "version"), text(values, "path")
    if path and version and path != PATHS[version]:
        yield Fault("cernvm.path", f"CernVM {version} has {PATHS[version] or 'none'}: leave it out")
    if version == "5" and (text(values, "branch") or text(values, "snapshot")):
        yield Fault("cernvm.version", "CernVM 5 has no branch and no snapshot: leave them out")


def _pieces(values: Values, machine: Machine) -> Pieces:
    block = {name: value for key, name in _BLOCK.items() if (value := _said(values, key))}
    if (path := PATHS.get(text(values, "version"), "")) and "cernvm_path" not in block:
        block["cernvm_path"] = path
    section = {name: value for key, name in _SECTION.items() if (value := _said(values, key))}
    return Pieces(
        amiconfig={"cernvm": section} if section else {},
        plugins=("cernvm",) if section or said(values, "plugin") else (),
        ucernvm={key: plain(value) for key, value in block.items()},
        secrets=("cernvm.entitlement_key",) if text(values, "entitlement_key") else (),
        warnings=tuple(_warnings(values)),
    )


def _said(values: Values, key: str) -> str:
    value = said(values, key)
    return text(values, key) if value is None else _ON_OFF[value]


def _warnings(values: Values) -> Iterator[str]:
    if text(values, "branch") and not text(values, "snapshot"):
        yield "cernvm: without a snapshot a machine starts with the system of the day"
    if text(values, "inject"):
        yield "cernvm: an archive is unpacked over / before the system starts"


PART = Made(
    "cernvm",
    "General",
    "CernVM",
    "Chooses system, edition and desktop of a CernVM 3 or 4.",
    (
        choice(
            "version",
            "Version",
            "3 and 4 boot from CernVM-FS, 5 is a plain image or container.",
            ("3", "4", "5"),
        ),
        choice("edition", "Edition", "Batch, Basic or Desktop.", ("Basic", "Batch", "Desktop")),
        line(
            "branch",
            "Branch",
            "The repository that the system comes from.",
            HOST,
            example="cernvm-prod.cern.ch",
        ),
        line(
            "snapshot",
            "Snapshot",
            "The system as it was then; else the newest at the first start.",
            TAG,
        ),
        line(
            "path",
            "Folder",
            "The system's folder in the repository, if it is not the version's own.",
            TAG,
            example="cvm4",
        ),
        switch(
            "plugin",
            "CernVM's plug-in",
            "Whether amiconfig sets up CernVM and starts its service.",
            True,
        ),
        switch(
            "expand_root", "Expand root partition", "No: the first 20 GB; yes, and by itself: all."
        ),
        switch("glidein", "glideinWMS", "Whether the boot loader looks for glideinWMS user data."),
        line("screen", "Screen", "Resolution of the desktop.", _SCREEN),
        line("keyboard", "Keyboard", "Its layout.", _LAYOUT),
        switch("start_x", "Start X", "The graphical login at boot."),
        switch("auto_login", "Log in by itself", "The first user is logged in to the desktop."),
        switch("icons", "Desktop icons", "Whether the desktop has them."),
        line("swap", "Swap", "auto is 2 GB for each core; else none.", _SWAP),
        line(
            "group_profile",
            "Group profile",
            "A profile of CernVM 2 and 3 such as group-na61.",
            NAME,
        ),
        line("grid_ui", "Grid UI", "Version of the grid tools.", WORDS, example="default"),
        line(
            "entitlement_key",
            "Entitlement key",
            "Of CernVM 2.",
            Shape(
                r"[A-Fa-f0-9-]{8,64}",
                "hexadecimal digits and dashes",
                "289a919c-9a97-44a9-a07d-473850bd5730",
            ),
            secret=True,
        ),
        line(
            "inject",
            "Inject",
            "A tar.gz in base64 that is unpacked over / at boot.",
            BASE64,
            runs=True,
            longest=12_000,
        ),
    ),
    _pieces,
    _rules,
    "A snapshot holds from the first start on; another one needs a new disk. `cvmfs_path` of old "
    "examples is read by nobody: it is the folder here.",
)
