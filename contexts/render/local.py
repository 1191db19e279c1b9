"""A machine on one's own computer: libvirt, VirtualBox, cernvm-launch, each with the seed ISO."""

from __future__ import annotations

import shlex
from xml.etree import ElementTree

from contexts.render import seed
from contexts.render.order import SHELL, XML, Order, Target
from contexts.render.result import Rendered

IMAGES = "/var/lib/libvirt/images"


def render(order: Order) -> Rendered:
    """All files; the scripts say what they want to be given."""
    disk = seed.render(order)
    files = (
        *disk.files,
        order.user_data_file,
        order.file("domain.xml", XML, domain(order)),
        order.file("virt-install.sh", SHELL, virt_install(order), mode=0o755),
        order.file("virtualbox.sh", SHELL, virtualbox(order), mode=0o755),
        order.file("cernvm-launch.sh", SHELL, launch(order), mode=0o755),
    )
    return Rendered(files, disk.warnings, disk.secrets, disk.size)


def domain(order: Order) -> str:
    """A domain of libvirt (libvirt.org/formatdomain.html); disks lie in its folder of images."""
    machine = order.machine
    root = ElementTree.Element("domain", type="kvm")
    _add(root, "name", order.name)
    _add(root, "memory", str(machine.memory_mb), unit="MiB")
    _add(root, "vcpu", str(machine.cores))
    system = _add(root, "os")
    _add(system, "type", "hvm", arch="x86_64")
    _add(_add(root, "features"), "acpi")
    devices = _add(root, "devices")
    _disk(devices, "disk", "qcow2", f"{IMAGES}/{order.name}.qcow2", "vda", "virtio")
    _disk(devices, "cdrom", "raw", f"{IMAGES}/{order.name}-seed.iso", "sda", "sata")
    network = _add(devices, "interface", type="network")
    _add(network, "source", network="default")
    _add(network, "model", type="virtio")
    _add(_add(devices, "console", type="pty"), "target", type="serial", port="0")
    _add(_add(devices, "rng", model="virtio"), "backend", "/dev/urandom", model="random")
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _add(
    parent: ElementTree.Element, tag: str, text: str | None = None, **attributes: str
) -> ElementTree.Element:
    made = ElementTree.SubElement(parent, tag, attributes)
    made.text = text
    return made


def _disk(
    devices: ElementTree.Element, device: str, kind: str, path: str, name: str, bus: str
) -> None:
    disk = _add(devices, "disk", type="file", device=device)
    _add(disk, "driver", name="qemu", type=kind)
    _add(disk, "source", file=path)
    _add(disk, "target", dev=name, bus=bus)
    if device == "cdrom":
        _add(disk, "readonly")


def virt_install(order: Order) -> str:
    """The same by virt-install; IMAGE is a disk that boots."""
    words = [
        *("virt-install", "--name", order.name, "--memory", str(order.machine.memory_mb)),
        *("--vcpus", str(order.machine.cores), "--import"),
        *("--os-variant", "detect=on,require=off"),
        *("--network", "network=default", "--graphics", "none", "--noautoconsole"),
    ]
    return f"""\
#!/bin/sh
# Starts a machine under libvirt. IMAGE: the disk to boot, which the machine writes to.
cd "$(dirname "$0")" || exit 1
: "${{IMAGE:?set IMAGE to the disk that is to boot}}"
exec {shlex.join(words)} \\
    --disk "path=$IMAGE" --disk "path=$PWD/seed.iso,device=cdrom"
"""


def virtualbox(order: Order) -> str:
    """The same by VBoxManage; IMAGE is a disk or, as of CernVM 3 and 4, a boot ISO."""
    machine, name = order.machine, shlex.quote(order.name)
    return f"""\
#!/bin/sh
# Makes and starts a machine of VirtualBox. IMAGE: a disk (.vdi, .vmdk), or a boot ISO, which
# gets an empty disk of {machine.disk_gb} GB.
set -e
cd "$(dirname "$0")"
: "${{IMAGE:?set IMAGE to the disk or boot ISO}}"
name={name}
VBoxManage createvm --name "$name" --ostype Linux26_64 --register
VBoxManage modifyvm "$name" --memory {machine.memory_mb} --cpus {machine.cores} --nic1 nat \\
    --boot1 dvd --boot2 disk --boot3 none --boot4 none --audio none --rtcuseutc on
VBoxManage storagectl "$name" --name SATA --add sata --portcount 3
case "$IMAGE" in
*.iso)
    VBoxManage createmedium disk --filename "$PWD/$name.vdi" --size {machine.disk_gb * 1024}
    disk="$PWD/$name.vdi"
    VBoxManage storageattach "$name" --storagectl SATA --port 2 --type dvddrive --medium "$IMAGE"
    ;;
*) disk=$IMAGE ;;
esac
VBoxManage storageattach "$name" --storagectl SATA --port 0 --type hdd --medium "$disk"
VBoxManage storageattach "$name" --storagectl SATA --port 1 --type dvddrive --medium "$PWD/seed.iso"
exec VBoxManage startvm "$name" --type "${{TYPE:-headless}}"
"""


def launch(order: Order) -> str:
    """The same by cernvm-launch, which fetches CernVM and VirtualBox runs it (its README)."""
    machine = order.machine
    words = [
        *("cernvm-launch", "create", "--name", order.name),
        *("--memory", str(machine.memory_mb), "--disk", str(machine.disk_gb * 1000)),
        *("--cpus", str(machine.cores), "user-data"),
    ]
    return f"""\
#!/bin/sh
cd "$(dirname "$0")" || exit 1
exec {shlex.join(words)}
"""


LOCAL = Target(
    "local",
    "Your own computer",
    "Files and commands for libvirt, VirtualBox and cernvm-launch, with the seed disk.",
    render,
)
