"""A machine in a cloud: arguments for EC2, commands for OpenStack, Google and Azure."""

from __future__ import annotations

import base64
import shlex
from typing import Any

from contexts.render.order import MIME_FORMS, SHELL, TEXT, Order, Target
from contexts.render.result import AZURE_LIMIT, GCE_LIMIT, File, Rendered
from contexts.render.userdata import legacy_warnings, size_warning

SIZES = (
    ("t3.small", 2, 2_048),
    ("t3.medium", 2, 4_096),
    ("t3.large", 2, 8_192),
    ("t3.xlarge", 4, 16_384),
    ("t3.2xlarge", 8, 32_768),
    ("m6i.4xlarge", 16, 65_536),
    ("m6i.8xlarge", 32, 131_072),
    ("m6i.16xlarge", 64, 262_144),
)
"""Instance types of EC2 with their virtual cores and memory in MiB, the small ones first."""


def render(order: Order) -> Rendered:
    """All files; the image is the person's to choose."""
    user_data = order.user_data_file
    size = len(user_data.body)
    packed = base64.b64encode(user_data.body).decode()
    files = (
        user_data,
        order.json("ec2.json", ec2(order), *MIME_FORMS),
        _script(order, "ec2.sh", _EC2),
        _script(order, "openstack.sh", _OPENSTACK),
        order.file("cvm-user-data.b64", TEXT, packed, *MIME_FORMS),
        _script(order, "gce.sh", _GCE),
        _script(order, "azure.sh", _AZURE),
    )
    warnings = [
        *legacy_warnings(order),
        *size_warning(size),
        *size_warning(len(packed), AZURE_LIMIT, "Azure (in base64)"),
        *size_warning(len(packed), GCE_LIMIT, "Google"),
    ]
    if user_data.secrets:
        warnings.append("User data stay readable at the machine's metadata address while it lives")
    return Rendered(files, tuple(warnings), user_data.secrets, size)


def ec2(order: Order) -> dict[str, Any]:
    """Arguments of RunInstances as boto3 takes them; ImageId is left to be added.

    CernVM 3 and 4 read user data without a session token (IMDSv1), so there it is optional.
    """
    return {
        "MinCount": 1,
        "MaxCount": 1,
        "InstanceType": instance_type(order.machine.cores, order.machine.memory_mb),
        "InstanceInitiatedShutdownBehavior": "terminate",
        "MetadataOptions": {
            "HttpEndpoint": "enabled",
            "HttpTokens": "optional" if order.legacy else "required",
        },
        "TagSpecifications": [
            {
                "ResourceType": "instance",
                "Tags": [
                    {"Key": "Name", "Value": order.name},
                    {"Key": "windfall-revision", "Value": str(order.revision)},
                ],
            }
        ],
        "UserData": order.user_data,
    }


def instance_type(cores: int, memory_mb: int) -> str:
    """The smallest that has as much; the largest known if none has."""
    fitting = (name for name, has, mb in SIZES if has >= cores and mb >= memory_mb)
    return next(fitting, SIZES[-1][0])


_EC2 = """\
# The aws command packs user data itself, so they are given as a file.
: "${IMAGE:?set IMAGE to an AMI, ami-...}"
exec aws ec2 run-instances --cli-input-json file://ec2.json --image-id "$IMAGE" \\
    --user-data file://user-data"""
_OPENSTACK = """\
: "${IMAGE:?set IMAGE to the name of an image}" "${FLAVOR:?set FLAVOR, see: openstack flavor list}"
exec openstack server create --image "$IMAGE" --flavor "$FLAVOR" --user-data user-data \\
    --config-drive true NAME"""
_GCE = """\
# cloud-init and the boot loader read user-data; amiconfig reads cvm-user-data, in base64.
: "${IMAGE:?set IMAGE to the name of an image}"
exec gcloud compute instances create NAME --image "$IMAGE" \\
    --custom-cpu CORES --custom-memory MEMORYMB \\
    --metadata-from-file user-data=user-data,cvm-user-data=cvm-user-data.b64"""
_AZURE = """\
: "${IMAGE:?set IMAGE to an image}" "${GROUP:?set GROUP to a resource group}"
exec az vm create --resource-group "$GROUP" --name NAME --image "$IMAGE" \\
    --custom-data user-data --generate-ssh-keys"""


def _script(order: Order, name: str, text: str) -> File:
    machine = order.machine
    # Google's machines have an even number of cores (or one), and memory in steps of 256 MB.
    cores = machine.cores + machine.cores % 2 if machine.cores > 1 else 1
    memory = -(-machine.memory_mb // 256) * 256
    told = text.replace("CORES", str(cores)).replace("MEMORY", str(memory))
    told = told.replace("NAME", shlex.quote(order.name))
    head = '#!/bin/sh\ncd "$(dirname "$0")" || exit 1\n'
    return order.file(name, SHELL, f"{head}{told}\n", mode=0o755)


CLOUD = Target(
    "cloud",
    "Clouds",
    "EC2 arguments as JSON, commands for OpenStack, Google and Azure, and the user data for them.",
    render,
)
