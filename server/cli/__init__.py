"""The commands of `windfall`: each reads its options, does one thing, and says how it went."""
