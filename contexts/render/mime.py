"""One message for every reader: cloud-init, amiconfig and the boot loader (7bit, ASCII, LF).

The boot loader and amiconfig do not decode MIME, they scan lines: so nothing is encoded, and
cloud-config comes first, since amiconfig takes every ``key: value`` behind its first section for
an option.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from contexts.render.result import NotRenderable

PARTS = (
    ("text/cloud-config", "cloud-config.yaml"),
    ("text/amiconfig-user-data", "amiconfig.ini"),
    ("text/ucernvm", "ucernvm.txt"),
)


def message(cloud: str, ini: str, block: str, *, epilogue: bool = False) -> str:
    """The message; what is empty is left out.

    With ``epilogue`` the texts of amiconfig and of the boot loader stand behind the last boundary,
    where cloud-init does not look: for images whose cloud-init calls itself degraded because of
    parts that it does not know.
    """
    bodies = [cloud, "" if epilogue else ini, "" if epilogue else block]
    tail = "\n".join(text for text in (ini, block) if text) if epilogue else ""
    boundary = _boundary([*bodies, tail])
    lines = [f'Content-Type: multipart/mixed; boundary="{boundary}"', "MIME-Version: 1.0", ""]
    for (kind, name), body in zip(PARTS, bodies, strict=True):
        if body:
            lines += [f"--{boundary}", *_head(kind, name), "", body.rstrip("\n"), ""]
    text = "\n".join([*lines, f"--{boundary}--", tail]).rstrip("\n") + "\n"
    if not text.isascii() or "\r" in text:
        raise NotRenderable("user data", "only ASCII and line feeds reach every reader")
    return text


def _head(kind: str, name: str) -> list[str]:
    return [
        f'Content-Type: {kind}; charset="us-ascii"',
        "MIME-Version: 1.0",
        "Content-Transfer-Encoding: 7bit",
        f'Content-Disposition: attachment; filename="{name}"',
    ]


def _boundary(bodies: Sequence[str]) -> str:
    """The same for the same bodies, and in none of them."""
    number = 0
    while True:
        digest = hashlib.sha256("\0".join([str(number), *bodies]).encode()).hexdigest()
        boundary = f"==CONTEXT-{digest[:16]}=="
        if not any(boundary in body for body in bodies):
            return boundary
        number += 1
