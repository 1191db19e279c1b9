"""Network: name servers, time servers, proxies of programs, and tuning of the kernel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from contexts.addresses import bad_addresses
from contexts.asking import choice, line, several
from contexts.files import file, variables
from contexts.made import Made
from contexts.part import Machine, Pieces
from contexts.quoting import plain
from contexts.reading import lines, text
from contexts.schema import Document, Fault, Values
from contexts.shapes import HOST, IP, URL, Shape

WAN = (
    "net.core.rmem_max=67108864",
    "net.core.wmem_max=67108864",
    "net.ipv4.tcp_rmem=4096 87380 33554432",
    "net.ipv4.tcp_wmem=4096 65536 33554432",
    "net.core.netdev_max_backlog=30000",
)
"""Buffers for one stream of 10 Gbit/s over 25 ms or 2.5 Gbit/s over 100 ms (32 MB in flight)."""
_SYSCTL = Shape(
    r"(fs|kernel|net|vm)(\.[a-z0-9_-]{1,40}){1,5}=-?[0-9]{1,15}( [0-9]{1,15}){0,3}",
    "a key of sysctl and numbers, such as net.ipv4.tcp_sack=1",
    "net.core.rmem_max=67108864",
)
_NO_PROXY = Shape(r"[A-Za-z0-9.*:/-]{1,100}", "a host, domain or network", "example.org")
_ENVIRONMENT = "/etc/profile.d/zz-proxy.sh"


def _rules(values: Values, document: Document) -> Iterator[Fault]:
    yield from bad_addresses("network.dns", lines(values, "dns"))


def _pieces(values: Values, machine: Machine) -> Pieces:
    programs = _programs(values)
    cloud: dict[str, Any] = {"write_files": _files(values, programs), "runcmd": []}
    if _tuning(values):
        cloud["runcmd"].append(["sysctl", "--system"])
    if servers := lines(values, "ntp"):
        cloud["ntp"] = {"enabled": True, "servers": servers}
    if dns := _resolver(values):
        cloud["write_files"].append(file("/etc/resolv.conf", dns))
    return Pieces(cloud={key: value for key, value in cloud.items() if value}, environment=programs)


def _tuning(values: Values) -> list[str]:
    preset = list(WAN) if text(values, "tuning") == "wan" else []
    return [*preset, *lines(values, "sysctl")]


def _programs(values: Values) -> dict[str, str]:
    proxy, without = (
        text(values, "proxy"),
        plain(",".join(lines(values, "no_proxy")).replace("*", "")),
    )
    names = {"http_proxy": proxy, "https_proxy": proxy, "no_proxy": without}
    return {key: value for key, value in names.items() if value}


def _files(values: Values, programs: dict[str, str]) -> list[dict[str, str]]:
    found = []
    if tuning := _tuning(values):
        pairs = (item.partition("=") for item in tuning)
        text_ = "".join(f"{key} = {value}\n" for key, _, value in pairs)
        found.append(file("/etc/sysctl.d/90-context.conf", text_))
    if programs:
        told = {f"export {key}": plain(value) for key, value in programs.items()}
        found.append(file(_ENVIRONMENT, variables(told)))
    return found


def _resolver(values: Values) -> str:
    search = " ".join(lines(values, "search"))
    head = f"search {search}\n" if search else ""
    return head + "".join(f"nameserver {address}\n" for address in lines(values, "dns"))


PART = Made(
    "network",
    "Network",
    "Network",
    "Sets name servers, time servers, the proxy of programs, and the kernel's buffers.",
    (
        several("dns", "Name servers", "Instead of those the network tells.", IP, longest=3),
        several(
            "search",
            "Search domains",
            "Tried behind short names.",
            HOST,
            example=["example.org"],
            longest=6,
        ),
        several(
            "ntp", "Time servers", "Instead of the image's own.", HOST, example=["ntp.example.org"]
        ),
        line(
            "proxy",
            "Proxy of programs",
            "As http_proxy and https_proxy; CernVM-FS has its own.",
            URL,
            example="http://proxy.example.org:8080",
        ),
        several(
            "no_proxy", "Without proxy", "Hosts and domains that are asked directly.", _NO_PROXY
        ),
        choice(
            "tuning",
            "Tuning",
            "wan: large buffers for transfers over long distances.",
            ("none", "wan"),
            "none",
        ),
        several(
            "sysctl", "Kernel settings", "Keys of sysctl, set at every boot.", _SYSCTL, adds=True
        ),
    ),
    _pieces,
    _rules,
    note="All of it is done by cloud-init. It takes the place of amiconfig's tcpbuffers, which "
    "reads a key literally named `var` and has never set anything.",
)
