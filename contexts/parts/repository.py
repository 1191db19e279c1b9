"""CernVM-FS: which software repositories a machine mounts, and by which way it reaches them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from contexts.asking import block, choice, line, number, several, switch, table
from contexts.files import file, guarded, variables
from contexts.made import Made, written
from contexts.part import Machine, Pieces
from contexts.quoting import plain, quoted
from contexts.reading import lines, rows, text
from contexts.reading import number as figure
from contexts.reading import switch as said
from contexts.schema import Document, Fault, Values
from contexts.shapes import NAME, PEM, PROXIES, PROXY, REPOSITORY, SERVER, TAG, URL, Shape

NOTHING = "none"
"""As ``boot_proxy``: the boot loader is told no proxy at all."""
_SERVER_OR_URL = Shape(
    rf"({SERVER.pattern})|({URL.pattern})",
    "a host name with :port if need be, or an address",
    "stratum1.example.org:8000",
)
_KEY = Shape(
    r"[A-Za-z0-9+/]{4,8000}={0,2}|" + PEM.pattern,
    "a public key in PEM, or that in base64",
    "LS0tLS1CRUdJTiBQVUJMSUMgS0VZLS0tLS0K",
)


def proxies(values: Values) -> str:
    """The proxies in CernVM-FS's notation; "" if the machine is to find out itself."""
    mode, last = text(values, "mode"), ["DIRECT"] if said(values, "direct") else []
    if mode == "direct":
        return "DIRECT"
    return ";".join([*lines(values, "proxies"), *last]) if mode == "list" else ""


def _rules(values: Values, document: Document) -> Iterator[Fault]:
    if text(values, "mode") == "list" and not lines(values, "proxies"):
        yield Fault(
            "repository.proxies", "the mode is list: give a proxy, or choose auto or direct"
        )
    names = [row["name"] for row in rows(values, "extra")]
    for number_, name in enumerate(names):
        if name in names[:number_]:
            yield Fault(f"repository.extra[{number_}].name", f"{name} is named twice: keep one")


def _pieces(values: Values, machine: Machine) -> Pieces:
    section = {
        "organisations": ",".join(lines(values, "organisations")),
        "repositories": ",".join(lines(values, "repositories")),
        "extra_repositories": ",".join(_extra(row) for row in rows(values, "extra")),
        "proxy": quoted_proxies(proxies(values)),
    }
    return Pieces(
        amiconfig=written("cernvm", section),
        plugins=("cernvm",) if any(section.values()) else (),
        ucernvm=_boot(values),
        cloud=_cloud(values),
        environment=_environment(values),
        secrets=("repository.proxies",) if "@" in proxies(values) else (),
        warnings=tuple(_warnings(values)),
    )


def quoted_proxies(value: str) -> str:
    """Always between quotes: | and ; would be commands to the shell that reads them."""
    return quoted(value) if value else ""


def _extra(row: dict[str, str]) -> str:
    key = row["key"]
    if "\n" in key:
        key = base64.b64encode(key.encode()).decode("ascii")
    return f"{row['name']}|{row['server']}|{key}"


def _boot(values: Values) -> dict[str, str]:
    other = text(values, "boot_proxy")
    proxy = "" if other == NOTHING else other or proxies(values)
    wait = figure(values, "wait_on_squid")
    found = {
        "cvmfs_http_proxy": quoted_proxies(proxy),
        "cvmfs_pac_urls": quoted(";".join(pac)) if (pac := lines(values, "pac")) else "",
        "cvmfs_server": plain(",".join(lines(values, "servers"))),
        "cvmfs_cdn": plain(",".join(lines(values, "cdn"))),
        "cvmfs_wait_on_squid": "" if wait is None else str(wait),
    }
    return {key: value for key, value in found.items() if value}


def _cloud(values: Values) -> dict[str, Any]:
    limit = figure(values, "cache_mb")
    settings = {
        "CVMFS_REPOSITORIES": plain(",".join(lines(values, "repositories"))),
        "CVMFS_HTTP_PROXY": quoted(proxies(values) or _automatic(values)),
        "CVMFS_PAC_URLS": quoted(";".join(pac)) if (pac := lines(values, "pac")) else "",
        "CVMFS_SERVER_URL": _server_urls(values),
        "CVMFS_QUOTA_LIMIT": "" if limit is None else str(limit),
    }
    told = {key: value for key, value in settings.items() if value}
    files = [file("/etc/cvmfs/default.local", variables(told))]
    for row in rows(values, "extra"):
        files += _repository(row)
    for row in rows(values, "pins"):
        said_ = variables({"CVMFS_REPOSITORY_TAG": plain(row["tag"])})
        files.append(file(f"/etc/cvmfs/config.d/{row['name']}.local", said_))
    return {"write_files": files, "runcmd": [guarded("cvmfs_config", "cvmfs_config setup")]}


def _automatic(values: Values) -> str:
    return "auto;DIRECT" if said(values, "direct") else "auto"


