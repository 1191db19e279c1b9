"""One seed ISO for everybody: NoCloud, config drive and HEPiX CD in one, the same bytes each time.

Labelled ``cidata``, with Joliet and Rock Ridge: plain images and CernVM 5 find ``user-data``, the
boot loader of CernVM 3 and 4 ``openstack/latest/user_data``, CernVM 2 ``context.sh``.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from typing import Any

from contexts.render.order import ISO, MIME_FORMS, Order, Target
from contexts.render.result import File, Rendered
from contexts.render.userdata import legacy_warnings

SECTOR = 2048
DATE = b"2020010100000000\x00"
"""The date of everything (ECMA-119, 8.4.26.1), so that the same context gives the same bytes."""
DATES_AT = (813, 830, 864)
"""Where the dates of making, of change and of validity stand in a volume descriptor."""


def contents(order: Order) -> dict[str, bytes]:
    """The files of the disk by their paths."""
    user_data = order.user_data.encode()
    host = order.machine.name
    meta = {"instance-id": order.instance, **({"local-hostname": host} if host else {})}
    drive = {
        "uuid": order.instance,
        **({"hostname": host, "name": host} if host else {}),
        **({"public_keys": {"root": keys}} if (keys := "\n".join(root_keys(order))) else {}),
    }
    files = {
        "user-data": user_data,
        # JSON is YAML, too.
        "meta-data": (json.dumps(meta, indent=1) + "\n").encode(),
        "openstack/latest/user_data": user_data,
        "openstack/latest/meta_data.json": (json.dumps(drive, indent=1) + "\n").encode(),
        "context.sh": _context(user_data, bool(keys)),
    }
    if keys:
        files["root.pub"] = (keys + "\n").encode()
    return files


def root_keys(order: Order) -> list[str]:
    """The public keys that cloud-config lets in."""
    found = order.pieces.cloud.get("ssh_authorized_keys", ())
    return [str(key) for key in found] if isinstance(found, list | tuple) else []


def _context(user_data: bytes, keys: bool) -> bytes:
    told = {
        "EC2_USER_DATA": base64.b64encode(user_data).decode(),
        "ONE_CONTEXT_PATH": "/var/lib/amiconfig",
        **({"ROOT_PUBKEY": "root.pub"} if keys else {}),
    }
    lines = [f'{key}="{value}"' for key, value in told.items()]
    return ("\n".join(lines) + "\n").encode()


def image(files: dict[str, bytes]) -> bytes:
    """The disk."""
    import pycdlib  # at the first disk: it takes longer to load than the rest of this package

    disk = pycdlib.PyCdlib()
    disk.new(interchange_level=3, vol_ident="cidata", joliet=3, rock_ridge="1.09")
    made: set[str] = set()
    for number, (path, body) in enumerate(files.items()):
        folder = ""
        for word in path.split("/")[:-1]:
            folder += f"/{word}"
            if folder not in made:
                disk.add_directory(folder.upper(), rr_name=word, joliet_path=folder)
                made.add(folder)
        name = path.rpartition("/")[2]
        disk.add_fp(
            io.BytesIO(body),
            len(body),
            f"{folder.upper()}/FILE{number}.;1",
            rr_name=name,
            joliet_path=f"/{path}",
            file_mode=0o100400,
        )
    _undate(disk)
    out = io.BytesIO()
    disk.write_fp(out)
    disk.close()
    return _undated(out.getvalue())


def _undate(disk: Any) -> None:
    """Set the date of every record; the library takes the time of day for all."""
    for volume in (disk.pvd, disk.joliet_vd):
        for record in _records(volume.root_dir_record):
            for date in _dates(record):
                date.years_since_1900, date.month, date.day_of_month = 120, 1, 1
                date.hour = date.minute = date.second = date.gmtoffset = 0


def _records(record: Any) -> Iterator[Any]:
    yield record
    for child in record.children or ():
        if child.file_ident in (b"\x00", b"\x01"):
            yield child
        else:
            yield from _records(child)


def _dates(record: Any) -> Iterator[Any]:
    yield record.date
    ridge = record.rock_ridge
    for entries in (ridge.dr_entries, ridge.ce_entries) if ridge else ():
        stamp = getattr(entries, "tf_record", None)
        for name in ("access_time", "modification_time", "attribute_change_time"):
            if stamp is not None and getattr(stamp, name):
                yield getattr(stamp, name)


def _undated(raw: bytes) -> bytes:
    """The same disk with fixed dates in its volume descriptors: writing dates them."""
    made = bytearray(raw)
    for start in range(16 * SECTOR, len(made), SECTOR):
        if made[start + 1 : start + 6] != b"CD001" or made[start] == 0xFF:
            break
        for offset in DATES_AT:
            made[start + offset : start + offset + len(DATE)] = DATE
    return bytes(made)


def render(order: Order) -> Rendered:
    """The seed ISO, and how it is given to a machine."""
    secrets = order.whole.secrets(*MIME_FORMS)
    file = File("seed.iso", ISO, image(contents(order))).secret(secrets)
    return Rendered((file,), tuple(legacy_warnings(order)), secrets, len(order.user_data))


SEED = Target(
    "iso",
    "Seed disk",
    "One small ISO, given to any local virtual machine as a second disk; CernVM 2 to 5 read it.",
    render,
)
