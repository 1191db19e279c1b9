"""elastiq: a head that starts and stops workers of its pool on a cloud."""

from __future__ import annotations

from collections.abc import Iterator

from contexts.asking import block, line, number
from contexts.made import Coding, Section
from contexts.part import Machine, Pieces
from contexts.quoting import coded
from contexts.reading import number as figure
from contexts.reading import text
from contexts.schema import Document, Fault, Values
from contexts.shapes import BASE64, NAME, PEM, SECRET, URL, WORDS
from contexts.uncoding import uncoded


def _rules(values: Values, document: Document) -> Iterator[Fault]:
    least, most = figure(values, "min_vms"), figure(values, "max_vms")
    if least is not None and most is not None and least > most:
        yield Fault("elastiq.min_vms", f"{least} is more than {most}, the most: lower it")


def _more(values: Values, machine: Machine) -> Pieces:
    if text(values, "secret_key"):
        told = "elastiq: the cloud's key is in the user data, which every program there can read"
        return Pieces(warnings=(told,))
    return Pieces()


PART = Section(
    "elastiq",
    "Advanced",
    "elastiq",
    "Starts workers of a pool on a cloud as jobs wait, and stops idle ones (CernVM 3 and 4).",
    (
        number("jobs_per_vm", "Jobs for each worker", "4 was usual.", 1, 10_000),
        number("deploy_s", "Time to start", "Seconds until a new worker is there.", 1, 86_400),
        number("queue_s", "Look at the queue", "Every so many seconds.", 1, 86_400),
        number("vms_s", "Look at the workers", "Every so many seconds.", 1, 86_400),
        number(
            "waiting_s", "Wait", "Seconds that jobs wait before a worker is started.", 1, 86_400
        ),
        number("idle_s", "Idle", "Seconds after which an idle worker is stopped.", 1, 864_000),
        line("batch", "Batch system", "Its plug-in; htcondor.", NAME, example="htcondor"),
        number("min_vms", "Workers, least", "How many are always kept.", 0, 100_000),
        number("max_vms", "Workers, most", "How many are never exceeded.", 0, 100_000),
        line("api_url", "Cloud", "Its EC2 address.", URL, example="https://ec2.example.org:8773/"),
        line(
            "api_version", "Version", "Of the cloud's EC2 interface.", WORDS, example="2013-02-01"
        ),
        line("access_key", "Access key", "Of the account at the cloud.", SECRET, secret=True),
        line("secret_key", "Secret key", "Of the account at the cloud.", SECRET, secret=True),
        line("image", "Image", "That workers start from.", NAME, example="ami-00000042"),
        line("flavour", "Size", "Of a worker.", NAME, example="m1.large"),
        line("key_name", "Key pair", "At the cloud.", NAME, example="admin"),
        line(
            "user_data",
            "User data of workers",
            "In base64.",
            BASE64,
            longest=12_000,
            secret=True,
            runs=True,
        ),
        block(
            "ca",
            "Authorities",
            "That the cloud's certificate is signed by.",
            PEM.example,
            shape=PEM,
            longest=16_000,
        ),
    ),
    "elastiq-setup",
    "elastiq-setup",
    keys={
        "jobs_per_vm": "elastiq_n_jobs_per_vm",
        "deploy_s": "elastiq_estimated_vm_deploy_time_s",
        "queue_s": "elastiq_check_queue_every_s",
        "vms_s": "elastiq_check_vms_every_s",
        "waiting_s": "elastiq_waiting_jobs_time_s",
        "idle_s": "elastiq_idle_for_time_s",
        "batch": "elastiq_batch_plugin",
        "min_vms": "quota_min_vms",
        "max_vms": "quota_max_vms",
        "api_url": "ec2_api_url",
        "api_version": "ec2_api_version",
        "access_key": "ec2_aws_access_key_id",
        "secret_key": "ec2_aws_secret_access_key",
        "image": "ec2_image_id",
        "flavour": "ec2_flavour",
        "key_name": "ec2_key_name",
        "user_data": "ec2_user_data_b64",
        "ca": "cacerts_b64",
    },
    coded={"ca": Coding(coded, uncoded)},
    more=_more,
    rules=_rules,
)
