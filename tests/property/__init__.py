"""Random histories held against the invariants."""
