"""Cloud-config: ASCII alone, and what is not goes base64 into its files."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

import yaml

from contexts.render.result import NotRenderable

HEAD = "#cloud-config\n"
EMPTY = f"{HEAD}{{}}\n"
PLAIN = re.compile(r"[\t\n -~]*")
WIDE = 1 << 30
"""PyYAML folds at this width: never, so that no line of a text can start in column 0."""

CERNVM_5: Mapping[str, tuple[str, ...]] = {
    "bootcmd": ("bootcmd",),
    "write-files": ("write_files",),
    "growpart": ("growpart",),
    "resizefs": ("resize_rootfs",),
    "disk_setup": ("disk_setup", "fs_setup"),
    "mounts": ("mounts", "mount_default_fields", "swap"),
    "set_hostname": ("hostname", "fqdn", "preserve_hostname", "prefer_fqdn_over_hostname"),
    "update_etc_hosts": ("manage_etc_hosts",),
    "ca-certs": ("ca_certs",),
    "rsyslog": ("rsyslog",),
    "users-groups": ("users", "groups", "user"),
    "ssh": (
        *("ssh_authorized_keys", "disable_root", "disable_root_opts", "ssh_deletekeys"),
        *("ssh_genkeytypes", "ssh_keys", "allow_public_ssh_keys"),
    ),
    "ssh-import-id": ("ssh_import_id",),
    "keyboard": ("keyboard",),
    "locale": ("locale",),
    "set-passwords": ("ssh_pwauth", "chpasswd", "password"),
    "ntp": ("ntp",),
    "timezone": ("timezone",),
    "disable-ec2-metadata": ("disable_ec2_metadata",),
    "runcmd": ("runcmd",),
    "package-update-upgrade-install": (
        *("packages", "package_update", "package_upgrade", "package_reboot_if_required"),
    ),
    "puppet": ("puppet",),
    "phone-home": ("phone_home",),
    "final-message": ("final_message",),
    "power-state-change": ("power_state",),
}
"""Modules that CernVM 5 switches on (cernvm-five, config/etc/cloud/cloud.cfg), and their keys."""
KNOWN = frozenset(key for keys in CERNVM_5.values() for key in keys)


FAST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Flow(list[Any]):
    """A list that is written on one line, as a command is."""


class Writer(yaml.SafeDumper):
    """YAML as people write it: lists below their key, texts of several lines as such."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Lists are further in than their key."""
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        """What occurs twice is written twice."""
        return True


def _text(writer: Writer, text: str) -> yaml.ScalarNode:
    several = "\n" in text and not text[0].isspace()
    tag = "tag:yaml.org,2002:str"
    return writer.represent_scalar(tag, text, style="|" if several else None)


def _flow(writer: Writer, items: Flow) -> yaml.SequenceNode:
    return writer.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=True)


Writer.add_representer(str, _text)
Writer.add_representer(Flow, _flow)


def cloud_config(cloud: Mapping[str, Any]) -> str:
    """The text, with its first line; what it reads back to is what was meant, or it is refused."""
    meant = _ready(cloud)
    text = yaml.dump(
        meant, Dumper=Writer, allow_unicode=False, width=WIDE, sort_keys=False, indent=2
    )
    if yaml.load(text, Loader=FAST) != meant:  # noqa: S506 - a safe one, in C if it is there
        raise NotRenderable("cloud-config", "it does not read back to what was meant")
    return HEAD + text


def unknown(cloud: Mapping[str, Any]) -> list[str]:
    """Keys that CernVM 5 has no module for."""
    return [key for key in cloud if key not in KNOWN]


def _ready(cloud: Mapping[str, Any]) -> dict[str, Any]:
    made = {key: _plain(value) for key, value in cloud.items()}
    if "write_files" in made:
        made["write_files"] = [_file(entry) for entry in made["write_files"]]
    for key in ("runcmd", "bootcmd"):
        if key in made:
            made[key] = [Flow(one) if isinstance(one, list) else one for one in made[key]]
    return made


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if value is None or isinstance(value, str | int | float | bool):
        return str(value) if isinstance(value, str) else value
    raise NotRenderable("cloud-config", f"{type(value).__name__} cannot stand in YAML")


def _file(entry: Any) -> Any:
    """An entry of write_files, in base64 if it holds more than ASCII text."""
    content = entry.get("content") if isinstance(entry, dict) else None
    if not isinstance(content, str) or "encoding" in entry or PLAIN.fullmatch(content):
        return entry
    packed = base64.b64encode(content.encode()).decode()
    return {**entry, "encoding": "b64", "content": packed}
