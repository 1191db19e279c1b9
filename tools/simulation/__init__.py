"""Productions on a virtual clock: the domain's own rules against plain ones, with 100,000 hosts."""
