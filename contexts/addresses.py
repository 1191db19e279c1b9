"""Addresses of the network: what a pattern cannot tell, whether their numbers are right."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from contexts.schema import Fault


def bad_addresses(path: str, texts: Iterable[str]) -> Iterator[Fault]:
    """A fault for each that is no IPv4 or IPv6 address."""
    for number, text in enumerate(texts):
        try:
            ipaddress.ip_address(text)
        except ValueError:
            yield Fault(f"{path}[{number}]", f"{text} is no address of IPv4 or IPv6: correct it")


def bad_networks(path: str, texts: Iterable[str]) -> Iterator[Fault]:
    """A fault for each that is no network such as 192.0.2.0/24."""
    for number, text in enumerate(texts):
        try:
            ipaddress.ip_network(text)
        except ValueError as error:
            yield Fault(f"{path}[{number}]", f"{error}: give a network such as 192.0.2.0/24")
