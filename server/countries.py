"""Countries of addresses, from the tables of the registries (RIR) that iptocc carries."""

from __future__ import annotations

import logging

from server.services.census import CountryOf, no_country

log = logging.getLogger("windfall.server")


def table(wanted: bool) -> CountryOf:
    """Two letters for an address, empty if it is nowhere, or nothing is looked up."""
    if not wanted:
        return no_country
    try:
        from iptocc import country_code
    except ImportError:  # no wheel for this machine, and no compiler: a map is no reason to stand
        log.warning("countries are not looked up: iptocc is absent", extra={"action": "countries"})
        return no_country
    return lambda address: country_code(address) or ""
