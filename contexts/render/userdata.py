"""Targets that are one file of user data: mime, cloud-config and amiconfig."""

from __future__ import annotations

from contexts.render import cloudconfig, ini
from contexts.render.gather import Form
from contexts.render.order import INI_FORMS, TEXT, YAML, Order, Target
from contexts.render.readers import amiconfig, boot_loader
from contexts.render.result import USER_DATA_LIMIT, Rendered


def size_warning(size: int, limit: int = USER_DATA_LIMIT, whom: str = "EC2") -> list[str]:
    """A sentence, if it is too long."""
    if size <= limit:
        return []
    over = size - limit
    return [
        f"The user data have {size:,} bytes, {over:,} more than the {limit:,} that {whom} takes"
    ]


def mime(order: Order) -> Rendered:
    """User data for every reader."""
    file = order.user_data_file
    size = len(file.body)
    warnings = [*legacy_warnings(order), *size_warning(size)]
    return Rendered((file,), tuple(warnings), file.secrets, size)


def legacy_warnings(order: Order) -> list[str]:
    """What readers of CernVM 3 and 4 would not find in a message, or find otherwise."""
    warnings = _misread(order, order.user_data)
    if (order.pieces.before or order.pieces.after) and order.legacy:
        warnings.append(
            "amiconfig takes a script from the first line of user data alone: "
            "for CernVM 3, which leaves cloud-init aside, use the target amiconfig"
        )
    return warnings


def _misread(order: Order, text: str) -> list[str]:
    """Where the readers, done again, find something else than was meant."""
    found, loader = amiconfig(text), boot_loader(text)
    meant = amiconfig(order.ini)
    wrong = [
        f"amiconfig would read [{name}] otherwise than meant"
        for name, keys in meant.sections.items()
        if name != ini.LAST and found.sections.get(name) != keys
    ]
    if loader != boot_loader(order.block):
        wrong.append("the boot loader would read its block otherwise than meant")
    return wrong


def cloud_config(order: Order) -> Rendered:
    """Cloud-config alone."""
    file = order.file("cloud-config.yaml", YAML, order.cloud or cloudconfig.EMPTY, Form.CLOUD)
    warnings = [
        f"CernVM 5 has no module for {key}; other images may"
        for key in cloudconfig.unknown(order.pieces.cloud)
    ]
    if not order.pieces.cloud:
        warnings.append("Nothing of this context is said in cloud-config")
    size = len(file.body)
    return Rendered((file,), (*warnings, *size_warning(size)), file.secrets, size)


def amiconfig_text(order: Order) -> Rendered:
    """A script, sections and the block, for CernVM 2 and 3 and for old web forms."""
    script = ini.script(order.pieces.before, order.pieces.after)
    text = script + "\n".join(part for part in (order.ini, order.block) if part)
    file = order.file("user-data.ini", TEXT, text, *INI_FORMS)
    size = len(file.body)
    warnings = [*_misread(order, text), *size_warning(size)]
    if not text:
        warnings.append("Nothing of this context is said to amiconfig or to the boot loader")
    return Rendered((file,), tuple(warnings), file.secrets, size)


MIME = Target(
    "mime",
    "User data for every image",
    "One message that CernVM 3 and 4, CernVM 5 and plain cloud images read; for EC2, OpenStack.",
    mime,
    ("epilogue",),
)
CLOUD_CONFIG = Target(
    "cloud-config",
    "cloud-config",
    "YAML for CernVM 5 as a virtual machine and for plain cloud images.",
    cloud_config,
)
AMICONFIG = Target(
    "amiconfig",
    "amiconfig",
    "Sections and the boot loader's block for CernVM 2 to 4, and for forms that take no MIME.",
    amiconfig_text,
)