def _server_urls(values: Values) -> str:
    urls = ";".join(f"http://{host}/cvmfs/@fqrn@" for host in lines(values, "servers"))
    return quoted(urls) if urls else ""


def _repository(row: dict[str, str]) -> list[dict[str, str]]:
    name, server, key = row["name"], row["server"], row["key"]
    url = server if "://" in server else f"http://{server}/cvmfs/@fqrn@"
    path = f"/etc/cvmfs/keys/{name}.pub"
    settings = {"CVMFS_SERVER_URL": quoted(url)}
    if not key:
        return [file(f"/etc/cvmfs/config.d/{name}.conf", variables(settings))]
    settings["CVMFS_PUBLIC_KEY"] = plain(path)
    pem = key if "\n" in key else base64.b64decode(key + "=" * (-len(key) % 4)).decode("latin-1")
    return [file(f"/etc/cvmfs/config.d/{name}.conf", variables(settings)), file(path, pem)]


def _environment(values: Values) -> dict[str, str]:
    proxy = proxies(values)
    found = {
        "CVMFS_REPOSITORIES": ",".join(lines(values, "repositories")),
        "CVMFS_HTTP_PROXY": proxy or _automatic(values),
    }
    return {key: value for key, value in found.items() if value}


def _warnings(values: Values) -> Iterator[str]:
    for row in rows(values, "extra"):
        if "://" in row["server"]:
            yield (
                f"repository {row['name']}: amiconfig makes http://SERVER/cvmfs/NAME of it; "
                f"on CernVM 3 and 4 give the host alone, not {row['server']}"
            )
    if text(values, "mode") != "list" and lines(values, "proxies"):
        yield f"repository: the proxy list is not used, for the mode is {text(values, 'mode')}"
    if (proxies(values) or _boot(values).get("cvmfs_server")) and lines(values, "cdn"):
        yield "repository: proxies and servers switch the CDN off in the boot loader"


PART = Made(
    "repository",
    "Repository",
    "Software repositories (CernVM-FS)",
    "Mounts the software repositories of CernVM-FS, by proxies of the site.",
    (
        several(
            "organisations",
            "Organisations",
            "The experiments whose environment users get at login (on CernVM 3 and 4).",
            NAME,
            example=["NA61"],
        ),
        several(
            "repositories",
            "Repositories",
            "What is mounted under /cvmfs, short or in full.",
            REPOSITORY,
            example=["na61", "sft.cern.ch"],
            adds=True,
        ),
        table(
            "extra",
            "Further repositories",
            "Repositories that the machine does not know by itself.",
            (
                line(
                    "name",
                    "Name",
                    "Its name in full.",
                    REPOSITORY,
                    required=True,
                    example="demo.example.org",
                ),
                line(
                    "server",
                    "Server",
                    "Its Stratum 1, a host name; amiconfig knows no other form.",
                    _SERVER_OR_URL,
                    required=True,
                ),
                block(
                    "key",
                    "Public key",
                    "In PEM as published, or that in base64.",
                    _KEY.example,
                    shape=_KEY,
                ),
            ),
            adds=True,
        ),
        table(
            "pins",
            "Pinned snapshots",
            "Repositories that stay at a named snapshot (by cloud-init).",
            (
                line("name", "Name", "The repository, in full.", REPOSITORY, required=True),
                line("tag", "Snapshot", "The name of the snapshot.", TAG, required=True),
            ),
            adds=True,
        ),
        choice(
            "mode",
            "Proxies",
            "auto: the machine finds them (WPAD); direct: none; list: those below.",
            ("auto", "direct", "list"),
            "auto",
            required=True,
        ),
        several(
            "proxies",
            "Proxy list",
            "Tried in this order; those joined by | share the load.",
            PROXY,
            example=["http://squid.example.org:3128|http://squid2.example.org:3128"],
        ),
        switch("direct", "Fall back to direct", "When no proxy answers, without one.", True),
        several(
            "pac",
            "PAC addresses",
            "Where the list of proxies is found (WPAD).",
            URL,
            example=["http://grid-wpad/wpad.dat"],
        ),
        several(
            "servers", "Stratum 1 servers", "Hosts, nearest first; else the image's own.", SERVER
        ),
        several(
            "cdn", "CDN servers", "Reverse servers for the boot loader of CernVM 3 and 4.", SERVER
        ),
        line(
            "boot_proxy",
            "Proxies of the boot loader",
            "Only if others than above; `none` leaves it to the boot loader.",
            PROXIES,
        ),
        number(
            "wait_on_squid",
            "Wait for a proxy",
            "Seconds that the boot loader waits for one.",
            0,
            3600,
        ),
        number(
            "cache_mb",
            "Cache",
            "MB of disk for the cache of CernVM-FS (by cloud-init).",
            100,
            10_000_000,
        ),
    ),
    _pieces,
    _rules,
    "Without proxies in the list the boot loader uses the CDN. The address of a further repository "
    "is put together by amiconfig as http://SERVER/cvmfs/NAME.",
)
